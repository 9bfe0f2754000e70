"""
What is kept between two loads of one project, so that a reload costs what changed.

A file is read again when its time, size or number changed, and its outcome is kept when its content did not.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gsws.project.files.discovery import Entry

if TYPE_CHECKING:
    from gsws.project.files.store import DiskStore
    from gsws.schema import SoundSchemas

__all__ = ["ProjectCache", "ReadFailure"]

_MAX_BYTES: Final = 4_000_000
"""No file is read further than this; parsers refuse smaller ones with a better sentence."""

_TICK: Final = 50_000_000
"""Nanoseconds in which a file may change twice without its time telling."""

_T = TypeVar("_T")


class ReadFailure(Exception):
    """A file cannot be read; ``reason`` is the system's word for it, ``gone`` that it is no longer there."""

    def __init__(self, reason: str, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.gone = gone


@dataclass(slots=True)
class _Kept:
    signature: tuple[int, int, int]
    settled: bool
    digest: bytes
    value: Any


@dataclass(slots=True)
class ProjectCache:
    """
    Documents, module indexes and compiled schemas by content; give the same one to each load of one project.

    Not safe for two loads at once. Holds only what the last load saw.

    Attributes:
        store: What an earlier process made of files, or None.
        sound: The schemas that it found nothing wrong with, or None.
    """

    store: DiskStore | None = None
    sound: SoundSchemas | None = None
    _files: dict[tuple[str, str], _Kept] = field(default_factory=dict)
    _seen: dict[tuple[str, str], _Kept] = field(default_factory=dict)
    _derived: dict[tuple[Any, ...], tuple[Any, Any]] = field(default_factory=dict)
    _derived_seen: dict[tuple[Any, ...], tuple[Any, Any]] = field(default_factory=dict)
    _tokens: dict[str, tuple[Any, int]] = field(default_factory=dict)
    _count: int = 0
    _fresh: dict[str, bytes] = field(default_factory=dict)

    def begin(self) -> None:
        """Start a load; what a load that was broken off had seen is forgotten."""
        self._seen, self._derived_seen = {}, {}
        self._fresh = {}

    def fresh(self) -> Mapping[str, bytes]:
        """The files that the last load read, with the hash of what it read (BLAKE2b, 16 bytes)."""
        return self._fresh

    def paths(self) -> set[str]:
        """The files that the last load saw."""
        return {path for _, path in self._files}

    def file(self, kind: str, entry: Entry, parse: Callable[[bytes], _T]) -> _T:
        """
        What ``parse`` makes of a file's bytes; the same object as before if the content is.

        Raises:
            ReadFailure: If the file cannot be read.
        """
        key = (kind, entry.path)
        kept = self._files.get(key)
        if kept is None or not kept.settled or kept.signature != entry.signature:
            now = time.time_ns()
            raw = _read(entry.path)
            digest = hashlib.blake2b(raw, digest_size=16).digest()
            settled = abs(now - entry.modified) > _TICK
            self._fresh[entry.path] = digest
            if kept is not None and kept.digest == digest:
                kept = _Kept(entry.signature, settled, digest, kept.value)
            else:
                kept = _Kept(entry.signature, settled, digest, self._made(kind, entry, digest, raw, parse))
        self._seen[key] = kept
        value: _T = kept.value
        return value

    def _made(self, kind: str, entry: Entry, digest: bytes, raw: bytes, parse: Callable[[bytes], _T]) -> _T:
        if self.store is None:
            return parse(raw)
        value: _T | None = self.store.get(kind, entry.shown, digest, raw)
        if value is None:
            value = parse(raw)
            self.store.put(kind, entry.shown, digest, value)
        return value

    def derived(self, key: tuple[Any, ...], source: Any, make: Callable[[], _T]) -> _T:
        """What ``make`` returns for ``key``; kept as long as ``source`` is the same object."""
        kept = self._derived_seen.get(key) or self._derived.get(key)
        if kept is None or kept[0] is not source:
            kept = (source, make())
        self._derived_seen[key] = kept
        value: _T = kept[1]
        return value

    def token(self, name: str, value: Mapping[str, Any] | tuple[Any, ...]) -> int:
        """A number that stays the same from load to load while ``value`` is equal."""
        kept = self._tokens.get(name)
        if kept is None or kept[0] != value:
            self._count += 1
            kept = self._tokens[name] = (value, self._count)
        return kept[1]

    def finish(self) -> int:
        """Forget what this load did not ask for; return how many files it saw."""
        if self.store is not None:
            self.store.save()
        self._files, self._seen = self._seen, {}
        self._derived, self._derived_seen = self._derived_seen, {}
        return len({path for _, path in self._files})


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise ReadFailure("it is gone", gone=True) from None
    except OSError as failure:
        raise ReadFailure(failure.strerror or failure.__class__.__name__) from None
