"""
Passes requests on to the real API, or to another stand-in, and writes down what was said.

The client's key, or one that is given, goes upstream; nothing of it comes into the file. The client that speaks
upstream is httpx: it knows proxies and certificates, and Google's own client brings it.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from gsws.errors import EnvironmentFailure
from gsws.testing.gemini.errors import APIError
from gsws.testing.gemini.exchange import Exchange
from gsws.testing.gemini.recording import Exchanged, says, write_recording
from gsws.testing.gemini.request import given_key

try:
    import httpx
except ModuleNotFoundError:
    raise EnvironmentFailure(
        'recording needs `httpx`: pip install "gsws[testing]"', 'pip install "gsws[testing]"'
    ) from None

__all__ = ["REAL", "RecordingResponder"]

REAL: Final = "https://generativelanguage.googleapis.com"
"""The real API."""

_MOST: Final = 10_000
_PASSED: Final = ("content-type", "user-agent", "x-goog-api-client", "accept")
_TIMEOUT: Final = httpx.Timeout(300.0, connect=15.0)
_SHORTEST: Final = 8
"""Characters; what is shorter is no key, and masking it would spoil the text."""


class RecordingResponder:
    """
    Asks upstream and records.

    Args:
        upstream: Base URL of the API.
        path: The file; written anew after each answer.
        key: The key for upstream; None for ``GOOGLE_API_KEY`` or ``GEMINI_API_KEY`` of the environment, else the
            client's own.
    """

    def __init__(self, upstream: str, path: Path, key: str | None) -> None:
        self._upstream = upstream.rstrip("/")
        self._path = path
        self._key = key or os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY")
        self._client: httpx.AsyncClient | None = None
        self._exchanges: list[Exchanged] = []
        self._secrets: set[str] = set()
        self.problems: list[str] = []

    @property
    def has_key(self) -> bool:
        """Whether there is a key for upstream."""
        return bool(self._key)

    async def respond(self, exchange: Exchange) -> None:
        """Pass one request on, and its answer back as it comes."""
        request = exchange.request
        if (refusal := _refusal(exchange.incoming.headers, request.operation)) is not None:
            await exchange.refuse(APIError(403, refusal))
            return
        recorded = Exchanged(request.operation, request.model, request.body)
        if len(self._exchanges) < _MOST:
            self._exchanges.append(recorded)
        try:
            await self._pass(exchange, recorded)
        except httpx.HTTPError as error:
            await self._broken(exchange, recorded, error)
        finally:
            if recorded.outcome == "running":
                recorded.outcome = "left"
            self._write()

    async def close(self) -> None:
        """Close the connections upstream."""
        if self._client is not None:
            await self._client.aclose()

    async def _pass(self, exchange: Exchange, recorded: Exchanged) -> None:
        incoming = exchange.incoming
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT, limits=httpx.Limits(max_connections=None))
        key = self._key or given_key(incoming) or ""
        self._secrets |= {one for one in (key, given_key(incoming) or "") if len(one) >= _SHORTEST}
        headers = {name: value for name, value in incoming.headers.items() if name in _PASSED}
        split = urlsplit(incoming.target)
        query = urlencode([(name, value) for name, value in parse_qsl(split.query) if name != "key"])
        url = f"{self._upstream}{split.path}{'?' + query if query else ''}"
        async with self._client.stream(
            incoming.method, url, content=incoming.body, headers={**headers, "x-goog-api-key": key}
        ) as response:
            recorded.status = response.status_code
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                await self._stream(exchange, recorded, response)
                return
            recorded.answer = _value(await response.aread(), response.status_code)
            recorded.outcome = "answered" if response.status_code < 400 else "refused"
            self._write()
            await exchange.reply(recorded.answer, response.status_code)

    async def _stream(self, exchange: Exchange, recorded: Exchanged, response: httpx.Response) -> None:
        recorded.chunks = []
        async for chunk, bare in _events(response):
            recorded.chunks.append(chunk)
            if bare:
                recorded.outcome = "failed"
                self._write()
                await exchange.fail(chunk, event=False)
                return
            await exchange.chunk(chunk, token=says(chunk))
        recorded.outcome = "answered"
        # Before the last byte goes out: who has the whole answer finds it in the file.
        self._write()
        await exchange.finish()

    async def _broken(self, exchange: Exchange, recorded: Exchanged, error: httpx.HTTPError) -> None:
        """The connection upstream failed: the client's is dropped alike, unless nothing was said yet."""
        recorded.outcome = "dropped"
        if exchange.begun:
            exchange.drop(reset=False)
            return
        if recorded in self._exchanges:
            self._exchanges.remove(recorded)
        self.problems.append(f"{self._upstream} cannot be asked: {type(error).__name__} {error}".rstrip())
        await exchange.refuse(APIError(503, self.problems[-1]))

    def _write(self) -> None:
        done = [one for one in self._exchanges if one.outcome != "running"]
        if done:
            write_recording(self._path, done, sorted(self._secrets))


def _refusal(headers: Mapping[str, str], operation: str) -> str | None:
    """
    Why a request must not be paid with the developer's key; None if it may.

    Any page that a browser shows can reach a port of this machine; what speaks for a program has neither of these
    headers, and asks for this machine by its name (else a foreign name was made to lead here).
    """
    if "origin" in headers or "referer" in headers or headers.get("sec-fetch-site", "none") != "none":
        return "requests of web pages are not passed on"
    host = headers.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if not _is_here(name.strip("[]")):
        return "requests for another host's name are not passed on"
    return None if operation else "only the operations of models are passed on"


def _is_here(name: str) -> bool:
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True  # an address is no name that somebody else decides about


async def _events(response: httpx.Response) -> AsyncIterator[tuple[Any, bool]]:
    """The objects of a stream, and whether one is bare JSON behind the events."""
    data: list[str] = []
    bare: list[str] = []
    async for line in response.aiter_lines():
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").strip())
        elif line:
            bare.append(line)
        elif data:
            yield json.loads("\n".join(data)), False
            data = []
    if data:
        yield json.loads("\n".join(data)), False
    if bare:
        yield _value("\n".join(bare).encode(), 500), True


def _value(content: bytes, status: int) -> Any:
    """JSON as it came; anything else, such as a gateway's page, as an error object."""
    try:
        return json.loads(content)
    except ValueError:
        text = content[:500].decode(errors="replace")
        return {"error": {"code": status, "message": text, "status": "UNKNOWN"}}
