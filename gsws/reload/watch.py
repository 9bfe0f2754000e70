"""
Which files of a project changed, in batches.

The operating system's notifications as long as they come, else contents compared by hash: modification times are too
coarse for an editor that saves twice in a second. Notifications end in many ways, most of them silent: a file name that
is not UTF-8, no watches left, a folder that was moved away and back, a disk of another machine. So what they told is
compared with what is there now and then, and they are given up with a line in the log when they miss something.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import structlog
from watchfiles import Change, awatch

__all__ = ["is_watched", "poll", "watch"]

_STEP_MS: Final = 10
"""Quiet time that ends a batch: long enough for an editor's write and rename."""

_DEBOUNCE_MS: Final = 400
"""Longest time that changes are gathered, so that a checkout of a thousand files is one batch."""

_POLL_SECONDS: Final = 0.3

_AUDIT_SECONDS: Final = 3.0
"""How often what is there is compared with what was told; what is missing twice in a row was never told."""

_TICK: Final = 50_000_000
"""Nanoseconds in which a file may change twice without its time telling."""

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".py", ".json"})
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
_SKIPPED_AT_ROOT: Final = frozenset({"public", "venv", "build", "dist"})
"""Passed by beside `events/`; inside it they are names like any other."""


@dataclass(frozen=True, slots=True)
class _Content:
    """A file: what the file system says of it, None while that may stay the same through an edit, and its hash."""

    signature: tuple[int, int, int] | None
    digest: bytes


_Contents: TypeAlias = Mapping[Path, _Content]


def _nothing() -> Set[str]:
    return frozenset()


def is_watched(path: Path, root: Path) -> bool:
    """Tell whether a change of ``path`` can concern the project."""
    try:
        parts = path.relative_to(root).parts
    except ValueError:
        return False
    if not parts or parts[0] in _SKIPPED_AT_ROOT or parts[:2] == ("src", "public"):
        return False
    if any(part in _SKIPPED or (part.startswith(".") and part != ".env") for part in parts[:-1]):
        return False
    name = parts[-1]
    if name in _SKIPPED:
        return False
    if name == ".env" or name.startswith(".env."):
        return True
    if name.startswith(".") or name.endswith("~"):
        return False
    # A folder that appears or disappears brings or takes its files, without an event for each.
    return path.suffix in _SUFFIXES or path.suffix == "" or path.is_dir()


async def watch(root: Path, stop: asyncio.Event, linked: Callable[[], Set[str]] = _nothing) -> AsyncIterator[set[Path]]:
    """
    Yield batches of changed, added or removed files until ``stop`` is set.

    Args:
        root: The project's root, a real path.
        linked: Gives the files that the project reads through links, by real path; wherever they are, they count.
    """
    known = await asyncio.to_thread(_contents, root, linked(), {})
    audit = _Audit(known)
    reason = "changes were not told of"
    is_first = True
    try:
        async for changes in awatch(
            root,
            watch_filter=lambda change, path: _concerns(change, path, root, linked()),
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            stop_event=stop,
            rust_timeout=1000,
            yield_on_timeout=True,
            recursive=True,
            ignore_permission_denied=True,
        ):
            batch = {Path(path) for _, path in changes}
            audit.tell(batch)
            if is_first:
                # What changed after the first look and before the notifications began was told to nobody.
                is_first = False
                audit.known = await asyncio.to_thread(_contents, root, linked(), known)
                batch |= _differing(known, audit.known)
            if batch:
                yield batch
            if audit.is_due() and audit.finds(await asyncio.to_thread(_contents, root, linked(), audit.known)):
                break
        else:
            return
    except Exception as error:  # whatever the watcher raised, another way goes on
        if stop.is_set():
            return
        reason = _reason(error)
    structlog.get_logger("gsws").warning("no file notifications; comparing contents instead", reason=reason)
    async for batch in poll(root, stop, linked, audit.known):
        yield batch


class _Audit:
    """
    Whether notifications tell of what changes.

    Args:
        known: The contents just before watching began.
    """

    def __init__(self, known: _Contents) -> None:
        self.known = known
        self._told: set[str] = set()
        self._told_before: set[str] = set()
        self._suspects: set[Path] = set()
        self._due = time.monotonic() + _AUDIT_SECONDS

    def tell(self, batch: set[Path]) -> None:
        """Take note of what was told."""
        self._told |= {place for path in batch for place in (str(path), os.path.realpath(path))}

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    def finds(self, now: _Contents) -> bool:
        """Whether something changed before the last look, and nobody has told of it until this one."""
        told = self._told | self._told_before
        self._told_before, self._told = self._told, set()
        self._due = time.monotonic() + _AUDIT_SECONDS
        untold = {path for path in _differing(self.known, now) if not _is_told(path, told)}
        missed = untold & self._suspects
        # Whatever is not told of yet stays as it was known: a notice may be on its way, and else it is found again.
        changed = {path: seen for path, seen in now.items() if path not in untold}
        self.known = changed | {path: self.known[path] for path in untold & self.known.keys()}
        self._suspects = untold
        return bool(missed)


async def poll(
    root: Path, stop: asyncio.Event, linked: Callable[[], Set[str]] = _nothing, known: _Contents | None = None
) -> AsyncIterator[set[Path]]:
    """
    Yield batches by comparing contents, three times a second.

    Args:
        root: The project's root, a real path.
        stop: Ends it.
        linked: As for `watch`.
        known: What is compared with first; what is there now if None.
    """
    before = known if known is not None else await asyncio.to_thread(_contents, root, linked(), {})
    while not stop.is_set():
        now = await asyncio.to_thread(_contents, root, linked(), before)
        batch = _differing(before, now)
        before = now
        if batch:
            yield batch
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await stop.wait()
        except TimeoutError:
            pass


def _concerns(change: Change, name: str, root: Path, linked: Set[str]) -> bool:
    del change
    path = Path(name)
    return is_watched(path, root) or (bool(linked) and os.path.realpath(path) in linked)


def _is_told(path: Path, told: Set[str]) -> bool:
    """Whether a path, or a folder above it, was told of."""
    return any(str(one) in told for one in (path, *path.parents)) or os.path.realpath(path) in told


def _differing(before: _Contents, now: _Contents) -> set[Path]:
    return {
        path
        for path in before.keys() | now.keys()
        if path not in before or path not in now or before[path].digest != now[path].digest
    }


def _contents(root: Path, linked: Set[str], before: _Contents) -> _Contents:
    """Every watched file; one whose signature is the same as before is not read again."""
    found = {}
    for path in (*_files(root), *map(Path, linked)):
        content = _content(path, before.get(path))
        if content is not None:
            found[path] = content
    return found


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        skipped = _SKIPPED | _SKIPPED_AT_ROOT if Path(folder) == root else _SKIPPED
        folders[:] = [name for name in folders if name not in skipped and not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if (path.suffix in _SUFFIXES or name.startswith(".env")) and is_watched(path, root):
                yield path


def _content(path: Path, before: _Content | None) -> _Content | None:
    try:
        status = path.stat()
        settled = abs(time.time_ns() - status.st_mtime_ns) > _TICK
        signature = (status.st_mtime_ns, status.st_size, status.st_ino) if settled else None
        if before is not None and signature is not None and before.signature == signature:
            return before
        if not stat.S_ISREG(status.st_mode):
            return None
        return _Content(signature, hashlib.blake2b(path.read_bytes(), digest_size=16).digest())
    except OSError:
        return None


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return str(error) or type(error).__name__
