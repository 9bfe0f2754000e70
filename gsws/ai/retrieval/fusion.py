"""Putting lists of hits together: reciprocal rank fusion, and leaving out what an earlier passage says already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["Distinct", "fused"]

_K = 60.0
"""The constant of reciprocal rank fusion (Cormack et al. 2009): how little the very first ranks stand out."""
_RUN = 5
_SAME = 0.8


def fused(rankings: Sequence[Iterable[int]]) -> list[tuple[int, float]]:
    """
    Fuse rankings of the same things.

    Args:
        rankings: Each the best first.

    Returns:
        Each thing once with the sum of ``1 / (60 + rank)``, the best first.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, one in enumerate(ranking, 1):
            scores[one] = scores.get(one, 0.0) + 1.0 / (_K + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


class Distinct:
    """Tells texts that say something new: fewer than four fifths of their runs of five words were there before."""

    def __init__(self) -> None:
        self._seen: list[frozenset[tuple[str, ...]]] = []

    def is_new(self, text: str) -> bool:
        """Whether ``text`` is no repetition of one text before it; remembers it if so."""
        words = re.findall(r"\w+", text.lower())
        runs = frozenset(tuple(words[at : at + _RUN]) for at in range(max(1, len(words) - _RUN + 1)))
        if any(len(runs & seen) >= _SAME * min(len(runs), len(seen)) for seen in self._seen):
            return False
        self._seen.append(runs)
        return True
