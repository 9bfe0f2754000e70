"""What every reader makes of a file: a title and a list of blocks, each whole in itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["Block", "BlockKind", "Content", "Unreadable"]

BlockKind: TypeAlias = Literal["heading", "text", "code", "table"]


class Unreadable(Exception):
    """A file is not what its name says, or cannot be read; the text is for a person."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    A paragraph, list, code block, table or heading.

    Attributes:
        kind: Code and tables are kept whole when text is cut into chunks.
        text: Markdown; a heading without its marks.
        level: Of a heading, 1 to 6.
        anchor: Of a heading: what follows ``#`` in the address of its section; empty lets the chunker make one.
    """

    kind: BlockKind
    text: str
    level: int = 0
    anchor: str = ""


@dataclass(slots=True)
class Content:
    """A document: its title, or None if it has none of its own, and its blocks in order."""

    title: str | None = None
    blocks: list[Block] = field(default_factory=list)
