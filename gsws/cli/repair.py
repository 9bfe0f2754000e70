"""
Repairing a project: the fixes of findings carried out until none is left, first in memory, then on disk.

A file is written once, whole and in place of the old one; its line breaks, its byte-order mark and its permissions
stay. How one text is repaired is in `gsws.diagnostics.fix`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any, Final, TypeVar

from gsws.cli import output
from gsws.diagnostics import Finding, Severity
from gsws.diagnostics.fix import Repair, apply_fixes
from gsws.plugins.registry import facts
from gsws.project import Project, ProjectCache, load_project
from gsws.project.discovery import Entry

__all__ = ["Change", "Repaired", "diff", "repair_project", "replace_file", "write_changes"]

_ROUNDS: Final = 10
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

    A repair after which its file can no longer be read is taken back.
    """
    overlay = _Overlay()
    known = facts()

    def load() -> Project:
        return load_project(root, env=env, plugins=known, cache=overlay, notes=True)

    first = project = load()
    repaired = Repaired(first, first)
    before: dict[str, str | None] = {}
    now: dict[str, str] = {}
    refused: set[str] = set()
    seen: set[tuple[tuple[str, str], ...]] = {()}

    def text_of(path: str) -> str | None:
        if path in refused:
            return None
        if path not in before:
            before[path] = _original(first, path)
        original = now.get(path, before[path])
        return None if original is None else original.removeprefix(_MARK)

    for _ in range(_ROUNDS):
        outcome = apply_fixes(choose(project), text_of)
        texts = _with_marks(outcome, {**before, **now})
        if not texts:
            break
        kept, earlier = dict(now), project
        now |= texts
        state = tuple(sorted(now.items()))
        if state in seen:
            now = kept
            break
        seen.add(state)
        overlay.contents = {path: text.encode("utf-8", "surrogatepass") for path, text in now.items()}
        project = load()
        harmed = {path for path in texts if _unreadable(project, path) > _unreadable(earlier, path)}
        if harmed:
            refused |= harmed
            now = {path: text for path, text in now.items() if path not in harmed}
            now |= {path: kept[path] for path in harmed if path in kept}
            overlay.contents = {path: text.encode("utf-8", "surrogatepass") for path, text in now.items()}
            project = load()
        repaired.done += [one for one in outcome.done if not harmed & _paths(one)]
    repaired.project = project
    repaired.changes = tuple(
        Change(path, original, text)
        for path, text in sorted(now.items())
        if (original := before[path]) is not None and original != text
    )
    return repaired


def write_changes(root: Path, changes: Sequence[Change]) -> None:
    """
    Put the new texts in place, each whole.

    Raises:
        Failure: If a file has changed since it was read, or cannot be written; files before it are written.
    """
    for change in changes:
        path = root / change.path
        try:
            if path.read_bytes() != change.before.encode():
                raise output.Failure(f"`{change.path}` changed while it was being repaired", "run it again")
            replace_file(path, change.after.encode())
        except OSError as error:
            raise output.Failure(f"cannot write `{change.path}`: {error.strerror or error}") from None


def replace_file(path: Path, content: bytes) -> None:
    """
    Put ``content`` in the place of a file, or make it; a reader sees the old or the new, never a part.

    Raises:
        OSError: If the file system refuses.
    """
    goal = Path(os.path.realpath(path))
    if goal.exists() and not os.access(goal, os.W_OK):
        raise PermissionError(13, "Permission denied", str(path))
    descriptor, name = tempfile.mkstemp(prefix=".gsws-", dir=goal.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        if goal.exists():
            shutil.copymode(goal, name)
        else:
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod(0o666 & ~mask)
        Path(name).replace(goal)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


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


def _unreadable(project: Project, path: str) -> int:
    return sum(
        finding.span is not None
        and finding.span.path == path
        and finding.severity is Severity.ERROR
        and finding.code in ("GS003", "GS004", "GS101", "GS102", "GS105", "GS205")
        for finding in project.findings
    )


def _paths(finding: Finding) -> set[str]:
    return {edit.span.path for edit in finding.fix.edits} if finding.fix is not None else set()
