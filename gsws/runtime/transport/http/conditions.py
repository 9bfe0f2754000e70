"""
Conditional requests and ranges (RFC 9110 sections 13 and 14): decisions on header fields.

What is asked for is one file with an entity tag and a time of its last change; nothing is read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

__all__ = ["Unsatisfiable", "precondition", "wanted_range"]

_RANGE = re.compile(r"bytes=\s*(?:(\d+)-(\d*)|-(\d+))\s*", re.IGNORECASE)

_DIGITS = 18
"""Digits of positions that are told apart; 10^18 is more than any file has."""


class Unsatisfiable(Exception):
    """A range that the file does not have: 416."""


def precondition(request: Mapping[str, str], etag: str, modified: str) -> int:
    """
    Tell what the conditions of a ``GET`` or ``HEAD`` come to, in the order of RFC 9110 section 13.2.2.

    Args:
        request: Header fields.
        etag: Of the file, ``W/"…"`` if weak.
        modified: Its ``Last-Modified``.

    Returns:
        200 to answer it, 304 if the client's copy is good, 412 if the client wants another version than there is.
    """
    if (wanted := request.get("If-Match")) is not None:
        if "*" not in (tags := _tags(wanted)) and (etag.startswith("W/") or etag not in tags):
            return 412
    elif (unless := request.get("If-Unmodified-Since")) is not None and _is_later(modified, unless):
        return 412
    if (known := request.get("If-None-Match")) is not None:
        tags = {tag.removeprefix("W/") for tag in _tags(known)}
        return 304 if "*" in tags or etag.removeprefix("W/") in tags else 200
    if (since := request.get("If-Modified-Since")) is not None and _is_later(modified, since) is False:
        return 304
    return 200


def wanted_range(request: Mapping[str, str], size: int, etag: str, modified: str) -> tuple[int, int] | None:
    """
    The one range that a ``GET`` asks for, as its first byte and its length; None for the whole file.

    Several ranges, other units and what is malformed are the whole file, as RFC 9110 section 14.2 allows.

    Raises:
        Unsatisfiable: If the file has no byte of it.
    """
    match = _RANGE.fullmatch(request.get("Range", ""))
    if match is None or not _is_same(request.get("If-Range"), etag, modified):
        return None
    if match[3] is not None:
        length = min(_number(match[3]), size)
        if length == 0:
            raise Unsatisfiable
        return size - length, length
    first = _number(match[1])
    last = _number(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, min(last, size - 1) - first + 1


def _number(digits: str) -> int:
    """Read a position of any length; one with more digits than any file has bytes is as good as the longest other."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS else 10**_DIGITS


def _tags(text: str) -> set[str]:
    return {tag.strip() for tag in text.split(",")}


def _is_same(condition: str | None, etag: str, modified: str) -> bool:
    """Whether ``If-Range`` lets a range be sent: only of exactly the version that the client has a part of."""
    if condition is None:
        return True
    condition = condition.strip()
    return condition == (modified if condition[:1] not in ('"', "W") else etag) and not etag.startswith("W/")


def _is_later(modified: str, than: str) -> bool | None:
    """Whether the file changed after a time; None if that is no time."""
    try:
        return parsedate_to_datetime(modified) > parsedate_to_datetime(than)
    except (TypeError, ValueError, OverflowError):
        return None
