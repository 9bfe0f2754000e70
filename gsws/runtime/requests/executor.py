"""What the requests of one event source share: loop, threads, deadlines, bounds, and whom they answer and reach."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gsws.defaults import IN_FLIGHT, QUEUE, QUEUE_BYTES
from gsws.errors import ConnectionClosed
from gsws.protocol.answer import Answer
from gsws.routing.pushing import Pushes
from gsws.runtime.counters import Counters
from gsws.runtime.requests.idempotency import IdempotencyCache
from gsws.runtime.requests.observer import Observer
from gsws.runtime.threads import ThreadPool
from gsws.runtime.transport import Connection
from gsws.runtime.wheel import Wheel
from gsws.schema.compile import Validator
from gsws.types import GSActor, JSONObject

__all__ = ["Executor", "Outlet", "RoomServer", "Working", "closed_error"]

_TICK: Final = 0.05
"""Seconds between two looks at the deadlines of running requests."""


class Working(Protocol):
    """
    The requests of one client, while any is queued or runs.

    Attributes:
        in_flight: How many.
        queued: Those of them that are plain and have not begun.
    """

    in_flight: int
    queued: int

    def expire(self, now: float) -> None:
        """End what has run for too long."""

    def is_owed(self) -> bool:
        """Whether something is queued or runs that nobody has ended."""

    def abort_all(self, reason: str) -> None:
        """End everything that is queued or running, each with its terminal frame."""

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Every task that works for the client."""


class RoomServer(Protocol):
    """The rooms of the source, as a handler reaches them."""

    def publish(self, room: str, text: bytes) -> int:
        """Send a JSON text to everybody in a room, and tell how many there are."""

    def labels(self, room: str) -> list[str]:
        """The labels of everybody in a room."""


@dataclass(slots=True, eq=False)
class Executor:
    """
    What the requests of one source share.

    Attributes:
        name: The source's.
        rooms: Its rooms.
        pushes: What is pushed into the service from anywhere.
        broadcasts: Checks of what is sent to rooms, by event type: the union over its events.
        idempotency: The answers that repeated requests get.
        counters: What was refused, failed and closed.
        busy: Whose requests are queued or running.
        is_stopped: Whether no new work may start at all.
        development: Whether a caller is told what its handler raised (P7.1).
        observer: Who is told how requests end, or None.
        max_in_flight: Streams and parallel requests of one client that may run; as many more may wait.
        max_queued: Plain requests of one client that may wait before its connection is held back.
        max_queued_bytes: Bytes of their messages that may.
        thread: The loop's thread.
        context: What every handler finds in its context variables.
    """

    name: str
    loop: asyncio.AbstractEventLoop
    threads: ThreadPool
    wheel: Wheel
    rooms: RoomServer
    pushes: Pushes
    logger: Any
    counters: Counters = field(default_factory=Counters)
    broadcasts: Mapping[str, Validator] = field(default_factory=dict)
    max_in_flight: int = IN_FLIGHT
    max_queued: int = QUEUE
    max_queued_bytes: int = QUEUE_BYTES
    busy: set[Working] = field(default_factory=set)
    is_stopped: bool = False
    development: bool = False
    observer: Observer | None = None
    thread: int = field(default_factory=threading.get_ident)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    idempotency: IdempotencyCache = field(init=False)
    _ticking: bool = False

    def __post_init__(self) -> None:
        self.idempotency = IdempotencyCache(self.loop.time)

    def mark_busy(self, client: Working) -> None:
        """A client has its first request in flight: watch its deadlines."""
        self.busy.add(client)
        if not self._ticking:
            self._ticking = True
            self.loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        now = self.loop.time()
        for client in tuple(self.busy):
            client.expire(now)
        if self.busy:
            self.loop.call_later(_TICK, self._tick)
        else:
            self._ticking = False


class Outlet(Protocol):
    """
    Whom a request answers.

    Attributes:
        executor: What the requests of its source share.
        connection: The one it has now; a session that is resumed has another one.
        label: The ``clientId`` (P4.1).
    """

    executor: Executor
    connection: Connection
    label: str

    @property
    def actor(self) -> GSActor: ...
    @property
    def session_id(self) -> str | None: ...
    @property
    def logger(self) -> Any: ...
    @property
    def metadata(self) -> JSONObject:
        """What the server knows of the connection."""

    def next_request_id(self) -> str:
        """Make the server's own id of one more request."""

    def transmit(self, answer: Answer, data: bytes) -> None:
        """Send a frame of an answer, or keep it for who is owed it; called in order, the terminal frame last."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""

    def join(self, room: str, *, is_announced: bool) -> None: ...
    def leave(self, room: str) -> None: ...


def closed_error(connection: Connection) -> ConnectionClosed:
    """Make the exception for a send on a connection that is not open."""
    return ConnectionClosed(connection.close_code or 1006, connection.close_reason or "")
