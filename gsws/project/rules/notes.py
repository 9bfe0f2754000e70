"""Notes about what a client may send: GS406 objects open to unknown keys, GS407 texts and lists without a limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gsws.diagnostics.finding import Finding, Severity
from gsws.project.events import Draft
from gsws.project.rules.scope import Scope
from gsws.text.span import Pointer
from gsws.types import JSONValue
from gsws.yaml.document import Document

__all__ = ["loose_schemas"]

_CLOSING = ("additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames", "$ref", "allOf")
_CHOICE = ("enum", "const", "$ref")


def loose_schemas(scope: Scope) -> Iterator[Finding]:
    """GS406 and GS407 for what comes in: the schemas of messages, and the definitions that they may use."""
    if not scope.notes:
        return
    strict = {name for name, source in scope.sources.items() if source.strict}
    for draft in scope.drafts:
        part = draft.inbound
        if part.place is not None:
            closed = bool(draft.keys) and all(source in strict for source, _ in draft.keys)
            yield from _loose(part.schema, draft.document, part.place, draft if draft.whole else None, closed)
    from gsws.schema.drafts import KEYWORDS
    from gsws.schema.references import at, schemas_in

    all_closed = bool(scope.sources) and len(strict) == len(scope.sources)
    for document in scope.files("definitions"):
        for root in schemas_in(document.data, KEYWORDS):
            yield from _loose(at(document.data, root), document, root, None, all_closed)


def _loose(
    schema: JSONValue, document: Document, base: Pointer, whole: Draft | None, closed: bool
) -> Iterator[Finding]:
    from gsws.schema.drafts import walk

    for pointer, inner in walk(schema):
        if any(step in ("not", "if") for step in pointer):
            continue
        envelope = whole is not None and pointer in ((), ("properties", "eventtype"))
        place = base + pointer
        if not closed and not envelope and _is_open(inner):
            yield Finding(
                "GS406",
                Severity.INFO,
                "this object takes any other key as well, so a misspelt one goes unnoticed",
                document.key_span((*place, "properties")),
                "open",
                "add `additionalProperties: false`, or `additionalProperties: true` if it is meant so",
            )
        for kind, limit, what in (("string", "maxLength", "text"), ("array", "maxItems", "list")):
            if not envelope and _is_of(inner, kind) and limit not in inner and not any(one in inner for one in _CHOICE):
                if kind == "string" and "format" in inner:
                    continue
                yield Finding(
                    "GS407",
                    Severity.INFO,
                    f"this {what} may be of any length; only the source's `message_bytes` limits it",
                    document.value_span((*place, "type")),
                    "unbounded",
                    f"add `{limit}`",
                )


def _is_open(schema: Mapping[str, Any]) -> bool:
    properties = schema.get("properties")
    return isinstance(properties, dict) and bool(properties) and not any(one in schema for one in _CLOSING)


def _is_of(schema: Mapping[str, Any], kind: str) -> bool:
    types = schema.get("type")
    return types == kind or (isinstance(types, list) and kind in types)
