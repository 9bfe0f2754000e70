"""
Which files of a folder are documents, found without opening them, and reading one of them safely.

Links are followed only to files that are inside the folder; hidden names, devices and pipes never.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from gsws.ai.retrieval.protocol import Trouble

__all__ = ["DEFAULT_PATTERNS", "Found", "Scan", "Selection", "Stamp", "read_file", "scan"]

DEFAULT_PATTERNS: Final = ("**/*.md", "**/*.markdown", "**/*.txt", "**/*.rst", "**/*.html", "**/*.htm", "**/*.pdf")
MAX_FILES: Final = 100_000
MAX_DEPTH: Final = 64
MAX_TROUBLES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Which files are meant.

    Attributes:
        include: Patterns over the path in the folder: ``*`` stays within a name, ``**`` does not.
        exclude: Patterns that win over ``include``.
        max_file_bytes: Larger files are skipped.
    """

    include: Sequence[str] = DEFAULT_PATTERNS
    exclude: Sequence[str] = ()
    max_file_bytes: int = 10 * 2**20

    def matches(self, path: str) -> bool:
        """Whether a file with this path is meant."""
        return _matches(path, self.include) and not _matches(path, self.exclude)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file is written, replaced or moved over: two equal ones mean the same content."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """From what the file system says."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino & (2**63 - 1))


@dataclass(frozen=True, slots=True)
class Found:
    """A document: its path relative to the folder, with slashes, where it really is, and its stamp."""

    path: str
    real: Path
    stamp: Stamp


@dataclass(slots=True)
class Scan:
    """What a folder holds. `problem` is set if the folder itself, or too much of it, cannot be listed."""

    found: list[Found] = field(default_factory=list)
    failed: list[Trouble] = field(default_factory=list)
    skipped: list[Trouble] = field(default_factory=list)
    skipped_total: int = 0
    unmatched: int = 0
    problem: str | None = None

    def skip(self, path: str, reason: str) -> None:
        """Note a file that is passed by; the list is bounded, the count is not."""
        self.skipped_total += 1
        if len(self.skipped) < MAX_TROUBLES:
            self.skipped.append(Trouble(path, reason))


def scan(folder: Path, selection: Selection) -> Scan:
    """List the documents of a folder, sorted by path; a folder that is not there is an empty one with a `problem`."""
    result = Scan()
    root = Path(os.path.realpath(folder))
    pending = [("", root, 0)]
    while pending:
        prefix, directory, depth = pending.pop()
        try:
            with os.scandir(directory) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                result.problem = f"the folder of documents cannot be read: {error.strerror or error}"
                return result
            result.failed.append(Trouble(prefix, f"folder cannot be read: {error.strerror or error}"))
            continue
        for entry in entries:
            path = f"{prefix}{_shown(entry.name)}"
            if _visit(entry, path, root, selection, result):
                if depth < MAX_DEPTH:
                    pending.append((f"{path}/", Path(entry.path), depth + 1))
                else:
                    result.skip(path, "too deep")
            if len(result.found) > MAX_FILES:
                result.found.pop()
                result.problem = f"more than {MAX_FILES} documents; the rest is not indexed"
                pending.clear()
                break
    result.found.sort(key=lambda found: found.path)
    return result


def read_file(found: Found, limit: int) -> tuple[bytes, Stamp]:
    """
    A file's bytes and the stamp from before they were read.

    Raises:
        OSError: If it cannot be read, or is no regular file any more.
        ValueError: If it has grown over the limit.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(found.real, flags), "rb") as file:  # noqa: PTH123  # a descriptor: no link is followed
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "no regular file")
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise ValueError("too large")
    return raw, Stamp.of(status)


def _visit(entry: os.DirEntry[str], path: str, root: Path, selection: Selection, result: Scan) -> bool:
    """Take in one entry; tell whether it is a folder to be listed."""
    try:
        if entry.name.startswith("."):
            result.skip(path, "hidden")
            return False
        if entry.is_symlink():
            return _visit_link(entry, path, root, selection, result)
        if entry.is_dir(follow_symlinks=False):
            return True
        _take(Path(entry.path), path, entry.stat(follow_symlinks=False), selection, result)
    except OSError as error:
        result.failed.append(Trouble(path, error.strerror or str(error)))
    return False


def _visit_link(entry: os.DirEntry[str], path: str, root: Path, selection: Selection, result: Scan) -> bool:
    real = Path(os.path.realpath(entry.path))
    if not real.is_relative_to(root):
        result.skip(path, "link that leaves the folder")
    elif any(part.startswith(".") for part in real.relative_to(root).parts):
        result.skip(path, "link to a hidden file")
    elif real.is_dir():
        result.skip(path, "link to a folder")
    elif not real.exists():
        result.skip(path, "link to nothing")
    else:
        _take(real, path, real.stat(), selection, result)
    return False


def _take(real: Path, path: str, status: os.stat_result, selection: Selection, result: Scan) -> None:
    if not selection.matches(path):
        result.unmatched += 1
    elif not stat.S_ISREG(status.st_mode):
        result.skip(path, "no regular file")
    elif status.st_size > selection.max_file_bytes:
        result.skip(path, f"larger than {selection.max_file_bytes} bytes")
    else:
        result.found.append(Found(path, real, Stamp.of(status)))


def _shown(name: str) -> str:
    """A name that can be written as UTF-8; bytes that are none are spelled out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(_compiled(pattern).fullmatch(path) for pattern in patterns)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A glob as an expression; letter case does not matter, so that ``*.md`` finds ``README.MD``."""
    parts = []
    for piece in re.findall(r"\*\*/|\*+|\?|[^*?]+", pattern.removeprefix("./")):
        match piece:
            case "**/":
                parts.append("(?:.+/)?")
            case "?":
                parts.append("[^/]")
            case _ if piece.startswith("*"):
                parts.append(".*" if len(piece) > 1 else "[^/]*")
            case _:
                parts.append(re.escape(piece))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
