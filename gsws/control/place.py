"""
Where control sockets are, and whose: one folder of the user, one socket a running service.

The folder is ``$GSWS_RUNTIME_DIR``, else ``$XDG_RUNTIME_DIR/gsws``, else ``/tmp/gsws-UID``. One that is a link, that
belongs to somebody else or that others may write to is not used, by either side.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import stat
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = [
    "LONGEST_LINE",
    "SUFFIX",
    "Untrusted",
    "folders",
    "is_own",
    "open_folder",
    "peer_uid",
    "socket_name",
    "sockets_of",
]

LONGEST_LINE: Final = 2**20
"""Bytes of one request."""

SUFFIX: Final = ".sock"
_LONGEST_NAME: Final = 32
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class Untrusted(OSError):
    """A folder that cannot be used for sockets; the message says why."""


def folders(environ: Mapping[str, str]) -> list[Path]:
    """Where a socket may be, the preferred folder first."""
    chosen = environ.get("GSWS_RUNTIME_DIR")
    if chosen:
        return [Path(chosen)]
    found = []
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_absolute() and Path(runtime).is_dir():
        found.append(Path(runtime) / "gsws")
    return [*found, Path(f"/tmp/gsws-{os.geteuid()}")]  # noqa: S108  # what it takes for that is checked


def open_folder(environ: Mapping[str, str]) -> Path:
    """
    The folder for a new socket, made with mode 0700 if it is not there.

    Raises:
        OSError: If none can be used; `Untrusted` if that is for whose it is.
    """
    failure: OSError | None = None
    for folder in folders(environ):
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            check_folder(folder)
        except OSError as error:
            failure = failure or error
            continue
        return folder
    assert failure is not None
    raise failure


def check_folder(folder: Path) -> None:
    """
    Make sure that nobody else can put something into a folder.

    Raises:
        OSError: If it is not there.
        Untrusted: If it is a link or no folder, belongs to somebody else, or others may write to it.
    """
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        raise Untrusted(f"`{folder}` is no folder, or a link")
    if facts.st_uid != os.geteuid():
        raise Untrusted(f"`{folder}` belongs to another user")
    if facts.st_mode & _OTHERS_WRITE:
        raise Untrusted(f"others may write to `{folder}`; `chmod 700` it")


def socket_name(root: Path, name: str) -> str:
    """The name of a project's socket without its ending: ``NAME-HASH``; the hash is that of its real folder."""
    shown = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:_LONGEST_NAME].strip("-") or "app"
    return f"{shown}-{_digest(root)}"


def sockets_of(root: Path, environ: Mapping[str, str]) -> list[Path]:
    """The sockets of a project's processes, in the folders that can be trusted."""
    found: list[Path] = []
    pattern = re.compile(rf".*-{_digest(root)}(\.[0-9]+)?{re.escape(SUFFIX)}", re.DOTALL)
    for folder in folders(environ):
        try:
            check_folder(folder)
            paths = sorted(folder.iterdir())
        except OSError:
            continue
        found += [path for path in paths if pattern.fullmatch(path.name) and is_own(path)]
    return found


def is_own(path: Path) -> bool:
    """Whether a path is a socket of this user."""
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISSOCK(facts.st_mode) and facts.st_uid == os.geteuid()


def peer_uid(sock: socket.socket) -> int | None:
    """Who is at the other end of a Unix socket, as the kernel says; None where it does not."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            return int(uid)
        if sys.platform == "darwin":
            _, uid = struct.unpack("2I", sock.getsockopt(0, 1, 76)[:8])  # LOCAL_PEERCRED: version and uid of xucred
            return int(uid)
    except (OSError, struct.error):
        return None
    return None


def _digest(root: Path) -> str:
    return hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:12]
