"""
JSON in and out, and the rules that JSON libraries leave open.

Decoding is msgspec (it refuses NaN, infinities and lone surrogates, and keeps big integers); encoding is
orjson with a strict fallback (it refuses sets, cycles and unknown types, but needs help with big integers and NaN).
What an envelope's keys mean is `decode`'s business too: reserved keys are taken off here (protocol P2.2).
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import re
from typing import Any, Final, TypeAlias

import msgspec
import orjson

from gsws.protocol.errors import WireError
from gsws.types import JSONObject, JSONValue, RequestId

__all__ = ["DEFAULT_DEPTH", "Envelope", "Unserialisable", "decode", "encode"]

DEFAULT_DEPTH: Final = 64
_MAX_ID_LENGTH: Final = 64

Envelope: TypeAlias = tuple[str, RequestId | None, JSONObject | None, JSONObject]
"""``(eventtype, id, meta, message)``: message is the JSON object without ``id``, ``seq`` and ``meta``."""


class Unserialisable(ValueError):
    """A value has no JSON form: NaN, a set, a cycle, an unknown type, a lone surrogate."""


_loads = msgspec.json.Decoder().decode
_dumps = orjson.dumps


def decode(data: bytes, max_depth: int = DEFAULT_DEPTH) -> Envelope:
    """
    Read one inbound message.

    Of two equal keys in an object the last one counts, as in every browser.

    Args:
        data: The message, JSON text in UTF-8.
        max_depth: How deep arrays and objects may be nested.

    Raises:
        WireError: ``invalid_json`` or ``invalid_message`` (protocol P7.2).
    """
    try:
        message = _loads(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        limit = "json_depth" if isinstance(error, RecursionError) else None
        raise WireError("invalid_json", _explain(error), limit=limit) from None
    if type(message) is not dict:
        if _is_deeper(data, max_depth):
            raise _too_deep(max_depth)
        raise WireError("invalid_message", f"a message is a JSON object, not {_name(message)}")
    request_id = None
    if "id" in message:
        request_id = message.pop("id")
        _check_id(request_id)
    if data.count(b"{") + data.count(b"[") > max_depth and _is_deeper(data, max_depth):
        raise _too_deep(max_depth, request_id)
    eventtype = message.get("eventtype")
    if type(eventtype) is not str:
        found = f"`eventtype` is {_name(eventtype)}" if "eventtype" in message else "`eventtype` is missing"
        raise WireError("invalid_message", f"{found}; expected a string", request_id)
    meta = None
    if "meta" in message:
        meta = message.pop("meta")
        if type(meta) is not dict:
            raise WireError("invalid_message", f"`meta` is {_name(meta)}; expected an object", request_id)
    if "seq" in message:
        del message["seq"]
    return eventtype, request_id, meta, message


def encode(value: JSONValue) -> bytes:
    """
    Write a value as JSON text in UTF-8.

    Raises:
        Unserialisable: If the value has no JSON form; the message says which part.
    """
    try:
        data = _dumps(value)
    except TypeError:
        return _encode_strictly(value)
    if b"null" in data and _has_nan(value):
        raise Unserialisable("NaN and infinity have no JSON form")
    return data


def _encode_strictly(value: JSONValue) -> bytes:
    """The standard library's encoder: integers of any size, integer keys, and exact complaints."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_default).encode()
    except UnicodeEncodeError:
        raise Unserialisable("a lone surrogate has no UTF-8 form") from None
    except RecursionError:
        raise Unserialisable("the value is nested too deep") from None
    except (TypeError, ValueError) as error:
        raise Unserialisable(str(error)) from None


def _default(value: Any) -> Any:
    """What orjson writes natively and the standard library does not: dataclasses, dates, UUIDs, enums."""
    if isinstance(value, set | frozenset):
        raise TypeError("a set has no JSON form; make it a list")
    try:
        data = orjson.dumps(value)
        if b"null" in data and _has_nan(value):
            raise ValueError("NaN and infinity have no JSON form")
        return orjson.loads(data)
    except TypeError:
        raise TypeError(f"an object of type `{type(value).__name__}` has no JSON form") from None


def _has_nan(value: JSONValue) -> bool:
    """Tell whether a value that was just encoded (so it is finite and has no cycle) holds NaN or infinity."""
    pending = [value]
    while pending:
        item = pending.pop()
        if type(item) is float:
            if not math.isfinite(item):
                return True
        elif isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list | tuple):
            pending.extend(item)
        elif isinstance(item, float) and not math.isfinite(item):
            return True
        elif isinstance(item, enum.Enum):
            pending.append(item.value)
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            pending.extend(getattr(item, field.name, None) for field in dataclasses.fields(item))
    return False


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def _is_deeper(data: bytes, max_depth: int) -> bool:
    """
    Tell whether valid JSON text is nested deeper than ``max_depth``.

    Strings and all else but brackets are removed, then innermost pairs collapse once a level:
    at most ``max_depth`` passes over the brackets, all in C.
    """
    brackets = _STRING.sub(b"", data).translate(None, _NOT_BRACKETS)
    brackets = brackets.replace(b"{", b"[").replace(b"}", b"]")
    for _ in range(max_depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _too_deep(max_depth: int, id: RequestId | None = None) -> WireError:
    return WireError("invalid_json", f"the message is nested deeper than {max_depth} levels", id, limit="json_depth")


def _check_id(value: object) -> None:
    if type(value) is str:
        if 1 <= len(value) <= _MAX_ID_LENGTH:
            return
        raise WireError("invalid_message", f"`id` has {len(value)} characters; expected 1 to {_MAX_ID_LENGTH}")
    if type(value) is not int:
        raise WireError("invalid_message", f"`id` is {_name(value)}; expected a string or an integer")


_POSITION = re.compile(r"byte (\d+)")


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the message is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "the message is not UTF-8"
    if isinstance(error, msgspec.ValidationError):
        return "the message holds a number that is out of range"
    position = _POSITION.search(str(error))
    return f"the message is not valid JSON{f' at byte {position[1]}' if position else ''}"


def _name(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), "something else")
