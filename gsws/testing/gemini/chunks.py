"""
A turn as the API's answers: one chunk a token or call while it streams, or all of it in one object.

Pacing and faults are `api`'s; here is only what is said.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gsws.testing.gemini.checks import needs_signatures, signature
from gsws.testing.gemini.request import Request
from gsws.testing.gemini.turn import Call, Turn

__all__ = ["DIMENSIONS", "Answer", "count_tokens", "embedding", "prompt_tokens", "split_tokens", "text_of"]

DIMENSIONS: Final = 3072
"""Numbers of an embedding unless the request says otherwise, as of gemini-embedding-001."""

_TOKEN: Final = re.compile(r"\s*\S+|\s+")
_WORD: Final = re.compile(r"\w+")
_GRAM: Final = 3


def split_tokens(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return _TOKEN.findall(text)


def count_tokens(*texts: str) -> int:
    """How many tokens texts have together."""
    return sum(len(split_tokens(text)) for text in texts)


def text_of(contents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every text that the model reads in contents: texts, names and arguments of calls, responses."""
    texts: list[str] = []
    for content in contents:
        for part in content.get("parts") or ():
            if isinstance(part.get("text"), str):
                texts.append(part["text"])
            for key in ("functionCall", "functionResponse"):
                if isinstance(part.get(key), Mapping):
                    texts.append(str(part[key].get("args") or part[key].get("response") or ""))
    return texts


