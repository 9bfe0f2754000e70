"""Text as a terminal shows it: made safe, and how many cells it takes."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Final, TextIO

__all__ = ["TAB_STOP", "cell_width", "expand", "takes_colour", "visible"]

TAB_STOP: Final = 4
"""Cells between two tab stops in an excerpt."""

_ASCII_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*\Z")
_COMMAND: Final = "##["
_NO_COMMAND: Final = "#\u00b7["


def takes_colour(stream: TextIO) -> bool:
    """Whether to colour what is written: on a terminal, unless ``NO_COLOR``; ``FORCE_COLOR`` also on a pipe."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except (OSError, ValueError):  # closed
        return False


def cell_width(character: str, column: int = 0) -> int:
    """
    Terminal cells that one code point takes.

    Args:
        character: One code point, or what `visible` made of one.
        column: The cell it starts at, from 0; matters for a tab.
    """
    if character == "\t":
        return TAB_STOP - column % TAB_STOP
    if len(character) != 1:
        return sum(cell_width(part) for part in character)
    if " " <= character <= "~":
        return 1
    if unicodedata.category(character) in {"Mn", "Me", "Cf"} or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def visible(text: str) -> str:
    """
    Make ``text`` safe for a terminal: control characters become their pictures (``␛``), invisible ones ``·``.

    Colours, cursor movements and direction marks in a user's file must not act on the reader's terminal, nor what a
    CI service takes for a command anywhere in a line (``##[error]``) on its log.
    Tabs and line breaks become pictures too; `expand` lays tabs out.
    """
    if _COMMAND in text:
        text = text.replace(_COMMAND, _NO_COMMAND)
    if _ASCII_PRINTABLE.match(text):
        return text
    return "".join(map(_safe, text))


def expand(line: str) -> tuple[str, list[int]]:
    """
    Lay out one line for a terminal.

    Returns:
        The safe text with tabs expanded, and the cell at which every code point of ``line`` starts, with the
        cell after the last one at the end; ``cells[column - 1]`` is where a caret for ``column`` goes.
    """
    line = line.replace(_COMMAND, _NO_COMMAND)
    if _ASCII_PRINTABLE.match(line):
        return line, list(range(len(line) + 1))
    out: list[str] = []
    cells = [0]
    for character in line:
        at = cells[-1]
        shown = " " * cell_width("\t", at) if character == "\t" else _safe(character)
        out.append(shown)
        cells.append(at + cell_width(shown))
    return "".join(out), cells


def _safe(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code < 0x7F:
        return character
    category = unicodedata.category(character)
    if category in {"Cc", "Cs", "Zl", "Zp"}:
        return "\ufffd"
    if category == "Cf" and character not in "\u200c\u200d\u00ad":
        return "\u00b7"
    return character
