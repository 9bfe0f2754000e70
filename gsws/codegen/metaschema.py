"""
The JSON Schema of the JSON Schemas that stand in a project, in draft 7, for editors.

Every keyword of the drafts that gsws knows, with the type of its value. What a value means, and which draft has which
keyword, is checked by `gsws.schema`.
"""

from __future__ import annotations

from typing import Any, Final

from gsws.schema.drafts import DRAFTS, FORMATS, INERT_FORMATS, KEYWORDS, LIST, MAP, ONE
from gsws.types import JSONObject

__all__ = ["LOOKUP", "definitions_file", "group_schema", "optional", "schema_schema", "written"]

LOOKUP: Final[JSONObject] = {"type": "string", "pattern": r"\$\{|<%"}
"""A text with ``${NAME}`` or ``<% config.name %>`` in it; referred to as ``#/definitions/lookup``."""

_REFERENCE: Final = {"$ref": "#/definitions/lookup"}


def written(shape: JSONObject) -> JSONObject:
    """
    A shape as it may be written in a file: itself, or a look-up in its place.

    One list of types rather than two branches where that is possible: editors then say what is wrong in one sentence.
    """
    types = shape.get("type")
    if types is None or shape.keys() & {"enum", "const", "$ref", "anyOf", "allOf", "oneOf"}:
        return {"anyOf": [shape, _REFERENCE]}
    names = [types] if isinstance(types, str) else list(types)
    if "string" not in names:
        wanted = " or ".join(names)
        message = f"expected {wanted}, or a look-up such as ${{NAME}}"
        return {**shape, "type": [*names, "string"], "pattern": LOOKUP["pattern"], "patternErrorMessage": message}
    if "pattern" in shape:
        return {**shape, "pattern": f"{shape['pattern']}|{LOOKUP['pattern']}"}
    return {"anyOf": [shape, _REFERENCE]} if shape.keys() & {"maxLength", "format"} else shape


def optional(shape: JSONObject) -> JSONObject:
    """The same for a key that may be left out: null counts as absent."""
    inner: dict[str, Any] = written(shape)
    if "anyOf" in inner:
        return {"anyOf": [*inner["anyOf"], {"type": "null"}]}
    types = inner["type"]
    return {**inner, "type": list(dict.fromkeys([*([types] if isinstance(types, str) else types), "null"]))}


SCHEMA: Final = {"$ref": "#/definitions/schema"}
_NAMES: Final = ["array", "boolean", "integer", "null", "number", "object", "string"]
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TYPES: Final[dict[str, Any]] = {
    "type": {"anyOf": [{"enum": _NAMES}, {"type": "array", "items": {"enum": _NAMES}, "minItems": 1}]},
    "format": {"anyOf": [{"enum": sorted(FORMATS | INERT_FORMATS)}, _TEXT]},
    "$schema": {"anyOf": [{"enum": [draft.uri for draft in DRAFTS]}, _TEXT]},
    "required": {"type": "array", "items": _TEXT},
    "enum": {"type": "array"},
    "examples": {"type": "array"},
    "const": True,
    "default": True,
    "example": True,
    "multipleOf": {"type": "number", "exclusiveMinimum": 0},
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "exclusiveMinimum": {"type": ["number", "boolean"]},
    "exclusiveMaximum": {"type": ["number", "boolean"]},
    "dependentRequired": {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}},
    "dependencies": {
        "type": "object",
        "additionalProperties": {"anyOf": [SCHEMA, {"type": "array", "items": _TEXT}]},
    },
    "$vocabulary": {"type": "object"},
    "$recursiveAnchor": {"type": "boolean"},
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("minContains", "maxContains"), _COUNT),
    **{name: {"type": "boolean"} for name in ("uniqueItems", "readOnly", "writeOnly", "deprecated")},
}
_ABOUT: Final = {
    "type": "what a value must be; several as a list",
    "properties": "the keys of an object, each with its schema",
    "required": "keys that must be there",
    "additionalProperties": "false refuses keys that `properties` does not name",
    "$ref": "another schema: `#/definitions/FILE/KEY` stands in definitions/FILE.yaml",
    "items": "the schema of every item of a list",
    "enum": "the only values there are",
    "const": "the only value there is",
    "maxLength": "most characters of a text",
    "minLength": "fewest characters of a text",
    "pattern": "a regular expression that occurs in the text; `^` and `$` for the whole of it",
    "format": "date-time, email, uuid and the like; asserted",
}


def schema_schema() -> JSONObject:
    """What one schema in a project may be; refers to itself as ``#/definitions/schema``."""
    properties = {}
    for keyword in sorted(KEYWORDS):
        shape = _keyword(keyword)
        about = _ABOUT.get(keyword)
        properties[keyword] = {"description": about, **shape} if about and isinstance(shape, dict) else shape
    return {
        "type": ["object", "boolean"],
        "properties": properties,
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
    }


def group_schema() -> JSONObject:
    """Schemas by name; a group may hold groups. Refers to itself as ``#/definitions/group``."""
    group = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"not": {"enum": sorted(KEYWORDS)}},
        "additionalProperties": {"type": ["object", "boolean"]},
    }
    inner = {"if": group, "then": {"$ref": "#/definitions/group"}, "else": optional(SCHEMA)}
    return {"type": "object", "additionalProperties": inner}


def definitions_file() -> JSONObject:
    """A file of ``definitions/``: schemas by name, or one schema."""
    keyword = {"enum": sorted(KEYWORDS)}
    mappings = {"additionalProperties": {"type": ["object", "boolean", "null"]}, "not": {"propertyNames": keyword}}
    return {
        "if": {"anyOf": [{"propertyNames": {"not": keyword}}, mappings]},
        "then": {"$ref": "#/definitions/group"},
        "else": SCHEMA,
    }


def _keyword(keyword: str) -> Any:
    if keyword in _TYPES:
        shape = _TYPES[keyword]
    elif keyword in LIST and keyword in ONE:
        shape = {"anyOf": [SCHEMA, {"type": "array", "items": SCHEMA}]}
    elif keyword in LIST:
        shape = {"type": "array", "items": SCHEMA}
    elif keyword in ("$defs", "definitions"):
        shape = {"$ref": "#/definitions/group"}
    elif keyword in MAP:
        shape = {"type": "object", "additionalProperties": optional(SCHEMA)}
    elif keyword in ONE:
        shape = SCHEMA
    else:
        shape = _TEXT
    return shape if shape is True else optional(shape)
