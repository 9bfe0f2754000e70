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
from typing import Any, TypeAlias

import msgspec
import orjson

from gsws.defaults import JSON_DEPTH
from gsws.protocol.errors import WireError
from gsws.protocol.quoting import MAX_ID_LENGTH, is_id
from gsws.protocol.salvage import is_deeper, reason, written_id
from gsws.types import JSONObject, JSONValue, RequestId

__all__ = ["Envelope", "Unserialisable", "decode", "encode"]


Envelope: TypeAlias = tuple[str, RequestId | None, JSONObject | None, JSONObject]
"""``(eventtype, id, meta, message)``: message is the JSON object without ``id``, ``seq`` and ``meta``."""


class Unserialisable(ValueError):
    """A value has no JSON form: NaN, a set, a cycle, an unknown type, a lone surrogate."""


_loads = msgspec.json.Decoder().decode
_dumps = orjson.dumps
_find_null = re.compile(b"null").search  # a third of the time of `in`


def decode(data: bytes, max_depth: int = JSON_DEPTH) -> Envelope:
    """
    Read one inbound message.

    Of two equal keys in an object the last one counts, as in every browser. A reserved key that is null is absent.

    Args:
        data: The message, JSON text in UTF-8.
        max_depth: How deep arrays and objects may be nested.

    Raises:
        WireError: ``invalid_json`` or ``invalid_message`` (protocol P7.2), with the message's id wherever it can be
            told (P5.2).
    """
    try:
        message = _loads(data)
    except Exception:  # whichever it is in this release of the library
        text, limit = reason(data, max_depth)
        raise WireError("invalid_json", text, written_id(data), limit=limit) from None
    if type(message) is not dict:
        if is_deeper(data, max_depth):
            raise _too_deep(max_depth)
        raise WireError("invalid_message", f"a message is a JSON object, not {_name(message)}")
    request_id = None
    if "id" in message:
        request_id = message.pop("id")
        if request_id is not None and not is_id(request_id):
            raise _no_id(request_id)
    # Each level takes two bytes at least: most messages are too short to be too deep.
    if len(data) > 2 * max_depth and data.count(b"{") + data.count(b"[") > max_depth and is_deeper(data, max_depth):
        raise _too_deep(max_depth, request_id)
    eventtype = message.get("eventtype")
    if type(eventtype) is not str:
        found = f"`eventtype` is {_name(eventtype)}" if "eventtype" in message else "`eventtype` is missing"
        raise WireError("invalid_message", f"{found}; expected a string", request_id)
    meta = None
    if "meta" in message:
        meta = message.pop("meta")
        if meta is not None:
            if type(meta) is not dict:
                raise WireError("invalid_message", f"`meta` is {_name(meta)}; expected an object", request_id)
            if None in meta.values():
                meta = {key: value for key, value in meta.items() if value is not None}
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
    if _find_null(data) and _has_nan(value):
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
    """
    What orjson writes natively and the standard library does not: dataclasses, enums, dates, UUIDs.

    Only the outermost layer is taken off, so that what may stand in a dict may stand in a dataclass too.
    """
    if isinstance(value, set | frozenset):
        raise TypeError("a set has no JSON form; make it a list")
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _members(value)
    try:
        return orjson.loads(orjson.dumps(value))
    except TypeError:
        raise TypeError(f"an object of type `{type(value).__name__}` has no JSON form") from None


def _members(value: Any) -> dict[str, Any]:
    """The attributes of a dataclass's instance that orjson writes: those that do not begin with an underscore."""
    names = vars(value) if hasattr(value, "__dict__") else [field.name for field in dataclasses.fields(value)]
    return {name: getattr(value, name) for name in names if not name.startswith("_")}


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


def _too_deep(max_depth: int, id: RequestId | None = None) -> WireError:
    return WireError("invalid_json", f"the message is nested deeper than {max_depth} levels", id, limit="json_depth")


def _no_id(value: object) -> WireError:
    if type(value) is str:
        return WireError("invalid_message", f"`id` has {len(value)} characters; expected 1 to {MAX_ID_LENGTH}")
    return WireError("invalid_message", f"`id` is {_name(value)}; expected a string or an integer")


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
