"""Rules for schemas of whole messages: some envelope must satisfy them, and it must be the event's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gsws.diagnostics.finding import Finding, error
from gsws.project.reporting.wording import quoted
from gsws.text.span import Pointer
from gsws.types import JSONValue
from gsws.yaml.document import Document

__all__ = ["envelope_findings"]

_KEYS = ("eventtype", "payload")
_RESERVED = ("id", "seq", "meta")


def envelope_findings(
    schema: JSONValue, keys: tuple[str, ...], document: Document, place: Pointer
) -> Iterator[Finding]:
    """
    What makes a whole-message schema useless (GS412), or contradicts the event it belongs to (GS413).

    Args:
        schema: After look-ups.
        keys: The event types that reach it.
        document: The file it stands in.
        place: Where.
    """
    help = "`schema` describes `{eventtype, payload}`; write `payload:` to describe the payload alone"
    reason = _impossible(schema)
    if reason is not None:
        message, inner = reason
        span = document.value_span((*place, *inner)) if inner else document.key_span(place)
        yield error("GS412", message, span, "no message fits", help)
        return
    if isinstance(schema, Mapping):
        yield from _eventtype(schema, keys, document, place)


def _impossible(schema: JSONValue) -> tuple[str, Pointer] | None:
    """Why no ``{"eventtype": str, "payload": any}`` satisfies a schema, and where that is written."""
    if schema is False:
        return "`schema: false` lets no message through", ()
    if not isinstance(schema, Mapping):
        return None
    types = schema.get("type")
    allowed = [types] if isinstance(types, str) else types if isinstance(types, list) else ["object"]
    if "object" not in allowed and all(isinstance(one, str) for one in allowed):
        return f"a message is an object, and `schema` wants {quoted(types)}", ("type",)
    found = _properties(schema)
    if found is not None:
        return found
    for index, part in enumerate(_list(schema, "allOf")):
        found = _impossible(part)
        if found is not None:
            return found[0], ("allOf", index, *found[1])
    for keyword in ("anyOf", "oneOf"):
        parts = _list(schema, keyword)
        reasons = [_impossible(part) for part in parts]
        first = reasons[0] if reasons else None
        if first is not None and all(reason is not None for reason in reasons):
            return first[0], (keyword, 0, *first[1])
    return None


def _properties(schema: Mapping[str, Any]) -> tuple[str, Pointer] | None:
    properties = schema.get("properties")
    known: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    for index, name in enumerate(_list(schema, "required")):
        if name in _RESERVED:
            return f"`{name}` is taken off a message before its schema sees it", ("required", index)
        if isinstance(name, str) and name not in _KEYS and not any(key in known for key in _KEYS):
            return f"`schema` describes the payload, not the message: it requires {quoted(name)}", ("required", index)
    patterns = schema.get("patternProperties")
    if schema.get("additionalProperties") is False and not patterns and "eventtype" not in known:
        return "`schema` refuses the key `eventtype` that every message has", ("additionalProperties",)
    for key in _KEYS:
        if known.get(key) is False:
            return f"`schema` refuses the key `{key}`", ("properties", key)
    inner = known.get("eventtype")
    if isinstance(inner, Mapping):
        types = inner.get("type")
        allowed = [types] if isinstance(types, str) else types if isinstance(types, list) else ["string"]
        if "string" not in allowed:
            return f"`eventtype` is always text, and `schema` wants {quoted(types)}", (
                "properties",
                "eventtype",
                "type",
            )
    return None


def _eventtype(
    schema: Mapping[str, Any], keys: tuple[str, ...], document: Document, place: Pointer
) -> Iterator[Finding]:
    properties = schema.get("properties")
    inner = properties.get("eventtype") if isinstance(properties, Mapping) else None
    if isinstance(inner, Mapping):
        allowed = [inner["const"]] if "const" in inner else inner.get("enum")
        keyword = "const" if "const" in inner else "enum"
        missing = [key for key in keys if key not in allowed] if isinstance(allowed, list) else []
        if missing:
            yield error(
                "GS413",
                f"messages of {quoted(missing[0])} can never fit: `eventtype` must be "
                + (quoted(allowed[0]) if keyword == "const" and allowed else "one of others"),
                document.value_span((*place, "properties", "eventtype", keyword)),
                "not the event's key",
                f"write `{missing[0]}`, or leave `{keyword}` out: the event is found by its key",
            )
    for index, part in enumerate(_list(schema, "allOf")):
        if isinstance(part, Mapping):
            yield from _eventtype(part, keys, document, (*place, "allOf", index))


def _list(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []
