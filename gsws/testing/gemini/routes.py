"""From an HTTP request to a record of what was asked: paths, keys, JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import orjson

from gsws.testing.gemini.errors import APIError, invalid, invalid_key, missing_key
from gsws.testing.gemini.http import Incoming
from gsws.testing.gemini.request import Request
from gsws.text.urls import query_of

__all__ = ["MASK", "asks_for_events", "given_key", "key_refusal", "request_from"]

MASK: Final = "***"
"""What stands in a record in place of a key."""

_PATH: Final = re.compile(r"/v1(?:beta|alpha)?/models(?:/(?P<model>[^/:]+)(?::(?P<operation>\w+))?)?\Z")
_OPERATIONS: Final = ("streamGenerateContent", "generateContent", "embedContent", "batchEmbedContents", "countTokens")
_SNAKE: Final = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")
_OPAQUE: Final = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema")
"""Members that hold data of users, whose names are theirs."""
_DEEPEST: Final = 200
_SECRET: Final = ("x-goog-api-key", "authorization", "proxy-authorization", "cookie")


def request_from(incoming: Incoming) -> tuple[Request, APIError | None]:
    """The record of a request, and why it cannot be answered if it holds no JSON."""
    split = urlsplit(incoming.target)
    match = _PATH.match(split.path)
    operation = model = ""
    if match is not None:
        model = unquote(match["model"] or "")
        if incoming.method == "GET" and match["operation"] is None:
            operation = "models"
        elif incoming.method == "POST" and match["operation"] in _OPERATIONS:
            operation = match["operation"]
    headers = {name: MASK if name in _SECRET else value for name, value in incoming.headers.items()}
    request = Request(incoming.method, split.path, operation, model, headers)
    if incoming.method != "POST" or not operation:
        return request, None
    try:
        request.body = _canonical(orjson.loads(incoming.body))
    except ValueError as error:  # orjson's too
        return request, invalid(f"Invalid JSON payload received. {error}")
    return request, None


def given_key(incoming: Incoming) -> str | None:
    """The key that came with a request, as a header or in the query."""
    return incoming.headers.get("x-goog-api-key") or _query(incoming).get("key")


def key_refusal(incoming: Incoming, key: str | None) -> APIError | None:
    """Why a request may not be answered at all; a key of None takes every key."""
    given = given_key(incoming)
    if not given:
        return missing_key()
    return invalid_key() if key is not None and given != key else None


def asks_for_events(incoming: Incoming) -> bool:
    """Whether a stream is wanted as server-sent events."""
    return _query(incoming).get("alt") == "sse"


def _canonical(value: Any, *, rename: bool = True, depth: int = 0) -> Any:
    """A body with members in camel case: the API takes ``include_thoughts`` too, and Google's client sends it."""
    if depth > _DEEPEST:
        raise ValueError(f"Nested deeper than {_DEEPEST} levels.")
    if isinstance(value, dict):
        found = {}
        for name, item in value.items():
            called = _SNAKE.sub(lambda match: match[1].upper(), name) if rename else name
            found[called] = _canonical(item, rename=rename and called not in _OPAQUE, depth=depth + 1)
        return found
    return [_canonical(item, rename=rename, depth=depth + 1) for item in value] if isinstance(value, list) else value


def _query(incoming: Incoming) -> Mapping[str, Any]:
    return dict(query_of(urlsplit(incoming.target).query))
