"""
What is wrong with a schema, found when the project loads: keywords, formats, patterns, limits, defaults, examples.

References and circles are judged elsewhere. The engine is the one that runs later: what it accepts here it enforces
there in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeGuard

import jsonschema_rs

from gsws.diagnostics.finding import Severity
from gsws.diagnostics.suggest import nearest
from gsws.schema.drafts import DRAFTS, FORMATS, INERT_FORMATS, KEYWORDS, LIST, MAP, ONE, Draft, walk
from gsws.schema.engine import EngineError, build, meta_valid, pattern_kind, unsatisfiable
from gsws.schema.remark import Remark
from gsws.schema.wording import tick
from gsws.source.span import Pointer
from gsws.types import JSONValue

__all__ = ["check_schema", "has_fancy_pattern"]

_MAX_REMARKS: Final = 50
_TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")
_COUNT: Final = "a whole number from 0"
_NUMBER: Final = "a number"
_SCHEMA: Final = "a schema: a mapping, `true` or `false`"
_SCHEMAS: Final = "a list of schemas, at least one"
_NAMED: Final = "a mapping of names to schemas"
_NAMES: Final = "a list of names, each once"
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
_ELSEWHERE: Final[dict[str, str]] = {
    "nullable": "write `type: [string, 'null']`",
    "discriminator": "write `const` for the property in each branch of `oneOf`",
    "dependencies": "write `dependentRequired` or `dependentSchemas`",
    "additionalItems": "write `prefixItems` for the first items and `items` for the others",
    "id": "write `$id`",
    "optional": "leave the property out of `required`",
    "$recursiveRef": "write `$dynamicRef`",
    "$recursiveAnchor": "write `$dynamicAnchor`",
}
_PAIRS: Final = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
    ("minimum", "maximum"),
)
_NARROWING: Final = frozenset(
    [
        "enum",
        "const",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "required",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "contains",
        "minProperties",
        "if",
        "propertyNames",
        "multipleOf",
        "pattern",
    ]
)
_IDENTITY: Final = frozenset(("$schema", "$id", "id"))
_LOOSE: Final = frozenset(["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"])


def check_schema(
    written: JSONValue,
    rewritten: JSONValue,
    base: Pointer,
    *,
    draft: Draft | None,
    registry: jsonschema_rs.Registry | None,
    fancy: bool,
    broken: bool,
) -> list[Remark]:
    """
    Everything that is wrong with a schema but its references.

    Args:
        written: As it stands in the file.
        rewritten: The same with references that the engine understands.
        base: Prefix of the remarks' pointers.
        draft: What it is read as; None for an unknown ``$schema``.
        registry: What its references lead to.
        fancy: Whether what it reaches needs the engine that goes back and forth.
        broken: Whether references lead nowhere; then what depends on them is not judged.
    """
    if draft is None:
        return [_unknown_draft(written, base)]
    if not isinstance(written, (dict, bool)):
        return [Remark("GS401", f"a schema is a mapping, `true` or `false`, not {tick(written)}", base)]
    remarks: list[Remark] = []
    for pointer, schema in walk(rewritten):
        if len(remarks) >= _MAX_REMARKS:
            break
        remarks += _keywords(schema, base + pointer, draft)
        remarks += _patterns(schema, base + pointer)
        remarks += _format(schema, base + pointer)
        remarks += _required(schema, base + pointer, pointer)
    if not meta_valid(rewritten, draft):
        known = {remark.pointer for remark in remarks}
        for pointer, schema in walk(rewritten):
            for remark in _meta(schema, base + pointer, draft):
                if remark.pointer not in known:
                    remarks.append(remark)
        if not any(remark.severity is Severity.ERROR for remark in remarks):
            remarks.append(Remark("GS401", f"no valid schema of {draft.name}", base))
    if not broken and not any(remark.code in ("GS401", "GS408") for remark in remarks):
        fancy = fancy or has_fancy_pattern(rewritten)
        remarks += _limits(rewritten, base, draft, registry)
        remarks += _samples(rewritten, base, draft, registry, fancy)
    return remarks[:_MAX_REMARKS]


def has_fancy_pattern(data: JSONValue) -> bool:
    """Whether some pattern in a schema, or in a file of schemas, needs the engine that goes back and forth."""
    pending = [data]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            pattern = current.get("pattern")
            if isinstance(pattern, str) and pattern_kind(pattern) == "fancy":
                return True
            named = current.get("patternProperties")
            if isinstance(named, dict) and any(pattern_kind(str(name)) == "fancy" for name in named):
                return True
            pending += current.values()
        elif isinstance(current, list):
            pending += current
    return False


def _unknown_draft(schema: JSONValue, base: Pointer) -> Remark:
    uri = schema.get("$schema") if isinstance(schema, dict) else None
    return Remark(
        "GS401",
        f"`$schema` names no draft that is known here: {tick(uri)}",
        (*base, "$schema"),
        label="unknown draft",
        help="known: " + ", ".join(f"`{draft.uri}`" for draft in DRAFTS),
    )


def _keywords(schema: dict[str, Any], pointer: Pointer, draft: Draft) -> Iterator[Remark]:
    for keyword in schema:
        if keyword in draft.keywords or keyword.startswith("x-"):
            continue
        near = nearest(keyword, draft.keywords)
        if keyword in _ELSEWHERE:
            help: str | None = _ELSEWHERE[keyword]
        elif near:
            help = f"did you mean `{near[0]}`?"
        else:
            help = "a keyword of your own starts with `x-`"
        known = f" in {draft.name}" if keyword in KEYWORDS else ""
        yield Remark(
            "GS402",
            f"unknown schema keyword {tick(keyword)}{known}; it would check nothing",
            (*pointer, keyword),
            on_key=True,
            label="not a keyword",
            help=help,
            replacement=near[0] if near and keyword not in _ELSEWHERE and near[0] not in schema else None,
        )


def _patterns(schema: dict[str, Any], pointer: Pointer) -> Iterator[Remark]:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and pattern_kind(pattern) == "bad":
        yield _bad_pattern(pattern, (*pointer, "pattern"), on_key=False)
    named = schema.get("patternProperties")
    for name in named if isinstance(named, dict) else ():
        if pattern_kind(name) == "bad":
            yield _bad_pattern(name, (*pointer, "patternProperties", name), on_key=True)


def _bad_pattern(pattern: str, pointer: Pointer, *, on_key: bool) -> Remark:
    return Remark(
        "GS408",
        f"{tick(pattern)} is no regular expression",
        pointer,
        on_key=on_key,
        label="not understood",
        help=r"a literal `{`, `(`, `[` or `\` is written with a `\` before it; repetitions are limited in size",
    )


def _format(schema: dict[str, Any], pointer: Pointer) -> Iterator[Remark]:
    name = schema.get("format")
    if not isinstance(name, str) or name in FORMATS:
        return
    if name in INERT_FORMATS:
        yield Remark(
            "GS402",
            f"the format `{name}` is not asserted",
            (*pointer, "format"),
            label="checks nothing",
            help="state what is meant with `minimum`, `maximum`, `pattern` or `contentEncoding`",
            severity=Severity.WARNING,
        )
        return
    near = nearest(name, FORMATS)
    yield Remark(
        "GS402",
        f"unknown format {tick(name)}; it would check nothing",
        (*pointer, "format"),
        label="not a format",
        help=f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(sorted(FORMATS)),
        replacement=near[0] if near else None,
    )


def _required(schema: dict[str, Any], pointer: Pointer, inside: Pointer) -> Iterator[Remark]:
    names, properties = schema.get("required"), schema.get("properties")
    if not isinstance(names, list) or not isinstance(properties, dict):
        return
    if any(step in _LOOSE for step in inside) or not _LOOSE.isdisjoint(schema):
        return
    if "$ref" in schema or "patternProperties" in schema or isinstance(schema.get("additionalProperties"), dict):
        return
    for number, name in enumerate(names):
        if isinstance(name, str) and name not in properties:
            near = nearest(name, properties)
            yield Remark(
                "GS403",
                f"`required` names {tick(name)}, which `properties` does not describe",
                (*pointer, "required", number),
                label="not described",
                help=f"did you mean `{near[0]}`?" if near else "describe it under `properties`",
                severity=Severity.WARNING,
                replacement=near[0] if near and near[0] not in names else None,
            )


def _meta(schema: dict[str, Any], pointer: Pointer, draft: Draft) -> Iterator[Remark]:
    """The keywords of one schema that its draft's meta-schema refuses; inner schemas are judged by themselves."""
    for keyword, value in schema.items():
        if keyword == "$schema" or keyword not in draft.keywords:
            continue
        if meta_valid({keyword: _hollow(keyword, value)}, draft):
            continue
        yield from _wrong_value(keyword, value, (*pointer, keyword))


