"""
A parsed YAML file: plain data and a span for every key and value, computed when asked for.

How it is built lives in `gsws.source.build`; what keys mean is no matter of this floor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gsws.source.problem import Problem
from gsws.source.span import Pointer, Span
from gsws.source.text import LineIndex
from gsws.types import JSONValue

__all__ = ["Document", "Place"]

Place: TypeAlias = tuple[Any, Any, Any]
"""The parser events of one entry: its key (None in a list), the first and the last event of its value."""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """
    A parsed YAML file. Read-only: what an alias stands for is one object in several places.

    Spans are those of the text, also in a copy with other ``data``.

    Attributes:
        path: As spans carry it.
        text: The decoded text without a byte-order mark; undecodable bytes are U+FFFD.
        data: ``None | bool | int | float | str | list | dict`` with string keys; None also when unusable.
        problems: What is wrong, in the order of the text.
    """

    path: str
    text: str
    data: JSONValue
    problems: tuple[Problem, ...] = ()
    _root: Place | None = field(default=None, repr=False)
    _places: dict[int, Any] = field(default_factory=dict, repr=False)
    _lines: list[LineIndex] = field(default_factory=list, repr=False)
    _built: JSONValue = field(default=None, repr=False)

    def has(self, pointer: Pointer) -> bool:
        """Whether ``pointer`` leads to a value in the text, null included."""
        return self._root is not None and self._walk(pointer)[1] == len(pointer)

    def key_span(self, pointer: Pointer) -> Span:
        """The key that the last item of ``pointer`` names, a list's whole item, or the nearest key above."""
        place, _ = self._walk(pointer)
        return self._top() if place is None or place is self._root else self._key(place)

    def value_span(self, pointer: Pointer) -> Span:
        """The value at ``pointer`` up to its last visible character; its key if it is empty or not there."""
        place, depth = self._walk(pointer)
        if place is None:
            return self._top()
        if depth < len(pointer):
            return self._key(place)
        span = self._span(place[1], place[2])
        empty = (span.line, span.column) == (span.end_line, span.end_column)
        return self._key(place) if empty else span

    def _walk(self, pointer: Pointer) -> tuple[Place | None, int]:
        """The entry that ``pointer`` reaches or else its last ancestor, and how many items led there."""
        place = None if pointer else self._root
        current = self._built
        for depth, item in enumerate(pointer):
            key: Any = str(item)
            if isinstance(current, list):
                key = int(key) if key.isdecimal() and len(key) < 9 else -1
                known = 0 <= key < len(current)
            else:
                known = isinstance(current, dict) and key in current
            if not known:
                return place, depth
            place = self._places[id(current)][key]
            current = current[key]
        return place, len(pointer)

    def _top(self) -> Span:
        """A place for what concerns the whole file: its first key, else its first line."""
        if self._root is None:
            return Span(self.path, 1, 1, 1, 1)
        if isinstance(self._built, dict) and self._built:
            return self._key(self._places[id(self._built)][next(iter(self._built))])
        span = self._span(self._root[1], self._root[2])
        if span.end_line == span.line:
            return span
        return Span(self.path, span.line, span.column, span.line, len(self._index().line(span.line)) + 1)

    def _key(self, place: Place) -> Span:
        key, start, end = place
        return self._span(start, end) if key is None else self._span(key, key)

    def _span(self, start: Any, end: Any) -> Span:
        first = start.start_mark.index
        last = end.end_mark.index
        if getattr(end, "style", None) in ("|", ">"):
            last = first + len(self.text[first:last].rstrip())
        return self._index().span(self.path, first, last)

    def _index(self) -> LineIndex:
        if not self._lines:
            self._lines.append(LineIndex(self.text))
        return self._lines[0]
