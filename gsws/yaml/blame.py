"""
Which line a syntax error is the fault of: often one before the line where the parser stumbles.

Lines near the place are repaired for trial, and the text is parsed again; the line whose repair heals it is to blame.
How an error is worded is `gsws.yaml.syntax`'s matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from _ruamel_yaml import CParser
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import StreamEndEvent

from gsws.text.lines import LineIndex

__all__ = ["blamed_line"]

_MAX_TEXT: Final = 64_000
"""Trials parse the text a few times; a longer one is not worth that."""

_BEFORE: Final = 3
_WITHOUT_COLON: Final = re.compile(r"\s*(?:- +)?[\"']?[\w$./-]+[\"']?(?:[ :]\S.*|\s*)")
_KEY: Final = re.compile(r"\s*(?:- +)*(?:\"[^\"]*\"|'[^']*'|[^\s#\"'{}\[\],&*!|>%@`][^#]*?):(?:\s|$)")


def blamed_line(lines: LineIndex, number: int) -> int | None:
    """
    The line, from 1, that must be changed for the text to be YAML; None if that is not known or it is ``number``.

    Args:
        lines: The text.
        number: The line where the parser stopped.
    """
    text = lines.text
    if len(text) > _MAX_TEXT:
        return None
    rows = text.split("\n")
    if not 1 <= number <= len(rows) or "\r" in text:
        return None
    before = _before(rows, number)
    if before and not _KEY.match(rows[before[0] - 1]) and _WITHOUT_COLON.fullmatch(rows[before[0] - 1]):
        row = rows[before[0] - 1].split(" #")[0].rstrip()
        for repaired in (f"{row}:", re.sub(r"^(\s*(?:- +)?[\w$./\"'-]+?)[ :]\s*(?=\S)", r"\1: ", row)):
            if _gets_further(rows, before[0], repaired, number):
                return before[0]
    for at in (number, *before):
        for repaired in _repairs(rows, at):
            if _parses([*rows[: at - 1], repaired, *rows[at:]]):
                return at if at != number else None
    return None


def _before(rows: list[str], number: int) -> list[int]:
    """The nearest lines above that are neither empty nor comments."""
    found = []
    for at in range(number - 1, max(number - 20, 0), -1):
        if rows[at - 1].strip() and not rows[at - 1].lstrip().startswith("#"):
            found.append(at)
            if len(found) == _BEFORE:
                break
    return found


def _repairs(rows: list[str], at: int) -> Iterator[str]:
    """What a line may have been meant as: indented like one of its neighbours, or not there."""
    row = rows[at - 1]
    bare = row.lstrip(" ")
    own = len(row) - len(bare)
    widths = {len(other) - len(other.lstrip(" ")) for other in rows[max(at - 4, 0) : at + 3] if other.strip()}
    for width in sorted(widths - {own}, key=lambda width: abs(width - own)):
        yield " " * width + bare
    # A letter that slipped into the indentation.
    slipped = re.match(r"( *)\S( +)(\S.*)", row)
    if slipped is not None:
        yield f"{slipped[1]} {slipped[2]}{slipped[3]}"
    yield ""


def _gets_further(rows: list[str], at: int, repaired: str, number: int) -> bool:
    failed = _fails_at("\n".join([*rows[: at - 1], repaired, *rows[at:]]))
    return failed is None or failed > number


def _parses(rows: list[str]) -> bool:
    return _fails_at("\n".join(rows)) is None


def _fails_at(text: str) -> int | None:
    """The line where parsing ends with an error, from 1."""
    parser = CParser(text)
    try:
        while parser.get_event().__class__ is not StreamEndEvent:
            pass
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return mark.line + 1 if mark is not None else 1
    return None
