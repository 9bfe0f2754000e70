"""
The shape of one event in ``events/*.yaml``: which keys there are, and which of the original framework do nothing.

How the keys become an `EventSpec` is `gsws.project.events`' matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gsws.project.files.lookups import Area
from gsws.text.span import Pointer

__all__ = ["AUTHZ", "EVENT", "area_of"]

_TEXT: Final = {"type": "string"}
_FUNCTION: Final = {"x-gsws-kind": "function"}
_SCHEMA: Final = {"x-gsws-kind": "schema"}
_MEDIA: Final = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "description": _TEXT,
        "required": {"type": "boolean"},
        "headers": {},
        "links": {},
        "content": {
            "type": "object",
            "properties": {
                "application/json": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"schema": _SCHEMA, "example": {}, "examples": {}, "encoding": {}},
                }
            },
            "additionalProperties": {"x-gsws-inert": "only `application/json` is checked"},
        },
    },
}


def _inert(reason: str) -> dict[str, Any]:
    return {"x-gsws-inert": reason}


AUTHZ: Final[Mapping[str, Any]] = {
    "anyOf": [
        _FUNCTION,
        {"const": False},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "fn": _FUNCTION,
                "scopes": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
                "args": _inert("an authorisation function takes the context"),
            },
        },
    ]
}
"""``authz`` of an event; a source's looks the same."""

EVENT: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["fn"],
    "properties": {
        "fn": _FUNCTION,
        "schema": _SCHEMA,
        "payload": _SCHEMA,
        "reply": _SCHEMA,
        "emits": {"type": "object", "additionalProperties": _SCHEMA},
        "broadcasts": {"type": "object", "additionalProperties": _SCHEMA},
        "answers": {"enum": ["stream", "reply"]},
        "summary": _TEXT,
        "description": _TEXT,
        "tags": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "operationId": {"type": "string", "minLength": 1},
        "examples": {"type": ["array", "object"]},
        "deprecated": {"type": "boolean"},
        "id": {"type": ["string", "integer"]},
        "authn": {"type": "boolean"},
        "authz": AUTHZ,
        "concurrency": {"enum": ["enqueue", "parallel", "reject", "interrupt"]},
        "timeout": {"x-gsws-kind": "duration"},
        "on_disconnect": {
            "anyOf": [
                {"enum": ["cancel", "continue"]},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["grace"],
                    "properties": {"grace": {"x-gsws-kind": "duration"}},
                },
            ]
        },
        "rate": {
            "type": "object",
            "additionalProperties": False,
            "required": ["messages"],
            "properties": {
                "messages": {"type": "integer", "minimum": 0, "maximum": 1_000_000_000},
                "per": {"x-gsws-kind": "duration", "exclusiveMinimum": 0},
                "burst": {"type": "integer", "minimum": 0, "maximum": 1_000_000_000},
            },
        },
        "presence": {"anyOf": [{"type": "boolean"}, {"type": "string", "minLength": 1, "maxLength": 256}]},
        "on_request_validation_error": _FUNCTION,
        "log": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"attributes": {"type": "object"}},
        },
        "params": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "in"],
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "in": {"enum": ["query", "path", "header", "cookie"]},
                    "required": {"type": "boolean"},
                    "schema": _SCHEMA,
                    "description": _TEXT,
                    "deprecated": {"type": "boolean"},
                    "allowEmptyValue": {},
                    "allowReserved": {},
                    "style": {},
                    "explode": {},
                    "example": {},
                    "examples": {},
                },
            },
        },
        "body": _MEDIA,
        "responses": {
            "type": "object",
            "patternProperties": {"^[1-5][0-9][0-9]$": _MEDIA},
            "additionalProperties": _inert("only the three digits of a status code are checked"),
        },
        "on_response_validation_error": _inert("a reply that fails its schema is a `reply_violation`"),
        "on_error": _inert("a handler that fails is answered with `stream.error`"),
        "security": _inert("who may send is said by `authn` and `authz`"),
        "consumes": _inert("a message is always JSON"),
        "produces": _inert("a message is always JSON"),
        "cache": _inert("replies are not cached"),
        "caching": _inert("replies are not cached"),
        "retry": _inert("a client that wants an answer asks again"),
        "type": _inert("the key of the event names its source"),
        "name": _inert("the key of the event is its name"),
        "method": _inert("an event of a WebSocket has no method"),
    },
}
"""One event."""


def area_of(place: Pointer) -> Area:
    """What begins at a place of an event file: a schema, or an example of what one describes, or further keys."""
    match place[1:]:
        case ("schema" | "payload" | "reply" | "examples",) | ("emits" | "broadcasts", _):
            return "schema"
        case ("params", _, "schema" | "example" | "examples"):
            return "schema"
        case ("body", "content", _, "schema" | "example" | "examples"):
            return "schema"
        case ("responses", _, "content", _, "schema" | "example" | "examples"):
            return "schema"
    return "keys"
