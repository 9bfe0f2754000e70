"""
Lines and columns of text, counted in code points.

How many cells of a terminal they take is asked of `gsws.text.terminal`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from gsws.text.span import Span

__all__ = ["LineIndex", "split_lines"]

_BREAK: Final = re.compile(r"\r\n|\n|\r")


class LineIndex:
    """
    Turns offsets into lines and columns, both from 1.

    A line ends at ``\\n``, ``\\r\\n`` or a lone ``\\r``, as in YAML 1.2 and in editors.
    """

    __slots__ = ("_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(match.end() for match in _BREAK.finditer(text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Tell the line and column of ``offset``, which may be one past the end."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def span(self, path: str, start: int, end: int) -> Span:
        """The stretch from ``start`` up to, not including, ``end``."""
        line, column = self.position(start)
        end_line, end_column = self.position(max(start, end))
        return Span(path, line, column, end_line, end_column)

    def offset(self, line: int, column: int) -> int:
        """The inverse of `position`; places beyond the text are moved to its end."""
        if line < 1 or line > len(self._starts):
            return len(self.text)
        return min(self._starts[line - 1] + max(column, 1) - 1, len(self.text))

    def line(self, number: int) -> str:
        """The text of one line without its break; empty beyond the end."""
        if number < 1 or number > len(self._starts):
            return ""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


def split_lines(text: str) -> list[str]:
    """The lines of ``text`` without their breaks; only the breaks that `LineIndex` knows divide lines."""
    return _BREAK.split(text)
