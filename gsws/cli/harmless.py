"""
Whether repairs did what their findings say and nothing else: a file's data before and after, and the findings of both.

Carrying repairs out is `gsws.cli.repair`'s.
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gsws.diagnostics import Edit, Finding, Severity
from gsws.project import Project
from gsws.text.lines import LineIndex
from gsws.text.span import Pointer, Span
from gsws.yaml.document import Document
from gsws.yaml.reading import parse_yaml

__all__ = ["harmed"]

_UNREADABLE: Final = frozenset({"GS003", "GS004", "GS101", "GS102", "GS105", "GS108", "GS205"})
"""Where a file could not be read as it is meant, what its repair brings to light was there before."""


def harmed(
    before: Project,
    after: Project,
    done: Sequence[Finding],
    texts: Mapping[str, tuple[str, str]],
) -> set[str]:
    """
    The changed files that gained a finding, or whose data changed beyond the places that the findings name.

    Args:
        before: The project that the repairs were found in.
        after: The project with them.
        done: The findings that were repaired.
        texts: The text of each changed file before and after, without byte-order marks.

    Returns:
        Paths; with an empty one among them if something else than a changed file gained a finding.
    """
    opened = {edit.span.path for finding in done if finding.code in _UNREADABLE for edit in _edits(finding)}
    gained = {path for _, path in Counter(map(_where, _told(after))) - Counter(map(_where, _told(before)))}
    bad = {path for path in opened if _unreadable(after, path) > _unreadable(before, path)}
    # What can be read again may tell of anything, in other files too.
    bad |= gained - opened if not opened else gained & texts.keys() - opened
    for path, (old, new) in texts.items():
        edits = [edit for finding in done for edit in _edits(finding) if edit.span.path == path]
        if path not in opened and path not in bad and not _same_meaning(path, old, new, edits):
            bad.add(path)
    return bad if bad <= texts.keys() else {*(bad & texts.keys()), ""}


def _edits(finding: Finding) -> tuple[Edit, ...]:
    return finding.fix.edits if finding.fix is not None else ()


def _told(project: Project) -> Iterator[Finding]:
    return (finding for finding in project.findings if finding.severity is not Severity.INFO)


def _where(finding: Finding) -> tuple[str, str]:
    return finding.code, "" if finding.span is None else finding.span.path


def _unreadable(project: Project, path: str) -> int:
    return sum(
        finding.span is not None
        and finding.span.path == path
        and finding.severity is Severity.ERROR
        and finding.code in _UNREADABLE
        for finding in project.findings
    )


def _same_meaning(path: str, old: str, new: str, edits: Iterable[Edit]) -> bool:
    if path.endswith(".py"):
        try:
            return ast.dump(ast.parse(old)) == ast.dump(ast.parse(new))
        except (SyntaxError, ValueError, RecursionError):
            return False
    return _same_data(parse_yaml(path, old.encode()), parse_yaml(path, new.encode()), list(edits))


def _same_data(before: Document, after: Document, edits: list[Edit]) -> bool:
    """Whether the data differ at the edits' own places only, and a key that got another name kept its value."""
    spans = [edit.span for edit in edits]
    removals = [edit.span for edit in edits if not edit.replacement]
    keys = {pointer for pointer in _pointers(before.data) if _touches(before.key_span(pointer), spans)}
    values = {pointer for pointer in _pointers(before.data) if _at_value(before, pointer, spans)}
    removed, added, changed = _difference(before.data, after.data, ())
    for pointer in changed:
        if pointer not in values:
            return False
    renamed = set(added)
    for pointer in removed:
        if pointer not in keys:
            return False
        value = _written(_at(before.data, pointer))
        twin = next(
            (one for one in renamed if one[:-1] == pointer[:-1] and _written(_at(after.data, one)) == value), None
        )
        if twin is not None:
            renamed.remove(twin)
        elif not _touches(before.key_span(pointer), removals):
            return False
    # What is left was no key at all before, such as `true:`; its finding is about just that.
    starts = _moved(before, edits)
    return all(any(_starts_in(after.key_span(pointer), line, column) for line, column in starts) for pointer in renamed)


def _difference(old: Any, new: Any, pointer: Pointer) -> tuple[list[Pointer], list[Pointer], list[Pointer]]:
    """The outermost places that are gone, that are new, and whose value is another."""
    removed: list[Pointer] = []
    added: list[Pointer] = []
    changed: list[Pointer] = []
    if isinstance(old, dict) and isinstance(new, dict):
        removed += [(*pointer, key) for key in old if key not in new]
        added += [(*pointer, key) for key in new if key not in old]
        pairs: Iterable[tuple[str | int, Any, Any]] = [(key, old[key], new[key]) for key in old if key in new]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(index, one, other) for index, (one, other) in enumerate(zip(old, new, strict=True))]
    else:
        return [], [], [] if _written(old) == _written(new) else [pointer]
    for key, one, other in pairs:
        inner = _difference(one, other, (*pointer, key))
        removed += inner[0]
        added += inner[1]
        changed += inner[2]
    return removed, added, changed


def _written(value: Any) -> str:
    """A value so that 1, 1.0, true and '1' differ."""
    return json.dumps(value)


def _at(data: Any, pointer: Pointer) -> Any:
    for item in pointer:
        data = data[item]
    return data


def _pointers(data: Any, pointer: Pointer = ()) -> Iterator[Pointer]:
    yield pointer
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _pointers(value, (*pointer, key))


def _touches(place: Span, spans: Iterable[Span]) -> bool:
    """Whether one of the spans holds the whole place or lies in it."""
    first, last = (place.line, place.column), (place.end_line, place.end_column)
    for span in spans:
        start, end = (span.line, span.column), (span.end_line, span.end_column)
        if (start <= first and last <= end) or (first <= start and end <= last):
            return True
    return False


def _at_value(document: Document, pointer: Pointer, spans: Iterable[Span]) -> bool:
    value = _at(document.data, pointer)
    if value is None:
        # Its text may have become a comment: then it is repaired on the key's line.
        key = document.key_span(pointer)
        return any(span.line == key.line and span.column >= key.column for span in spans)
    place = document.value_span(pointer)
    return not isinstance(value, dict) and _touches(place, spans)


def _moved(before: Document, edits: list[Edit]) -> list[tuple[int, int]]:
    """Where the replacements stand in the text after all of them."""
    lines = LineIndex(before.text)
    places, shift, pieces, at = [], 0, [], 0
    for edit in sorted(edits, key=lambda one: one.span):
        start = lines.offset(edit.span.line, edit.span.column)
        end = lines.offset(edit.span.end_line, edit.span.end_column)
        if start < at:
            continue
        places.append(start + shift)
        pieces += [before.text[at:start], edit.replacement]
        shift += len(edit.replacement) - (end - start)
        at = end
    after = LineIndex("".join([*pieces, before.text[at:]]))
    return [after.position(place) for place in places]


def _starts_in(span: Span, line: int, column: int) -> bool:
    return (span.line, span.column) <= (line, column) < (span.end_line, span.end_column)
