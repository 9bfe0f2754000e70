"""GS605: messages that a schema allows and the source's `message_bytes` refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from gsws.defaults import MESSAGE_BYTES
from gsws.diagnostics.finding import Finding, Label, Severity
from gsws.project.events import Draft
from gsws.project.rules.scope import Scope
from gsws.project.shapes.units import size
from gsws.text.span import Pointer

__all__ = ["too_small_limits"]

_DEPTH: Final = 20


def too_small_limits(scope: Scope) -> list[Finding]:
    """Events whose largest message is larger than their source takes; unbounded parts count as nothing."""
    limits: dict[str, int] = {}
    for name, source in scope.checked.items():
        given = source.config.get("limits")
        written = size(given.get("message_bytes")) if isinstance(given, dict) else None
        if source.type == "websocket" or written is not None:
            limits[name] = MESSAGE_BYTES if written is None else written
    found = []
    for draft in scope.drafts:
        text = draft.document.text
        if draft.inbound.place is None or ("maxLength" not in text and "maxItems" not in text):
            continue
        largest, place = _largest(draft.inbound.schema, _DEPTH)
        for name, _ in draft.keys:
            if 0 < limits.get(name, 0) < largest:
                found.append(_finding(scope, draft, name, limits[name], largest, place))
                break
    return found


def _finding(scope: Scope, draft: Draft, source: str, limit: int, largest: int, place: Pointer) -> Finding:
    document = scope.checked[source].expanded.document
    pointer: Pointer = ("limits", "message_bytes")
    span = document.value_span(pointer) if document.has(pointer) else document.value_span(("type",))
    text = f"takes {limit:,} bytes" if document.has(pointer) else f"takes {limit:,} bytes by default"
    base = draft.inbound.place or ()
    return Finding(
        "GS605",
        Severity.WARNING,
        f"the schema allows messages of {largest:,} bytes, and `{source}` closes the connection at {limit:,}",
        draft.document.value_span((*base, *place)),
        "allowed here",
        "lower the limit here, or raise `limits: {message_bytes: …}` of the source",
        (Label(span, text),),
    )


def _largest(schema: Any, depth: int) -> tuple[int, Pointer]:
    """Bytes that a value may certainly have under a schema, and the keyword that most of them come from."""
    if not isinstance(schema, Mapping) or depth == 0 or "const" in schema or "enum" in schema:
        return 0, ()
    best: tuple[int, Pointer] = (0, ())
    length, items = schema.get("maxLength"), schema.get("maxItems")
    types = schema.get("type")
    kinds = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    if _is_count(length) and (not kinds or "string" in kinds) and "format" not in schema and "pattern" not in schema:
        best = (length + 2, ("maxLength",))
    if _is_count(items) and (not kinds or "array" in kinds):
        one, _ = _largest(schema.get("items"), depth - 1)
        best = max(best, (items * (one + 1), ("maxItems",)), key=lambda pair: pair[0])
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        parts = {name: _largest(inner, depth - 1) for name, inner in properties.items()}
        if parts:
            name = max(parts, key=lambda one: parts[one][0])
            total = sum(most for most, _ in parts.values())
            best = max(best, (total, ("properties", name, *parts[name][1])), key=lambda pair: pair[0])
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword)
        for index, inner in enumerate(branches if isinstance(branches, list) else ()):
            most, inside = _largest(inner, depth - 1)
            best = max(best, (most, (keyword, index, *inside)), key=lambda pair: pair[0])
    return best


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
