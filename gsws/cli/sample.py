"""
A payload that fits an event's schema, as arguments of `gsws call`, to show a newcomer.

Best effort and checked: what does not pass the event's own validator is not shown.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from gsws.project import EventSpec

__all__ = ["call_line", "sample_payload"]


def call_line(event: EventSpec, url: str | None = None) -> str | None:
    """
    ``gsws call websocket.greet name=hello``, ready for a shell; None if no fitting payload was found.

    Args:
        event: What to call.
        url: Added as ``--url`` when the project's files do not say where the service listens.
    """
    payload = sample_payload(event)
    if not isinstance(payload, dict) or any(not key or "." in key or "=" in key or key[0] == "-" for key in payload):
        return None
    arguments = [f"{key}={_argument(value)}" for key, value in payload.items()]
    line = ["gsws", "call", event.key, *arguments, *(("--url", url) if url else ())]
    return " ".join(shlex.quote(word) for word in line)


def sample_payload(event: EventSpec) -> Any:
    """A payload that the event's validator takes, or None."""
    schema = event.inbound_schema
    if event.validates == "message":
        properties = schema.get("properties") if isinstance(schema, Mapping) else None
        schema = properties.get("payload", True) if isinstance(properties, Mapping) else True
    payload = _sample(schema, 0)
    message = {"eventtype": event.key, "payload": payload} if event.validates == "message" else payload
    if event.inbound is None or not event.inbound.check(message):
        return None
    return payload


def _sample(schema: Any, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > 8:
        return {}
    if "const" in schema:
        return schema["const"]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    if "default" in schema:
        return schema["default"]
    kind = schema.get("type", "object" if depth == 0 or "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "string"
    if kind == "object":
        properties = schema.get("properties") or {}
        return {key: _sample(properties.get(key), depth + 1) for key in schema.get("required") or ()}
    if kind == "array":
        return [_sample(schema.get("items"), depth + 1) for _ in range(min(int(schema.get("minItems", 0)), 5))]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return low if low != 1 or schema.get("maximum", 1) >= 1 else schema["maximum"]
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return "hello".ljust(min(int(schema.get("minLength", 0)), 60), "o")[: int(schema.get("maxLength", 60))]


def _argument(value: Any) -> str:
    """The value as `gsws call` reads it back: text as it is, unless it would be read as JSON."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, ensure_ascii=False)
