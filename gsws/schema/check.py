"""
What is wrong with a schema, found when the project loads: keywords, formats, patterns, limits, defaults, examples.

References and circles are judged elsewhere. The engine is the one that runs later: what it accepts here it enforces
there in the same way.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from gsws.diagnostics.finding import Severity
from gsws.diagnostics.suggest import nearest
from gsws.schema.backtracking import backtracks
from gsws.schema.drafts import Draft, walk
from gsws.schema.ecma import Refused, Translation, translate
from gsws.schema.engine import meta_valid, pattern_kind
from gsws.schema.finding import SchemaFinding
from gsws.schema.limits import bad_samples, contradictions
from gsws.schema.messages import tick
from gsws.schema.meta import unknown_draft, wrong_keywords
from gsws.schema.unknown import unknown_format, unknown_keywords
from gsws.schema.work import Work
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = ["check_schema", "has_fancy_pattern", "isolated"]

_MAX_FINDINGS: Final = 50
_NOT_USABLE: Final = ("GS401", "GS408")
_LOOSE: Final = frozenset(["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"])


def check_schema(
    written: JSONValue,
    rewritten: JSONValue,
    base: Pointer,
    *,
    draft: Draft | None,
    registry: jsonschema_rs.Registry | None,
    fancy: bool,
    work: Work | None,
    own: bool,
) -> list[SchemaFinding]:
    """
    Everything that is wrong with a schema but its references.

    Args:
        written: As it stands in the file.
        rewritten: The same with references that the engine understands.
        base: Prefix of the findings' pointers.
        draft: What it is read as; None for an unknown ``$schema``.
        registry: What its references lead to.
        fancy: Whether what it reaches needs the engine that goes back and forth.
        work: What running it costs; None if it must not be run, because its references are broken or it costs too much.
        own: Whether no other file can refer to it.
    """
    if draft is None:
        return [unknown_draft(written, base)]
    if not isinstance(written, (dict, bool)):
        return [SchemaFinding("GS401", f"a schema is a mapping, `true` or `false`, not {tick(written)}", base)]
    if written is False and not base:
        return [
            SchemaFinding(
                "GS410",
                "`false` refuses every value",
                base,
                label="nothing fits",
                help="write `true` for any value",
                severity=Severity.WARNING,
            )
        ]
    findings: list[SchemaFinding] = []
    chosen = isinstance(written, dict) and "$schema" in written
    each: dict[str, Callable[[dict[str, Any], Pointer], Iterable[SchemaFinding]]] = {
        "unknown_keywords": lambda schema, at: unknown_keywords(
            schema, base + at, draft, rewritten, chosen=chosen, own=own
        ),
        "patterns": lambda schema, at: _patterns(schema, base + at),
        "unknown_format": lambda schema, at: unknown_format(schema, base + at),
        "required": lambda schema, at: _required(schema, base + at, at),
    }
    for name, rule in each.items():
        findings += isolated(name, base, lambda rule=rule: _on_each(rewritten, rule))  # type: ignore[misc]
    if not meta_valid(rewritten, draft):
        known = {finding.pointer for finding in findings}
        wrong = isolated(
            "wrong_keywords",
            base,
            lambda: _on_each(rewritten, lambda schema, at: wrong_keywords(schema, base + at, draft)),
        )
        findings += [finding for finding in wrong if finding.pointer not in known]
        if not any(finding.severity is Severity.ERROR for finding in findings):
            findings.append(SchemaFinding("GS401", f"no valid schema of {draft.name}", base))
    if work is not None and not any(
        finding.code in _NOT_USABLE and finding.severity is Severity.ERROR for finding in findings
    ):
        findings += isolated("contradictions", base, lambda: contradictions(rewritten, base))
        findings += isolated("bad_samples", base, lambda: bad_samples(rewritten, base, draft, registry, fancy, work))
    return findings[:_MAX_FINDINGS]


def isolated(name: str, base: Pointer, rule: Callable[[], Iterable[SchemaFinding]]) -> list[SchemaFinding]:
    """What a rule finds, at most 50 findings; if it raises, what it found before and GS901. The others run."""
    found: list[SchemaFinding] = []
    try:
        found.extend(islice(rule(), _MAX_FINDINGS))
    except Exception as failure:
        last = traceback.extract_tb(failure.__traceback__)[-1:]
        where = "".join(f" at {frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in last)
        found.append(
            SchemaFinding(
                "GS901",
                f"the rule `{name}` failed{where}: {type(failure).__name__}; the other rules ran",
                base,
                on_key=True,
                label="looking at this schema",
                help="this is a mistake in gsws: please report it with the file",
            )
        )
    return found


def _on_each(
    schema: JSONValue, rule: Callable[[dict[str, Any], Pointer], Iterable[SchemaFinding]]
) -> Iterator[SchemaFinding]:
    for pointer, inner in walk(schema):
        yield from rule(inner, pointer)


def has_fancy_pattern(data: JSONValue, draft: Draft | None) -> bool:
    """Whether some pattern in a schema, or in a file of schemas, needs the engine that goes back and forth."""
    old = draft is not None and draft.lone_ref
    pending = [data]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            pattern, named = current.get("pattern"), current.get("patternProperties")
            patterns = [pattern] if isinstance(pattern, str) else []
            patterns += named if isinstance(named, dict) else ()
            if any(_is_fancy(one, old=old) for one in patterns):
                return True
            pending += current.values()
        elif isinstance(current, list):
            pending += current
    return False


def _is_fancy(pattern: str, *, old: bool) -> bool:
    spoken = translate(pattern)
    return isinstance(spoken, Translation) and (spoken.linear is None or (old and not spoken.plain))


def _patterns(schema: dict[str, Any], pointer: Pointer) -> Iterator[SchemaFinding]:
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        yield from _pattern(pattern, (*pointer, "pattern"), on_key=False)
    named = schema.get("patternProperties")
    for name in named if isinstance(named, dict) else ():
        yield from _pattern(name, (*pointer, "patternProperties", name), on_key=True)


def _pattern(pattern: str, pointer: Pointer, *, on_key: bool) -> Iterator[SchemaFinding]:
    kind = pattern_kind(pattern)
    if isinstance(kind, Refused):
        yield SchemaFinding(
            "GS408",
            f"{tick(pattern)} is no regular expression of ECMA-262: it {kind.reason}",
            pointer,
            on_key=on_key,
            label="not understood",
            help=kind.help or r"a sign that is meant literally is written with a `\` before it",
        )
        return
    spoken = translate(pattern)
    for doubt in spoken.doubts if isinstance(spoken, Translation) else ():
        yield SchemaFinding(
            "GS408",
            f"{tick(pattern)} is no regular expression where the `u` flag is set, as JSON Schema wants it",
            pointer,
            on_key=on_key,
            label="taken literally here",
            help=doubt,
            severity=Severity.WARNING,
        )
        break
    yield from _slow_pattern(pattern, pointer, on_key=on_key)


def _slow_pattern(pattern: str, pointer: Pointer, *, on_key: bool) -> Iterator[SchemaFinding]:
    reason = backtracks(pattern)
    if reason is not None:
        yield SchemaFinding(
            "GS408",
            f"{tick(pattern)} backtracks without bound: {reason}",
            pointer,
            on_key=on_key,
            label="exponential time",
            help="gsws bounds it, but clients and tools that read the schema may hang; say it with one repetition",
            severity=Severity.WARNING,
        )


def _required(schema: dict[str, Any], pointer: Pointer, inside: Pointer) -> Iterator[SchemaFinding]:
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
            yield SchemaFinding(
                "GS403",
                f"`required` names {tick(name)}, which `properties` does not describe",
                (*pointer, "required", number),
                label="not described",
                help=f"did you mean `{near[0]}`?" if near else "describe it under `properties`",
                severity=Severity.WARNING,
                replacement=near[0] if near and near[0] not in names else None,
                related=(((*pointer, "properties", near[0]), "described here"),) if near else (),
            )
