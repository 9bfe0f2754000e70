"""Answers from a recording: each exchange once, in order among equal ones; what was not recorded fails the test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from gsws.testing.gemini.errors import APIError, no_method
from gsws.testing.gemini.exchange import Exchange
from gsws.testing.gemini.recording import Exchanged, difference, normalised, read_recording, says

__all__ = ["ReplayResponder"]

_WAITS: Final = 60.0
"""Seconds that an answer which its client did not wait for stays open."""


class ReplayResponder:
    """
    Answers as it was recorded.

    Args:
        path: The recording.
        delay: Seconds before each chunk.
        ignore: Members of the request's body that need not be the same, such as ``systemInstruction``.
    """

    def __init__(self, path: Path, *, delay: float, ignore: Sequence[str]) -> None:
        self._path = path
        self._delay = delay
        self._ignore = tuple(ignore)
        self._all = read_recording(path, self._ignore)
        self._left = list(self._all)
        self._used: list[Any] = []
        self._problems: list[str] = []

    @property
    def left(self) -> int:
        """How many exchanges were not asked for yet."""
        return len(self._left)

    async def respond(self, exchange: Exchange) -> None:
        """Answer one request."""
        request = exchange.request
        if not request.operation:  # a browser that looks in is no part of the conversation
            await exchange.refuse(no_method(request.method, request.path))
            return
        key = normalised(request.operation, request.model, request.body, self._ignore)
        recorded = next((one for one in self._left if one.key == key), None)
        if recorded is None:
            await self._miss(exchange, key)
            return
        self._left.remove(recorded)
        self._used.append(key)
        if recorded.chunks is None:
            await asyncio.sleep(self._delay)
            await exchange.reply(recorded.answer, recorded.status)
        else:
            await self._stream(exchange, recorded, recorded.chunks)

    async def close(self) -> None:
        """Nothing is held."""

    def problems(self) -> list[str]:
        """Requests that were not recorded."""
        return list(self._problems)

    async def _stream(self, exchange: Exchange, recorded: Exchanged, chunks: Sequence[Any]) -> None:
        for number, chunk in enumerate(chunks):
            await asyncio.sleep(self._delay)
            if recorded.outcome == "failed" and number == len(chunks) - 1:
                await exchange.fail(chunk, event=False)
                return
            await exchange.chunk(chunk, token=says(chunk))
        if recorded.outcome == "left":
            await asyncio.sleep(_WAITS)
        if recorded.outcome in ("left", "dropped"):
            exchange.drop(reset=False)
        else:
            await exchange.finish()

    async def _miss(self, exchange: Exchange, key: Any) -> None:
        times = self._used.count(key)
        if times:
            reason = f"was recorded {times} time{'s' if times > 1 else ''} and asked once more"
            shown = ""
        else:
            reason = "is not in the recording"
            shown = "\n" + difference(key, [one.key for one in self._all])
        what = f"{exchange.request.operation or exchange.request.path} of {exchange.request.model or 'no model'}"
        self._problems.append(f"a request {reason}: {what}; record `{self._path}` anew if that is meant{shown}")
        await exchange.refuse(APIError(400, self._problems[-1], "FAILED_PRECONDITION"))
