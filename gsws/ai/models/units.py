"""
A passage taken apart: sentences, list items, rows of tables and code blocks, each with what it stands under.

What is quoted of them is decided in `gsws.ai.models.quoting`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gsws.ai.retrieval.stopwords import STOP

__all__ = ["LONGEST_SENTENCE", "Unit", "content_words", "units_of"]

LONGEST_SENTENCE = 500

_FENCE = re.compile(r"^(`{3,}|~{3,})")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[\"'(\[`]*[A-Z0-9ÄÖÜÀ-Þ])")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_ITEM = re.compile(r"([-*+]|\d+[.)])\s")
_CELLS = re.compile(r"(?<!\\)\|")
_WORD = re.compile(r"\w+", re.UNICODE)
_STOP = STOP | {"any", "used", "using", "use", "doing"}


@dataclass(slots=True, eq=False)
class Unit:
    """
    A piece of a passage that can be quoted by itself.

    Attributes:
        passage: Place of its passage, from 0.
        place: Its own place in the passage, from 0.
        text: What it says; of a row its cells, of code the whole block with its fences.
        kind: Sentence or list item, row of a table, or code block.
        order: How many sentences of its passage stand before it.
        refers: Whether it does little but link elsewhere.
        introduced: Whether a sentence stands before it (code).
        cells: The cells of a row.
        columns: The header of its table.
        table: Which table of the passage it is in.
        words: Stems of what it says.
        header: Stems of its table's header.
        heading: Stems of the heading right above.
        title: Stems of all that it stands under.
        score: How well it fits the question.
        defines: Whether it says what that is which was asked for.
    """

    passage: int
    place: int
    text: str
    kind: Literal["prose", "row", "code"]
    order: int = 9
    refers: bool = False
    introduced: bool = False
    cells: Sequence[str] = ()
    columns: Sequence[str] = ()
    table: int = 0
    words: frozenset[str] = field(default=frozenset())
    header: frozenset[str] = frozenset()
    heading: frozenset[str] = frozenset()
    title: frozenset[str] = frozenset()
    score: float = 0.0
    defines: bool = False


def content_words(text: str) -> list[str]:
    """The words that say what a text is about: lower case, without stop words, cut to a stem."""
    return [
        _stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP and (len(word) > 1 or word.isdigit())
    ]


def units_of(number: int, passage: Mapping[str, str]) -> Iterator[Unit]:
    """
    The units of a passage, in order.

    Args:
        number: The passage's place, from 0.
        passage: ``{"text": str, "title"?: str}``; the title is ``Document › Section › Heading``.
    """
    title = passage.get("title") or ""
    above = frozenset(content_words(title))
    heading = frozenset(content_words(title.rpartition(" › ")[2]))
    order = 0
    before = ""
    for place, unit in enumerate(_pieces(number, passage["text"])):
        unit.place, unit.title, unit.heading = place, above, heading
        unit.words = frozenset(content_words(unit.text))
        unit.header = frozenset(content_words(" ".join(unit.columns)))
        if unit.kind == "prose":
            unit.order, order = order, order + 1
        unit.introduced = before == "prose"
        before = unit.kind
        yield unit


def _pieces(number: int, text: str) -> Iterator[Unit]:
    columns: Sequence[str] = ()
    table = 0
    rows: list[list[str]] = []
    for kind, block in [*_blocks(text), ("end", "")]:
        if kind == "row":
            rows.append([cell.strip().replace("\\|", "|") for cell in _CELLS.split(block.strip("|"))])
            continue
        if rows:
            table += 1
            columns = ()
            if len(rows) > 1 and _is_rule(rows[1]):
                columns, rows = rows[0], rows[2:]
            for row in rows:
                cells = [_LINK.sub(r"\1", cell) for cell in row]
                said = " · ".join(cell for cell in cells if cell)
                if said and not _is_rule(row):
                    yield Unit(number, 0, _cut(said), "row", cells=cells, columns=columns, table=table)
            rows = []
        if kind == "code":
            yield Unit(number, 0, block, "code")
        elif kind == "prose":
            yield from _sentences(number, block)


def _sentences(number: int, block: str) -> Iterator[Unit]:
    for piece in _SENTENCE_END.split(" ".join(block.split())):
        # Where a link leads is of no use outside of its page.
        plain = _LINK.sub(r"\1", piece).strip()
        if content_words(plain):
            refers = len(content_words(_LINK.sub(" ", piece))) < 3 and bool(_LINK.search(piece))
            yield Unit(number, 0, _cut(plain), "prose", refers=refers)


def _is_rule(cells: Sequence[str]) -> bool:
    """Whether a row only draws the line below a header."""
    return bool(cells) and all(cell and not cell.strip("-: ") for cell in cells)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Paragraphs, list items, table rows and fenced code of a Markdown text; headings and rules are left out."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        stripped = line.strip()
        if fence:
            lines.append(line)
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                yield "code", "\n".join(lines)
                lines, fence = [], ""
            continue
        opening = _FENCE.match(stripped)
        item = _ITEM.match(stripped)
        row = stripped.startswith("|")
        heading = not row and (stripped.startswith("#") or (stripped and not stripped.strip("-=_*: ")))
        if (opening or item or row or heading or not stripped) and lines:
            yield "prose", "\n".join(lines)
            lines = []
        if opening:
            fence, lines = opening[1], [line]
        elif row:
            yield "row", stripped
        elif item:
            lines = [stripped[item.end() :]]
        elif stripped and not heading:
            lines.append(stripped.lstrip("> "))
        elif not stripped:
            yield "gap", ""
    if lines and fence:
        yield "code", "\n".join([*lines, fence])  # a passage may end inside a block
    elif lines:
        yield "prose", "\n".join(lines)


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
