"""
One request: what a client asked, how far its answer is, and what its handler sees of it.

How requests are queued and run is in `gsws.runtime.requests.scheduler`.
"""

from __future__ import annotations

import asyncio
import contextvars
import fnmatch
import threading
import time
from collections.abc import AsyncIterator, Awaitable
from functools import partial
from typing import Any, Final, Protocol

from gsws.protocol.answer import Answer, frame, sent_payload
from gsws.routing.context import GSContext
from gsws.routing.pushing import Pushes
from gsws.routing.table import Route, SharedState
from gsws.runtime.requests.contract import check_broadcast, check_emit
from gsws.runtime.requests.executor import Outlet
from gsws.runtime.requests.handlersocket import DONE, HandlerSocket, on_loop, pause, wait_for_room
from gsws.runtime.requests.idempotency import Key
from gsws.types import Count, GSActor, JSONObject

__all__ = ["CURRENT", "Request", "last_frame", "too_many"]

CURRENT: Final[contextvars.ContextVar[Request | None]] = contextvars.ContextVar("gsws_request", default=None)
"""The request whose handler runs in this context; tasks that it spawns are accounted to it."""

_PARTS: Final = frozenset({"stream.chunk", "stream.end"})
"""Frames that only an open stream has."""

_ALONE: Final = frozenset({"stream.start", "stream.error", "reply"})
"""Frames that open no stream."""


class Owner(Protocol):
    """Who has taken in a request."""

    def forget(self, request: Request) -> None:
        """A request has ended (see `Request.end`): its id may be used again."""


