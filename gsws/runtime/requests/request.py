"""
One request: what a client asked, how far its answer is, and what its handler sees of it.

How requests are queued and run is in `gsws.runtime.sessions.client`.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gsws.protocol.answer import Answer, frame, sent_payload
from gsws.routing.context import GSContext
from gsws.routing.pushing import Pushes
from gsws.routing.table import Route, SharedState, violations
from gsws.runtime.requests.handlersocket import DONE, HandlerSocket, on_loop, pause, wait_for_room
from gsws.runtime.rooms.presence import announces
from gsws.runtime.transport import encode_frame
from gsws.types import Count, GSActor, JSONObject

if TYPE_CHECKING:
    from gsws.runtime.requests.idempotency import Key
    from gsws.runtime.sessions.client import Client
    from gsws.schema.compile import Validator

__all__ = ["CURRENT", "ReplyViolation", "Request"]

CURRENT: Final[contextvars.ContextVar[Request | None]] = contextvars.ContextVar("gsws_request", default=None)
"""The request whose handler runs in this context; tasks that it spawns are accounted to it."""

_PARTS: Final = frozenset({"stream.chunk", "stream.end"})
"""Frames that only an open stream has."""

_ALONE: Final = frozenset({"stream.start", "stream.error", "reply"})
"""Frames that open no stream."""


class ReplyViolation(Exception):
    """
    A handler emitted or returned what its event's contract does not allow; the message says which part.

    Attributes:
        errors: Why, as in the ``errors`` of a ``stream.error``.
    """

    def __init__(self, message: str, validator: Validator, payload: Any) -> None:
        super().__init__(message)
        self.errors = violations(validator, payload)


class Request:
    """
    One request of one connection, from dispatch to its terminal frame.

    Attributes:
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
        "client",
        "deadline",
        "digest",
        "first",
        "generator",
        "idempotency",
        "is_running",
        "last",
        "message",
        "meta",
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
        client: Client,
        route: Route,
        answer: Answer,
        message: JSONObject,
        meta: JSONObject | None,
        size: int = 1,
    ) -> None:
        self.client = client
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
            self._request_id = self.client.next_request_id()
        return self._request_id

    @property
    def client_id(self) -> str:
        return self.client.label

    @property
    def session(self) -> str | None:
        return self.client.session_id

    @property
    def actor(self) -> GSActor:
        return self.client.actor

    @property
    def logger(self) -> Any:
        facts = {**self.route.log_attributes, "event_key": self.route.key, "request": self.request_id}
        return self.client.logger.bind(**facts)

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
        return {**(self.meta or {}), **self.client.metadata}

    def emit(self, eventtype: str, payload: Any) -> Awaitable[None]:
        """
        Send a frame of this request's answer.

        Raises:
            ReplyViolation: If the event's ``emits`` declares the type and the payload does not fit.
            Unserialisable: If the payload has no JSON form.
        """
        if threading.get_ident() != self.client.source.thread:
            on_loop(self, partial(self.emit, eventtype, payload))
            if self.client.connection.paused and self.client.is_open:
                wait_for_room(self)
            return DONE
        if self.aborted is not None:
            return DONE
        data = sent_payload(eventtype, payload)
        self.check_emit(eventtype, data)
        client = self.client
        if not self.answer.started and (eventtype in _PARTS or (self.route.streams and eventtype not in _ALONE)):
            # P6.3: `stream.start` is the first frame of a stream, and opens it.
            self.opens()
            start = self.answer.start()
            if start is not None:
                client.transmit(self, start)
        made = self.answer.emit(eventtype, data)
        if made is None:
            return DONE
        client.transmit(self, made)
        if self.answer.ended:
            self.last = made
            client.forget(self)
        return pause(self)

    def check_emit(self, eventtype: str, payload: JSONObject) -> None:
        """Hold an emitted payload against the schema that the event declares for its type."""
        validator = self.route.emits.get(eventtype)
        if validator is not None and not validator.check(payload):
            raise ReplyViolation(f"emitted `{eventtype}` does not fit its schema in `emits`", validator, payload)

    def join(self, room: str) -> Awaitable[None]:
        on_loop(self, partial(self._join, room))
        return DONE

    def _join(self, room: str) -> None:
        self.client.join(room)
        if announces(self.route.presence, room):
            self.client.source.presence.enter(room, self.client)

    def leave(self, room: str) -> Awaitable[None]:
        on_loop(self, partial(self._leave, room))
        return DONE

    def _leave(self, room: str) -> None:
        self.client.leave(room)
        self.client.source.presence.exit(room, self.client)

    def broadcast(self, room: str, eventtype: str, payload: Any) -> Count:
        data = sent_payload(eventtype, payload)
        source = self.client.source
        if source.broadcasts:
            source.check_broadcast(eventtype, data)
        prepared = encode_frame(frame(eventtype, data))
        return Count(on_loop(self, partial(source.hub.publish, room, prepared)))

    @property
    def pushes(self) -> Pushes:
        return self.client.source.pushes

    def members(self, room: str) -> list[str]:
        return on_loop(self, lambda: [member.label for member in self.client.hub.members(room)])
