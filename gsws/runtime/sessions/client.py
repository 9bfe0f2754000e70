"""
One client of one connection: its messages become requests, its requests run in the order of section 9.

A message is decoded, looked up and checked at once; what runs is a worker task that lives while plain handlers are
queued, and one task for each stream. An idle client owns no task and no container.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Set
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from gsws.errors import ConnectionClosed
from gsws.protocol.answer import Answer, CountedAnswer, error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.protocol.codec import decode
from gsws.protocol.errors import WireError
from gsws.protocol.quoting import is_id, quoted
from gsws.protocol.urls import query_of
from gsws.runtime.dispatch.admission import Throttle, is_over_rate, is_refused, slow_down
from gsws.runtime.dispatch.renewal import Refusal, Renewed, renew
from gsws.runtime.requests.idempotency import digest_of
from gsws.runtime.requests.request import Request
from gsws.runtime.requests.scheduler import Scheduler
from gsws.types import GSActor, JSONObject, RequestId

if TYPE_CHECKING:
    from gsws.runtime.identity.expiry import Expiry
    from gsws.runtime.rooms.hub import Hub
    from gsws.runtime.rooms.presence import Attendance
    from gsws.runtime.sources.source import LiveSource
    from gsws.runtime.transport import Connection

__all__ = ["Client", "label_of"]

_LABEL_LENGTH: Final = 128
_READ: Final = 0.05
"""Seconds in which what a client had sent is read before it is closed at a shutdown."""

_MISUSES: Final = 16
"""``gsws.*`` frames without sense after which a connection is closed with 4509."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def label_of(query: str) -> str:
    """Read a connection's label from its query (P4.1); control characters are dropped, 128 characters are kept."""
    for key, value in query_of(query):
        if key == "clientId" and (label := _CONTROL.sub("", value)[:_LABEL_LENGTH]):
            return label
    return f"anon-{uuid.uuid4()}"


