"""
Search by words: bm25 among the chunks that cover enough of what a question is about.

Coverage is the share of the question's terms that a chunk has, each weighed by its rarity. A question outside of the
documents has its telling words nowhere, so nothing covers it and the answer is an empty list.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gsws.ai.retrieval.query import Term, terms_of

__all__ = ["Hit", "search_words"]

COVERAGE: Final = 0.55
"""Share of the weight of a question's terms that a chunk must have."""
_TITLED: Final = 1.5
"""How much more a term counts that is in a title or heading: it is what the section is about."""
_BESIDE: Final = 0.55
"""A chunk must cover this share of what the best one covers."""
_SMALL: Final = 50
"""Fewer chunks tell little about which words are rare; they are counted as so many."""
_WEIGHTS: Final = (4.0, 1.5, 4.0, 1.0)
"""Of a document's title, the headings above, the section's own heading, the text."""
_DEFINING: Final = 1.5
"""How much more a chunk counts that says what something is, if that was asked."""
_ASKS_WHAT: Final = re.compile(
    r"\s*(?:what|who)(?:'s|\s+is|\s+are)\s+(?:(?:an?|the)\s+)?(\w[\w \-./]{0,60}?)\s*[?.!]*\s*\Z", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk and how well it fits; scores of one answer compare, higher is better."""

    chunk: int
    score: float


@dataclass(frozen=True, slots=True)
class _Matched:
    match: str
    chunks: frozenset[int]
    titled: frozenset[int]
    weight: float


def search_words(connection: sqlite3.Connection, question: str, limit: int) -> list[Hit]:
    """The best chunks for a question, best first; empty if no chunk covers what it asks."""
    terms = terms_of(question)
    if not terms:
        return []
    [total] = connection.execute("SELECT count(*) FROM chunks").fetchone()
    matched = [one for term in terms for one in _look_up(connection, term, max(total, _SMALL))]
    whole = sum(one.weight for one in matched)
    covered: dict[int, float] = {}
    for one in matched:
        for chunk in one.chunks:
            covered[chunk] = covered.get(chunk, 0.0) + one.weight
        for chunk in one.titled:
            covered[chunk] += one.weight * (_TITLED - 1)
    if not covered or whole <= 0:
        return []
    floor = max(COVERAGE * whole, _BESIDE * max(covered.values()))
    kept = {chunk: min(weight / whole, 1.0) for chunk, weight in covered.items() if weight >= floor}
    if not kept:
        return []
    ranks = _ranks(connection, [one for one in matched if one.chunks], kept)
    defining = _defining(connection, question)
    hits = [
        Hit(chunk, (0.05 - ranks.get(chunk, 0.0)) * share * (_DEFINING if chunk in defining else 1.0))
        for chunk, share in kept.items()
    ]
    hits.sort(key=lambda hit: (-hit.score, hit.chunk))
    return hits[:limit]


def _defining(connection: sqlite3.Connection, question: str) -> frozenset[int]:
    """The chunks that say `X is` or `X are`, for the question what X is."""
    asked = _ASKS_WHAT.match(question)
    if asked is None:
        return frozenset()
    words = re.findall(r"\w+", asked[1])
    return _chunks(connection, " OR ".join(f'"{" ".join([*words, verb])}"' for verb in ("is", "are", "means")))


def _look_up(connection: sqlite3.Connection, term: Term, total: int) -> list[_Matched]:
    """The chunks of a term, of its parts if it is a phrase that is nowhere, or of words that begin like it."""
    match = term.match
    chunks = _chunks(connection, match)
    if not chunks and term.parts:
        return [one for part in term.parts for one in _look_up(connection, part, total)]
    if not chunks and term.prefix is not None:
        match = term.prefix
        chunks = _chunks(connection, match)
    factor = term.weight * (1.0 if chunks else term.missing)
    # A term of half of the chunks weighs next to nothing, and its list is what takes time.
    is_telling = 0 < len(chunks) <= total // 2
    titled = _chunks(connection, f"{{title above heading}} : {match}") if is_telling else frozenset()
    return [_Matched(match, chunks, titled & chunks, factor * _rarity(len(chunks), total))]


def _chunks(connection: sqlite3.Connection, match: str) -> frozenset[int]:
    return frozenset(row for (row,) in connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (match,)))


def _rarity(chunks: int, total: int) -> float:
    """The weight that bm25 gives a term, never below zero; a term that is nowhere weighs as if it were half there."""
    count = max(chunks, 0.5)
    return math.log(1 + (total - count + 0.5) / (count + 0.5)) if total >= count else 0.0


def _ranks(connection: sqlite3.Connection, matched: Sequence[_Matched], kept: dict[int, float]) -> dict[int, float]:
    """bm25 of the chunks, negative and lower for better; terms of nearly no weight are left out, they cost most."""
    heaviest = max(one.weight for one in matched)
    telling = [one.match for one in matched if one.weight >= heaviest * 0.1]
    query = "SELECT rowid, bm25(words, ?, ?, ?, ?) FROM words WHERE words MATCH ?"
    rows = connection.execute(query, (*_WEIGHTS, " OR ".join(telling)))
    return {chunk: rank for chunk, rank in rows if chunk in kept}
