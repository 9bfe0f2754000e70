"""
Repairs put into texts: pure functions from findings and texts to new texts.

A repair is carried out whole or not at all, and never into the stretch of another; what was put off is found again
by the next look at the result. Reading and writing files is the command line's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gsws.diagnostics.finding import Edit, Finding
from gsws.text.lines import LineIndex

__all__ = ["Repair", "apply_fixes"]


@dataclass(slots=True)
class Repair:
    """
    The outcome of one look.

    Attributes:
        texts: New text by path, of the files that change.
        done: Findings whose repair is in ``texts``, in order.
        put_off: Findings whose repair overlaps one of ``done``.
    """

    texts: dict[str, str] = field(default_factory=dict)
    done: list[Finding] = field(default_factory=list)
    put_off: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Change:
    path: str
    start: int
    end: int
    text: str

    def overlaps(self, other: _Change) -> bool:
        """Whether the two cannot both be made; what touches an insertion does, as its order would be a guess."""
        if self.path != other.path:
            return False
        if self.start == self.end or other.start == other.end:
            return self.start <= other.end and other.start <= self.end
        return self.start < other.end and other.start < self.end


def apply_fixes(findings: Iterable[Finding], text_of: Callable[[str], str | None]) -> Repair:
    """
    Carry out the repairs of findings as far as they do not overlap; the first of two wins.

    Args:
        findings: Those without a repair are passed by.
        text_of: The text of a file as the findings' spans count it; None for a file that may not be changed.
    """
    repair = Repair()
    indexes: dict[str, LineIndex | None] = {}

    def index_of(path: str) -> LineIndex | None:
        if path not in indexes:
            text = text_of(path)
            indexes[path] = None if text is None else LineIndex(text)
        return indexes[path]

    accepted: dict[str, list[_Change]] = {}
    for finding in findings:
        if finding.fix is None or not finding.fix.edits:
            continue
        changes = [_change(edit, index_of(edit.span.path)) for edit in finding.fix.edits]
        usable = [change for change in changes if change is not None]
        if len(usable) != len(changes):
            continue
        # Two findings may ask for the very same; once is enough for both.
        fresh = [change for change in dict.fromkeys(usable) if change not in accepted.get(change.path, ())]
        if _collide(fresh, accepted):
            repair.put_off.append(finding)
            continue
        for change in fresh:
            accepted.setdefault(change.path, []).append(change)
        repair.done.append(finding)
    for path, changes_of in accepted.items():
        index = indexes[path]
        if index is None:
            continue
        text = _replaced(index.text, changes_of)
        if text != index.text:
            repair.texts[path] = text
    return repair


def _change(edit: Edit, index: LineIndex | None) -> _Change | None:
    """The edit by offsets; None if its file may not be changed or the place is not there."""
    if index is None:
        return None
    span = edit.span
    start, end = index.offset(span.line, span.column), index.offset(span.end_line, span.end_column)
    if end < start or index.position(start) != (span.line, span.column):
        return None
    return _Change(span.path, start, end, edit.replacement)


def _collide(changes: list[_Change], accepted: dict[str, list[_Change]]) -> bool:
    for number, change in enumerate(changes):
        others = [*accepted.get(change.path, ()), *changes[:number]]
        if any(change.overlaps(other) for other in others):
            return True
    return False


def _replaced(text: str, changes: list[_Change]) -> str:
    out: list[str] = []
    at = 0
    for change in sorted(changes, key=lambda change: (change.start, change.end)):
        out += [text[at : change.start], change.text]
        at = change.end
    out.append(text[at:])
    return "".join(out)
