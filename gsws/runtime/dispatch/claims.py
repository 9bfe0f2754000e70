"""
What a client says about a session that it wants to go on with or to follow: whose it is, and which streams of it.

Shared by ``gsws.resume`` and ``gsws.follow`` (protocol section 8); nothing here changes a session.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from gsws.protocol.answer import frame
from gsws.protocol.quoting import is_id
from gsws.types import JSONObject, RequestId

if TYPE_CHECKING:
    from gsws.runtime.sessions.session import SessionClient

__all__ = ["MOST", "is_entitled", "is_id", "is_seq", "refusals", "told_streams", "wanted_streams"]

MOST: Final = 10_000
"""Streams of one message that cannot be had and are answered for one by one."""


_DIGITS: Final = 640
"""Longer numbers are no ids that anybody uses, and take long to read."""


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
    Read ``streams``: id → last sequence number seen, written as ``{id: seq}`` or as ``[[id, seq], …]`` (P8.2).

    JSON has no integer keys: a key is the number that it looks like if only that names a stream; if both do, it names
    both. Pairs say which one they mean.
    """
    wanted: dict[RequestId, int] = {}
    if isinstance(streams, list):
        for pair in streams:
            if isinstance(pair, list) and len(pair) == 2 and is_id(pair[0]):
                wanted[pair[0]] = pair[1] if is_seq(pair[1]) else -1
    elif isinstance(streams, dict):
        for key, written in streams.items():
            if not is_id(key) and _as_integer(key) is None:
                continue  # nothing ever had such an id
            seq = written if is_seq(written) else -1
            number = None if session is None else _as_integer(key)
            if number is None or session is None or not _knows(session, number):
                wanted[key] = seq
                continue
            wanted[number] = seq
            if _knows(session, key):
                wanted[key] = seq
    return wanted


def told_streams(streams: object, facts: Mapping[RequestId, JSONObject]) -> Any:
    """Say something of each stream in the way that they were asked for: by key, or as pairs."""
    if isinstance(streams, list):
        return [[id, what] for id, what in facts.items()]
    return {str(id): what for id, what in facts.items()}


def refusals(ids: Iterable[RequestId], payload: JSONObject, *, each: int) -> Iterator[bytes]:
    """
    One ``stream.error`` for each of the first ids, and one for all others together, which names them in ``streams``.

    None has a ``seq``, for it is no part of the stream.
    """
    rest = iter(ids)
    for id in islice(rest, each):
        yield frame("stream.error", payload, id)
    others = list(rest)
    if others:
        yield frame("stream.error", {**payload, "streams": others})


def is_seq(value: Any) -> TypeGuard[int]:
    """Whether a value can be the number of a frame that was seen, or -1 for none."""
    return type(value) is int and value >= -1


def _knows(session: SessionClient, id: RequestId) -> bool:
    return id in session.requests or session.log.holds(id)


def _as_integer(text: str) -> int | None:
    if len(text) > _DIGITS:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if str(number) == text else None
