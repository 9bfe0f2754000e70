"""Characters and classes of a pattern as the engine reads them: every sign that could mean something is escaped."""

from __future__ import annotations

from typing import Final

from gsws.schema.ecmatables import Ranges

__all__ = ["LAST", "NEVER", "SYNTAX", "class_of", "complement", "gather", "literal", "scalars", "stretch"]

LAST: Final = 0x10FFFF
SYNTAX: Final = frozenset("^$\\.*+?()[]{}|/")
NEVER: Final = r"[^\s\S]"
"""Matches no text."""


def gather(member: int | str | Ranges, ranges: list[tuple[int, int]], others: list[str]) -> None:
    """Add a member of a class to its ranges, or to its properties."""
    if isinstance(member, int):
        ranges.append((member, member))
    elif isinstance(member, str):
        others.append(member)
    else:
        ranges += member


def complement(ranges: Ranges) -> Ranges:
    """Every code point that ranges in order lack."""
    found, at = [], 0
    for first, last in ranges:
        if at < first:
            found.append((at, first - 1))
        at = last + 1
    return (*found, (at, LAST))


def scalars(one: tuple[int, int]) -> tuple[int, int] | None:
    """A range without surrogates at its ends; None if there is nothing else: no text holds one."""
    first, last = one
    first = 0xE000 if 0xD800 <= first < 0xE000 else first
    last = 0xD7FF if 0xD800 <= last < 0xE000 else last
    return (first, last) if first <= last else None


def class_of(ranges: Ranges) -> str:
    """A class of ranges; what nothing matches if there are none."""
    kept = [part for part in (scalars(one) for one in ranges) if part is not None]
    return f"[{''.join(stretch(one) for one in kept)}]" if kept else NEVER


def stretch(one: tuple[int, int]) -> str:
    """A range inside of a class."""
    first, last = one
    return _inside(first) if first == last else f"{_inside(first)}-{_inside(last)}"


def _inside(code: int) -> str:
    character = chr(code)
    return character if character.isalnum() or character in " _" else f"\\u{{{code:X}}}"


def literal(code: int) -> str:
    """A code point outside of a class."""
    if 0xD800 <= code < 0xE000:
        return NEVER
    character = chr(code)
    if character in SYNTAX and character != "/":
        return "\\" + character
    return character if character.isprintable() else f"\\u{{{code:X}}}"
