"""``strict: true`` of a source: its schemas refuse keys that they do not describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gsws.types import JSONValue

__all__ = ["closed", "closed_definitions"]

_ONE: Final = (
    "not",
    "if",
    "additionalProperties",
    "unevaluatedProperties",
    "contains",
    "propertyNames",
    "unevaluatedItems",
)
_NAMED: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_SIGNS: Final = ("type", "properties", "items", "enum", "const", "$ref", "$schema", "allOf", "anyOf", "oneOf", "$defs")
_APPLIED_HERE: Final = ("allOf", "anyOf", "oneOf", "if", "then", "else", "$ref", "$dynamicRef", "dependentSchemas")


def closed(schema: JSONValue) -> JSONValue:
    """
    Copy a schema so that each object in it refuses unknown keys.

    An object that says itself what it does with further keys is left as it is. Where several schemas describe one
    object together (``allOf``, ``$ref``, ...), the object is closed over all of them, not in each part.
    """
    return _closed(schema, whole=True)


def closed_definitions(data: JSONValue) -> JSONValue:
    """Close the schemas of a definitions file: the file itself, its keys, or the keys of its groups."""
    if not isinstance(data, Mapping):
        return data
    if any(keyword in data for keyword in _SIGNS):
        return closed(data)
    return {name: closed_definitions(part) for name, part in data.items()}


def _closed(schema: JSONValue, *, whole: bool) -> JSONValue:
    """``whole`` is false for a part that describes an object together with other parts."""
    if not isinstance(schema, Mapping):
        return schema
    result: dict[str, Any] = {}
    combined = any(keyword in schema for keyword in _APPLIED_HERE)
    for keyword, value in schema.items():
        if keyword in ("allOf", "anyOf", "oneOf") and isinstance(value, list):
            # A part that stands alone under `anyOf` of an object-less schema is a whole of its own.
            alone = keyword != "allOf" and whole and "properties" not in schema
            result[keyword] = [_closed(part, whole=alone) for part in value]
        elif keyword in ("then", "else"):
            result[keyword] = _closed(value, whole=False)
        elif keyword in ("if", "not"):
            # Closing a condition would change when it holds.
            result[keyword] = value
        elif keyword in _ONE:
            result[keyword] = _closed(value, whole=True)
        elif keyword == "prefixItems" and isinstance(value, list):
            result[keyword] = [_closed(part, whole=True) for part in value]
        elif keyword == "items":
            inner = [_closed(part, whole=True) for part in value] if isinstance(value, list) else value
            result[keyword] = inner if isinstance(value, list) else _closed(value, whole=True)
        elif keyword == "dependentSchemas" and isinstance(value, Mapping):
            result[keyword] = {name: _closed(part, whole=False) for name, part in value.items()}
        elif keyword in _NAMED and isinstance(value, Mapping):
            result[keyword] = {name: _closed(part, whole=True) for name, part in value.items()}
        else:
            result[keyword] = value
    said = "additionalProperties" in schema or "unevaluatedProperties" in schema
    if whole and not said and isinstance(schema.get("properties"), Mapping):
        result["unevaluatedProperties" if combined else "additionalProperties"] = False
    elif whole and not said and "allOf" in schema:
        result["unevaluatedProperties"] = False
    return result
