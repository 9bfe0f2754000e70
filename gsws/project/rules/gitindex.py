"""Whether git tracks a file, read from git's index; no program is run."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

__all__ = ["is_tracked"]

_MAX_BYTES: Final = 100_000_000
_ENTRY: Final = 62
"""Bytes of an entry before its path: times, numbers, modes, sizes, a SHA-1 and the flags."""


def is_tracked(file: Path) -> bool:
    """Whether the repository around a file has it in its index; False if there is none or it cannot be read."""
    for folder in file.parents:
        marker = folder / ".git"
        try:
            if marker.is_dir():
                index = marker / "index"
            elif marker.is_file():
                # A worktree or a submodule: the file says where the real folder is.
                pointed = marker.read_text("utf-8", "replace").removeprefix("gitdir:").strip()
                index = folder / pointed / "index"
            else:
                continue
            if not index.is_file() or index.stat().st_size > _MAX_BYTES:
                return False
            return _holds(index.read_bytes(), file.relative_to(folder).as_posix().encode())
        except (OSError, ValueError, struct.error, IndexError):
            return False
    return False


def _holds(data: bytes, path: bytes) -> bool:
    """Whether an index has an entry of a path."""
    if data[:4] != b"DIRC" or path[-3:] + b"\0" not in data:
        return False
    version, count = struct.unpack(">II", data[4:12])
    at, name = 12, b""
    for _ in range(count):
        flags = int.from_bytes(data[at + _ENTRY - 2 : at + _ENTRY], "big")
        start = at + _ENTRY + (2 if version >= 3 and flags & 0x4000 else 0)
        if version >= 4:
            cut, start = _number(data, start)
            end = data.index(b"\0", start)
            name = name[: len(name) - cut] + data[start:end]
            at = end + 1
        else:
            end = data.index(b"\0", start)
            name = data[start:end]
            # Entries are padded with one to eight zeros to a multiple of eight bytes.
            at += (end - at + 8) & ~7
        if name == path:
            return True
        if name > path:
            return False
    return False


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length as git writes it before the paths of version 4, and where it ends."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1
