"""
Builds the data of one YAML document from the events of the C parser, in one pass.

The events are walked here rather than composed by the library, whose C code overflows the stack on deep
nesting. Depth, values and aliases are bounded; tags, other keys than text and second documents are findings.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

from _ruamel_yaml import CParser
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from gsws.diagnostics.finding import Label
from gsws.text.lines import LineIndex
from gsws.types import JSONValue
from gsws.yaml.decode import guard, unguard
from gsws.yaml.document import Place
from gsws.yaml.notes import MAX_DEPTH, MAX_NODES, Notes, Unusable, short
from gsws.yaml.scalars import UNREPRESENTABLE, resolve

__all__ = ["MAX_ALIASED", "Builder"]

MAX_ALIASED: Final = 50_000
"""Largest sum of what aliases stand for: one a key or value, and one more per 32 characters."""

_CORE: Final = "tag:yaml.org,2002:"
_SCALAR_TAGS: Final[dict[str, type | tuple[type, ...]]] = {
    _CORE + "null": type(None),
    _CORE + "bool": bool,
    _CORE + "int": int,
    _CORE + "float": (int, float),
}
_KEY_KINDS: Final[dict[type, str]] = {bool: "a boolean", float: "a number", list: "a list", dict: "a mapping"}


class Builder:
    """
    One document in the making.

    Attributes:
        notes: What is wrong.
        places: For the identity of every mapping and list, the places of its entries by key or index.
        marks: What places are indexes of; see `gsws.yaml.document.Place`.
        root: The place of the whole data.
        shared: Where values stand, by their first offset, that aliases stand for too.
    """

    __slots__ = (
        "_aliased",
        "_anchors",
        "_get",
        "_guarded",
        "_height",
        "_last",
        "_lines",
        "_nodes",
        "marks",
        "notes",
        "places",
        "root",
        "shared",
    )

    def __init__(self, path: str, lines: LineIndex) -> None:
        self.notes = Notes(path, lines)
        self.places: dict[int, Any] = {}
        self.marks = array("i")
        self.root: Place | None = None
        self.shared: dict[int, int] = {}
        self._lines = lines
        self._anchors: dict[str, tuple[Any, int, int, int, int] | None] = {}
        self._aliased = 0
        self._nodes = 0
        self._height = 0
        self._last: Any = None
        self._guarded = False

    def build(self) -> JSONValue:
        """
        Build the data.

        Raises:
            Unusable: If there is no data; why is noted.
            ruamel.yaml.error.YAMLError: If the text is no YAML.
        """
        text = guard(self._lines.text)
        self._guarded = text is not self._lines.text
        self._get = get = CParser(text).get_event
        event = get()
        while event.__class__ is not DocumentStartEvent:
            if event.__class__ is StreamEndEvent:
                return None
            event = get()
        first = get()
        data = self._node(first, 0)
        self.root = self._place(None, first)
        get()
        event = get()
        if event.__class__ is DocumentStartEvent:
            self.notes.at(
                "GS105",
                "a second document starts here, one is allowed in a file",
                event,
                "the second document",
                "put it into a file of its own",
            )
        return data

    def _node(self, event: Any, depth: int) -> Any:
        """The value that starts with ``event``; leaves its last event and its height in the attributes."""
        kind = event.__class__
        self._nodes += 1
        if kind is ScalarEvent:
            self._last = event
            self._height = 0
            value = self._scalar(event)
            if event.anchor is not None:
                weight = 1 + len(event.value) // 32
                self._anchors[event.anchor] = (value, weight, 0, event.start_mark.index, event.end_mark.index)
            return value
        if kind is AliasEvent:
            self._last = event
            return self._alias(event, depth)
        if depth >= MAX_DEPTH:
            raise self.notes.too_deep(event)
        if self._nodes > MAX_NODES:
            raise self.notes.too_many(event)
        anchor = event.anchor
        before = self._nodes
        if anchor is not None:
            self._anchors[anchor] = None
        mapping = kind is MappingStartEvent
        if event.tag is not None and event.tag not in ("!", _CORE + ("map" if mapping else "seq")):
            self.notes.refuse_tag(event)
        value = self._mapping(depth + 1) if mapping else self._sequence(depth + 1)
        if anchor is not None:
            start, end = event.start_mark.index, self._last.end_mark.index
            weight = 1 + self._nodes - before + (end - start) // 32
            self._anchors[anchor] = (value, weight, self._height, start, end)
        return value

    def _mapping(self, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        places: dict[str, Place] = {}
        merge: tuple[Any, Any, Any] | None = None
        height = 0
        get = self._get
        while (event := get()).__class__ is not MappingEndEvent:
            key = self._key(event, depth)
            start = get()
            value = self._node(start, depth)
            if self._height > height:
                height = self._height
            if key is None:
                continue
            if key == "<<" and event.__class__ is ScalarEvent and event.implicit[0]:
                if merge is None:
                    merge = event, start, value
                else:
                    start, end = merge[0].start_mark.index, merge[0].end_mark.index
                    self._twice(key, event, start, end, "merge both in one list: `<<: [*a, *b]`")
            elif key in places:
                at = places[key]
                self._twice(key, event, self.marks[at], self.marks[at + 1], "keep one of the two")
            else:
                data[key] = value
                places[key] = self._place(event, start)
        if merge is not None:
            self._merge(data, places, *merge[1:])
        self._end(event)
        self._height = height + 1
        self.places[id(data)] = places
        if self._nodes > MAX_NODES:
            raise self.notes.too_many(event)
        return data

    def _twice(self, key: str, event: Any, start: int, end: int, help: str) -> None:
        """Note a key that the mapping has already, between two offsets."""
        self.notes.at(
            "GS102",
            f"the key `{short(key)}` stands twice in one mapping",
            event,
            "again here",
            help,
            related=(Label(self.notes.span_of(start, end), "first here"),),
        )

    def _sequence(self, depth: int) -> list[Any]:
        data: list[Any] = []
        places: list[Place] = []
        height = 0
        get = self._get
        while (event := get()).__class__ is not SequenceEndEvent:
            data.append(self._node(event, depth))
            places.append(self._place(None, event))
            if self._height > height:
                height = self._height
            if self._nodes > MAX_NODES:
                raise self.notes.too_many(event)
        self._end(event)
        self._height = height + 1
        self.places[id(data)] = places
        return data

    def _place(self, key: Any, start: Any) -> Place:
        """Note where an entry stands whose value starts with ``start`` and ends with the last event seen."""
        marks, last = self.marks, self._last
        place = len(marks)
        first, end = start.start_mark.index, last.end_mark.index
        if last.__class__ is ScalarEvent and last.style in ("|", ">"):
            end = first + len(self._lines.text[first:end].rstrip())
        if key is None:
            marks.extend((first, end, first, end))
        else:
            marks.extend((key.start_mark.index, key.end_mark.index, first, end))
        return place

    def _end(self, event: Any) -> None:
        """A block ends with its last value; its end event stands beyond the comments that follow."""
        if event.start_mark.index != event.end_mark.index:
            self._last = event

    def _key(self, event: Any, depth: int) -> str | None:
        """The text of a key, None if it is refused. Integers count as text: response codes are written so."""
        if event.__class__ is not ScalarEvent:
            value = self._node(event, depth)
            if isinstance(value, str):
                return value
        else:
            self._nodes += 1
            if self._nodes > MAX_NODES:
                raise self.notes.too_many(event)
            text = self._text(event)
            if event.tag is not None:
                value = self._scalar(event)
            elif event.implicit[0]:
                value = resolve(text)
            else:
                value = text
            if event.anchor is not None:
                weight = 1 + len(text) // 32
                self._anchors[event.anchor] = (value, weight, 0, event.start_mark.index, event.end_mark.index)
            if isinstance(value, str):
                if event.implicit[0]:
                    self.notes.misread(event, text, key=True)
                return value
            if isinstance(value, int) and not isinstance(value, bool):
                return text
        what = "a number" if value is UNREPRESENTABLE else _KEY_KINDS.get(type(value), "empty")
        quoted = _quoted(text) if event.__class__ is ScalarEvent else None
        help = f"write `{quoted}`" if quoted else "write the key as plain text"
        self.notes.at("GS306", f"a key is text, this one is {what}", event, "this key", help, replacement=quoted)
        return None

    def _text(self, event: Any) -> str:
        text: str = event.value
        if not self._guarded:
            return text
        return unguard(
            text, "" if event.style == '"' else self._lines.text[event.start_mark.index : event.end_mark.index]
        )

    def _scalar(self, event: Any) -> Any:
        text = self._text(event)
        tag = event.tag
        if tag is None:
            if not event.implicit[0]:
                return text
        elif tag in ("!", _CORE + "str"):
            return text
        value = resolve(text)
        if value is UNREPRESENTABLE:
            self.notes.at(
                "GS306",
                f"`{short(text)}` is a number that JSON has no form for",
                event,
                "not a JSON number",
                "use a finite number, or quote the text",
            )
            return None
        if tag is None:
            if isinstance(value, (str, int)):
                self.notes.misread(event, text)
        elif not _fits(tag, value):
            self.notes.refuse_tag(event)
            return text
        return value

    def _alias(self, event: Any, depth: int) -> Any:
        name = event.anchor
        if name not in self._anchors:
            self.notes.at("GS101", f"no anchor `&{short(name)}` before this alias", event, "names no anchor")
            raise Unusable
        anchor = self._anchors[name]
        if anchor is None:
            message = f"the anchor `&{short(name)}` contains itself"
            self.notes.at("GS104", message, event, "leads back to itself")
            raise Unusable
        value, weight, height, start, end = anchor
        self.shared[start] = end
        self._spend(weight, event)
        if depth + height > MAX_DEPTH:
            raise self.notes.too_deep(event)
        self._height = height
        return value

    def _merge(self, data: dict[str, Any], places: dict[str, Place], start: Any, value: Any) -> None:
        """Take over the entries of a ``<<`` that the mapping does not have itself."""
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if not isinstance(part, dict):
                message = "`<<` merges mappings, this is none"
                self.notes.at("GS306", message, start, "not a mapping", "merge an `*alias` of a mapping")
                return
            self._spend(len(part), start)
            inherited = self.places[id(part)]
            for key, item in part.items():
                if key not in data:
                    data[key] = item
                    places[key] = inherited[key]

    def _spend(self, weight: int, event: Any) -> None:
        self._nodes += weight
        self._aliased += weight
        if self._aliased > MAX_ALIASED:
            self.notes.at(
                "GS104",
                f"the aliases of this file stand for more than {MAX_ALIASED:,} values",
                event,
                "over the limit here",
                "use fewer aliases; shared schemas belong into `definitions/`",
            )
            raise Unusable


def _fits(tag: str, value: Any) -> bool:
    """Whether a core tag such as ``!!int`` says what the value is anyway."""
    kind = _SCALAR_TAGS.get(tag)
    return kind is not None and isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
