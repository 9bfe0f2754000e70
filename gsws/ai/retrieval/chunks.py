"""
Cutting a document into chunks: one section or a part of it, small enough to be quoted, never inside code or a table.

Chunks do not overlap: each carries the titles of what it stands under, which is what an overlap is there for.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gsws.ai.retrieval.readers.blocks import Block, Content

__all__ = ["HARD_CHARS", "TARGET_CHARS", "Chunk", "chunks_of", "slug"]

TARGET_CHARS: Final = 1_400
"""Characters after which a chunk ends with the block it is in: about 350 tokens."""
HARD_CHARS: Final = 6_000
"""Characters that no chunk goes beyond; longer code and tables are cut between lines, each part fenced again."""
_SOFT_CHARS: Final = 2_000
"""Longer text blocks are cut between lines or sentences."""
MAX_CHUNKS: Final = 20_000
"""Of one document; the rest is not indexed."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    A piece of a document.

    Attributes:
        text: Markdown without the heading.
        heading: Headings above it, outermost first, without the document's title.
        anchor: Fragment of the section's address; empty for what stands under the title.
    """

    text: str
    heading: tuple[str, ...]
    anchor: str

    @property
    def digest(self) -> bytes:
        """A hash of what it says, whatever the spacing."""
        said = " ".join([*self.heading, *self.text.split()])
        return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=16).digest()


@dataclass(slots=True)
class _Section:
    heading: tuple[str, ...] = ()
    anchor: str = ""
    blocks: list[Block] = field(default_factory=list)


def chunks_of(content: Content) -> list[Chunk]:
    """The chunks of a document, in order."""
    found: list[Chunk] = []
    for section in _sections(content):
        for text in _pieces(section.blocks):
            if len(found) >= MAX_CHUNKS:
                return found
            found.append(Chunk(text, section.heading, section.anchor))
    return found


def slug(heading: str) -> str:
    """The fragment that GitHub and most renderers give a heading: ``Rate limits!`` is ``rate-limits``."""
    kept = (
        one if one in "-_ " or unicodedata.category(one)[0] in "LNM" else ""
        for one in unicodedata.normalize("NFC", heading.lower())
    )
    return re.sub(" ", "-", "".join(kept).strip())[:200]


def _sections(content: Content) -> Iterator[_Section]:
    current = _Section()
    path: list[tuple[int, str]] = []
    taken: dict[str, int] = {}
    for block in content.blocks:
        if block.kind != "heading":
            current.blocks.append(block)
            continue
        if current.blocks:
            yield current
        while path and path[-1][0] >= block.level:
            path.pop()
        path.append((block.level, block.text[:200]))
        anchor = block.anchor or _unique(slug(block.text), taken)
        shown = [text for _, text in path]
        if shown[0] == content.title:
            shown = shown[1:]
        current = _Section(tuple(shown), anchor if shown else "")
    if current.blocks:
        yield current


def _unique(wanted: str, taken: dict[str, int]) -> str:
    count = taken.get(wanted, 0)
    taken[wanted] = count + 1
    return f"{wanted}-{count}" if count else wanted


def _pieces(blocks: list[Block]) -> Iterator[str]:
    """Blocks joined up to the target size; an introduction stays with the code or table that follows it."""
    gathered: list[str] = []
    size = 0
    for block in blocks:
        for part in _bounded(block):
            joined = size + len(part)
            keeps_together = block.kind != "text" and joined <= _SOFT_CHARS
            if gathered and joined > TARGET_CHARS and not keeps_together:
                yield "\n\n".join(gathered)
                gathered, size = [], 0
            gathered.append(part)
            size += len(part)
    if gathered:
        yield "\n\n".join(gathered)


def _bounded(block: Block) -> Iterator[str]:
    """A block whole if it may be, else cut."""
    if block.kind == "text":
        yield from _cut(block.text, _SOFT_CHARS) if len(block.text) > _SOFT_CHARS else (block.text,)
    elif len(block.text) <= HARD_CHARS:
        yield block.text
    else:
        before, body, after = _frame(block)
        for part in _cut(body, HARD_CHARS - len(before) - len(after)):
            yield f"{before}{part}{after}"


def _frame(block: Block) -> tuple[str, str, str]:
    """What each part of a cut block begins and ends with: the fence, or a table's head."""
    lines = block.text.split("\n")
    if block.kind == "table":
        head = "\n".join(lines[:2])
        return (f"{head}\n", "\n".join(lines[2:]), "") if len(head) < HARD_CHARS // 4 else ("", block.text, "")
    mark = re.match(r" {0,3}(`{3,}|~{3,})", lines[0])
    if mark is None or len(lines[0]) > 200:
        return "", block.text, ""
    body = lines[1:-1] if lines[-1].strip().startswith(mark[1]) else lines[1:]
    return f"{lines[0]}\n", "\n".join(body), f"\n{mark[1]}"


def _cut(text: str, limit: int) -> Iterator[str]:
    """Cut at the last line's end before the limit, else at a sentence's, else at a space, else right there."""
    start = 0
    while len(text) - start > limit:
        window = text[start : start + limit]
        at = 0
        for mark in ("\n", ". ", "。", " "):
            at = window.rfind(mark) + len(mark)
            if at > limit // 4:
                break
        else:
            at = limit
        yield window[:at].rstrip()
        start += at
    rest = text[start:].strip("\n")
    if rest.strip():
        yield rest
