"""
The vocabulary of shapes: which keywords there are, which types fit them, and what a person calls them.

What is done with a value that does not fit is in `gsws.project.shapes.shapes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from gsws.project.reporting.wording import quoted
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = [
    "KIND_WORDS",
    "ORIGIN",
    "Shape",
    "could_be",
    "count",
    "dotted",
    "either",
    "expected",
    "is_one_of",
    "meant_for",
    "types_of",
    "understood",
]

Shape: TypeAlias = Mapping[str, Any]
"""A JSON Schema of the keywords that `gsws.project.shapes.shapes` names."""

_ANNOTATIONS: Final = frozenset(
    {"$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "format"}
)
_KEYWORDS: Final = frozenset({
    "type", "properties", "patternProperties", "additionalProperties", "required", "items", "minItems",
    "maxItems", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "pattern",
    "anyOf",
})  # fmt: skip
_TYPES: Final[Mapping[str, str]] = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_KIND_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "duration": ("string", "integer", "number"),
    "size": ("string", "integer"),
    "port": ("integer",),
    "function": ("string",),
    "file": ("string",),
    "origin": ("string",),
    "schema": ("object", "boolean"),
}
KIND_WORDS: Final[Mapping[str, str]] = {
    "duration": "a duration such as `30s`",
    "size": "a size such as `1MiB`",
    "port": "a port number",
    "function": "the name of a function",
    "file": "the name of a file",
    "origin": "an origin such as `https://app.example.com`",
    "schema": "a JSON Schema",
}
ORIGIN: Final = re.compile(
    r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[0-9]{1,5})?|[a-z][a-z0-9+.-]*-extension://[a-z0-9-]+",
    re.IGNORECASE | re.ASCII,
)


def understood(shape: JSONValue) -> bool:
    """Whether `check` knows every keyword of a schema."""
    return all(
        keyword in _KEYWORDS or keyword in _ANNOTATIONS or keyword.startswith("x-")
        for part in _subschemas(shape)
        for keyword in part
    )


def _subschemas(shape: JSONValue) -> Iterator[Shape]:
    if not isinstance(shape, Mapping):
        return
    yield shape
    for keyword in ("properties", "patternProperties"):
        for part in (shape.get(keyword) or {}).values():
            yield from _subschemas(part)
    for keyword in ("additionalProperties", "items"):
        yield from _subschemas(shape.get(keyword))
    for part in shape.get("anyOf") or ():
        yield from _subschemas(part)


def types_of(shape: Shape) -> tuple[str, ...]:
    if "x-gsws-kind" in shape:
        return _KIND_TYPES.get(shape["x-gsws-kind"], ())
    types = shape.get("type")
    if types is None:
        if isinstance(shape.get("properties"), Mapping):
            return ("object",)
        return ()
    return (types,) if isinstance(types, str) else tuple(types)


def is_one_of(value: JSONValue, types: tuple[str, ...]) -> bool:
    match value:
        case None:
            return "null" in types
        case bool():
            return "boolean" in types
        case int():
            return "integer" in types or "number" in types
        case float():
            return "number" in types or ("integer" in types and value.is_integer())
        case str():
            return "string" in types
        case list():
            return "array" in types
        case _:
            return "object" in types


def could_be(value: JSONValue, branch: Shape) -> bool:
    if "const" in branch:
        return bool(value == branch["const"] and type(value) is type(branch["const"]))
    if "enum" in branch and "type" not in branch:
        return any(type(value) is type(one) for one in branch["enum"])
    types = types_of(branch)
    return not types or is_one_of(value, types)


def meant_for(value: JSONValue, shape: Shape) -> str | None:
    """The first key of a mapping that takes a value which stands in place of the mapping; None if none does."""
    properties: Mapping[str, Any] = shape.get("properties") or {}
    return next((key for key, one in properties.items() if types_of(one) and could_be(value, one)), None)


def expected(shape: Shape) -> str:
    if "x-gsws-kind" in shape:
        return KIND_WORDS.get(shape["x-gsws-kind"], "a value")
    if "const" in shape:
        return quoted(shape["const"])
    if "enum" in shape:
        return either([quoted(one) for one in shape["enum"]])
    return either([_TYPES.get(one, one) for one in types_of(shape)]) or "a value"


def either(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def dotted(pointer: Pointer) -> str:
    text = ""
    for item in pointer:
        text += f"[{item}]" if isinstance(item, int) else f".{item}" if text else item
    return text if len(text) <= 80 else text[:79] + "…"
