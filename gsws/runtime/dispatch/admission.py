"""
Who may send how much: what a message is asked before its schema is. Refusals are values; the dispatcher answers them.

Called only where something may have to be refused; a source without rates and anonymous clients pays one comparison
a message. A credential is checked at the handshake and never again here: `gsws.runtime.identity` does that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gsws.routing.table import Route
from gsws.runtime.dispatch.router import Router
from gsws.runtime.rate import Buckets, Rate, TokenBucket
from gsws.runtime.requests.request import Request
from gsws.types import GSActor

__all__ = ["PATIENCE", "PATIENCE_SECONDS", "Refusal", "Throttle", "over_rate", "refusal_of", "too_many", "violation_of"]

PATIENCE: Final = 2048
"""Refusals as ``too_many_requests`` that one connection may collect in `PATIENCE_SECONDS` before it is closed."""

PATIENCE_SECONDS: Final = 16.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Why a message is not taken.

    Attributes:
        name: The error (P7.2).
        message: For the client.
        event: The event that it names, where that is told to observers.
        limit: The key of ``limits`` that the client is over; None if it is no matter of how much.
        details: More of the error's payload.
    """

    name: str
    message: str
    event: str | None = None
    limit: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


class Throttle:
    """The token buckets of one connection; made when it first needs one."""

    __slots__ = ("rates", "refusals")

    def __init__(self) -> None:
        self.rates = Buckets()
        self.refusals = TokenBucket(PATIENCE, PATIENCE_SECONDS)


def refusal_of(router: Router, route: Route, actor: GSActor, throttle: Callable[[], Throttle]) -> Refusal | None:
    """Refuse who must say who they are, who comes while draining, and who is over the event's rate."""
    if router.authenticator is not None and route.authn and not actor.authenticated:
        return Refusal("unauthorized", f"`{route.key}` needs a credential", route.key)
    if router.is_draining:
        return Refusal("draining", "the server is shutting down; reconnect", route.key, details={"taken": False})
    rate = router.event_rates.get(route.key)
    wait = 0.0 if rate is None else _take(router, route.key, rate, actor, throttle, by_subject=True)
    return too_many("event_rate", "over the rate limit", wait) if wait else None


def over_rate(router: Router, eventtype: str, actor: GSActor, throttle: Callable[[], Throttle]) -> Refusal | None:
    """Refuse a message beyond the source's rate; control frames have as much again."""
    rate = router.rate
    if rate is None:
        return None
    key = "gsws." if eventtype.startswith("gsws.") else ""
    wait = _take(router, key, rate, actor, throttle, by_subject=rate.by == "subject")
    return too_many("rate", "over the rate limit", wait) if wait else None


def violation_of(request: Request) -> list[dict[str, Any]] | None:
    """What does not fit the event's schema, of a message that does not; None if the project's own hook answers it."""
    route = request.route
    assert route.explain is not None
    errors = route.explain(request.message if route.whole else request.payload)
    if route.on_invalid is None:
        return errors
    request.violation, request.route = errors, route.on_invalid
    return None


def too_many(limit: str, text: str, wait: float) -> Refusal:
    """
    Refuse a message that is one too many.

    Args:
        limit: The key of ``limits`` that it is over.
        text: For the client.
        wait: Seconds after which it may try again.
    """
    details = {"retry_after_ms": max(1, int(wait * 1000)), "limit": limit}
    return Refusal("too_many_requests", text, limit=limit, details=details)


def _take(
    router: Router, key: str, rate: Rate, actor: GSActor, throttle: Callable[[], Throttle], *, by_subject: bool
) -> float:
    """Seconds until a rate allows this message: a user's over all connections, or this connection's (P7.2)."""
    now = router.executor.loop.time()
    if by_subject and actor.authenticated:
        return router.buckets.take((actor.key, key), rate, now)
    return throttle().rates.take(key, rate, now)
