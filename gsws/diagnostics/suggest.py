"""
The nearest known word to one that is not known: ``stream_gemni`` → ``stream_gemini``.

Restricted Damerau-Levenshtein distance, bounded in word length and number of candidates.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

__all__ = ["distance", "nearest"]

_MAX_LENGTH: Final = 80
_MAX_CANDIDATES: Final = 5_000


def nearest(word: str, candidates: Iterable[str], n: int = 1) -> list[str]:
    """
    The candidates that ``word`` was probably meant to be, best first.

    A candidate fits if it differs only by case and separators, or by at most a third of the word's letters, or
    if one is a part of the other between separators (``gemini`` for ``stream_gemini``).

    Args:
        word: What was written.
        candidates: What is known; of more than 5,000 only the first count.
        n: Most to return.
    """
    if not word or len(word) > _MAX_LENGTH:
        return []
    plain = _plain(word)
    ranked: list[tuple[float, str]] = []
    for candidate in islice(dict.fromkeys(candidates), _MAX_CANDIDATES):
        if not candidate or candidate == word:
            continue
        other = _plain(candidate)
        limit = max(1, max(len(plain), len(other)) // 3)
        if plain == other:
            ranked.append((0, candidate))
        elif abs(len(plain) - len(other)) <= limit and len(candidate) <= _MAX_LENGTH:
            steps = distance(plain, other, limit)
            # one step turns any short word into any other
            if steps <= limit and steps < min(len(plain), len(other)):
                ranked.append((steps, candidate))
            elif _is_part(word, candidate):
                ranked.append((limit + 1, candidate))
        elif _is_part(word, candidate):
            ranked.append((limit + 1, candidate))
    ranked.sort()
    return [candidate for _, candidate in ranked[:n]]


def distance(one: str, other: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps between two words; ``limit + 1`` if there are more."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before_last: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            steps = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                steps = min(steps, before_last[j - 2] + 1)
            row.append(steps)
        if min(row) > limit:
            return limit + 1
        before_last, last = last, row
    return min(last[-1], limit + 1)


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")


def _is_part(word: str, candidate: str) -> bool:
    short, long = sorted((_plain(word), _plain(candidate)), key=len)
    if len(short) < 4:
        return False
    parts = long.replace(".", "_").replace("/", "_")
    return f"_{short}_" in f"_{parts}_"
