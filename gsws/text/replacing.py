"""Putting a new file in the place of an old one, in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["replace_file", "umask"]


def replace_file(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """
    Put ``content`` in the place of a file, or make it; a reader sees the old or the new, never a part.

    A link is kept and what it leads to is replaced; its owner goes on owning it where this process may see to that.

    Args:
        mode: Permissions of the file; None keeps those that are there, and gives a new file the usual ones.

    Raises:
        OSError: If the file system refuses, or the file may not be written.
    """
    goal = Path(os.path.realpath(path))
    before = goal.stat() if goal.exists() else None
    if before is not None and not os.access(goal, os.W_OK):
        raise PermissionError(13, "Permission denied", str(path))
    descriptor, name = tempfile.mkstemp(prefix=".gsws-", dir=goal.parent)
    made = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is None:
            mode = before.st_mode & 0o7777 if before is not None else 0o666 & ~umask()
        made.chmod(mode)
        if before is not None and hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):
                os.chown(made, before.st_uid, before.st_gid)
        made.replace(goal)
    except BaseException:
        with contextlib.suppress(OSError):
            made.unlink()
        raise


def umask() -> int:
    """The permissions that new files of this process do not have."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
