"""
GS409 and GS410: schemas that no value fits, and defaults and examples that their own schema refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, TypeGuard

import jsonschema_rs

from gsws.diagnostics.finding import Severity
from gsws.schema.drafts import Draft, walk
from gsws.schema.engine import EngineError, build
from gsws.schema.finding import SchemaFinding
from gsws.schema.messages import tick
from gsws.schema.reason import reason
from gsws.schema.work import Work, parts_of
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = ["bad_samples", "contradictions"]

_PAIRS: Final = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
    ("minimum", "maximum"),
)
_OPEN_PAIRS: Final = (
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "maximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
)
_ASIDE: Final = frozenset(
    ("anyOf", "oneOf", "then", "else", "dependentSchemas", "dependencies", "$defs", "definitions")
)
_MAX_STEPS: Final = 20_000_000
"""Steps that all samples of one schema may cost together."""

_IDENTITY: Final = frozenset(("$schema", "$id", "id"))


def contradictions(schema: JSONValue, base: Pointer) -> Iterator[SchemaFinding]:
    """Schemas that no value fits, the innermost ones; a warning where others stand beside it to be taken instead."""
    found: set[Pointer] = set()
    for pointer, inner in reversed(list(walk(schema))):
        if any(step in ("not", "if") for step in pointer) or pointer in found:
            continue
        finding = _contradiction(inner, base + pointer)
        if finding is not None:
            found.update(pointer[:length] for length in range(len(pointer) + 1))
            aside = not _ASIDE.isdisjoint(pointer)
            yield replace(finding, severity=Severity.WARNING) if aside else finding


def _refers_inside(data: JSONValue) -> bool:
    """Whether there is a reference that means something only in the whole schema."""
    if isinstance(data, dict):
        reference = data.get("$ref")
        if isinstance(reference, str) and not reference.startswith("gsws:"):
            return True
        return any(_refers_inside(value) for value in data.values())
    return isinstance(data, list) and any(_refers_inside(value) for value in data)


def _contradiction(schema: dict[str, Any], pointer: Pointer) -> SchemaFinding | None:
    for low, high in _PAIRS:
        least, most = schema.get(low), schema.get(high)
        if _is_number(least) and _is_number(most) and least > most:
            return SchemaFinding(
                "GS410",
                f"`{low}` {tick(least)} is above `{high}` {tick(most)}, so no value fits",
                (*pointer, low),
                label=f"above `{high}`",
                help="swap the two",
                related=(((*pointer, high), "the other limit"),),
            )
    for low, high in _OPEN_PAIRS:
        least, most = schema.get(low), schema.get(high)
        if _is_number(least) and _is_number(most) and least >= most:
            return SchemaFinding(
                "GS410",
                f"`{low}` {tick(least)} leaves nothing below `{high}` {tick(most)}, so no value fits",
                (*pointer, low),
                label=f"not below `{high}`",
                help="lower the one or raise the other",
                related=(((*pointer, high), "the other limit"),),
            )
    if schema.get("enum") == []:
        return SchemaFinding("GS410", "`enum` is empty, so no value fits", (*pointer, "enum"), label="lists nothing")
    types = schema.get("type")
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    for keyword in ("const", "enum"):
        if keyword not in schema or not names or not all(isinstance(name, str) for name in names):
            continue
        values = schema[keyword] if keyword == "enum" else [schema[keyword]]
        if isinstance(values, list) and not any(_is_of(value, name) for value in values for name in names):
            what = "none of `enum` is" if keyword == "enum" else f"`const` {tick(values[0])} is not"
            return SchemaFinding(
                "GS410",
                f"{what} of `type` {tick(types)}, so no value fits",
                (*pointer, keyword),
                label="of another type",
                help="change the type, or the value" + ("s" if keyword == "enum" else ""),
                related=(((*pointer, "type"), "the type"),),
            )
    required, most = schema.get("required"), schema.get("maxProperties")
    if isinstance(required, list) and _is_number(most) and len(set(map(str, required))) > most:
        return SchemaFinding(
            "GS410",
            f"`required` names more properties than `maxProperties` {tick(most)} allows, so no value fits",
            (*pointer, "maxProperties"),
            label="too few",
            help="raise the limit, or require less",
            related=(((*pointer, "required"), "required here"),),
        )
    properties = schema.get("properties") or {}
    is_closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
    for name in required if isinstance(required, list) and isinstance(properties, dict) else ():
        if isinstance(name, str) and properties.get(name, not is_closed) is False:
            is_described = name in properties
            return SchemaFinding(
                "GS410",
                f"{tick(name)} is required and {'`false`' if is_described else 'not allowed'}, so no value fits",
                (*pointer, "properties", name) if is_described else (*pointer, "additionalProperties"),
                label="allows nothing" if is_described else "allows no other name",
                help="give it a schema, or do not require it",
                related=(((*pointer, "required"), "required here"),),
            )
    return None


def _is_of(value: Any, name: str) -> bool:
    """Whether a value is of a type of JSON Schema; true for a name that is none."""
    match name:
        case "integer":
            return _is_number(value) and value == value // 1
        case "number":
            return _is_number(value)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
    return True


def bad_samples(
    schema: JSONValue, base: Pointer, draft: Draft, registry: jsonschema_rs.Registry | None, fancy: bool, work: Work
) -> Iterator[SchemaFinding]:
    """Defaults and examples that their own schema refuses; the large ones of costly schemas are taken as they are."""
    left = _MAX_STEPS
    for pointer, inner in walk(schema):
        samples: list[tuple[Pointer, Any]] = [((key,), inner[key]) for key in ("default", "example") if key in inner]
        listed = inner.get("examples")
        if isinstance(listed, list):
            samples += [(("examples", number), value) for number, value in enumerate(listed)]
        if not samples:
            continue
        local = {key: value for key, value in inner.items() if key not in _IDENTITY} if pointer else inner
        if pointer and _refers_inside(local):
            continue
        steps = work.steps(base + pointer)
        affordable = []
        for place, value in samples:
            cost = steps * parts_of(value)
            if cost <= left:
                left -= cost
                affordable.append((place, value))
        try:
            check = build(local, draft, registry, fancy=fancy).is_valid
            refused = [(place, value) for place, value in affordable if not check(value)]
        except EngineError:
            continue
        for place, value in refused:
            what = "default" if place == ("default",) else "example"
            yield SchemaFinding(
                "GS409",
                f"the {what} {tick(value)} does not fit its own schema",
                base + pointer + place,
                label="would be refused",
                help=_help(local, value, draft, what),
                severity=Severity.WARNING,
            )


def _help(schema: JSONValue, value: JSONValue, draft: Draft, what: str) -> str:
    why = reason(schema, value, draft.uri)
    return f"change the {what}, or the schema" if why is None else f"{why}; change the {what}, or the schema"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
