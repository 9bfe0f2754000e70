"""
One connection's messages in: each is decoded, looked up and checked at once, then queued, run or refused.

The transport's `Receiver`. What a client of the profile *session* may send besides is in
`gsws.runtime.dispatch.sessions`; what is queued and run, in `gsws.runtime.requests`.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Any, Final

from gsws.protocol.answer import Answer, CountedAnswer, error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.protocol.codec import decode
from gsws.protocol.errors import WireError
from gsws.protocol.quoting import is_id, quoted
from gsws.runtime.dispatch.admission import Refusal, Throttle, over_rate, refusal_of, too_many, violation_of
from gsws.runtime.dispatch.following import Following
from gsws.runtime.dispatch.renewal import NotRenewed, Renewed, renew
from gsws.runtime.dispatch.router import Router
from gsws.runtime.identity.expiry import Expiry
from gsws.runtime.requests.idempotency import digest_of
from gsws.runtime.requests.request import Request
from gsws.runtime.sessions.client import Client
from gsws.runtime.transport import Connection
from gsws.text.urls import first_values
from gsws.types import GSActor, RequestId

__all__ = ["Dispatcher"]

_READ: Final = 0.05
"""Seconds in which what a client had sent is read before it is closed at a shutdown."""

_MISUSES: Final = 16
"""``gsws.*`` frames without sense after which a connection is closed with 4509."""


class Dispatcher:
    """
    What comes in over one connection, for its client.

    Args:
        router: What the connections of its source share.
        client: Whom the connection belongs to.
        seat: What the connection counts as while it lasts.

    Attributes:
        expiry: How long its credential is good, or None if it has none.
        following: What it gets of other sessions, or None if it never asked.
    """

    __slots__ = ("_misuses", "_seat", "_throttle", "client", "connection", "expiry", "following", "router")

    def __init__(self, router: Router, client: Client, connection: Connection, seat: str | None = None) -> None:
        self.router = router
        self.client = client
        self.connection = connection
        self.expiry: Expiry | None = None
        self.following: Following | None = None
        self._seat = seat
        self._misuses = 0
        self._throttle: Throttle | None = None
        router.connections.add(self)

    # The transport calls these.

    def message(self, data: bytes) -> None:
        """Take one message: answer it at once if it cannot be taken, else queue or start it."""
        router = self.router
        try:
            eventtype, id, meta, message = decode(data, router.json_depth)
        except WireError as error:
            if error.limit is not None:
                router.executor.counters.add(f"limits.{error.limit}")
            if router.rate is None or not self._is_over_rate("", error.id):
                self._refuse(Refusal(error.name, error.message), error.id)
            return
        if router.rate is not None and self._is_over_rate(eventtype, id):
            return
        if eventtype[:5] == "gsws.":
            self._control(eventtype, id, message.get("payload"))
            return
        client = self.client
        scheduler = client.scheduler
        if id is not None and scheduler is not None and id in scheduler.requests:
            self._deny("duplicate_id", f"a request with the id {_shown(id)} is still running", id)
            return
        if self.following is not None and id in self.following.streams:
            self._deny("duplicate_id", "a stream with this id is followed on this connection", id)
            return
        route = router.routes.get(eventtype)
        if route is None:
            shown = quoted(eventtype)
            self._refuse(Refusal("unknown_event", f"Unknown or unconfigured event type: {shown}", shown), id)
            return
        if scheduler is not None and scheduler.lanes is not None and scheduler.is_crowded(route):
            self._refuse(too_many("in_flight", "too many requests are queued or running", 1.0), id)
            return
        if router.is_guarded:
            refusal = refusal_of(router, route, client.actor, self._throttled)
            if refusal is not None:
                self._refuse(refusal, id)
                return
        request = Request(client, route, Answer(id), message, meta, len(data))
        if route.check is not None and not route.check(message if route.whole else request.payload):
            if not self._violates(request):
                return
        elif route.query is not None and not route.query(first_values(self.connection.query)):
            text = "the connection's query does not fit the event's `params`"
            self._refuse(Refusal("schema_violation", text, eventtype), id)
            return
        if meta is not None and "idempotency_key" in meta:
            request.digest = digest_of(data, whole=route.whole)
        if router.executor.observer is not None:
            request.begun = perf_counter()
            request.answer = CountedAnswer(id)
        client.take(request)

    def binary(self, data: bytes) -> None:
        """Take a binary message as if it were text (P1.1)."""
        self.message(data)

    def closed(self, code: int, reason: str) -> None:
        """The connection has ended."""
        self.router.seats.leave(self._seat)
        if self.following is not None:
            self.following.stop_all()
        self.router.connections.discard(self)
        if self.expiry is not None:
            self.expiry.end()
        self.client.left(self.connection, code, reason)

    # What a credential's end does (`gsws.runtime.identity.expiry.Holder`).

    @property
    def is_open(self) -> bool:
        return self.connection.is_open

    @property
    def label(self) -> str:
        return self.client.label

    @property
    def actor(self) -> GSActor:
        return self.client.actor

    @actor.setter
    def actor(self, actor: GSActor) -> None:
        if self.client.connection is self.connection:  # else a newer one speaks for the client
            self.client.actor = actor

    def close(self, code: int, reason: str) -> None:
        """Close the connection, and the client's with it if that is still the same."""
        if self.client.connection is self.connection:
            self.client.close(code, reason)
        else:
            self.connection.close(code, reason)

    def dismiss(self, code: int, reason: str) -> None:
        """Close, and end what would wait for the client to come back."""
        if self.client.connection is self.connection:
            self.client.dismiss(code, reason)
        else:
            self.connection.close(code, reason)

    # Draining (`gsws.runtime.dispatch.router.Arrived`).

    @property
    def lingers(self) -> bool:
        return self.following is not None and bool(self.following.streams)

    def drain(self, spread: float) -> float:
        """A plain client is not told; what it had sent before is read by then."""
        return min(_READ, spread)

    def shut(self) -> None:
        self.close(CloseCode.GOING_AWAY, "server shutdown")

    # Refusals and control frames.

    def send(self, data: bytes) -> None:
        """Send a frame that is no part of an answer."""
        if self.connection.is_open:
            self.connection.send_text(data)

    def misused(self, message: str, id: RequestId | None) -> None:
        """Answer a ``gsws.*`` frame without sense; who goes on sending such is closed with 4509 (P7.4)."""
        self._misuses += 1
        self.router.observe(self.client, None, "invalid_message")
        self._deny("invalid_message", message, id)
        if self._misuses >= _MISUSES:
            self.close(CloseCode.PROTOCOL_MISUSE, "misuse of gsws frames")

    def _control(self, eventtype: str, id: RequestId | None, payload: Any) -> None:
        """Answer ``gsws.cancel``, ``gsws.ping`` and ``gsws.auth``; others are ignored (P2.4)."""
        if eventtype == "gsws.ping":
            self.send(frame("gsws.pong", payload if isinstance(payload, dict) else {}, id))
        elif eventtype == "gsws.auth":
            renew(payload, self.expiry, self.router.authenticator, self, partial(self._renewed, id))
        elif eventtype == "gsws.cancel":
            target = payload.get("id", id) if isinstance(payload, dict) else id
            if not is_id(target):
                self.misused("`gsws.cancel` needs the `id` of a request in its payload", id)
                return
            scheduler = self.client.scheduler
            request = None if scheduler is None else scheduler.requests.get(target)
            if scheduler is None or request is None:
                self._deny("unknown_id", f"no request with the id {_shown(target)} is running", target)
            else:
                scheduler.abort(request, "cancelled")

    def _renewed(self, id: RequestId | None, outcome: Renewed | NotRenewed) -> None:
        """Answer ``gsws.auth``."""
        if isinstance(outcome, Renewed):
            self.send(frame("gsws.authenticated", {"expires_in_ms": outcome.expires_in_ms}, id))
            return
        if outcome.name == "invalid_message":
            self.misused(outcome.message, id)
        else:
            self._deny(outcome.name, outcome.message, id, **outcome.details)
        if outcome.is_final:
            self.close(CloseCode.FORBIDDEN, "forbidden")

    def _violates(self, request: Request) -> bool:
        """Answer a message that does not fit; True if the project's own hook answers it."""
        errors = violation_of(request)
        if errors is None:
            return True
        first = errors[0] if errors else None
        text = f"{first['pointer'] or 'the message'}: {first['message']}" if first else "the message does not fit"
        refusal = Refusal(
            "schema_violation", f"Request validation failed: {text}", request.route.key, details={"errors": errors}
        )
        self._refuse(refusal, request.answer.id)
        return False

    def _refuse(self, refusal: Refusal, id: RequestId | None) -> None:
        """Answer a message that never becomes a request; who is refused on and on is closed (P7.4)."""
        self.router.refused(self.client, refusal.event, refusal.name, refusal.limit)
        if id is not None and self._is_taken(id):
            # No part of the answer that this id has: without `seq`, and not its end (P5.4).
            self.send(frame("stream.error", error_payload(refusal.name, refusal.message, **refusal.details), id))
        else:
            last = Answer(id).error(refusal.name, refusal.message, **refusal.details)
            if last is not None:
                self.send(last)
        if refusal.limit is not None:
            is_patient = not self._throttled().refusals.take(self.router.executor.loop.time())
            if not is_patient and self.connection.is_open:
                self.close(CloseCode.RATE_EXCEEDED, "too many requests")

    def _deny(self, name: str, message: str, id: RequestId | None, **details: Any) -> None:
        """
        Answer a frame that asks for no answer of its own, or whose id names another request, or none.

        The error carries the id but no ``seq``: it is no part of that request's answer (P5.4).
        """
        self.router.executor.counters.add(f"errors.{name}")
        self.send(frame("stream.error", error_payload(name, message, **details), id))

    def _is_over_rate(self, eventtype: str, id: RequestId | None) -> bool:
        refusal = over_rate(self.router, eventtype, self.client.actor, self._throttled)
        if refusal is None:
            return False
        self._refuse(refusal, id)
        return True

    def _is_taken(self, id: RequestId) -> bool:
        """Whether frames with this id belong to something that runs, or that is followed."""
        scheduler, following = self.client.scheduler, self.following
        return (scheduler is not None and id in scheduler.requests) or (
            following is not None and id in following.streams
        )

    def _throttled(self) -> Throttle:
        if self._throttle is None:
            self._throttle = Throttle()
        return self._throttle


def _shown(id: RequestId) -> str:
    return f"`{str(id)[:64]}`"
