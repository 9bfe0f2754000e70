"""A request to the stand-in: read from HTTP, kept by the server with what became of it, looked at by tests."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

import orjson

from gsws.testing.gemini.checks import parts_of
from gsws.testing.gemini.errors import APIError, invalid, invalid_key, missing_key
from gsws.testing.gemini.http import Incoming
from gsws.text.urls import query_of

__all__ = ["MASK", "Outcome", "Request", "asks_for_events", "given_key", "key_refusal", "request_from"]

Outcome = Literal["running", "answered", "refused", "failed", "left", "dropped", "stopped"]
"""
How a request ended: ``answered`` whole, ``refused`` with an HTTP error, ``failed`` with an error in its middle, the
client ``left``, the script ``dropped`` the connection, or the server was ``stopped``.
"""


@dataclass(slots=True, eq=False)
class Request:
    """
    One request: what came, and how the answer went.

    Times are `time.monotonic` in seconds.

    Attributes:
        operation: ``streamGenerateContent``, ``generateContent``, ``embedContent``, ``batchEmbedContents``,
            ``countTokens``, ``models`` or empty for an unknown path.
        model: Name of the model without ``models/``.
        headers: By lower-case name; the key is masked.
        body: What was sent, decoded from JSON, its members in camel case however the client wrote them.
        received: When it had come whole.
        status: The HTTP status of the answer, 0 before there is one.
        sent: When each token or call was sent.
        outcome: How it ended.
        ended: When it ended, or None.
        error: What it was refused with, ``STATUS: message``, or how the script dropped it.
        left: When the client was seen to have gone before the answer's end, or None.
    """

    method: str
    path: str
    operation: str = ""
    model: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    received: float = field(default_factory=time.monotonic)
    status: int = 0
    sent: list[float] = field(default_factory=list)
    outcome: Outcome = "running"
    ended: float | None = None
    left: float | None = None
    error: str = ""

    @property
    def contents(self) -> Sequence[Mapping[str, Any]]:
        """The conversation: each ``{"role": "user" | "model", "parts": [...]}``."""
        contents = self.body.get("contents") if isinstance(self.body, Mapping) else None
        return contents if isinstance(contents, list) else []

    @property
    def text(self) -> str:
        """The text of the last content: what the user asked, or empty after a tool."""
        return _text(self.contents[-1]) if self.contents else ""

    @property
    def question(self) -> str:
        """The last text of the user, also if tools were called since."""
        texts = (_text(content) for content in reversed(self.contents) if content.get("role") != "model")
        return next((text for text in texts if text), "")

    @property
    def system(self) -> str:
        """The system instruction's text."""
        system = self.body.get("systemInstruction") if isinstance(self.body, Mapping) else None
        return _text(system) if isinstance(system, Mapping) else ""

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]:
        """The declarations of the functions that may be called."""
        tools = self.body.get("tools") if isinstance(self.body, Mapping) else None
        groups = tools if isinstance(tools, list) else []
        return [
            one for group in groups if isinstance(group, Mapping) for one in group.get("functionDeclarations") or ()
        ]

    @property
    def responses(self) -> Sequence[Mapping[str, Any]]:
        """The function responses of the last content: each ``{"name": str, "response": {...}, "id"?: str}``."""
        last = self.contents[-1] if self.contents else {}
        return parts_of(last, "functionResponse")

    @property
    def streams(self) -> bool:
        """Whether it is answered token by token."""
        return self.operation == "streamGenerateContent"

    def tokens_after(self, moment: float) -> int:
        """How many tokens were sent after a moment of `time.monotonic`."""
        return sum(when > moment for when in self.sent)

    def config(self, name: str) -> Any:
        """A value of ``generationConfig``, or None."""
        config = self.body.get("generationConfig") if isinstance(self.body, Mapping) else None
        return config.get(name) if isinstance(config, Mapping) else None


def _text(content: Mapping[str, Any]) -> str:
    texts = (part.get("text") for part in content.get("parts") or () if not part.get("thought"))
    return "".join(text for text in texts if isinstance(text, str))


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
