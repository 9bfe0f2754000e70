"""
What is kept on disk between two runs of `gsws validate`: parsed files by content, in ``.gsws/cache/``.

One file a project, read whole and replaced whole by a rename, so that runs at the same time do no harm. It holds
plain values in typed MessagePack, never code; what is damaged, of another version of anything, or not what it should
be is ignored and written anew. Only what is true of a file by itself is kept here: rules that look at several files,
at the environment or at the clock run every time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from gsws.__about__ import __version__

__all__ = ["Codec", "DiskStore", "cache_folder"]

_MAGIC: Final = b"gsws-cache-1\n"
_NAME: Final = "parsed.bin"
_MAX_FILE: Final = 256 * 2**20
"""Largest cache that is read or written; 20,000 files take about 50 MiB."""

_MAX_ENTRY: Final = 256 * 2**10
"""What is larger is parsed again: it is rare, and hostile files are."""

_HEAD: Final = struct.Struct("<32sQ")
_LIBRARIES: Final = ("ruamel.yaml", "_ruamel_yaml", "msgspec", "jsonschema_rs", "orjson")

Index = dict[str, tuple[bytes, int, int]]
"""By kind and path: the hash of the content, and where the entry stands."""


class Codec(Protocol):
    """Turns what was made of a file into bytes and back."""

    def encode(self, value: Any) -> bytes | None:
        """The bytes, or None for a value that is not to be kept."""

    def decode(self, path: str, raw: bytes, kept: bytes) -> Any:
        """
        The value that was made of a file with this path and content.

        Raises:
            ValueError: If the bytes are not what `encode` wrote; `msgspec.DecodeError` is one.
        """


class DiskStore:
    """
    The cache of one project on disk.

    Args:
        root: The project's root.
        codecs: By kind of entry.
    """

    def __init__(self, root: Path, codecs: Mapping[str, Codec]) -> None:
        self._folder = cache_folder(root)
        self._codecs = codecs
        self._stamp = _stamp()
        self._index: Index = {}
        self._blob = memoryview(b"")
        self._kept: dict[str, tuple[bytes, bytes | memoryview]] = {}
        self._is_changed = False
        self._load()

    def get(self, kind: str, path: str, digest: bytes, raw: bytes) -> Any:
        """What is known of a file with this content, or None."""
        key = f"{kind}:{path}"
        found = self._index.get(key)
        if found is None or found[0] != digest or kind not in self._codecs:
            return None
        kept = self._blob[found[1] : found[1] + found[2]]
        try:
            value = self._codecs[kind].decode(path, raw, bytes(kept))
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            return None
        self._kept[key] = (digest, kept)
        return value

    def put(self, kind: str, path: str, digest: bytes, value: Any) -> None:
        """Keep what was made of a file for the next run."""
        codec = self._codecs.get(kind)
        if codec is None:
            return
        try:
            kept = codec.encode(value)
        except (ValueError, TypeError, OverflowError, UnicodeError, RecursionError):
            kept = None
        if kept is not None and len(kept) <= _MAX_ENTRY:
            self._kept[f"{kind}:{path}"] = (digest, kept)
            self._is_changed = True

    def save(self) -> None:
        """Write what this run saw, if that is not what is on disk; a folder that cannot be written is no matter."""
        if not self._is_changed and len(self._kept) == len(self._index):
            return
        index: Index = {}
        at = 0
        for key, (digest, kept) in self._kept.items():
            if at + len(kept) > _MAX_FILE:
                break
            index[key] = (digest, at, len(kept))
            at += len(kept)
        packed = msgspec.msgpack.encode(index)
        body = b"".join([_HEAD.pack(self._stamp, len(packed)), packed, *(self._kept[key][1] for key in index)])
        checksum = hashlib.blake2b(body, digest_size=32).digest()
        with contextlib.suppress(OSError):
            _replace(self._folder, _NAME, b"".join([_MAGIC, checksum, body]))
        self._is_changed = False

    def _load(self) -> None:
        place = self._folder / _NAME
        try:
            if place.is_symlink() or not place.is_file() or place.stat().st_size > _MAX_FILE + 2**26:
                return
            whole = memoryview(place.read_bytes())
        except OSError:
            return
        start = len(_MAGIC) + 32
        body = whole[start:]
        if bytes(whole[: len(_MAGIC)]) != _MAGIC or len(body) < _HEAD.size:
            return
        stamp, length = _HEAD.unpack(body[: _HEAD.size])
        if stamp != self._stamp or hashlib.blake2b(body, digest_size=32).digest() != bytes(whole[len(_MAGIC) : start]):
            return
        try:
            self._index = msgspec.msgpack.decode(body[_HEAD.size : _HEAD.size + length], type=Index)
        except (ValueError, RecursionError):
            return
        self._blob = body[_HEAD.size + length :]


def cache_folder(root: Path) -> Path:
    """Where a project's cache is."""
    return root / ".gsws" / "cache"


def _replace(folder: Path, name: str, content: bytes) -> None:
    """Put a file in place in one step; the folder keeps itself out of version control."""
    for part in (folder.parent, folder):
        if part.is_symlink():
            return
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not os.path.lexists(ignore):
        ignore.write_text("*\n")
    descriptor, made = tempfile.mkstemp(prefix=f"{name}.", suffix=".new", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(made).replace(folder / name)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(made).unlink()
        raise


def _stamp() -> bytes:
    """Changes with Python, gsws and the libraries that parse; in a checkout with every edit of gsws itself."""
    known = hashlib.blake2b(digest_size=32)
    known.update(f"{sys.version}\0{__version__}\0".encode())
    for name in _LIBRARIES:
        module = import_module(name)
        known.update(f"{name}\0{getattr(module, '__version__', '')}\0".encode())
    folder = Path(__file__).resolve().parents[2]
    for part in ("text", "diagnostics", "yaml", "schema", "project"):
        for path in sorted((folder / part).rglob("*.py")):
            facts = path.stat()
            known.update(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return known.digest()