class Client(Scheduler):
    """
    The runtime's side of one connection; the transport's `Receiver`.

    Attributes:
        label: The ``clientId`` (P4.1).
        requests: Requests with an id that have no terminal frame yet, by id.
        in_flight: Requests that are queued or running, those without an id included.
        throttle: Its token buckets, or None if it never needed one.
        expiry: How long its credential is good, or None if it has none.
        seat: What its connection counts as while it lasts; None for a session, whose receivers know.
        attendance: The rooms that are told of it, or None if there never was one.
    """

    __slots__ = (
        "_actor",
        "_counter",
        "_misuses",
        "_rooms",
        "attendance",
        "expiry",
        "label",
        "seat",
        "throttle",
    )

    def __init__(self, source: LiveSource, connection: Connection, actor: GSActor | None = None) -> None:
        super().__init__(source, connection)
        self.label = label_of(connection.query)
        self._actor = actor
        self.seat: str | None = None
        self.expiry: Expiry | None = None
        self._counter = 0
        self._misuses = 0
        self._rooms: set[str] | None = None
        self.throttle: Throttle | None = None
        self.attendance: Attendance | None = None

    @property
    def session_id(self) -> str | None:
        """The session's id; a plain client has none."""
        return None

    # What requests need to know.

    @property
    def id(self) -> str:
        return self.connection.id

    @property
    def is_open(self) -> bool:
        return self.connection.is_open

    @property
    def hub(self) -> Hub:
        return self.source.hub

    @property
    def actor(self) -> GSActor:
        if self._actor is None:
            self._actor = GSActor(self.label)
        return self._actor

    @actor.setter
    def actor(self, actor: GSActor) -> None:
        self._actor = actor

    @property
    def logger(self) -> Any:
        return self.source.logger.bind(connection=self.id, client=self.label)

    @property
    def metadata(self) -> JSONObject:
        return {
            "connection": self.id,
            "path": self.connection.path,
            "query": self.query(),
            "host": self.connection.host,
            "subprotocol": self.connection.subprotocol,
        }

    def query(self) -> dict[str, str]:
        """The connection's query, the first value of each key."""
        result: dict[str, str] = {}
        for key, value in query_of(self.connection.query):
            result.setdefault(key, value)
        return result

    def next_request_id(self) -> str:
        self._counter += 1
        return f"{self.id}-{self._counter}"

    # The transport calls these.

    def message(self, data: bytes) -> None:
        """Take one message: answer it at once if it cannot be taken, else queue or start it."""
        source = self.source
        try:
            eventtype, id, meta, message = decode(data, source.json_depth)
        except WireError as error:
            if error.limit is not None:
                source.counters.add(f"limits.{error.limit}")
            if source.rate is None or not is_over_rate(self, "", source.rate, error.id):
                self.refuse(error.name, error.message, error.id)
            return
        if source.rate is not None and is_over_rate(self, eventtype, source.rate, id):
            return
        if eventtype[:5] == "gsws.":
            self._control(eventtype, id, message.get("payload"))
            return
        if id is not None and id in self.requests:
            self._deny("duplicate_id", f"a request with the id {_shown(id)} is still running", id)
            return
        route = source.routes.get(eventtype)
        if route is None:
            shown = quoted(eventtype)
            self.refuse("unknown_event", f"Unknown or unconfigured event type: {shown}", id, event=shown)
            return
        if self._lanes is not None and self.is_crowded(route):
            slow_down(self, "in_flight", "too many requests are queued or running", id, 1.0)
            return
        if source.is_guarded and is_refused(self, route, id):
            return
        request = Request(self, route, Answer(id), message, meta, len(data))
        if route.check is not None and not route.check(message if route.whole else request.payload):
            if not self._violates(request):
                return
        elif route.query is not None and not route.query(self.query()):
            self.refuse(
                "schema_violation", "the connection's query does not fit the event's `params`", id, event=eventtype
            )
            return
        if meta is not None and "idempotency_key" in meta:
            request.digest = digest_of(data, whole=route.whole)
        if source.observer is not None:
            request.begun = perf_counter()
            request.answer = CountedAnswer(id)
        self.schedule(request)

    def binary(self, data: bytes) -> None:
        """Take a binary message as if it were text (P1.1)."""
        self.message(data)

    def closed(self, code: int, reason: str) -> None:
        """The connection has ended: end, or go on with, what runs, as each event says (P6.7)."""
        self.source.seats.leave(self.seat)
        self._disconnect()
        for request in self._unfinished():
            self._disconnected(request)
        self.gone(code, reason)

    def gone(self, code: int, reason: str) -> None:
        """
        The client is gone for good, and nobody comes back for it; called exactly once for each.

        A plain client goes with its connection. A session goes after a goodbye (P6.7), when its window is over, when
        it has to make room, and at a shutdown; one that was opened only to resume another never was a client, and
        nothing is told of it. What events let go on without a client may still run, and `rooms` are those it was in.

        Args:
            code: How its last connection was closed (P7.4).
            reason: What was said with it.
        """
        self.source.presence.gone(self)
        self.source.strike(self, code, reason)

    # Requests call these.

    def deliver(self, data: bytes, *, binary: bool = False) -> None:
        """
        Queue a message at once.

        Raises:
            ConnectionClosed: If the connection is not open.
        """
        connection = self.connection
        if not connection.is_open:
            raise self.closed_error()
        if binary:
            connection.send_binary(data)
        else:
            connection.send_text(data)

    def closed_error(self) -> ConnectionClosed:
        """Make the exception for a send on a connection that is not open."""
        return ConnectionClosed(self.connection.close_code or 1006, self.connection.close_reason or "")

    def push(self, prepared: bytes) -> None:
        """Queue a whole frame without waiting; a client that does not keep up is closed (P9.3)."""
        connection = self.connection
        if not connection.is_open:
            return
        connection.send_prepared(prepared)
        most = self.source.send_buffer
        if connection.buffered > most and connection.backlog_beyond_replay > most:
            connection.close(CloseCode.SLOW_CONSUMER, "slow consumer")
            self._leave_rooms()

    def offer(self, prepared: bytes) -> bool:
        """Push a frame, and tell whether it was queued."""
        if not self.connection.is_open:
            return False
        self.push(prepared)
        return True

    def dismiss(self, code: int, reason: str) -> None:
        """Close, and end what would wait for it to come back."""
        self.close(code, reason)

    def close(self, code: int, reason: str) -> None:
        self.connection.close(code, reason)
        self._leave_rooms()

    @property
    def lingers(self) -> bool:
        """Whether it waits for something while nothing of its own runs."""
        return False

    def drain(self, spread: float) -> float:
        """
        The service begins to drain; a plain client is not told.

        Args:
            spread: Seconds over which clients are to leave.

        Returns:
            Seconds until it may be closed if nothing runs for it; what it had sent before is read by then.
        """
        return min(_READ, spread)

    def shut(self) -> None:
        """The service ends: close (P10.2)."""
        self.close(CloseCode.GOING_AWAY, "server shutdown")

    def join(self, room: str) -> None:
        if self.is_open:
            self._rooms = self._rooms or set()
            self._rooms.add(room)
            self.hub.join(room, self)

    def leave(self, room: str) -> None:
        if self._rooms is not None:
            self._rooms.discard(room)
        self.hub.leave(room, self)

    @property
    def rooms(self) -> Set[str]:
        """The rooms it is in, or was in when its connection ended."""
        return self._rooms or frozenset()

    def _disconnect(self) -> None:
        """The connection has ended."""
        self.source.clients.discard(self)
        self._leave_rooms()
        if self.expiry is not None:
            self.expiry.end()

    def _leave_rooms(self) -> None:
        """Get no more of what rooms are sent; which ones they were is kept."""
        for room in self.rooms:
            self.hub.leave(room, self)

    # Refusals and control frames.

    def _violates(self, request: Request) -> bool:
        """Answer a message that does not fit; True if the project's own hook answers it."""
        route = request.route
        assert route.explain is not None
        errors = route.explain(request.message if route.whole else request.payload)
        if route.on_invalid is not None:
            request.violation = errors
            request.route = route.on_invalid
            return True
        first = errors[0] if errors else None
        text = f"{first['pointer'] or 'the message'}: {first['message']}" if first else "the message does not fit"
        self.refuse(
            "schema_violation", f"Request validation failed: {text}", request.answer.id, event=route.key, errors=errors
        )
        return False

    def _control(self, eventtype: str, id: RequestId | None, payload: Any) -> None:
        """Answer ``gsws.cancel``, ``gsws.ping`` and ``gsws.auth``; others are ignored (P2.4)."""
        if eventtype == "gsws.ping":
            self._send(frame("gsws.pong", payload if isinstance(payload, dict) else {}, id))
        elif eventtype == "gsws.auth":
            renew(payload, self.expiry, self.source.identity, self, partial(self._answer_renewal, id))
        elif eventtype == "gsws.cancel":
            target = payload.get("id", id) if isinstance(payload, dict) else id
            if not is_id(target):
                self.misused("`gsws.cancel` needs the `id` of a request in its payload", id)
                return
            request = self.requests.get(target)
            if request is None:
                self._deny("unknown_id", f"no request with the id {_shown(target)} is running", target)
            else:
                self.abort(request, "cancelled")

    def _answer_renewal(self, id: RequestId | None, outcome: Renewed | Refusal) -> None:
        if isinstance(outcome, Renewed):
            self._send(frame("gsws.authenticated", {"expires_in_ms": outcome.expires_in_ms}, id))
        elif outcome.name == "invalid_message":
            self.misused(outcome.message, id)
        else:
            self._deny(outcome.name, outcome.message, id, **outcome.details)
            if outcome.is_final:
                self.close(CloseCode.FORBIDDEN, "forbidden")

    def refuse(
        self, name: str, message: str, id: RequestId | None, *, event: str | None = None, **details: Any
    ) -> None:
        """Answer a message that never becomes a request."""
        self.source.counters.add(f"errors.{name}")
        if self.source.observer is not None:
            self.source.observer.refused(self, event, name)
        if id is not None and self._is_taken(id):
            # No part of the answer that this id has: without `seq`, and not its end (P5.4).
            self._send(frame("stream.error", error_payload(name, message, **details), id))
        else:
            self._send(Answer(id).error(name, message, **details))

    def _is_taken(self, id: RequestId) -> bool:
        """Whether frames with this id belong to something that runs."""
        return id in self.requests

    def misused(self, message: str, id: RequestId | None) -> None:
        """Answer a ``gsws.*`` frame without sense; who goes on sending such is closed with 4509 (P7.4)."""
        self._misuses += 1
        if self.source.observer is not None:
            self.source.observer.refused(self, None, "invalid_message")
        self._deny("invalid_message", message, id)
        if self._misuses >= _MISUSES:
            self.close(CloseCode.PROTOCOL_MISUSE, "misuse of gsws frames")

    def _deny(self, name: str, message: str, id: RequestId | None, **details: Any) -> None:
        """
        Answer a frame that asks for no answer of its own, or whose id names another request, or none.

        The error carries the id but no ``seq``: it is no part of that request's answer (P5.4).
        """
        self.source.counters.add(f"errors.{name}")
        self._send(frame("stream.error", error_payload(name, message, **details), id))


def _shown(id: RequestId) -> str:
    text = str(id)
    return f"`{text[:64]}`"
