"""
What is wrong with a schema, found when the project loads: keywords, formats, patterns, limits, defaults, examples.

References and circles are judged elsewhere. The engine is the one that runs later: what it accepts here it enforces
there in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import jsonschema_rs

from gsws.diagnostics.finding import Severity
from gsws.diagnostics.suggest import nearest
from gsws.schema.backtracking import backtracks
from gsws.schema.drafts import FORMATS, INERT_FORMATS, KEYWORDS, Draft, walk
from gsws.schema.engine import meta_valid, pattern_kind
from gsws.schema.limits import bad_samples, contradictions
from gsws.schema.meta import unknown_draft, wrong_keywords
from gsws.schema.remark import Remark
from gsws.schema.wording import tick
from gsws.source.span import Pointer
from gsws.types import JSONValue

__all__ = ["check_schema", "has_fancy_pattern"]

_MAX_REMARKS: Final = 50
_NOT_USABLE: Final = ("GS401", "GS408")
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
        return [unknown_draft(written, base)]
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
            for remark in wrong_keywords(schema, base + pointer, draft):
                if remark.pointer not in known:
                    remarks.append(remark)
        if not any(remark.severity is Severity.ERROR for remark in remarks):
            remarks.append(Remark("GS401", f"no valid schema of {draft.name}", base))
    if not broken and not any(remark.code in _NOT_USABLE and remark.severity is Severity.ERROR for remark in remarks):
        fancy = fancy or has_fancy_pattern(rewritten)
        remarks += contradictions(rewritten, base, draft, registry)
        remarks += bad_samples(rewritten, base, draft, registry, fancy)
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
    elif isinstance(pattern, str):
        yield from _slow_pattern(pattern, (*pointer, "pattern"), on_key=False)
    named = schema.get("patternProperties")
    for name in named if isinstance(named, dict) else ():
        if pattern_kind(name) == "bad":
            yield _bad_pattern(name, (*pointer, "patternProperties", name), on_key=True)
        else:
            yield from _slow_pattern(name, (*pointer, "patternProperties", name), on_key=True)


def _bad_pattern(pattern: str, pointer: Pointer, *, on_key: bool) -> Remark:
    return Remark(
        "GS408",
        f"{tick(pattern)} is no regular expression",
        pointer,
        on_key=on_key,
        label="not understood",
        help=r"a literal `{`, `(`, `[` or `\` is written with a `\` before it; repetitions are limited in size",
    )


def _slow_pattern(pattern: str, pointer: Pointer, *, on_key: bool) -> Iterator[Remark]:
    reason = backtracks(pattern)
    if reason is not None:
        yield Remark(
            "GS408",
            f"{tick(pattern)} backtracks without bound: {reason}",
            pointer,
            on_key=on_key,
            label="exponential time",
            help="gsws bounds it, but clients and tools that read the schema may hang; say it with one repetition",
            severity=Severity.WARNING,
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
    if "properties" not in schema and schema.get("additionalProperties") is False:
        properties = {}
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
                related=(((*pointer, "properties", near[0]), "described here"),) if near else (),
            )