def _hollow(keyword: str, value: JSONValue) -> JSONValue:
    """A keyword's value with the schemas in it emptied."""
    if isinstance(value, dict) and keyword in MAP:
        return {name: {} if isinstance(inner, dict) else inner for name, inner in value.items()}
    if isinstance(value, dict) and keyword in ONE:
        return {}
    if isinstance(value, list) and keyword in LIST:
        return [{} if isinstance(inner, dict) else inner for inner in value]
    return value


def _wrong_value(keyword: str, value: JSONValue, pointer: Pointer) -> Iterator[Remark]:
    if keyword in MAP and isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(inner, (dict, bool)):
                yield Remark(
                    "GS401", f"`{name}` under `{keyword}` must be {_SCHEMA}, not {tick(inner)}", (*pointer, name)
                )
        return
    if keyword in LIST and isinstance(value, list) and value:
        wrong = [(number, inner) for number, inner in enumerate(value) if not isinstance(inner, (dict, bool))]
        for number, inner in wrong:
            yield Remark("GS401", f"`{keyword}` lists schemas, not {tick(inner)}", (*pointer, number))
        if wrong:
            return
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        for number, name in enumerate(names):
            if name not in _TYPES:
                near = nearest(str(name), _TYPES)
                yield Remark(
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
    yield Remark("GS401", f"`{keyword}` must be {expected}, not {tick(value)}", pointer, help=help)


def _limits(
    schema: JSONValue, base: Pointer, draft: Draft, registry: jsonschema_rs.Registry | None
) -> Iterator[Remark]:
    """Schemas that no value fits, the innermost ones."""
    found: list[Pointer] = []
    for pointer, inner in reversed(list(walk(schema))):
        if any(step in ("not", "if") for step in pointer) or any(one[: len(pointer)] == pointer for one in found):
            continue
        remark = _contradiction(inner, base + pointer)
        if remark is None and not _NARROWING.isdisjoint(inner) and inner.get("not") not in ({}, True):
            local = {key: value for key, value in inner.items() if key not in _IDENTITY} if pointer else inner
            if pointer and _refers_inside(local):
                continue
            if unsatisfiable(local, draft, registry):
                remark = Remark(
                    "GS410",
                    "no value fits this schema",
                    base + pointer,
                    on_key=bool(pointer),
                    label="contradicts itself",
                    help="compare `type`, `enum`, `const`, `required` and the limits; one excludes another",
                )
        if remark is not None:
            found.append(pointer)
            yield remark


def _refers_inside(data: JSONValue) -> bool:
    """Whether there is a reference that means something only in the whole schema."""
    if isinstance(data, dict):
        reference = data.get("$ref")
        if isinstance(reference, str) and not reference.startswith("gsws:"):
            return True
        return any(_refers_inside(value) for value in data.values())
    return isinstance(data, list) and any(_refers_inside(value) for value in data)


def _contradiction(schema: dict[str, Any], pointer: Pointer) -> Remark | None:
    for low, high in _PAIRS:
        least, most = schema.get(low), schema.get(high)
        if _is_number(least) and _is_number(most) and least > most:
            return Remark(
                "GS410",
                f"`{low}` {tick(least)} is above `{high}` {tick(most)}, so no value fits",
                (*pointer, low),
                label=f"above `{high}`",
                help="swap the two",
            )
    if schema.get("enum") == []:
        return Remark("GS410", "`enum` is empty, so no value fits", (*pointer, "enum"), label="lists nothing")
    return None


def _samples(
    schema: JSONValue, base: Pointer, draft: Draft, registry: jsonschema_rs.Registry | None, fancy: bool
) -> Iterator[Remark]:
    """Defaults and examples that their own schema refuses."""
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
        try:
            check = build(local, draft, registry, fancy=fancy).is_valid
            refused = [(place, value) for place, value in samples if not check(value)]
        except EngineError:
            continue
        for place, value in refused:
            what = "default" if place == ("default",) else "example"
            yield Remark(
                "GS409",
                f"the {what} {tick(value)} does not fit its own schema",
                base + pointer + place,
                label="would be refused",
                help=f"change the {what}, or the schema",
            )


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
