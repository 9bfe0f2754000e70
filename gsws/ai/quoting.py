"""
Which sentences of some passages answer a question best, written out with citations and a list of sources.

Plain word matching, nothing learnt: `gsws.ai.offline` answers with it when no language model is configured.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["content_words", "quote"]

MOST_QUOTATIONS = 5
MOST_CHARACTERS = 1_800
"""Bound of all quotations together; the first one is given whole up to it."""

LONGEST_SENTENCE = 500
MOST_PASSAGES = 20

_FENCE = re.compile(r"^(`{3,}|~{3,})")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[\"'(\[`]*[A-Z0-9ÄÖÜÀ-Þ])")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_ITEM = re.compile(r"([-*+]|\d+[.)])\s")
_WORD = re.compile(r"\w+", re.UNICODE)
_STOP_WORDS = """
    a about all also am an and any are as at be because been but by can could did do does doing for from had has
    have having he her here him his how i if in into is it its just like may me might mine more most my need no nor
    not now of off on once only or other our out over please say she should so some such tell than that the their
    them then there these they this those to too us use used using very was way we were what when where which while
    who whom why will with without would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


@dataclass(slots=True)
class _Unit:
    """A sentence, a list item or a whole code block of a passage."""

    passage: int
    place: int
    text: str
    code: bool
    refers: bool = False
    title: frozenset[str] = frozenset()
    score: float = 0.0


def content_words(text: str) -> list[str]:
    """The words that say what a text is about: lower case, without stop words, cut to a stem."""
    return [
        _stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP and (len(word) > 1 or word.isdigit())
    ]


def quote(question: str, passages: Sequence[Mapping[str, str]]) -> str:
    """
    Quote the sentences that share most with a question.

    A code block comes whole or not at all, after the sentence that introduces it.

    Args:
        question: The words to look for.
        passages: ``[{"text": str, "source": str, "title"?: str}]``, best first; the first 20 are read.

    Returns:
        Quotations with ``[n]`` (n is the passage's place from 1), then the list of sources; empty if there are
        no passages with text.
    """
    units = [unit for number, passage in enumerate(passages[:MOST_PASSAGES]) for unit in _units(number, passage)]
    if not units:
        return ""
    _score(units, question, passages)
    lines = []
    runs = _runs(_choose(units))
    for run in runs:
        mark = f"[{run[0].passage + 1}]"
        text = " ".join(unit.text for unit in run)
        lines.append(f"{text}\n\n{mark}" if run[0].code else f"> {text} {mark}")
    cited = sorted({run[0].passage for run in runs})
    sources = [f"[{number + 1}] {_source(passages[number])}" for number in cited]
    return "\n\n".join(lines) + "\n\nSources:\n" + "\n".join(f"- {source}" for source in sources)


def _units(number: int, passage: Mapping[str, str]) -> Iterator[_Unit]:
    place = 0
    title = frozenset(content_words(passage.get("title") or ""))
    for block, code in _blocks(passage["text"]):
        if code:
            yield _Unit(number, place, block, True, title=title)
            place += 1
            continue
        for piece in _SENTENCE_END.split(" ".join(block.split())):
            # Where a link leads is of no use outside of its page.
            plain = _LINK.sub(r"\1", piece).strip()
            if content_words(plain):
                refers = len(content_words(_LINK.sub(" ", piece))) < 3 and bool(_LINK.search(piece))
                yield _Unit(number, place, _cut(plain), False, refers, title)
                place += 1


