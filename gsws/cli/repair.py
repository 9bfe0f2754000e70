"""
Repairing a project: the fixes of findings carried out until none is left, first in memory, then on disk.

A file is written once, whole and in place of the old one; its line breaks, its byte-order mark and its permissions
stay. How one text is repaired is in `gsws.diagnostics.fix`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any, Final, TypeVar

from gsws.cli import output
from gsws.cli.harmless import harmed
from gsws.diagnostics import Finding, Fix
from gsws.diagnostics.fix import Repair, apply_fixes
from gsws.plugins.registry import facts
from gsws.project import Project, ProjectCache, load_project
from gsws.project.files.discovery import Entry
from gsws.text.replacing import replace_file

__all__ = ["Change", "Repaired", "diff", "repair_project", "write_changes"]

_TRIALS: Final = 1000
"""Loads of the project that one repair may take; each repair that is taken back costs a few."""
_MARK: Final = "\ufeff"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Change:
    """One file before and after, as text with its byte-order mark."""

    path: str
    before: str
    after: str


@dataclass(slots=True)
class Repaired:
    """
    Attributes:
        before: The project as it is on the disk.
        project: The project as it is with ``changes``.
        changes: By path; empty if there was nothing to repair.
        done: Findings that were repaired, in order, with the places they had when it was their turn.
    """

    before: Project
    project: Project
    changes: tuple[Change, ...] = ()
    done: list[Finding] = field(default_factory=list)


class _Overlay(ProjectCache):
    """A cache in which some files have other contents than on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.contents: dict[str, bytes] = {}
        self._parsed: dict[tuple[str, str], tuple[bytes, Any]] = {}

    def file(self, kind: str, entry: Entry, parse: Callable[[bytes], _T]) -> _T:
        raw = self.contents.get(entry.shown)
        if raw is None:
            return super().file(kind, entry, parse)
        kept = self._parsed.get((kind, entry.shown))
        if kept is None or kept[0] != raw:
            kept = self._parsed[kind, entry.shown] = (raw, parse(raw))
        value: _T = kept[1]
        return value


def repair_project(root: Path, *, env: str, choose: Callable[[Project], Sequence[Finding]]) -> Repaired:
    """
    Carry out the fixes of the findings that ``choose`` picks, until none has one; nothing is written.

    A repair is taken back if the project gains a finding by it, or if data change beyond what its finding says; a
    second run then has nothing left to do.
    """
    work = _Work(root, env, choose)
    while work.trials < _TRIALS:
        wanted = [one for one in choose(work.project) if one.fix is not None and _identity(one) not in work.refused]
        if wanted and (work.attempt(wanted) or len(wanted) > len(work.refused & set(map(_identity, wanted)))):
            continue
        if work.rested == work.project:
            break
        # What was refused beside something that is repaired now may be harmless by itself.
        work.rested = work.project
        work.refused.clear()
    return Repaired(work.first, work.project, work.changes(), work.done)


class _Work:
    """The project with the repairs so far."""

    def __init__(self, root: Path, env: str, choose: Callable[[Project], Sequence[Finding]]) -> None:
        self._root = root
        self._env = env
        self._known = facts()
        self._overlay = _Overlay()
        self._before: dict[str, str | None] = {}
        self._now: dict[str, str] = {}
        self._seen: set[tuple[tuple[str, str], ...]] = {()}
        self.trials = 0
        self.refused: set[tuple[str, Fix | None]] = set()
        self.done: list[Finding] = []
        self.first = self.project = self.rested = self._load({})

    def attempt(self, wanted: Sequence[Finding]) -> bool:
        """Repair together what does no harm; of what does, one half after the other. Tells whether any was repaired."""
        if not wanted or self.trials >= _TRIALS:
            return False
        outcome = apply_fixes(wanted, self._text_of)
        texts = _with_marks(outcome, {**self._before, **self._now})
        now = {**self._now, **texts}
        state = tuple(sorted(now.items()))
        bad = {""}
        if texts and state not in self._seen:
            project = self._load(now)
            both = {path: (self._text_of(path) or "", text.removeprefix(_MARK)) for path, text in texts.items()}
            bad = harmed(self.project, project, outcome.done, both)
            if not bad:
                self._seen.add(state)
                self._now, self.project = now, project
                self.done += outcome.done
                return True
        if "" not in bad and (good := [one for one in outcome.done if _path(one) not in bad]):
            return self.attempt(good)
        first, second = _halves(outcome.done, by_file="" not in bad)
        if not second:
            self.refused |= {_identity(one) for one in outcome.done or wanted}
            return False
        return self.attempt(first) or self.attempt(second)

    def changes(self) -> tuple[Change, ...]:
        """What is to be written."""
        return tuple(
            Change(path, original, text)
            for path, text in sorted(self._now.items())
            if (original := self._before[path]) is not None and original != text
        )

    def _load(self, texts: dict[str, str]) -> Project:
        self.trials += 1
        self._overlay.contents = {path: text.encode("utf-8", "surrogatepass") for path, text in texts.items()}
        return load_project(self._root, env=self._env, plugins=self._known, cache=self._overlay, notes=True)

    def _text_of(self, path: str) -> str | None:
        if path not in self._before:
            self._before[path] = _original(self.first, path)
        original = self._now.get(path, self._before[path])
        return None if original is None else original.removeprefix(_MARK)


