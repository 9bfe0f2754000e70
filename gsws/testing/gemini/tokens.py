"""
Tokens and embeddings of the stand-in: no model, but deterministic, and near where texts are alike.

One word with the space before it is one token, so that a test can count them.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ["DIMENSIONS", "count_tokens", "embedding", "split_tokens", "text_of"]

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
