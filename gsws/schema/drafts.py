"""
The drafts of JSON Schema: which keywords each knows, and where in a schema further schemas stand.

Facts only; nothing is validated here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = [
    "DATA",
    "DEFAULT",
    "DRAFTS",
    "FORMATS",
    "INERT_FORMATS",
    "KEYWORDS",
    "LIST",
    "MAP",
    "ONE",
    "Draft",
    "draft_of",
    "is_group",
    "subschemas",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Draft:
    """
    One draft.

    Attributes:
        name: As people call it.
        uri: The value of ``$schema``, without a trailing ``#``.
        number: What `jsonschema_rs` calls it.
        keywords: Every keyword that means something in it.
        lone_ref: Whether ``$ref`` silences the keywords beside it (drafts 4 to 7).
    """

    name: str
    uri: str
    number: int
    keywords: frozenset[str]
    lone_ref: bool = False


ONE: Final = frozenset(
    [
        "not",
        "if",
        "then",
        "else",
        "contains",
        "propertyNames",
        "additionalProperties",
        "unevaluatedItems",
        "unevaluatedProperties",
        "additionalItems",
        "contentSchema",
        "items",
    ]
)
"""Keywords whose value is a schema."""

LIST: Final = frozenset(["allOf", "anyOf", "oneOf", "prefixItems", "items"])
"""Keywords whose value is a list of schemas (``items`` up to 2019-09)."""

MAP: Final = frozenset(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"])
"""Keywords whose value is a mapping of names to schemas."""

DATA: Final = frozenset(["const", "default", "example", "examples", "enum"])
"""Keywords whose value is a value of the schema's user, null included."""

_BASE: Final = [
    "$schema",
    "$comment",
    "$ref",
    "title",
    "description",
    "default",
    "type",
    "enum",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "minProperties",
    "maxProperties",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "definitions",
    "example",
]
_SIX: Final = ["$id", "const", "contains", "propertyNames", "examples", "dependencies", "additionalItems"]
_SEVEN: Final = ["$comment", "if", "then", "else", "readOnly", "writeOnly", "contentEncoding", "contentMediaType"]
_NEW: Final = [
    "$id",
    "$anchor",
    "$defs",
    "$vocabulary",
    "$comment",
    "const",
    "contains",
    "minContains",
    "maxContains",
    "propertyNames",
    "examples",
    "if",
    "then",
    "else",
    "readOnly",
    "writeOnly",
    "deprecated",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedItems",
    "unevaluatedProperties",
]

DRAFTS: Final[tuple[Draft, ...]] = (
    Draft(
        "draft 2020-12",
        "https://json-schema.org/draft/2020-12/schema",
        jsonschema_rs.Draft202012,
        frozenset([*_BASE, *_NEW, "prefixItems", "$dynamicRef", "$dynamicAnchor"]),
    ),
    Draft(
        "draft 2019-09",
        "https://json-schema.org/draft/2019-09/schema",
        jsonschema_rs.Draft201909,
        frozenset([*_BASE, *_NEW, "additionalItems", "$recursiveRef", "$recursiveAnchor"]),
    ),
    Draft(
        "draft 7",
        "http://json-schema.org/draft-07/schema",
        jsonschema_rs.Draft7,
        frozenset([*_BASE, *_SIX, *_SEVEN]),
        lone_ref=True,
    ),
    Draft(
        "draft 6",
        "http://json-schema.org/draft-06/schema",
        jsonschema_rs.Draft6,
        frozenset([*_BASE, *_SIX]),
        lone_ref=True,
    ),
    Draft(
        "draft 4",
        "http://json-schema.org/draft-04/schema",
        jsonschema_rs.Draft4,
        frozenset([*_BASE, "id", "dependencies", "additionalItems"]),
        lone_ref=True,
    ),
)
DEFAULT: Final = DRAFTS[0]

KEYWORDS: Final[frozenset[str]] = frozenset().union(*(draft.keywords for draft in DRAFTS))
"""The keywords of all drafts."""

