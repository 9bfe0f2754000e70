"""
What can still be said of a message that could not be decoded: why, and which ``id`` its sender waits for.

Nothing here is asked about a good message. Everything is linear in the message's size, and what costs more than a
look is bounded. No library's words or exception classes are read: they are other ones in the next release.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from gsws.protocol.quoting import MAX_ID_LENGTH, is_id
from gsws.types import RequestId

__all__ = ["is_deeper", "reason", "written_id"]

_ID_BYTES: Final = 2 + 12 * MAX_ID_LENGTH
"""Bytes of the longest id, each character an escaped pair of surrogates."""

_TOKENS: Final = 20_000
"""Strings and brackets that are looked through from the front for an id."""

_TAIL: Final = 4096
"""Bytes at the end in which an id is looked for if it is not that far in front."""

_EXPLAINED: Final = 65536
"""Bytes of a message up to which what is wrong with it is told exactly."""

_INSIDE: Final = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
"""The inside of a string; possessive, so that one without an end costs one pass."""

_STRING = re.compile(rb'"' + _INSIDE + rb'(?:"|\\?\Z)', re.DOTALL)
_TOKEN = re.compile(rb'"(' + _INSIDE + rb')(?:"(\s*+:)?+|(\\?\Z))|([\[{]++)|([\]}]++)', re.DOTALL)
_VALUE = re.compile(rb'\s*+(?:("' + _INSIDE + rb'")|(-?(?:0|[1-9][0-9]*+)(?![0-9.eE])))', re.DOTALL)
_LAST = re.compile(
    rb',\s*+"id"\s*+:(?=(\s*+(?:"' + _INSIDE + rb'"|[^\s",{}\[\]:]++)))\1'
    rb'\s*+(?:,\s*+"' + _INSIDE + rb'"\s*+:\s*+(?:"' + _INSIDE + rb'"|[^\s",{}\[\]:]++)\s*+)*+\}\s*+\Z',
    re.DOTALL,
)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def written_id(data: bytes) -> RequestId | None:
    """
    Read the ``id`` of a message that is no JSON, or no JSON that is taken; None if it has none that is easily found.

    Of two the last one counts, as in `decode`. It is looked for among the first 20,000 strings and brackets, and
    among the simple members at the end.
    """
    found: bytes | None = None
    depth = 0
    for count, token in enumerate(_TOKEN.finditer(data)):
        if count == _TOKENS:
            last = _LAST.search(data, max(0, len(data) - _TAIL))
            return _id(found if last is None else last[1])
        if token[4]:
            depth += len(token[4])
        elif token[5]:
            depth -= len(token[5])
        elif token[3] is not None:
            break
        elif depth == 1 and token[2] and _is_id(token[1]):
            found = data[token.end() : token.end() + _ID_BYTES + 64]
    return _id(found)


def reason(data: bytes, max_depth: int) -> tuple[str, str | None]:
    """
    Say why a message was not taken.

    Returns:
        One clause for the client, and the key of ``limits`` that it is over, or None.
    """
    if is_deeper(data, max_depth):
        return f"the message is nested deeper than {max_depth} levels", "json_depth"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "the message is not UTF-8", None
    if len(data) > _EXPLAINED:
        return "the message is not valid JSON, or holds a number out of range or a lone surrogate", None
    wrong: list[str] = []

    def constant(name: str) -> Any:
        raise _NoJSON

    def whole(digits: str) -> int:
        if len(digits) > 4000:
            wrong.append("a number that is out of range")
        return 0

    def fraction(digits: str) -> float:
        if not math.isfinite(float(digits)):
            wrong.append("a number that is out of range")
        return 0.0

    try:
        json.loads(text, parse_constant=constant, parse_int=whole, parse_float=fraction)
    except json.JSONDecodeError as error:
        return f"the message is not valid JSON at byte {len(text[: error.pos].encode())}", None
    except (_NoJSON, ValueError, RecursionError):
        return "the message is not valid JSON", None
    return f"the message holds {wrong[0] if wrong else 'a lone surrogate'}", None


def is_deeper(data: bytes, max_depth: int) -> bool:
    """
    Tell whether JSON text is nested deeper than ``max_depth``.

    Strings and all else but brackets are removed, then innermost pairs collapse once a level:
    at most ``max_depth`` passes over the brackets, all in C.
    """
    if data.count(b"{") + data.count(b"[") <= max_depth:
        return False
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    brackets = brackets.replace(b"{", b"[").replace(b"}", b"]")
    for _ in range(max_depth):
        if not brackets:
            return False
        size = len(brackets)
        brackets = brackets.replace(b"[]", b"")
        if len(brackets) == size:  # nothing closes: no JSON, and as deep as it opens
            return brackets.count(b"[") > max_depth
    return brackets.count(b"[") > 0


class _NoJSON(Exception):
    """NaN and infinity are JavaScript."""


def _is_id(key: bytes) -> bool:
    if b"\\" not in key:
        return key == b"id"
    return len(key) <= 12 and _read(b'"' + key + b'"') == "id"


def _id(written: bytes | None) -> RequestId | None:
    value = None if written is None else _VALUE.match(written)
    if value is None:
        return None
    found = _read(value[1] or value[2])
    return found if is_id(found) and (isinstance(found, int) or _is_unicode(found)) else None


def _read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_unicode(text: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)