def embedding(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """
    A vector of length 1 for a text: the more words and parts of words two texts share, the nearer they are.

    Words and their runs of three letters are hashed to signed places; case and order do not count.
    """
    values = [0.0] * dimensions
    for feature, weight in _features(text):
        digest = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
        values[(digest >> 1) % dimensions] += weight if digest & 1 else -weight
    length = math.sqrt(sum(value * value for value in values))
    if length == 0.0:
        values[0] = length = 1.0
    return [round(value / length, 7) if value else 0.0 for value in values]


def _features(text: str) -> Sequence[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for word in _WORD.findall(text.lower()):
        found.append((word, 1.0))
        padded = f"^{word}$"
        found.extend((padded[at : at + _GRAM], 0.3) for at in range(len(padded) - _GRAM + 1))
    return found


_HARM: Final = "HARM_CATEGORY_DANGEROUS_CONTENT"
_BLOCKS: Final = ("SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION")


def prompt_tokens(request: Request) -> int:
    """How many tokens a request's prompt has."""
    return count_tokens(request.system, *text_of(request.contents))


@dataclass(frozen=True, slots=True)
class _Piece:
    """One token or call, and what it counts as; one that is not shown is counted only."""

    part: Mapping[str, Any]
    thought: int = 0
    tokens: int = 0
    shown: bool = True


class Answer:
    """
    What one turn says to one request.

    Args:
        turn: What to say.
        request: To whom; its ``generationConfig`` decides whether thoughts are sent and where the text is cut.
        version: What to name as the model, unless the turn does.
    """

    def __init__(self, turn: Turn, request: Request, version: str) -> None:
        self._turn = turn
        self._version = turn.model_version or version
        self._id = secrets.token_urlsafe(12)
        self._prompt = prompt_tokens(request)
        self._signed = turn.signatures and needs_signatures(request.model)
        self._finish = turn.finish
        self._pieces = self._cut(request, list(self._spoken(request)))
        self._thoughts = self._tokens = 0

    def parts(self) -> Iterator[dict[str, Any]]:
        """The chunks, one a token or call; those that only count, such as hidden thoughts, are None to send."""
        if self._turn.blocked:
            return
        for piece in self._pieces:
            self._thoughts += piece.thought
            self._tokens += piece.tokens
            yield self._chunk([piece.part]) if piece.shown else {}

    def end(self) -> dict[str, Any]:
        """The last chunk of a stream, with the finish reason."""
        if self._turn.blocked:
            return self._whole({"promptFeedback": {"blockReason": self._turn.blocked}})
        ending: list[Mapping[str, Any]] = []
        if self._turn.thoughts and self._signed and not self._turn.calls:
            ending = [{"text": "", "thoughtSignature": signature("text")}]
        return self._chunk(ending, self._finish)

    def whole(self) -> dict[str, Any]:
        """Everything in one object, for who does not stream."""
        if self._turn.blocked:
            return self.end()
        parts: list[dict[str, Any]] = []
        for piece in self._pieces:
            self._thoughts += piece.thought
            self._tokens += piece.tokens
            if not piece.shown:
                continue
            last = parts[-1] if parts else {}
            if "text" in piece.part and "text" in last and last.get("thought") == piece.part.get("thought"):
                last["text"] += piece.part["text"]
            else:
                parts.append(dict(piece.part))
        if self._turn.thoughts and self._signed and parts and not self._turn.calls:
            parts[-1]["thoughtSignature"] = signature("text")
        return self._chunk(parts, self._finish)

    def _spoken(self, request: Request) -> Iterator[_Piece]:
        turn = self._turn
        thinking = request.config("thinkingConfig")
        shown = isinstance(thinking, Mapping) and bool(
            thinking.get("includeThoughts") or thinking.get("include_thoughts")
        )
        for token in _tokens(turn.thoughts):
            yield _Piece({"text": token, "thought": True}, thought=1, shown=shown)
        for token in _tokens(turn.text):
            yield _Piece({"text": token}, tokens=1)
        for number, call in enumerate(turn.calls):
            yield _Piece(self._call(call, first=number == 0), tokens=count_tokens(call.name, str(dict(call.args))))

    def _cut(self, request: Request, pieces: list[_Piece]) -> Sequence[_Piece]:
        """Keep what ``maxOutputTokens`` allows; thoughts count too."""
        most = request.config("maxOutputTokens")
        if not isinstance(most, int) or isinstance(most, bool) or most <= 0:
            return pieces
        total = 0
        for number, piece in enumerate(pieces):
            total += piece.thought + piece.tokens
            if total > most:
                self._finish = "MAX_TOKENS"
                return pieces[:number]
        return pieces

    def _call(self, call: Call, *, first: bool) -> Mapping[str, Any]:
        part: dict[str, Any] = {
            "functionCall": {
                "name": call.name,
                "args": dict(call.args),
                "id": call.id or f"call-{secrets.token_hex(6)}",
            }
        }
        if first and self._signed:
            part["thoughtSignature"] = signature(call.name)
        return part

    def _chunk(self, parts: Sequence[Mapping[str, Any]], finish: str = "") -> dict[str, Any]:
        content: dict[str, Any] = {"role": "model"}
        if parts:
            content["parts"] = parts
        candidate: dict[str, Any] = {"content": content, "index": 0}
        if finish:
            candidate["finishReason"] = finish
            if finish == "MALFORMED_FUNCTION_CALL":
                candidate["finishMessage"] = "Malformed function call: print(default_api."
            elif finish in _BLOCKS:
                candidate["safetyRatings"] = [{"category": _HARM, "probability": "HIGH", "blocked": True}]
        return self._whole({"candidates": [candidate]})

    def _whole(self, said: dict[str, Any]) -> dict[str, Any]:
        return {**said, "usageMetadata": self._usage(), "modelVersion": self._version, "responseId": self._id}

    def _usage(self) -> dict[str, Any]:
        """Counts so far: each chunk of the API tells the sum, not the difference."""
        usage: dict[str, Any] = {"promptTokenCount": self._prompt}
        if self._tokens:
            usage["candidatesTokenCount"] = self._tokens
        if self._thoughts:
            usage["thoughtsTokenCount"] = self._thoughts
        usage |= dict(self._turn.usage or {})
        counted = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
        usage.setdefault("totalTokenCount", sum(usage.get(name, 0) for name in counted))
        usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": usage["promptTokenCount"]}]
        return usage


def _tokens(text: str | Sequence[str]) -> Sequence[str]:
    return split_tokens(text) if isinstance(text, str) else text
