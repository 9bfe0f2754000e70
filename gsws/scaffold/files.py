"""
Writing a set of files so that either all of them are there or none.

Files are made whole in a temporary folder on the same file system and put in place by rename or hard
link; nothing existing is overwritten and no symlink is followed. What goes into them is `templates`'.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from gsws.text.replacing import umask

__all__ = ["Conflict", "write_files"]


class Conflict(Exception):
    """
    Something is in the way.

    Attributes:
        paths: What exists already, relative to the target, in order.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(paths)
        self.paths = paths

    def __str__(self) -> str:
        return f"in the way: {', '.join(self.paths)}"


def write_files(target: Path, files: Mapping[str, bytes]) -> None:
    """
    Write ``files`` under ``target``; all or none, also after Ctrl-C.

    Args:
        target: A directory; made, with its parents, if it is not there.
        files: Content by POSIX path relative to ``target``.

    Raises:
        Conflict: If a file exists already, or a folder on the way is a symlink or no folder.
        OSError: If the file system refuses.
    """
    in_the_way = _in_the_way(target, files)
    if in_the_way:
        raise Conflict(in_the_way)
    if os.path.lexists(target):
        _write_into(target, files)
    else:
        _write_new(target, files)


def _in_the_way(target: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    if os.path.lexists(target) and not target.is_dir():
        return (str(target),)
    found: list[str] = []
    for name in sorted(files):
        path = PurePosixPath(name)
        for folder in [*reversed(path.parents)][1:]:
            mode = _mode(target / folder)
            if mode is not None and not stat.S_ISDIR(mode):
                found.append(str(folder))
        if _mode(target / path) is not None:
            found.append(name)
    return tuple(dict.fromkeys(found))


def _write_new(target: Path, files: Mapping[str, bytes]) -> None:
    made = _make_folders(target.parent)
    stage = None
    try:
        stage = Path(tempfile.mkdtemp(prefix=".gsws-", dir=target.parent))
        _fill(stage, files)
        stage.chmod(0o777 & ~umask())
        try:
            stage.rename(target)
        except OSError:
            if os.path.lexists(target):
                raise Conflict((str(target),)) from None
            raise
    except BaseException:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
        _remove_folders(made)
        raise


def _write_into(target: Path, files: Mapping[str, bytes]) -> None:
    placed: list[Path] = []
    folders: list[Path] = []
    stage = Path(tempfile.mkdtemp(prefix=".gsws-", dir=target))
    try:
        _fill(stage, files)
        for name in files:
            goal = target / name
            folders += _make_folders(goal.parent)
            # Noted first: an interrupt between the two lines must find it, and unlinking checks the inode.
            placed.append(goal)
            _place(stage / name, goal)
    except BaseException:
        for goal in placed:
            with contextlib.suppress(OSError):
                if goal.samefile(stage / goal.relative_to(target)):
                    goal.unlink()
        _remove_folders(folders)
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _fill(stage: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _place(source: Path, goal: Path) -> None:
    """Put ``source`` at ``goal``, which must not exist; a hard link cannot overwrite."""
    try:
        os.link(source, goal)
    except FileExistsError:
        raise Conflict((str(goal),)) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(goal):
            raise Conflict((str(goal),)) from None
        source.rename(goal)


def _make_folders(folder: Path) -> list[Path]:
    """Make ``folder`` and what is missing above it; the new ones, outermost first."""
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    made: list[Path] = []
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        made.append(path)
    return made


def _remove_folders(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
