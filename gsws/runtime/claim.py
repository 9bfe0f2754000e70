"""
What a client says about a session that it wants to go on with or to follow: whose it is, and which streams of it.

Shared by ``gsws.resume`` and ``gsws.follow`` (protocol section 8); nothing here changes a session.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from gsws.types import RequestId

if TYPE_CHECKING:
    from gsws.runtime.session import SessionClient

__all__ = ["is_entitled", "is_id", "is_seq", "wanted_streams"]

_MAX_STREAMS: Final = 1000


def is_entitled(session: SessionClient, other: SessionClient, secret: object) -> bool:
    """
    Tell whether another client may have what a session has (P8.7).

    The secret is compared in constant time; where there is authentication a session belongs to a subject.
    """
    if not isinstance(secret, str) or not hmac.compare_digest(session.secret.encode(), secret.encode()):
        return False
    ours, theirs = session.actor, other.actor
    if ours.authenticated != theirs.authenticated:
        # A label may be the name of somebody; it proves nothing.
        return False
    return not ours.authenticated or ours.subject == theirs.subject


def wanted_streams(streams: object, session: SessionClient | None) -> dict[RequestId, int]:
    """
    Read ``streams``: id → last sequence number seen.

    JSON has no integer keys: a key that names no stream held as text but does as a number is that number.
    """
    if not isinstance(streams, dict):
        return {}
    wanted: dict[RequestId, int] = {}
    for key, seq in list(streams.items())[:_MAX_STREAMS]:
        id: RequestId = key
        if session is not None and not _knows(session, key):
            number = _as_integer(key)
            if number is not None and _knows(session, number):
                id = number
        wanted[id] = seq if is_seq(seq) else -1
    return wanted


def is_seq(value: Any) -> TypeGuard[int]:
    """Whether a value can be the number of a frame that was seen, or -1 for none."""
    return type(value) is int and value >= -1


def is_id(value: Any) -> TypeGuard[RequestId]:
    """Whether a value can be the id of a request."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _knows(session: SessionClient, id: RequestId) -> bool:
    return id in session.requests or session.log.holds(id)


def _as_integer(text: str) -> int | None:
    try:
        number = int(text)
    except ValueError:
        return None
    return number if str(number) == text else None
