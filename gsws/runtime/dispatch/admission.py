"""
Who may send how much: what a message is asked before its schema is.

Called only where something may have to be refused; a source without rates and anonymous clients pays one comparison
a message. A credential is checked at the handshake and never again here: `gsws.runtime.identity` does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gsws.protocol.closecodes import CloseCode
from gsws.runtime.rate import Buckets, Rate, TokenBucket

if TYPE_CHECKING:
    from gsws.plugins.listening import RateLimit
    from gsws.routing.table import Route
    from gsws.runtime.sessions.client import Client
    from gsws.types import RequestId

__all__ = ["PATIENCE", "PATIENCE_SECONDS", "Throttle", "is_over_rate", "is_refused", "slow_down"]

PATIENCE: Final = 2048
"""Refusals as ``too_many_requests`` that one connection may collect in `PATIENCE_SECONDS` before it is closed."""

PATIENCE_SECONDS: Final = 16.0


class Throttle:
    """The token buckets of one client; made when it first needs one."""

    __slots__ = ("rates", "refusals")

    def __init__(self) -> None:
        self.rates = Buckets()
        self.refusals = TokenBucket(PATIENCE, PATIENCE_SECONDS)


def is_refused(client: Client, route: Route, id: RequestId | None) -> bool:
    """Refuse who must say who they are, who comes while draining, and who is over the event's rate."""
    source = client.source
    if source.identity is not None and route.authn and not client.actor.authenticated:
        client.refuse("unauthorized", f"`{route.key}` needs a credential", id, event=route.key)
        return True
    if source.is_draining:
        client.refuse("draining", "the server is shutting down; reconnect", id, event=route.key, taken=False)
        return True
    rate = source.event_rates.get(route.key)
    wait = 0.0 if rate is None else _take(client, route.key, rate, by_subject=True)
    if wait:
        slow_down(client, "event_rate", "over the rate limit", id, wait)
    return bool(wait)


def is_over_rate(client: Client, eventtype: str, rate: RateLimit, id: RequestId | None) -> bool:
    """
    Refuse a message beyond the source's rate; control frames have as much again.

    Acknowledgements of a session are free as far as they say something new, which the session knows.
    """
    if eventtype == "gsws.ack" and client.session_id is not None:
        return False
    key = "gsws." if eventtype.startswith("gsws.") else ""
    wait = _take(client, key, rate, by_subject=rate.by == "subject")
    if wait:
        slow_down(client, "rate", "over the rate limit", id, wait)
    return bool(wait)


def slow_down(client: Client, limit: str, text: str, id: RequestId | None, wait: float) -> None:
    """
    Refuse a message that is one too many; a client that goes on and on in spite of it is closed (P7.4).

    Args:
        client: Who sent it.
        limit: The key of ``limits`` that it is over.
        text: For the client.
        id: The message's.
        wait: Seconds after which it may try again.
    """
    source = client.source
    source.counters.add(f"limits.{limit}")
    client.refuse("too_many_requests", text, id, retry_after_ms=max(1, int(wait * 1000)), limit=limit)
    if _throttle(client).refusals.take(source.loop.time()) and client.is_open:
        client.close(CloseCode.RATE_EXCEEDED, "too many requests")


def _take(client: Client, key: str, rate: Rate, *, by_subject: bool) -> float:
    """Seconds until a rate allows this message: a user's over all connections, or this connection's (P7.2)."""
    source = client.source
    now = source.loop.time()
    if by_subject and client.actor.authenticated:
        return source.buckets.take((client.actor.key, key), rate, now)
    return _throttle(client).rates.take(key, rate, now)


def _throttle(client: Client) -> Throttle:
    if client.throttle is None:
        client.throttle = Throttle()
    return client.throttle