_BY_URI: Final = {draft.uri.split("://", 1)[1]: draft for draft in DRAFTS}

FORMATS: Final = frozenset(
    [
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "uuid",
        "uri-template",
        "json-pointer",
        "relative-json-pointer",
        "regex",
    ]
)
"""Formats that are asserted, in every draft."""

INERT_FORMATS: Final = frozenset(
    (
        # OpenAPI's registry
        "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "int", "uint", "integer", "long",
        "double-int", "float", "double", "single", "decimal", "decimal128", "number", "currency", "byte", "binary",
        "base64", "base64url", "char", "commonmark", "html", "markdown", "http-date", "media-range", "password",
        # pydantic, msgspec, and libraries beside them
        "path", "file-path", "directory-path", "file", "folder", "json", "json-string", "multi-host-uri", "color",
        "ipv4network", "ipv6network", "ipv4interface", "ipv6interface", "ipvanyaddress", "ipvanynetwork",
        "ipvanyinterface", "uuid1", "uuid3", "uuid4", "uuid5", "uuid6", "uuid7", "uuid8", "phone", "time-delta",
        "timedelta", "name-email", "ulid", "bson-objectid", "objectid",
        # ajv-formats, editors and older drafts
        "url", "iso-time", "iso-date-time", "json-pointer-uri-fragment", "utc-millisec", "unix-time", "timestamp",
        "ip", "ip-address", "host-name", "style", "semver", "text", "textarea", "hex", "hex-color", "data-url",
        "mime-type", "slug", "country", "locale", "language", "timezone",
    )
)  # fmt: skip
"""Formats that other tools know and that are not asserted here."""


def draft_of(schema: JSONValue, default: Draft = DEFAULT) -> Draft | None:
    """The draft that ``$schema`` names, ``default`` without one, None if it is not known."""
    uri = schema.get("$schema") if isinstance(schema, dict) else None
    if uri is None:
        return default
    if not isinstance(uri, str) or "://" not in uri:
        return None
    return _BY_URI.get(uri.split("://", 1)[1].rstrip("#"))


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[Pointer, JSONValue]]:
    """The schemas directly inside one, each with the pointer that leads there."""
    for keyword, value in schema.items():
        if isinstance(value, dict):
            if keyword in MAP:
                for name, inner in value.items():
                    if keyword in ("$defs", "definitions") and is_group(inner):
                        yield from _grouped(inner, (keyword, name))
                    elif isinstance(inner, (dict, bool)):
                        yield (keyword, name), inner
            elif keyword in ONE:
                yield (keyword,), value
        elif isinstance(value, bool):
            if keyword in ONE:
                yield (keyword,), value
        elif isinstance(value, list) and keyword in LIST:
            for index, inner in enumerate(value):
                if isinstance(inner, (dict, bool)):
                    yield (keyword, index), inner


def is_group(value: JSONValue) -> bool:
    """Whether a mapping holds schemas by name rather than being one: no keyword, nothing but mappings."""
    return (
        isinstance(value, dict)
        and bool(value)
        and not any(key in KEYWORDS or key.startswith("x-") for key in value)
        and all(isinstance(inner, (dict, bool)) for inner in value.values())
        and any(isinstance(inner, dict) for inner in value.values())
    )


def _grouped(group: dict[str, Any], pointer: Pointer) -> Iterator[tuple[Pointer, JSONValue]]:
    for name, inner in group.items():
        if is_group(inner):
            yield from _grouped(inner, (*pointer, name))
        else:
            yield (*pointer, name), inner


def walk(schema: JSONValue, pointer: Pointer = ()) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    """The schema itself and every schema inside it that is a mapping, from the outside in."""
    pending: list[tuple[Pointer, JSONValue]] = [(pointer, schema)]
    while pending:
        place, current = pending.pop()
        if not isinstance(current, dict):
            continue
        yield place, current
        pending.extend(reversed([(place + step, inner) for step, inner in subschemas(current)]))
