"""
Which sentences of some passages answer a question best, written out with citations and a list of sources.

Plain word matching, nothing learnt: `gsws.ai.models.offline` answers with it when no language model is configured.
How a passage is taken apart is `gsws.ai.models.units`'.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Final

from gsws.ai.models.units import LONGEST_SENTENCE, Unit, content_words, units_of
from gsws.ai.retrieval.stopwords import GENERIC

__all__ = ["content_words", "quote"]

MOST_QUOTATIONS = 4
MOST_CHARACTERS = 1_800
"""Bound of all quotations together; the first one is given whole up to it."""

MOST_PASSAGES = 20

_MISSING: Final = 0.5
"""Share of a question's weight that may be about words which stand nowhere in the passages."""
_GOOD: Final = 0.5
"""Share of the best score below which a sentence only happens to have a common word."""
_BEST: Final = 0.75
"""Share of the best score from which a sentence brings the code that it introduces."""
_DEFINES: Final = re.compile(
    r"\s*(?:what|who)(?:'s| is| are| was| were)\b|\s*what (?:do|does|did)\b.*\b(?:means?|says?)\b"
    r"|\s*(?:define|explain|describe)\b|.*\bmeaning of\b",
    re.IGNORECASE,
)
_ARTICLE: Final = r"(?:(?:an?|the|each|every)\s+)?"
_VERB: Final = r"\s+(?:is|are|was|were|means|says|names|describes|stands for|holds|lists|makes|gives)\b"
_GENERIC: Final = frozenset(stem for word in GENERIC for stem in content_words(word))
_CJK: Final = re.compile("[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


def quote(question: str, passages: Sequence[Mapping[str, str]]) -> str:
    """
    Quote the sentences that share most with a question.

    A code block comes whole or not at all, after the sentence or the heading that introduces it; a row of a table
    with the table's header; a definition before details. Headings count as context and are no answer.

    Args:
        question: The words to look for.
        passages: ``[{"text": str, "source": str, "title"?: str}]``, best first; the first 20 are read.

    Returns:
        Quotations with ``[n]`` (n is the passage's place from 1), then the list of sources; empty if there are
        no passages with text, or if they have nothing of what the question is mostly about.
    """
    passages = passages[:MOST_PASSAGES]
    units = [unit for number, passage in enumerate(passages) for unit in units_of(number, passage)]
    weights = _weights(question, units)
    if not units or not weights or _is_elsewhere(weights, passages):
        return ""
    for unit in units:
        unit.score = _score(unit, weights)
    named = {word: weight for word, weight in weights.items() if word not in _GENERIC} or weights
    telling = {word for word, weight in named.items() if weight >= 0.5 * max(named.values())}
    if _DEFINES.match(question):
        _prefer_definitions(units, telling)
    chosen = _choose(units)
    runs = sorted(_runs(chosen), key=lambda run: not any(unit.defines for unit in run))
    lines = [_quotation(run, passages[run[0].passage], telling) for run in runs]
    cited = sorted({unit.passage for unit in chosen})
    sources = [f"[{number + 1}] {_source(passages[number])}" for number in cited]
    return "\n\n".join(lines) + "\n\nSources:\n" + "\n".join(f"- {source}" for source in sources)


def _weights(question: str, units: Sequence[Unit]) -> dict[str, float]:
    """What each word of a question counts: rare ones most, those that documents say in many ways least."""
    spread = Counter(word for unit in units for word in {*unit.words, *unit.title, *unit.header})
    return {
        word: math.log(1 + len(units) / max(1, spread[word])) * (0.35 if word in _GENERIC else 1.0)
        for word in content_words(question)
    }


def _is_elsewhere(weights: Mapping[str, float], passages: Sequence[Mapping[str, str]]) -> bool:
    """Whether what a question is mostly about stands nowhere in the passages."""
    said = " ".join(" ".join((one["text"], one.get("title") or "", one["source"])) for one in passages).lower()
    stems = set(content_words(said))
    sought = {word: weight * (0.4 if word in _GENERIC else 1.0) for word, weight in weights.items()}
    missing = sum(weight for word, weight in sought.items() if word not in stems and not _stands_in(word, said))
    return missing > _MISSING * sum(sought.values())


def _stands_in(word: str, text: str) -> bool:
    """Whether a word is a part of one in the text; where words are not set apart, whether a part of it is there."""
    if _CJK.search(word):
        return any(word[at : at + 2] in text for at in range(max(1, len(word) - 1)))
    return len(word) > 3 and word in text


def _score(unit: Unit, weights: Mapping[str, float]) -> float:
    """
    What a unit shares with a question; what only stands above it counts half, for the first sentence nearly whole.

    A better passage counts more than a worse one. A long unit, which holds many words, gains little by that; code,
    and a sentence that does nothing but refer elsewhere, less.
    """
    shared = sum(weight for word, weight in weights.items() if word in unit.words)
    above = sum(weight for word, weight in weights.items() if word not in unit.words and word in unit.heading)
    around = sum(
        weight
        for word, weight in weights.items()
        if word not in unit.words and word not in unit.heading and (word in unit.title or word in unit.header)
    )
    context = above * (0.9, 0.7, 0.5)[min(unit.order, 2)] + around * 0.4
    score = (shared + context) / (1 + math.log1p(max(0, len(unit.words) - 12)) / 4)
    factor = 0.5 if unit.refers else 0.6 if unit.kind == "code" else 1.0
    return score * factor * 0.9**unit.passage


def _prefer_definitions(units: Sequence[Unit], telling: Set[str]) -> None:
    """Raise the sentences that say what something is, and the first ones below a heading that names it."""
    for unit in units:
        if unit.kind != "prose":
            continue
        subject = re.match(
            rf"\W*{_ARTICLE}((?:[\w./`*-]+\s+){{0,3}}?[\w./`*-]+?)[`*]*{_VERB}", unit.text, re.IGNORECASE
        )
        if subject is not None and telling & set(content_words(subject[1])):
            unit.score *= 1.6
            unit.defines = True
        elif unit.order < 2 and telling <= unit.heading:
            unit.score *= 1.4
            unit.defines = True


def _choose(units: Sequence[Unit]) -> list[Unit]:
    """The best units within the bounds, in reading order, with the code that a chosen sentence introduces."""
    ranked = sorted(units, key=lambda unit: (-unit.score, unit.passage, unit.place))
    best = ranked[0].score
    places = {(unit.passage, unit.place): unit for unit in units}
    chosen: list[Unit] = []
    room = MOST_CHARACTERS
    for unit in ranked:
        if len(chosen) >= MOST_QUOTATIONS or (chosen and (unit.score <= 0 or unit.score < best * _GOOD)):
            break
        for each in (unit, _companion(unit, places) if unit.score > best * _BEST else None):
            if each is None or each in chosen or any(each.text == had.text for had in chosen):
                continue
            if len(each.text) > room:
                continue
            chosen.append(each)
            room -= len(each.text)
    if not chosen:  # one code block longer than the bound
        first = next((unit for unit in ranked if unit.kind != "code"), None)
        chosen = [first or Unit(0, 0, _cut(units[0].text), "prose")]
    return sorted(chosen, key=lambda unit: (unit.passage, unit.place))


def _companion(unit: Unit, places: Mapping[tuple[int, int], Unit]) -> Unit | None:
    """The code that a sentence introduces, or the sentence that introduces a code block."""
    is_code = unit.kind == "code"
    other = places.get((unit.passage, unit.place + (-1 if is_code else 1)))
    if other is None or (other.kind == "code") == is_code:
        return None
    return other if (other if is_code else unit).text.endswith((":", "：")) else None


def _runs(chosen: Sequence[Unit]) -> list[list[Unit]]:
    """Units that are shown together: sentences that follow each other, and rows of one table."""
    runs: list[list[Unit]] = []
    for unit in chosen:
        before = runs[-1][-1] if runs else None
        if (
            before is not None
            and before.passage == unit.passage
            and before.kind == unit.kind
            and (
                (unit.kind == "prose" and before.place + 1 == unit.place)
                or (unit.kind == "row" and before.table == unit.table)
            )
        ):
            runs[-1].append(unit)
        else:
            runs.append([unit])
    return runs


def _quotation(run: Sequence[Unit], passage: Mapping[str, str], telling: Set[str]) -> str:
    """One run of units as Markdown, with its mark."""
    first = run[0]
    mark = f"[{first.passage + 1}]"
    if first.kind == "code":
        # An answer does not begin with code that nothing introduces.
        about = "" if first.introduced else f"> {_heading(passage)}: {mark}\n\n"
        return f"{about}{first.text}\n\n{mark}"
    if first.kind == "row":
        width = max(len(unit.cells) for unit in run)
        head = [*first.columns, *[""] * width][:width]
        rows = [_row(head), _row(["---"] * width), *(_row([*unit.cells, *[""] * width][:width]) for unit in run)]
        return "\n".join(f"> {row}" for row in rows) + f"\n\n{mark}"
    said = frozenset().union(*(unit.words for unit in run))
    # What the sentence is about may stand in its heading alone.
    about = f"**{_heading(passage)}**: " if telling & (first.heading - said) else ""
    return f"> {about}{' '.join(unit.text for unit in run)} {mark}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _heading(passage: Mapping[str, str]) -> str:
    return (passage.get("title") or passage["source"]).rpartition(" › ")[2]


def _source(passage: Mapping[str, str]) -> str:
    source, title = passage["source"], passage.get("title")
    return f"{source} ({title})" if title and title != source else source


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1].rsplit(" ", 1)[0] + "…"
