"""Suggestions for a mistyped word, as sentences."""

from __future__ import annotations

from collections.abc import Iterable

from gsws.diagnostics.suggest import nearest

__all__ = ["did_you_mean"]


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """``did you mean `serve`?``, or None if nothing is near."""
    found = nearest(word, list(candidates))
    return f"did you mean `{found[0]}`?" if found else None