def _halves(findings: Sequence[Finding], *, by_file: bool) -> tuple[list[Finding], list[Finding]]:
    """Two halves, of each file or of all; the second is empty if none can be divided."""
    groups: dict[str, list[Finding]] = {}
    for one in findings:
        groups.setdefault(_path(one) if by_file else "", []).append(one)
    first = [one for group in groups.values() for one in group[: (len(group) + 1) // 2]]
    return first, [one for group in groups.values() for one in group[(len(group) + 1) // 2 :]]


def _path(finding: Finding) -> str:
    return finding.fix.edits[0].span.path if finding.fix is not None and finding.fix.edits else ""


def _identity(finding: Finding) -> tuple[str, Fix | None]:
    return finding.code, finding.fix


def write_changes(root: Path, changes: Sequence[Change]) -> None:
    """
    Put the new texts in place, each whole.

    Raises:
        Failure: If a file has changed since it was read, or cannot be written; files before it are written.
    """
    for change in changes:
        path = root / change.path
        with output.refusing(f"cannot write `{change.path}`"):
            if path.read_bytes() != change.before.encode():
                raise output.Failure(f"`{change.path}` changed while it was being repaired", "run it again")
            replace_file(path, change.after.encode())


def diff(changes: Sequence[Change]) -> str:
    """The changes as one patch that `git apply` and `patch -p1` take."""
    out: list[str] = []
    for change in changes:
        old, new = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (change.before, change.after))
        for line in unified_diff(old, new, _named(f"a/{change.path}"), _named(f"b/{change.path}")):
            out.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(out)


def _named(path: str) -> str:
    """A path as git writes it into a patch: quoted if it holds what ends or steers a line."""
    if path.isprintable() and not any(one in path for one in '"\\'):
        return path
    octal = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in path.encode())
    return f'"{octal}"'


def _original(project: Project, path: str) -> str | None:
    """A file's text with its mark; None if it is not the text that the findings are about, or not in the project."""
    place = project.root / path
    try:
        if not Path(os.path.realpath(place)).is_relative_to(project.root):
            return None
        text = place.read_bytes().decode("utf-8")
    except (OSError, ValueError):
        return None
    return text if text.removeprefix(_MARK) == project.read_text(path) else None


def _with_marks(repair: Repair, texts: dict[str, str | None]) -> dict[str, str]:
    """
    The repaired texts with their byte-order marks, but for those marks that were to be removed.

    That repair is an edit of nothing before the first character: the text that findings are about has no mark.
    """
    marked = {path for path, text in texts.items() if text is not None and text.startswith(_MARK)}
    bare = {
        edit.span.path
        for finding in repair.done
        if finding.code == "GS004" and finding.fix is not None
        for edit in finding.fix.edits
        if not edit.replacement and edit.span.path in marked
    }
    after = {path: (texts[path] or "").removeprefix(_MARK) for path in bare} | repair.texts
    return {path: _MARK + text if path in marked - bare else text for path, text in after.items()}
