"""
Sentences about values that do not fit a keyword. Values are quoted shortly: they come from strangers.
"""

from __future__ import annotations

import json
from typing import Any, Final

from gsws.types import JSONValue

__all__ = ["kind_of", "list_of", "quote", "sentence", "tick"]

MAX_QUOTED: Final = 60
_MAX_LISTED: Final = 5


def quote(value: object) -> str:
    """A value as JSON, at most 60 characters of it; large ones are never written out whole."""
    text = _written(value, 3)
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"


def tick(value: object) -> str:
    """A value of the schema's author for a finding: in backticks, text without quotes."""
    text = value if isinstance(value, str) else quote(value)
    return f"`{text}`" if len(text) <= MAX_QUOTED else f"`{text[: MAX_QUOTED - 1]}…`"


def kind_of(value: object) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, (list, tuple)) else "object"


def list_of(values: list[Any], last: str = "or") -> str:
    """``1, 2 or 3``, with at most five values."""
    shown = [quote(value) for value in values[:_MAX_LISTED]]
    if len(values) > _MAX_LISTED:
        shown.append(f"{len(values) - _MAX_LISTED} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def sentence(keyword: str, schema: dict[str, Any], value: JSONValue) -> str:
    """What is wrong with a value that a keyword refuses; for keywords that look at the value as a whole."""
    limit = schema.get(keyword)
    match keyword:
        case "type":
            names = limit if isinstance(limit, list) else [limit]
            expected = " or ".join(str(name) for name in names[:7])
            found = kind_of(value)
            shown = "" if found in ("null", "object", "array") else f" {quote(value)}"
            return f"expected {expected}, got {found}{shown}"
        case "enum" if isinstance(limit, list) and limit:
            return f"must be one of {list_of(limit)}, not {quote(value)}"
        case "const":
            return f"must be {quote(limit)}, not {quote(value)}"
        case "minimum" if schema.get("exclusiveMinimum") is True:  # draft 4
            return f"must be above {quote(limit)}, not {quote(value)}"
        case "maximum" if schema.get("exclusiveMaximum") is True:
            return f"must be below {quote(limit)}, not {quote(value)}"
        case "minimum":
            return f"must be at least {quote(limit)}, not {quote(value)}"
        case "maximum":
            return f"must be at most {quote(limit)}, not {quote(value)}"
        case "exclusiveMinimum":
            return f"must be above {quote(limit)}, not {quote(value)}"
        case "exclusiveMaximum":
            return f"must be below {quote(limit)}, not {quote(value)}"
        case "multipleOf":
            return f"must be a multiple of {quote(limit)}, not {quote(value)}"
        case "minLength" | "maxLength":
            return f"must have at {_bound(keyword)} {_many(limit, 'character')}, has {_size(value)}"
        case "minItems" | "maxItems":
            return f"must have at {_bound(keyword)} {_many(limit, 'item')}, has {_size(value)}"
        case "minProperties" | "maxProperties":
            return f"must have at {_bound(keyword)} {_many(limit, 'key')}, has {_size(value)}"
        case "pattern":
            return f"must match {quote(limit)}, not {quote(value)}"
        case "format":
            return f"must be a valid {limit}, not {quote(value)}"
        case "uniqueItems":
            return "has items that are equal; each may be there once"
        case "contains":
            return _contains(schema)
        case "not":
            return f"is a value that `not` excludes: {quote(value)}"
        case "contentEncoding" | "contentMediaType":
            return f"must be {limit} text"
        case "false":
            return "nothing is allowed here"
    return f"does not fit `{keyword}`"


def _contains(schema: dict[str, Any]) -> str:
    least, most = schema.get("minContains", 1), schema.get("maxContains")
    if most is not None:
        return f"must have from {quote(least)} to {quote(most)} items that fit `contains`"
    return f"must have at least {_many(least, 'item')} that {'fits' if least == 1 else 'fit'} `contains`"


def _bound(keyword: str) -> str:
    return "least" if keyword.startswith("min") else "most"


def _many(number: object, noun: str) -> str:
    return f"{quote(number)} {noun}{'' if number == 1 else 's'}"


def _size(value: JSONValue) -> str:
    try:
        return str(len(value))
    except TypeError:
        return quote(value)


def _written(value: object, depth: int) -> str:
    if isinstance(value, str):
        start = value[: MAX_QUOTED + 1]
        return json.dumps(start, ensure_ascii=not start.isprintable())
    if isinstance(value, dict):
        if depth == 0:
            return "{…}"
        parts = []
        for number, (key, inner) in enumerate(value.items()):
            if number == 4:
                parts.append("…")
                break
            parts.append(f"{_written(str(key), 0)}: {_written(inner, depth - 1)}")
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, (list, tuple)):
        if depth == 0:
            return "[…]"
        parts = [_written(inner, depth - 1) for inner in value[:6]]
        return "[" + ", ".join([*parts, *(["…"] if len(value) > 6 else [])]) + "]"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return "a very large integer"
    return json.dumps(value, default=str)
