"""
One request with the way to answer it: JSON at once, or chunks as the API streams them, each noted in the record.

What is said is a responder's; what HTTP is, is `http`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import orjson

from gsws.testing.gemini.errors import APIError
from gsws.testing.gemini.http import Connection, Incoming
from gsws.testing.gemini.request import Outcome, Request, asks_for_events

__all__ = ["Exchange", "Responder"]

_JSON: Final = "application/json; charset=UTF-8"
_EVENTS: Final = "text/event-stream"


class Exchange:
    """
    The answer to one request, as far as it was sent.

    A stream is server-sent events with ``alt=sse``; else it is one JSON array, sent bit by bit.

    Args:
        request: The record, which is kept up to date.
        incoming: The request as it came, with its key.
        connection: Where to send it.
        changed: Called after each change of the record.
    """

    def __init__(
        self, request: Request, incoming: Incoming, connection: Connection, changed: Callable[[], None]
    ) -> None:
        self.request = request
        self.incoming = incoming
        self.again = False
        self._connection = connection
        self._events = asks_for_events(incoming)
        self._changed = changed
        self._chunks = 0

    @property
    def begun(self) -> bool:
        """Whether anything was sent."""
        return self.request.status != 0

    async def reply(self, body: Any, status: int = 200) -> None:
        """Answer with one JSON value."""
        data = orjson.dumps(body, option=orjson.OPT_INDENT_2 if status >= 400 else 0)
        self.request.status = status
        if status >= 400:
            self.request.error = _reason(body)
        await self._connection.begin(status, _JSON, len(data))
        await self._connection.send(data)
        await self._end("answered" if status < 400 else "refused")

    async def refuse(self, error: APIError) -> None:
        """Answer with an HTTP error; a JSON stream has it in its array, as the API does."""
        body = error.body(self.request.model)
        await self.reply([body] if self.request.streams and not self._events else body, error.code)

    async def begin(self) -> None:
        """Begin a stream, unless it has begun."""
        if not self.begun:
            self.request.status = 200
            await self._connection.begin(200, _EVENTS if self._events else _JSON)

    async def chunk(self, body: Mapping[str, Any], *, token: bool = False) -> None:
        """Stream one object; ``token`` tells that it is a token or call, not only an end."""
        await self.begin()
        data = orjson.dumps(body)
        if self._events:
            await self._connection.send(b"data: " + data + b"\r\n\r\n")
        else:
            await self._connection.send((b",\r\n" if self._chunks else b"[") + data)
        self._chunks += 1
        if token:
            self.request.sent.append(time.monotonic())
            self._changed()

    async def fail(self, body: Mapping[str, Any], *, event: bool) -> None:
        """
        End a stream with an error object, ``{"error": {...}}``.

        Args:
            body: The object.
            event: Send it as an event of the stream; else as bare JSON behind it, over several lines.
        """
        self.request.error = _reason(body)
        if self._events and not event:
            await self.begin()
            await self._connection.send(orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")
        else:
            await self.chunk(body)
        await self.finish("failed")

    async def finish(self, outcome: Outcome = "answered") -> None:
        """End a stream."""
        await self.begin()
        if not self._events:
            await self._connection.send(b"]" if self._chunks else b"[]")
        await self._end(outcome)

    def drop(self, *, reset: bool) -> None:
        """Drop the connection."""
        self.request.outcome = "dropped"
        self.request.error = "dropped by RST" if reset else "dropped by FIN"
        self._connection.drop(reset=reset)

    async def _end(self, outcome: Outcome) -> None:
        # Noted first: whoever has read the whole answer finds it in the record.
        self.request.outcome = outcome
        self.request.ended = time.monotonic()
        self._changed()
        self.again = await self._connection.finish()


class Responder(Protocol):
    """
    Who answers requests: from a script, from a recording, or by asking the real API.

    Attributes:
        problems: What went wrong that a test must hear of.
    """

    problems: list[str]

    async def respond(self, exchange: Exchange) -> None:
        """Answer one request; cancelled when its client goes."""

    async def close(self) -> None:
        """End what it holds."""


def _reason(body: Any) -> str:
    """The name and the message of an error object, or nothing."""
    error = (body[0] if isinstance(body, list) and body else body) or {}
    inner = error.get("error") if isinstance(error, Mapping) else None
    return f"{inner.get('status', '')}: {inner.get('message', '')}" if isinstance(inner, Mapping) else ""
