"""
Where a project begins, and which files belong to it.

Symbolic links are followed as long as they stay inside the project and lead to nothing hidden; loops, sockets and
pipes are passed by. Nothing is read here.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = [
    "SETTINGS",
    "Entry",
    "Listing",
    "base_of",
    "file_inside",
    "find_root",
    "foreign_root",
    "is_root",
    "list_files",
    "owner_of",
    "projects_below",
]

SETTINGS: Final = "gsws.yaml"
"""The file that marks a root by itself."""

_FOLDERS: Final = ("events", "eventsources")
_SKIPPED: Final = frozenset({"__pycache__", "node_modules"})
_MAX_FOLDERS: Final = 5000
_MAX_LOOKED: Final = 2000
_MAX_BELOW: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One file of the project.

    Attributes:
        path: Absolute.
        shown: POSIX path relative to the root, as people read it.
        inner: Parts of the path below the folder that was listed, the ending included.
        signature: Changes when the file does, but for an edit within one tick of the file system's clock.
        modified: Nanoseconds of the last change.
        size: Bytes.
    """

    path: str
    shown: str
    inner: tuple[str, ...]
    signature: tuple[int, int, int]
    modified: int
    size: int


@dataclass(slots=True)
class Listing:
    """
    What a folder holds, sorted by path.

    Attributes:
        files: Regular files with a wanted ending.
        outside: Links that leave the project: path as shown, parts below the folder, whether it is a folder.
        odd: Names with a wanted ending that are no regular file, and folders that cannot be listed: path as shown, and
            what it is.
    """

    files: list[Entry] = field(default_factory=list)
    outside: list[tuple[str, tuple[str, ...], bool]] = field(default_factory=list)
    odd: list[tuple[str, str]] = field(default_factory=list)


def find_root(start: Path) -> Path | None:
    """
    The nearest project at ``start`` or above it.

    The search ends below the home folder and below ``/``: those two are a project only for who stands in them. A
    project above ``start`` that belongs to another user is none, as it is not for git: see `foreign_root`.
    """
    start, found = _search(start)
    return None if found is None or _is_foreign(found, start) else found


def foreign_root(start: Path) -> Path | None:
    """The project above ``start`` that `find_root` passes by, because who runs this does not own it."""
    start, found = _search(start)
    return found if found is not None and _is_foreign(found, start) else None


def projects_below(start: Path) -> tuple[Path, ...]:
    """Projects up to three folders below ``start``, by path; at most ten, of the first two thousand folders."""
    found: list[Path] = []
    pending, looked = [(start, 0)], 0
    while pending and looked < _MAX_LOOKED:
        folder, depth = pending.pop(0)
        looked += 1
        if depth and is_root(folder):
            found.append(folder)
            continue
        if depth == _MAX_BELOW:
            continue
        try:
            names = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
        except OSError:
            continue
        pending += [(path, depth + 1) for path in names if path.name not in _SKIPPED and not path.is_symlink()]
    return tuple(sorted(found)[:10])


def _is_foreign(root: Path, start: Path) -> bool:
    """
    Whether a folder above where somebody stands belongs to neither them nor who called them by sudo.

    ``GSWS_SAFE_DIRECTORY`` names folders that are trusted all the same, separated as in ``PATH``; ``*`` is all.
    """
    user = getattr(os, "geteuid", None)
    if root == start or user is None:
        return False
    trusted = os.environ.get("GSWS_SAFE_DIRECTORY", "").split(os.pathsep)
    if "*" in trusted or any(os.path.realpath(one) == str(root) for one in trusted if one):
        return False
    sudo = os.environ.get("SUDO_UID", "")
    users = {user()} | ({int(sudo)} if user() == 0 and sudo.isascii() and sudo.isdigit() else set())
    # Whoever owns one of them could put anything there.
    owned = [root, *(root / name for name in (SETTINGS, "src") if os.path.lexists(root / name))]
    try:
        return any(owner_of(path) not in users for path in owned)
    except OSError:
        return True


def owner_of(path: Path) -> int:
    """The number of the user that a file belongs to; of a link itself, not of what it leads to."""
    return path.lstat().st_uid


def _search(start: Path) -> tuple[Path, Path | None]:
    """A place without links, and the nearest project at it or above it."""
    try:
        start = start.resolve()
        if start.is_file():
            start = start.parent
        home = Path.home().resolve()
    except (OSError, RuntimeError, ValueError):
        return start, None
    for folder in (start, *start.parents):
        if folder != start and (folder == home or folder.parent == folder):
            return start, None
        if is_root(folder):
            above = folder.parent
            inside_src = folder.name == "src" and above not in (home, above.parent)
            # `my-app/src` looks like a project of its own, but its settings and its `.env` are in `my-app`.
            return start, above if inside_src and not _is_file(folder / SETTINGS) else folder
    return start, None