class Request:
    """
    One request of one connection, from dispatch to its terminal frame.

    Attributes:
        owner: Who has taken it in; not there before.
        answer: The state of the answer; ``answer.ended`` once the terminal frame is made.
        task: The task that runs the handler now, or None while queued and after it.
        idempotency: What it is known by to repetitions of it, until it has ended.
        digest: A hash of what its message says, if that has an idempotency key.
        last: Its terminal frame.
        is_running: Whether that task has taken its first step for this request.
        deadline: Loop time at which it times out, or None.
        aborted: Why it was ended from outside, or None.
        aborted_at: Loop time of that.
        generator: What came of a call that was not known to give a stream, until it is iterated.
        begun: `time.perf_counter` at which it was taken in, while somebody observes requests; None otherwise.
        started: `time.perf_counter` at which it waited no longer, if it is observed and did.
        first: `time.perf_counter` at which its stream began, if it is observed and did.
        sent: Frames that the handler sent by itself without having to wait for the client.
        size: Bytes of the message.
        received: Seconds of the clock at which its message was read.
        place: Where it waits: 0 once it has begun; see `gsws.runtime.requests.scheduler`.
    """

    __slots__ = (
        "_context",
        "_request_id",
        "_ws",
        "aborted",
        "aborted_at",
        "answer",
        "begun",
        "deadline",
        "digest",
        "first",
        "generator",
        "idempotency",
        "is_running",
        "last",
        "message",
        "meta",
        "outlet",
        "owner",
        "payload",
        "place",
        "received",
        "route",
        "sent",
        "size",
        "started",
        "task",
        "violation",
    )

    def __init__(
        self,
        outlet: Outlet,
        route: Route,
        answer: Answer,
        message: JSONObject,
        meta: JSONObject | None,
        size: int = 1,
    ) -> None:
        self.outlet = outlet
        self.owner: Owner
        self.route = route
        self.answer = answer
        self.message = message
        self.meta = meta
        self.payload = message.get("payload")
        self.violation: list[dict[str, Any]] | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_running = False
        self.idempotency: Key | None = None
        self.digest = b""
        self.last: bytes | None = None
        self.deadline: float | None = None
        self.aborted: str | None = None
        self.aborted_at = 0.0
        self.generator: AsyncIterator[Any] | None = None
        self.sent = 0
        self.begun: float | None = None
        self.started: float
        self.first: float
        self.size = size
        self.place = 0
        self.received = time.time()
        self._context: GSContext | None = None
        self._ws: HandlerSocket | None = None
        self._request_id: str | None = None

    @property
    def shared(self) -> SharedState:
        return self.route.shared

    @property
    def context(self) -> GSContext:
        if self._context is None:
            self._context = GSContext(self)
        return self._context

    def end(self, last: bytes | None) -> None:
        """
        The one place where a request ends: its terminal frame goes out, and its id is free again (P5.2).

        Args:
            last: The frame; None if none is owed, or if it was sent before.
        """
        self.answer.ended = True
        self.last = last
        if last is not None:
            self.outlet.transmit(self.answer, last)
        self.owner.forget(self)

    def unlink(self) -> None:
        """Its handler has ended: break the circles that would keep it until a garbage collection."""
        self._context = self._ws = None

    def opens(self) -> None:
        """Its stream begins: whoever observes requests is told when that was."""
        if self.begun is not None:
            self.first = time.perf_counter()

    @property
    def ws(self) -> HandlerSocket:
        if self._ws is None:
            self._ws = HandlerSocket(self)
        return self._ws

    @property
    def request_id(self) -> str:
        if self._request_id is None:
            self._request_id = self.outlet.next_request_id()
        return self._request_id

    @property
    def client_id(self) -> str:
        return self.outlet.label

    @property
    def session(self) -> str | None:
        return self.outlet.session_id

    @property
    def actor(self) -> GSActor:
        return self.outlet.actor

    @property
    def logger(self) -> Any:
        facts = {**self.route.log_attributes, "event_key": self.route.key, "request": self.request_id}
        return self.outlet.logger.bind(**facts)

    @property
    def cancelled(self) -> bool:
        return self.aborted is not None

    @property
    def eventtype(self) -> str:
        return self.route.key

    @property
    def source(self) -> str:
        return self.route.source

    @property
    def metadata(self) -> JSONObject:
        # What the client says does not replace what the server knows.
        return {**(self.meta or {}), **self.outlet.metadata}

    def emit(self, eventtype: str, payload: Any) -> Awaitable[None]:
        """
        Send a frame of this request's answer.

        Raises:
            ReplyViolation: If the event's ``emits`` declares the type and the payload does not fit.
            Unserialisable: If the payload has no JSON form.
        """
        outlet = self.outlet
        if threading.get_ident() != outlet.executor.thread:
            on_loop(self, partial(self.emit, eventtype, payload))
            if outlet.connection.paused and outlet.connection.is_open:
                wait_for_room(self)
            return DONE
        if self.aborted is not None:
            return DONE
        answer = self.answer
        data = sent_payload(eventtype, payload)
        check_emit(self.route, eventtype, data)
        if not answer.started and (eventtype in _PARTS or (self.route.streams and eventtype not in _ALONE)):
            # P6.3: `stream.start` is the first frame of a stream, and opens it.
            self.opens()
            start = answer.start()
            if start is not None:
                outlet.transmit(answer, start)
        made = answer.emit(eventtype, data)
        if made is None:
            return DONE
        if answer.ended:
            self.end(made)
        else:
            outlet.transmit(answer, made)
        return pause(self)

    def join(self, room: str) -> Awaitable[None]:
        on_loop(self, partial(self.outlet.join, room, is_announced=announces(self.route.presence, room)))
        return DONE

    def leave(self, room: str) -> Awaitable[None]:
        on_loop(self, partial(self.outlet.leave, room))
        return DONE

    def broadcast(self, room: str, eventtype: str, payload: Any) -> Count:
        data = sent_payload(eventtype, payload)
        executor = self.outlet.executor
        if executor.broadcasts:
            check_broadcast(executor.broadcasts, eventtype, data)
        return Count(on_loop(self, partial(executor.rooms.publish, room, frame(eventtype, data))))

    @property
    def pushes(self) -> Pushes:
        return self.outlet.executor.pushes

    def members(self, room: str) -> list[str]:
        return on_loop(self, partial(self.outlet.executor.rooms.labels, room))


def announces(wanted: bool | str, room: str) -> bool:
    """Whether an event whose ``presence`` is ``wanted`` announces who joins a room; a text is a pattern with ``*``."""
    return wanted if isinstance(wanted, bool) else fnmatch.fnmatchcase(room, wanted)


def too_many(request: Request) -> bytes | None:
    """Refuse one stream or parallel request too many (P9.2)."""
    text = "too many requests are queued or running"
    return request.answer.error("too_many_requests", text, retry_after_ms=1000)


def last_frame(request: Request, reason: str) -> bytes | None:
    """Make the terminal frame of an aborted request: streams end, plain handlers time out as errors."""
    answer = request.answer
    if reason == "disconnected":
        return None
    if reason == "timeout" and not request.route.streams:
        return answer.error("timeout", f"`{request.route.key}` took longer than {request.route.timeout:g} s")
    if reason == "draining":
        # Neither called nor about to be: whoever sends it again does nothing twice.
        was_taken = request.is_running or request.task is not None or request.generator is not None
        if not request.route.streams:
            return answer.error("draining", "the server is shutting down; reconnect", taken=was_taken)
        return answer.end("draining", None if was_taken else {"taken": False})
    if reason in ("cancelled", "superseded") and answer.id is None and not request.route.streams:
        return None
    return answer.end(reason)  # type: ignore[arg-type]  # one of EndReason by now