def _blocks(text: str) -> Iterator[tuple[str, bool]]:
    """Paragraphs, list items, table rows and fenced code of a Markdown text; headings and rules are left out."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        stripped = line.strip()
        if fence:
            lines.append(line)
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                yield "\n".join(lines), True
                lines, fence = [], ""
            continue
        opening = _FENCE.match(stripped)
        item = _ITEM.match(stripped)
        row = stripped.startswith("|")
        heading = stripped.startswith("#") or (stripped and not stripped.strip("-=_*|: "))
        if (opening or item or row or heading or not stripped) and lines:
            yield "\n".join(lines), False
            lines = []
        if opening:
            fence, lines = opening[1], [line]
        elif row and not heading:
            yield " · ".join(cell for cell in map(str.strip, stripped.strip("|").split("|")) if cell), False
        elif item:
            lines = [stripped[item.end() :]]
        elif stripped and not heading:
            lines.append(stripped.lstrip("> "))
    if lines and fence:
        yield "\n".join([*lines, fence]), True  # a passage may end inside a block
    elif lines:
        yield "\n".join(lines), False


def _score(units: list[_Unit], question: str, passages: Sequence[Mapping[str, str]]) -> None:
    """
    Rare shared words count most, those of the passage's title half, and a better passage more than a worse one.

    A long unit, which holds many words, gains little by that; one that does nothing but refer elsewhere, less.
    """
    wanted = set(content_words(question))
    titles = [set(content_words(passage.get("title", ""))) for passage in passages[:MOST_PASSAGES]]
    held = [Counter(content_words(unit.text)) for unit in units]
    spread = Counter(word for words in held for word in words)
    for unit, words in zip(units, held, strict=True):
        weights = {word: math.log(1 + len(units) / max(1, spread[word])) for word in wanted}
        shared = sum(weight for word, weight in weights.items() if word in words)
        title = set() if unit.code else titles[unit.passage]
        titled = sum(weight for word, weight in weights.items() if word not in words and word in title)
        score = (shared + titled / 2) / (1 + math.log1p(max(0, len(words) - 12)) / 4)
        unit.score = score * 0.9**unit.passage * (0.5 if unit.refers else 1.0)


def _choose(units: list[_Unit]) -> list[_Unit]:
    """The best units within the bounds, in reading order, with the code that a chosen sentence introduces."""
    ranked = sorted(units, key=lambda unit: (-unit.score, unit.passage, unit.place))
    best = ranked[0].score
    after = {(unit.passage, unit.place): unit for unit in units}
    chosen: list[_Unit] = []
    room = MOST_CHARACTERS
    for unit in ranked:
        # A third of the best score keeps out sentences that share one common word with the question.
        if len(chosen) >= MOST_QUOTATIONS or (chosen and (unit.score <= 0 or unit.score < best / 3)):
            break
        for each in (unit, _companion(unit, after)):
            if each is None or each in chosen or any(each.text == had.text for had in chosen):
                continue
            if len(each.text) > room:
                continue
            chosen.append(each)
            room -= len(each.text)
    if not chosen:  # one code block longer than the bound
        chosen = [next((unit for unit in ranked if not unit.code), _Unit(0, 0, _cut(units[0].text), False))]
    return sorted(chosen, key=lambda unit: (unit.passage, unit.place))


def _companion(unit: _Unit, units: Mapping[tuple[int, int], _Unit]) -> _Unit | None:
    """The code that a sentence introduces, or the sentence that introduces a code block."""
    other = units.get((unit.passage, unit.place + (-1 if unit.code else 1)))
    if other is None or other.code == unit.code:
        return None
    return other if (other if unit.code else unit).text.endswith((":", "：")) else None


def _runs(units: list[_Unit]) -> list[list[_Unit]]:
    """Sentences that follow each other in their passage, together; a code block by itself."""
    runs: list[list[_Unit]] = []
    for unit in units:
        before = runs[-1][-1] if runs else None
        if (
            before is not None
            and (before.passage, before.place + 1) == (unit.passage, unit.place)
            and (not before.code and not unit.code)
        ):
            runs[-1].append(unit)
        else:
            runs.append([unit])
    return runs


def _source(passage: Mapping[str, str]) -> str:
    source, title = passage["source"], passage.get("title")
    return f"{source} ({title})" if title and title != source else source


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1].rsplit(" ", 1)[0] + "…"


def _stem(word: str) -> str:
    """Enough to let `cancelled` meet `cancel` and `queries` meet `query`."""
    for ending, least in (
        ("ations", 5),
        ("ation", 5),
        ("ings", 4),
        ("ing", 4),
        ("ied", 3),
        ("ies", 3),
        ("led", 4),
        ("ed", 4),
        ("es", 4),
        ("s", 3),
        ("e", 4),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= least and not word.endswith("ss"):
            word = word[: -len(ending)] + ("y" if ending in {"ied", "ies"} else "")
            break
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "aeiou" else word
