"""
What a client says about a session that it wants to go on with or to follow: whose it is, and which streams of it.

Shared by ``gsws.resume`` and ``gsws.follow`` (protocol section 8); functions of values, which change nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeGuard

from gsws.protocol.answer import frame
from gsws.protocol.quoting import is_id
from gsws.types import GSActor, JSONObject, RequestId

__all__ = ["MOST", "is_entitled", "is_id", "is_seq", "refusals", "told_streams", "wanted_streams"]

MOST: Final = 10_000
"""Streams of one message that cannot be had and are answered for one by one."""


_DIGITS: Final = 640
"""Longer numbers are no ids that anybody uses, and take long to read."""


def is_entitled(secret: str, given: object, owner: GSActor, other: GSActor) -> bool:
    """
    Tell whether another client may have what a session has (P8.7).

    The secret is compared in constant time; where there is authentication a session belongs to a subject.

    Args:
        secret: The session's.
        given: What the other client sent as that.
        owner: Whose the session is.
        other: Who asks.
    """
    if not isinstance(given, str) or not hmac.compare_digest(secret.encode(), given.encode()):
        return False
    if owner.authenticated != other.authenticated:
        # A label may be the name of somebody; it proves nothing.
        return False
    return not owner.authenticated or owner.subject == other.subject


def wanted_streams(streams: object, knows: Callable[[RequestId], bool] = lambda id: False) -> dict[RequestId, int]:
    """
    Read ``streams``: id → last sequence number seen, written as ``{id: seq}`` or as ``[[id, seq], …]`` (P8.2).

    JSON has no integer keys: a key is the number that it looks like if only that names a stream; if both do, it names
    both. Pairs say which one they mean.

    Args:
        streams: As the client sent it.
        knows: Tells whether an id names a stream of the session, as far as the client may know.
    """
    wanted: dict[RequestId, int] = {}
    if isinstance(streams, list):
        for pair in streams:
            if isinstance(pair, list) and len(pair) == 2 and is_id(pair[0]):
                wanted[pair[0]] = pair[1] if is_seq(pair[1]) else -1
    elif isinstance(streams, dict):
        for key, written in streams.items():
            number = _as_integer(key)
            if number is None and not is_id(key):
                continue  # nothing ever had such an id
            seq = written if is_seq(written) else -1
            if number is None or not knows(number):
                wanted[key] = seq
                continue
            wanted[number] = seq
            if knows(key):
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


def _as_integer(text: str) -> int | None:
    if len(text) > _DIGITS:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if str(number) == text else None
