"""
A plugin's schema, of whatever draft, as far as draft 7 can say it and without a reference that leaves it.

What draft 7 has no words for is left out: an editor then accepts more, never less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["to_draft07"]

_DROPPED: Final = frozenset(
    [
        *("$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$recursiveAnchor"),
        *("$vocabulary", "unevaluatedItems", "unevaluatedProperties", "minContains", "maxContains", "contentSchema"),
    ]
)
_ONE: Final = frozenset(["not", "if", "then", "else", "contains", "propertyNames", "additionalProperties", "items"])
_LIST: Final = frozenset(["allOf", "anyOf", "oneOf"])
_MAP: Final = frozenset(["properties", "patternProperties", "definitions", "dependentSchemas"])
_MAX_DEPTH: Final = 64


def to_draft07(schema: Mapping[str, Any], base: str) -> Any:
    """
    A copy in the words of draft 7; True for one that cannot be told as JSON.

    Args:
        schema: A plugin's, of draft 2020-12 or older.
        base: The reference that will lead to the copy: ``#/definitions/type-websocket``.
    """
    try:
        plain = json.loads(
            json.dumps(schema, default=lambda other: dict(other) if isinstance(other, Mapping) else str(other))
        )
        return _converted(plain, base, 0)
    except (TypeError, ValueError, RecursionError):
        return True


def _converted(schema: Any, base: str, depth: int) -> Any:
    if not isinstance(schema, dict):
        return schema
    if depth > _MAX_DEPTH:
        return True
    out: dict[str, Any] = {}
    for written, value in schema.items():
        keyword = "definitions" if written == "$defs" else written
        if keyword in _DROPPED:
            continue
        if keyword == "$ref":
            reference = _reference(value, base)
            if reference is not None:
                # In draft 7 a reference silences what stands beside it.
                out.setdefault("allOf", []).append({"$ref": reference})
        elif keyword in _MAP and isinstance(value, dict):
            inner = {name: _converted(one, base, depth + 1) for name, one in value.items()}
            keyword = "dependencies" if keyword == "dependentSchemas" else keyword
            out[keyword] = {**out.get(keyword, {}), **inner}
        elif keyword == "dependentRequired" and isinstance(value, dict):
            out["dependencies"] = {**value, **out.get("dependencies", {})}
        elif keyword == "prefixItems" and isinstance(value, list):
            out["items"] = [_converted(one, base, depth + 1) for one in value]
            if "items" in schema:
                out["additionalItems"] = _converted(schema["items"], base, depth + 1)
        elif keyword == "items" and "prefixItems" in schema:
            continue
        elif keyword in _LIST and isinstance(value, list):
            out[keyword] = [*out.get(keyword, []), *(_converted(one, base, depth + 1) for one in value)]
        elif keyword in _ONE:
            if isinstance(value, list):
                out[keyword] = [_converted(one, base, depth + 1) for one in value]
            else:
                out[keyword] = _converted(value, base, depth + 1)
        else:
            out[keyword] = value
    return out


def _reference(reference: Any, base: str) -> str | None:
    """A reference inside the schema, from where the copy will stand; None for one that leads elsewhere."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    return base + reference[1:].replace("/$defs/", "/definitions/")
