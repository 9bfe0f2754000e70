"""
GS401: what the meta-schema of a draft refuses, keyword by keyword, with what would be right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gsws.diagnostics.suggest import nearest
from gsws.schema.drafts import DRAFTS, LIST, MAP, ONE, Draft
from gsws.schema.engine import meta_valid
from gsws.schema.finding import SchemaFinding
from gsws.schema.messages import tick
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = ["fits_keyword", "unknown_draft", "wrong_keywords"]

_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_COUNT: Final = "a whole number from 0"
_NUMBER: Final = "a number"
_SCHEMA: Final = "a schema: a mapping, `true` or `false`"
_SCHEMAS: Final = "a list of schemas, at least one"
_NAMED: Final = "a mapping of names to schemas"
_NAMES: Final = "a list of names, each once"
_WORDS: Final[dict[str, str]] = {
    **dict.fromkeys(
        ["int", "Int", "INTEGER", "Integer", "long", "short", "int32", "int64", "uint", "bigint"], "integer"
    ),
    **dict.fromkeys(["float", "Float", "double", "Double", "decimal", "Decimal", "num", "Number"], "number"),
    **dict.fromkeys(["str", "Str", "text", "char", "varchar", "String", "date", "datetime", "uuid", "email"], "string"),
    **dict.fromkeys(["bool", "Bool", "Boolean"], "boolean"),
    **dict.fromkeys(["dict", "Dict", "map", "Map", "hash", "struct", "record", "json", "Object", "mapping"], "object"),
    **dict.fromkeys(["list", "List", "tuple", "set", "seq", "sequence", "Array", "[]"], "array"),
    **dict.fromkeys(["None", "none", "nil", "undefined", "void", "Null"], "null"),
}
"""What programming languages call the types."""

_EXPECTED: Final[dict[str, str]] = {
    **dict.fromkeys(ONE, _SCHEMA),
    **dict.fromkeys(MAP, _NAMED),
    **dict.fromkeys(LIST, _SCHEMAS),
    "items": _SCHEMA,
    **dict.fromkeys(
        [
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "minContains",
            "maxContains",
        ],
        _COUNT,
    ),
    **dict.fromkeys(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"], _NUMBER),
    "multipleOf": "a number above 0",
    "required": _NAMES,
    "enum": "a list of values",
    "examples": "a list of values",
    "uniqueItems": "`true` or `false`",
    "dependentRequired": "a mapping of names to lists of names",
    "pattern": "text, a regular expression",
    "format": "text, the name of a format",
    "type": "one of " + ", ".join(f"`{name}`" for name in _TYPES) + ", or a list of them",
    "$ref": "text",
    **dict.fromkeys(
        ["title", "description", "$comment", "$id", "id", "$anchor", "$schema", "contentEncoding", "contentMediaType"],
        "text",
    ),
    **dict.fromkeys(["deprecated", "readOnly", "writeOnly"], "`true` or `false`"),
}


def unknown_draft(schema: JSONValue, base: Pointer) -> SchemaFinding:
    """The finding about a ``$schema`` that is not known."""
    uri = schema.get("$schema") if isinstance(schema, dict) else None
    return SchemaFinding(
        "GS401",
        f"`$schema` names no draft that is known here: {tick(uri)}",
        (*base, "$schema"),
        label="unknown draft",
        help="known: " + ", ".join(f"`{draft.uri}`" for draft in DRAFTS),
    )


def wrong_keywords(schema: dict[str, Any], pointer: Pointer, draft: Draft) -> Iterator[SchemaFinding]:
    """The keywords of one schema that its draft's meta-schema refuses; inner schemas are judged by themselves."""
    for keyword, value in schema.items():
        if keyword == "$schema" or keyword not in draft.keywords:
            continue
        if fits_keyword(keyword, value, draft):
            continue
        yield from _wrong_value(keyword, value, (*pointer, keyword))


def fits_keyword(keyword: str, value: JSONValue, draft: Draft) -> bool:
    """Whether the meta-schema takes a value for a keyword, whatever the schemas inside it are."""
    return meta_valid({keyword: _hollow(keyword, value)}, draft)


def _hollow(keyword: str, value: JSONValue) -> JSONValue:
    """A keyword's value with the schemas in it emptied."""
    if isinstance(value, dict) and keyword in MAP:
        return {name: {} if isinstance(inner, dict) else inner for name, inner in value.items()}
    if isinstance(value, dict) and keyword in ONE:
        return {}
    if isinstance(value, list) and keyword in LIST:
        return [{} if isinstance(inner, dict) else inner for inner in value]
    return value


def _wrong_value(keyword: str, value: JSONValue, pointer: Pointer) -> Iterator[SchemaFinding]:
    if keyword in MAP and isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(inner, (dict, bool)):
                text = f"`{name}` under `{keyword}` must be {_SCHEMA}, not {tick(inner)}"
                help = f"write `{name}: {{type: {inner}}}`" if inner in _TYPES else None
                yield SchemaFinding("GS401", text, (*pointer, name), help=help)
        return
    if keyword in LIST and isinstance(value, list) and value:
        wrong = [(number, inner) for number, inner in enumerate(value) if not isinstance(inner, (dict, bool))]
        for number, inner in wrong:
            yield SchemaFinding("GS401", f"`{keyword}` lists schemas, not {tick(inner)}", (*pointer, number))
        if wrong:
            return
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        for number, name in enumerate(names):
            if name not in _TYPES:
                near = [_WORDS[str(name)]] if str(name) in _WORDS else nearest(str(name), _TYPES)
                if str(name).endswith("[]") and str(name) != "[]":
                    items = _WORDS.get(str(name)[:-2], str(name)[:-2])
                    yield SchemaFinding(
                        "GS401",
                        f"`type` must be {_EXPECTED['type']}, not {tick(name)}",
                        (*pointer, number) if isinstance(value, list) else pointer,
                        label="not a type",
                        help=f"write `type: array`, and `items: {{type: {items}}}`",
                    )
                    return
                yield SchemaFinding(
                    "GS401",
                    f"`type` must be {_EXPECTED['type']}, not {tick(name)}",
                    (*pointer, number) if isinstance(value, list) else pointer,
                    label="not a type",
                    help=f"did you mean `{near[0]}`?" if near else None,
                    replacement=near[0] if near else None,
                )
                return
    help = None
    if keyword == "required" and isinstance(value, bool):
        help = "list the required names beside `properties`: `required: [a, b]`"
    elif keyword == "items" and isinstance(value, list):
        help = "write `prefixItems` for items by position"
    expected = _EXPECTED.get(keyword, "another value")
    yield SchemaFinding("GS401", f"`{keyword}` must be {expected}, not {tick(value)}", pointer, help=help)
