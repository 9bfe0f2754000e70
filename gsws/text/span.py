"""Places in text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Pointer", "Span"]

Pointer: TypeAlias = tuple[str | int, ...]
"""A place inside a document: the keys and indexes that lead to it, e.g. ``("websocket.chat", "fn")``."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """
    A stretch of text in one file.

    Attributes:
        path: POSIX path relative to the project's root, as people read it.
        line: First line, from 1.
        column: First character in that line, from 1, counted in code points.
        end_line: Last line, from 1.
        end_column: The column after the last character.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def top(cls, path: str) -> Span:
        """A place for what concerns a whole file."""
        return cls(path, 1, 1, 1, 1)
