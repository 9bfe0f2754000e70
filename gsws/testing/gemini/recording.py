"""
A recorded conversation: the file, when two requests are the same, and answers from it.

The file is JSON for people to read and compare: ``{"version": 1, "exchanges": [{"request": {"operation", "model",
"body"}, "response": {"status", "chunks" | "body", "outcome"}}]}``. It has no headers and no key.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gsws.testing.gemini.errors import APIError, no_method
from gsws.testing.gemini.exchange import Exchange
from gsws.testing.gemini.request import Outcome
from gsws.text.replacing import replace_file

__all__ = ["Exchanged", "RecordingError", "ReplayResponder", "difference", "normalised", "says", "write_recording"]

_VERSION: Final = 1
_LINES: Final = 60
_COMPARED: Final = 200
_NUMBERS: Final = re.compile(r"\[\n\s*(-?[\d.][-+\d.eE,\s]*?)\n\s*\]")
"""A list of numbers over several lines: a vector. No text of JSON holds a line break."""


class RecordingError(Exception):
    """A file that is no recording; the text says why."""


@dataclass(slots=True)
class Exchanged:
    """
    One request and its answer.

    Attributes:
        operation: As in `Request`.
        model: As in `Request`.
        body: What was asked.
        status: HTTP status of the answer.
        chunks: The objects of a stream, or None.
        answer: The one JSON value of an answer that was no stream.
        outcome: ``answered``, ``failed`` (the last chunk is a bare error object), ``left`` or ``dropped``.
    """

    operation: str
    model: str
    body: Any
    status: int = 0
    chunks: list[Any] | None = None
    answer: Any = None
    outcome: Outcome = "running"
    key: Any = field(default=None, repr=False)


def normalised(operation: str, model: str, body: Any, ignore: Sequence[str] = ()) -> Any:
    """What two requests must have in common: all but empty members, ids, signatures and what is ignored."""
    kept = {name: value for name, value in body.items() if name not in ignore} if isinstance(body, Mapping) else body
    return {"operation": operation, "model": model, "body": _pruned(kept)}


def difference(asked: Any, recorded: Sequence[Any]) -> str:
    """How a request differs from the nearest of those that were recorded, as a unified diff of bounded length."""
    wanted = _lines(asked)
    alike = [one for one in recorded if one["operation"] == asked["operation"]]
    if not alike:
        return "nothing of the kind was recorded; this request is:\n" + "\n".join(wanted[:_LINES])
    candidates = [_lines(one) for one in alike[:_COMPARED]]
    nearest = max(candidates, key=lambda lines: difflib.SequenceMatcher(None, lines, wanted).quick_ratio())
    shown = list(difflib.unified_diff(nearest, wanted, "nearest recorded request", "this request", "", "", 2, ""))
    more = [f"… and {len(shown) - _LINES} lines more"] if len(shown) > _LINES else []
    return "\n".join([*shown[:_LINES], *more])


def says(chunk: Any) -> bool:
    """Whether a chunk has a text or a call."""
    candidates = chunk.get("candidates") if isinstance(chunk, dict) else None
    return any(
        part.get("text") or "functionCall" in part
        for candidate in candidates or ()
        for part in (candidate.get("content") or {}).get("parts") or ()
    )


def read_recording(path: Path, ignore: Sequence[str] = ()) -> list[Exchanged]:
    """
    Read a file.

    Raises:
        RecordingError: It is no recording.
        OSError: It cannot be read.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"`{path}` is no JSON: {error}") from None
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise RecordingError(f"`{path}` is no recording of version {_VERSION}")
    try:
        found = [_read(one) for one in document["exchanges"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordingError(f"`{path}` is no recording: {type(error).__name__} {error}") from None
    for one in found:
        one.key = normalised(one.operation, one.model, one.body, ignore)
    return found


def write_recording(path: Path, exchanges: Sequence[Exchanged], secrets: Sequence[str]) -> None:
    """Write a file whole; secrets that should have come into a text are masked."""
    text = f'{{"version": {_VERSION}, "exchanges": [\n' + ",\n".join(map(_written, exchanges)) + "\n]}"
    for secret in secrets:
        text = text.replace(json.dumps(secret, ensure_ascii=False)[1:-1], "***")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A new one is nobody else's: it holds what was said. A file that is there keeps its mode.
    replace_file(path, f"{text}\n".encode(), mode=None if path.exists() else 0o600)


def _read(one: Mapping[str, Any]) -> Exchanged:
    request, response = one["request"], one["response"]
    exchanged = Exchanged(request["operation"], request["model"], request["body"], int(response["status"]))
    exchanged.chunks, exchanged.answer = response.get("chunks"), response.get("body")
    exchanged.outcome = response.get("outcome", "answered")
    if exchanged.chunks is not None and not isinstance(exchanged.chunks, list):
        raise TypeError("`chunks` is a list")
    return exchanged


def _written(one: Exchanged) -> str:
    """One exchange; each chunk of a stream has a line."""
    request = _dump({"operation": one.operation, "model": one.model, "body": one.body})
    head = f'"status": {one.status}, "outcome": "{one.outcome}"'
    if one.chunks is None:
        answer = f'{{{head}, "body": {_dump(one.answer)}}}'
    else:
        lines = ",\n".join(f"    {json.dumps(chunk, ensure_ascii=False)}" for chunk in one.chunks)
        answer = f'{{{head}, "chunks": [\n{lines}\n  ]}}'
    return f'{{"request": {request},\n  "response": {answer}}}'


def _pruned(value: Any, *, within: str = "") -> Any:
    """``value`` without what is empty or differs from run to run."""
    if isinstance(value, Mapping):
        kept = {name: _pruned(value[name], within=name) for name in sorted(value) if not _varies(name, within)}
        return {name: item for name, item in kept.items() if item not in (None, [], {})}
    return [_pruned(one) for one in value] if isinstance(value, list) else value


def _varies(name: str, within: str) -> bool:
    return name == "thoughtSignature" or (name == "id" and within in ("functionCall", "functionResponse"))


def _lines(value: Any) -> list[str]:
    return _dump(value).splitlines()


def _dump(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)


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
        self.problems: list[str] = []

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
        self.problems.append(f"a request {reason}: {what}; record `{self._path}` anew if that is meant{shown}")
        await exchange.refuse(APIError(400, self.problems[-1], "FAILED_PRECONDITION"))