def is_root(folder: Path) -> bool:
    """Whether a project begins here: gsws.yaml, or both `events/` and `eventsources/`, also under `src/`."""
    return (
        _is_file(folder / SETTINGS)
        or all(_is_dir(folder / name) for name in _FOLDERS)
        or all(_is_dir(folder / "src" / name) for name in _FOLDERS)
    )


def base_of(root: Path) -> tuple[Path, bool]:
    """Tell the folder that holds ``events/``, and whether both the root and its ``src/`` hold such folders."""
    here = any(_is_dir(root / name) for name in _FOLDERS)
    below = any(_is_dir(root / "src" / name) for name in _FOLDERS)
    return (root / "src" if below and not here else root), here and below


def file_inside(root: Path, name: str) -> Path | None:
    """A regular file of the root by its name, hidden ones included; None if it is none or a link out of the project."""
    path = root / name
    try:
        real = Path(os.path.realpath(path))
        return path if real.is_relative_to(root) and real.is_file() else None
    except (OSError, ValueError):
        return None


def list_files(root: Path, folder: Path, endings: tuple[str, ...], *, deep: bool = True) -> Listing:
    """
    List the files below a folder that end in one of ``endings``; hidden names are passed by.

    Args:
        root: The project's root, a real path; nothing outside it is listed.
        folder: A folder below it, which may be missing.
        endings: With dot, lower-case.
        deep: Whether folders inside the folder are entered.
    """
    listing = Listing()
    shown = folder.relative_to(root).as_posix()
    if folder.is_symlink() and not _inside(root, str(folder)):
        listing.outside.append((shown, (), True))
        return listing
    _list(_Search(str(root), endings, deep, listing), str(folder), "" if shown == "." else f"{shown}/", ())
    listing.files.sort(key=lambda entry: entry.shown)
    return listing


@dataclass(slots=True)
class _Search:
    root: str
    endings: tuple[str, ...]
    deep: bool
    listing: Listing
    visited: set[tuple[int, int]] = field(default_factory=set)


def _list(search: _Search, folder: str, shown: str, inner: tuple[str, ...]) -> None:
    try:
        # Once each, so that a link to a folder above ends; a thousand folders are enough for any project.
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in search.visited or len(search.visited) >= _MAX_FOLDERS:
            return
        search.visited.add(identity)
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except (PermissionError, NotADirectoryError) as error:
        if shown:
            why = "no folder" if isinstance(error, NotADirectoryError) else "permission denied"
            search.listing.odd.append((shown.rstrip("/"), why))
        return
    except OSError:
        return
    for entry in entries:
        name = entry.name
        if name.startswith(".") or name in _SKIPPED or not _printable(name):
            continue
        wanted = name.endswith(search.endings)
        try:
            link = entry.is_symlink()
            is_folder = entry.is_dir()
            if not (wanted or is_folder):
                continue
            if link and not _inside(Path(search.root), entry.path):
                if wanted and not Path(entry.path).exists():
                    search.listing.odd.append((shown + name, "a link that leads nowhere"))
                elif wanted or search.deep:
                    search.listing.outside.append((shown + name, (*inner, name), is_folder))
                continue
            if is_folder:
                # A link upwards is a loop, and would also show every other file of the project as one of this folder.
                if search.deep and not (link and _leads_up(folder, entry.path)):
                    _list(search, entry.path, f"{shown}{name}/", (*inner, name))
                continue
            status = entry.stat()
        except OSError:
            # Gone between two looks: the next load does without it.
            if wanted and os.path.lexists(entry.path):
                search.listing.odd.append((shown + name, "a link that leads nowhere"))
            continue
        if stat.S_ISREG(status.st_mode):
            signature = (status.st_mtime_ns, status.st_size, status.st_ino)
            search.listing.files.append(
                Entry(entry.path, shown + name, (*inner, name), signature, status.st_mtime_ns, status.st_size)
            )
        else:
            search.listing.odd.append((shown + name, "no regular file"))


def _inside(root: Path, path: str) -> bool:
    """Whether a link stays in the project, among what may be shown: not `.env`, not `.git/config`."""
    try:
        inner = Path(os.path.realpath(path, strict=False)).relative_to(root).parts
    except (OSError, ValueError):
        return False
    # Kubernetes links what it mounts to `..data`.
    return not any(part.startswith(".") and not part.startswith("..") for part in inner)


def _leads_up(folder: str, link: str) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(link))


def _printable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
