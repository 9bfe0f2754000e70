"""
A parsed YAML file: plain data and a span for every key and value, computed when asked for.

How it is built lives in `gsws.yaml.build`; what keys mean is no matter of this floor.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from gsws.diagnostics.finding import Finding, Severity
from gsws.text.lines import LineIndex
from gsws.text.span import Pointer, Span
from gsws.types import JSONValue

__all__ = ["Document", "Place", "marked", "marks_of"]

_ANCHOR: Final = re.compile(r"&\S")
_REST: Final = re.compile(r"([ \t]*,[ \t]*)|([ \t]*)(#[^\r\n]*)?(\r?\n|\Z)")
_SWALLOWED: Final = re.compile(r"[ \t]+(#[^\s#]\S*)[ \t]*(?=[\r\n]|\Z)|[ \t]*\r?\n[ \t]+(#/\S*)[ \t]*(?=[\r\n]|\Z)")

Place: TypeAlias = int
"""Index of four offsets into the text: start and end of an entry's key (in a list, of its value) and of its value."""


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """
    A parsed YAML file. Read-only: what an alias stands for is one object in several places.

    Spans are those of the text, also in a copy with other ``data``.

    Attributes:
        path: As spans carry it.
        text: The decoded text without a byte-order mark; undecodable bytes are U+FFFD.
        data: ``None | bool | int | float | str | list | dict`` with string keys; None also when unusable.
        findings: What is wrong, in the order of the text.
        shared: Start and end of every value that aliases stand for too: who changes it there changes it elsewhere.
    """

    path: str
    text: str
    data: JSONValue
    findings: tuple[Finding, ...] = ()
    _root: Place | None = field(default=None, repr=False)
    _places: dict[int, Any] = field(default_factory=dict, repr=False)
    _marks: Sequence[int] = field(default_factory=lambda: array("i"), repr=False)
    _lines: list[LineIndex] = field(default_factory=list, repr=False)
    _built: JSONValue = field(default=None, repr=False)
    shared: tuple[tuple[int, int], ...] = ()

    def failure(self) -> str | None:
        """The first error as ``path:line: message``, for who reads one file alone; None if the file can be used."""
        errors = (one for one in self.findings if one.severity is Severity.ERROR)
        return next((f"{self.path}:{one.span.line if one.span else 1}: {one.message}" for one in errors), None)

    def has(self, pointer: Pointer) -> bool:
        """Whether ``pointer`` leads to a value in the text, null included."""
        return self._root is not None and self._walk(pointer)[1] == len(pointer)

    def key_span(self, pointer: Pointer) -> Span:
        """The key that the last item of ``pointer`` names, a list's whole item, or the nearest key above."""
        place, _ = self._walk(pointer)
        return self._top() if place is None or place == self._root else self._key(place)

    def value_span(self, pointer: Pointer) -> Span:
        """The value at ``pointer`` up to its last visible character; its key if it is empty or not there."""
        place, depth = self._walk(pointer)
        if place is None:
            return self._top()
        if depth < len(pointer):
            return self._key(place)
        span = self._value(place)
        empty = (span.line, span.column) == (span.end_line, span.end_column)
        return self._key(place) if empty else span

    def swallowed(self, pointer: Pointer) -> Span | None:
        """The one-word comment that stands where an empty value would: ``$ref: #/a`` lacks quotes, and is null."""
        place, depth = self._walk(pointer)
        if place is None or depth < len(pointer) or self._marks[place + 2] != self._marks[place + 3]:
            return None
        match = _SWALLOWED.match(self.text, self._marks[place + 2])
        if match is None:
            return None
        return self._index().span(self.path, *match.span(1 if match[1] else 2))

    def entry_span(self, pointer: Pointer) -> Span | None:
        """
        What has to go for an entry of a mapping to be gone, its comma or its line too; None if that is not clear.

        No comment goes with it: one that follows gets the line for itself, one inside of the entry keeps it.
        """
        place, depth = self._walk(pointer)
        if place is None or depth < len(pointer) or not pointer:
            return None
        start, end = self._marks[place], self._marks[place + 3]
        if "#" in self.text[self._marks[place + 1] : self._marks[place + 2]]:
            return None
        line = self.text.rfind("\n", 0, start) + 1
        before = self.text[line:start].rstrip(" \t")
        rest = _REST.match(self.text, end)
        if before.endswith(","):
            start = line + len(before) - 1
        elif before.endswith("{") and rest is not None and rest[1]:
            end = rest.end(1)
        elif not before and rest is not None and rest[4] is not None:
            start, end = (start, rest.end(2)) if rest[3] else (line, rest.end())
        else:
            return None
        return self._index().span(self.path, start, end)

    def text_of(self, span: Span) -> str:
        """The text that a span of this document covers."""
        lines = self._index()
        return self.text[lines.offset(span.line, span.column) : lines.offset(span.end_line, span.end_column)]

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
            place = self._known()[id(current)][key]
            current = current[key]
        return place, len(pointer)

    def _top(self) -> Span:
        """A place for what concerns the whole file: its first key, else its first line."""
        if self._root is None:
            return Span.top(self.path)
        if isinstance(self._built, dict) and self._built:
            return self._key(self._known()[id(self._built)][next(iter(self._built))])
        span = self._value(self._root)
        if span.end_line == span.line:
            return span
        return Span(self.path, span.line, span.column, span.line, len(self._index().line(span.line)) + 1)

    def _key(self, place: Place) -> Span:
        return self._index().span(self.path, self._marks[place], self._marks[place + 1])

    def _value(self, place: Place) -> Span:
        return self._index().span(self.path, self._marks[place + 2], self._marks[place + 3])

    def _known(self) -> dict[int, Any]:
        """The places by container; those of a document that came from its marks are found when first needed."""
        if not self._places and self._root is not None:
            _number(self._built, self._places, 0)
        return self._places

    def _index(self) -> LineIndex:
        if not self._lines:
            self._lines.append(LineIndex(self.text))
        return self._lines[0]


def marks_of(document: Document) -> array[int] | None:
    """The offsets of all places in the order of `marked`; None where something is wrong or a value is shared."""
    if document.findings or document._root is None or document.data is None or not isinstance(document._marks, array):
        return None
    # An alias or a merge puts one value into two places; both need an anchor or `<<` in the text.
    if _ANCHOR.search(document.text) or "<<" in document.text or document.text.startswith("\ufeff"):
        return None
    return document._marks


def marked(path: str, text: str, data: JSONValue, marks: array[int]) -> Document:
    """
    The document that `marks_of` was given.

    Raises:
        ValueError: If the marks cannot be those of the data.
    """
    count = 4 * (_entries(data) + 1)
    if len(marks) != count:
        raise ValueError("other data than marks")
    return Document(path, text, data, (), count - 4, {}, marks, [], data)


def _entries(data: JSONValue) -> int:
    if isinstance(data, dict):
        return len(data) + sum(map(_entries, data.values()))
    return len(data) + sum(map(_entries, data)) if isinstance(data, list) else 0


def _number(data: JSONValue, places: dict[int, Any], at: Place) -> Place:
    """Give every entry its place, in the order in which `gsws.yaml.build` meets their ends; returns the next one."""
    if isinstance(data, dict):
        found: dict[str, Place] = {}
        for key, value in data.items():
            at = _number(value, places, at)
            found[key] = at
            at += 4
        places[id(data)] = found
    elif isinstance(data, list):
        items = []
        for value in data:
            at = _number(value, places, at)
            items.append(at)
            at += 4
        places[id(data)] = items
    return at
