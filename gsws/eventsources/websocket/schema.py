"""
The keys of a ``type: websocket`` file as JSON Schema, and their defaults.

Whether two keys contradict each other, and what is risky on an open network, is checked by `gsws.project`, for
every source that listens. The typed form is in `config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

__all__ = ["CONFIG_SCHEMA", "DEFAULTS", "JWTAlgorithm"]

JWTAlgorithm: TypeAlias = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]

_TEXT: Final = {"type": "string", "minLength": 1}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": 1_000_000_000}
_DURATION: Final = {"x-gsws-kind": "duration"}
_POSITIVE_DURATION: Final = {"x-gsws-kind": "duration", "exclusiveMinimum": 0}
_SIZE: Final = {"x-gsws-kind": "size", "exclusiveMinimum": 0}
_FUNCTION: Final = {"x-gsws-kind": "function"}

CONFIG_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A gsws event source of type websocket",
    "type": "object",
    "additionalProperties": False,
    "required": ["type"],
    "properties": {
        "type": {"const": "websocket"},
        "host": {"type": "string", "minLength": 1, "maxLength": 253, "description": "address to listen on"},
        "port": {"x-gsws-kind": "port", "description": "TCP port; 0 takes a free one"},
        "path": {"type": "string", "pattern": "^/", "description": "the only path that upgrades; default any"},
        "origins": {
            "type": "array",
            "items": {"x-gsws-kind": "origin"},
            "description": "origins of pages that may connect; default the same origin",
        },
        "hosts": {
            "type": "array",
            "items": {"type": "string", "pattern": r"^(\*|[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?)$"},
            "description": "names that requests may be for; default in development those of this machine",
        },
        "csp": {
            "anyOf": [{"type": "string", "pattern": r"^[\x20-\x7e]+$"}, {"const": False}],
            "description": "Content-Security-Policy of the pages in public/; false for none",
        },
        "authn": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "jwt": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "secret": {**_TEXT, "x-gsws-secret": True},
                        "public_key": {"x-gsws-kind": "file"},
                        "jwks_url": {"type": "string", "pattern": "^https?://"},
                        "algorithms": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"enum": [*JWTAlgorithm.__args__]},  # type: ignore[attr-defined]
                        },
                        "issuer": _TEXT,
                        "audience": {"anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]},
                        "leeway": _DURATION,
                    },
                },
                "api_keys": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["file"],
                    "properties": {"file": {"x-gsws-kind": "file"}},
                },
                "fn": _FUNCTION,
                "anonymous": {"type": "boolean"},
                "cookie": _TEXT,
                "query": _TEXT,
                "revoked": {"x-gsws-kind": "file"},
            },
        },
        "authz": {
            "anyOf": [
                _FUNCTION,
                {"const": False},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"fn": _FUNCTION, "scopes": {"type": "array", "minItems": 1, "items": _TEXT}},
                },
            ],
        },
        "limits": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "message_bytes": _SIZE,
                "json_depth": {"type": "integer", "minimum": 1, "maximum": 512},
                "in_flight": _COUNT,
                "queue": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
                "queue_bytes": _SIZE,
                "send_buffer": _SIZE,
                "connections": _COUNT,
                "connections_per_ip": _COUNT,
                "connections_per_subject": _COUNT,
                "rate": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "messages": _COUNT,
                        "per": _POSITIVE_DURATION,
                        "burst": _COUNT,
                        "by": {"enum": ["connection", "subject"]},
                    },
                },
                "connect_rate": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"connections": _COUNT, "per": _POSITIVE_DURATION, "burst": _COUNT},
                },
                "handshake_timeout": _POSITIVE_DURATION,
            },
        },
        "heartbeat": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"interval": _DURATION, "timeout": _POSITIVE_DURATION},
        },
        "compression": {"type": "boolean"},
        "tls": {
            "type": "object",
            "additionalProperties": False,
            "required": ["cert", "key"],
            "properties": {"cert": {"x-gsws-kind": "file"}, "key": {"x-gsws-kind": "file"}},
        },
        "strict": {"type": "boolean"},
        "on_request_validation_error": _FUNCTION,
        "on_connect": {**_FUNCTION, "description": "runs for each new connection; a failed status closes it"},
        "on_disconnect": {**_FUNCTION, "description": "runs when a connection or session is gone for good"},
        "subprotocols": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {
                "type": "string",
                "minLength": 1,
                "maxLength": 100,
                "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",  # a token of RFC 9110
            },
            "description": "subprotocols that the project offers itself, beside gsws.v1",
        },
    },
}
"""JSON Schema of the file, with the keywords that `gsws.project.shapes.shapes` adds."""

DEFAULTS: Final[Mapping[str, Any]] = {
    "host": "127.0.0.1",
    "port": 8000,
    "limits": {
        "message_bytes": "1MiB",
        "json_depth": 64,
        "in_flight": 32,
        "queue": 1000,
        "queue_bytes": "1MiB",
        "send_buffer": "1MiB",
        "connections": 10000,
        "connections_per_ip": 0,
        "connections_per_subject": 1000,
        "rate": {"messages": 0, "per": "1s", "burst": 0, "by": "connection"},
        "connect_rate": {"connections": 0, "per": "1s", "burst": 0},
        "handshake_timeout": "10s",
    },
    "heartbeat": {"interval": "20s", "timeout": "20s"},
    "compression": False,
    "strict": False,
}
"""Values of the keys that a file leaves out; a key that is missing here is off when left out."""
