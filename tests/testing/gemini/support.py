"""Asking the stand-in by plain HTTP, without Google's client."""

from __future__ import annotations

import http.client
import json
from typing import Any

from gsws.testing import FakeGemini

__all__ = ["MODEL", "SIGNED", "Answered", "ask", "call", "model", "response", "says", "stream", "user"]

MODEL = "gemini-flash-latest"
SIGNED = {"thoughtSignature": "skip_thought_signature_validator"}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


def model(text: str) -> dict[str, Any]:
    return {"role": "model", "parts": [{"text": text}]}


def call(*names: str, **signature: str) -> dict[str, Any]:
    """A turn of the model that calls; the signature goes to the first call."""
    parts: list[dict[str, Any]] = [{"functionCall": {"name": name, "args": {}}} for name in names]
    parts[0] |= signature
    return {"role": "model", "parts": parts}


def response(*names: str) -> dict[str, Any]:
    return {
        "role": "user",
        "parts": [{"functionResponse": {"name": name, "response": {"output": "found it"}}} for name in names],
    }


class Answered:
    """An answer: status, headers, and the body as text and JSON."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.type = answer.headers["content-type"]
        self.text = answer.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> str:
        return self.json["error"]["message"]

    @property
    def events(self) -> list[Any]:
        return [json.loads(event.removeprefix("data: ")) for event in self.text.split("\r\n\r\n") if event]


def ask(
    gemini: FakeGemini,
    operation: str,
    body: Any,
    *,
    name: str = MODEL,
    key: str | None = "fake-key",
    query: str = "",
    method: str = "POST",
) -> Answered:
    """One request; ``body`` may be bytes that are no JSON, a path begins with ``/``."""
    path = operation if operation.startswith("/") else f"/v1beta/models/{name}:{operation}{query}"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(gemini.url.removeprefix("http://"), timeout=10)
    try:
        headers = {"content-type": "application/json"} | ({} if key is None else {"x-goog-api-key": key})
        connection.request(method, path, data if method == "POST" else None, headers)
        return Answered(connection.getresponse())
    finally:
        connection.close()


def stream(gemini: FakeGemini, *contents: dict[str, Any], name: str = MODEL, **members: Any) -> Answered:
    """Ask for events."""
    return ask(gemini, "streamGenerateContent", {"contents": list(contents), **members}, name=name, query="?alt=sse")


def says(answered: Answered) -> str:
    """The text of a stream."""
    parts = [
        part
        for event in answered.events
        for candidate in event.get("candidates", ())
        for part in candidate["content"].get("parts", ())
    ]
    return "".join(part.get("text", "") for part in parts)
