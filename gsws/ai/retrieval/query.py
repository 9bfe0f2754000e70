"""
From a question in plain words to terms for full-text search, and from text to what is indexed of it.

Nothing of a question is ever read as a query language: a term is a quoted string of letters and digits. Chinese,
Japanese and Korean, which do not put spaces between words, are indexed by character and asked for by pairs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from gsws.ai.retrieval.stopwords import CJK_FUNCTION, GENERIC, STOP

__all__ = ["MAX_QUERY", "Term", "indexed", "terms_of"]

MAX_QUERY: Final = 2_000
"""Characters of a question that are read."""
MAX_TERMS: Final = 24

_CJK: Final = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_CJK_CHARACTER: Final = re.compile(f"([{_CJK}])")
_CJK_RUN: Final = re.compile(f"[{_CJK}]+")
_HIRAGANA: Final = re.compile("[\u3040-\u309f]+")
_FUNCTION: Final = re.compile("|".join(CJK_FUNCTION))
_INNER: Final = frozenset("_.-:/'’")
"""Characters that may stand inside a word: ``on_disconnect``, ``stream.end``, ``don't``."""


@dataclass(frozen=True, slots=True)
class Term:
    """
    One thing that a question is about.

    Attributes:
        match: What it is in FTS5's language: one quoted string, which is a phrase if it has several words.
        prefix: The same for words that begin alike, tried if nothing matches; None if the term is too short.
        parts: Terms that stand in for a phrase that matches nowhere.
        weight: Factor of its share in the question.
        missing: Factor of its weight if no document has it.
    """

    match: str
    prefix: str | None = None
    parts: tuple[Term, ...] = ()
    weight: float = 1.0
    missing: float = 1.0


def indexed(text: str) -> str:
    """What goes into the full-text index for a text: compatible characters made equal, CJK characters set apart."""
    if text.isascii():
        return text
    return _CJK_CHARACTER.sub(r" \1 ", unicodedata.normalize("NFKC", text))


def terms_of(question: str) -> list[Term]:
    """The terms of a question, without stop words and repetitions; empty if it is about nothing."""
    text = unicodedata.normalize("NFKC", question[:MAX_QUERY])
    found: dict[str, Term] = {}
    for word in _words(text):
        for term in _terms(word):
            if len(found) < MAX_TERMS:
                found.setdefault(term.match.lower(), term)
    return list(found.values())


def _words(text: str) -> Iterator[str]:
    """Runs of letters, digits and marks, with what may stand inside them."""
    gathered: list[str] = []
    for character in f"{text} ":
        if unicodedata.category(character)[0] in "LNM" or (gathered and character in _INNER):
            gathered.append(character)
            continue
        word = "".join(gathered).rstrip("_.-:/'’")
        gathered.clear()
        if word:
            yield word


def _terms(word: str) -> Iterator[Term]:
    if not _CJK_RUN.search(word):
        yield from _spaced(word)
        return
    for run in re.split(f"([{_CJK}]+)", word):
        if _CJK_RUN.fullmatch(run):
            yield from _unspaced(run)
        elif run:
            yield from _spaced(run)


def _spaced(word: str) -> Iterator[Term]:
    """A word of a language that has spaces."""
    plain = re.sub(r"['’](?:s|re|ve|ll|d|m|t)?$", "", word.lower())
    pieces = [piece for piece in re.split(r"[_.\-:/'’]+", plain) if piece]
    if not pieces or plain in STOP or word.lower() in STOP:
        return
    if len(pieces) > 1:
        parts = tuple(_term(piece) for piece in pieces if piece not in STOP and len(piece) > 1)
        yield Term(_quoted(" ".join(pieces)), parts=parts)
    elif len(plain) > 1:
        yield _term(plain)


def _term(word: str) -> Term:
    weight = 0.35 if word in GENERIC else 1.0
    # Endings of languages that the stemmer does not know; of short words, half would be an ending.
    kept = len(word) - 2 if len(word) >= 7 else len(word) - 1
    prefix = f"{_quoted(word[:kept])} *" if kept >= 5 and word.isalpha() else None
    return Term(_quoted(word), prefix, weight=weight)


def _unspaced(run: str) -> Iterator[Term]:
    """Pairs of neighbouring characters; of Japanese, what stands between particles and endings."""
    pieces = [piece for part in _FUNCTION.split(run) for piece in _HIRAGANA.split(part) if piece]
    for piece in pieces or [run]:
        if len(piece) == 1:
            yield Term(_quoted(piece))
        for first, second in pairwise(piece):
            # A pair across the border of two words is nowhere, and says nothing about what is asked.
            yield Term(_quoted(f"{first} {second}"), missing=0.4)


def _quoted(words: str) -> str:
    return '"' + words.replace('"', '""') + '"'
