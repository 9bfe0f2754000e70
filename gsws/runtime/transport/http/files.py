"""
Static files of a project's ``public/`` folder: from a request path to an open file or nothing.

No sockets; `connection` sends what is found. Nothing outside of the folder is ever served, nor anything hidden.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote_to_bytes

__all__ = ["PublicFile", "PublicFolder"]

CONTENT_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
"""Fixed here, because the tables of the machine (``/etc/mime.types``) differ."""

_OPEN_FLAGS = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"):
    # The path is resolved: a link there now was put in between. A FIFO would wait for its writer.
    _OPEN_FLAGS |= getattr(os, _flag, 0)


@dataclass(frozen=True, slots=True)
class PublicFile:
    """
    An open file.

    Attributes:
        descriptor: To be closed by whoever got it.
        size: Bytes.
        content_type: Media type.
        headers: ``ETag``, ``Last-Modified`` and how to cache it.
    """

    descriptor: int
    size: int
    content_type: str
    headers: tuple[tuple[str, str], ...]

    def read(self, size: int, offset: int = 0) -> bytes:
        """Read a piece; safe in a thread while the descriptor is being closed, as `os.read` is not."""
        if hasattr(os, "pread"):
            return os.pread(self.descriptor, size, offset)
        os.lseek(self.descriptor, offset, os.SEEK_SET)
        return os.read(self.descriptor, size)

    def close(self) -> None:
        """Give back the descriptor."""
        os.close(self.descriptor)

    @property
    def etag(self) -> str:
        return dict(self.headers)["ETag"]

    @property
    def modified(self) -> str:
        return dict(self.headers)["Last-Modified"]

    @property
    def is_page(self) -> bool:
        return self.content_type.startswith("text/html")


class PublicFolder:
    """
    The files below one folder.

    Args:
        root: The folder; it may appear later.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, path: str) -> PublicFile | str | None:
        """
        Open what a request path names.

        Args:
            path: Path as sent, percent-encoded.

        Returns:
            A file; or, for a directory asked for without a slash at the end, where it is from there; or None.
        """
        names = _names(path)
        if names is None:
            return None
        try:
            root = self._root.resolve()
            target = root.joinpath(*names).resolve()
            if target.is_dir():
                if not path.endswith("/"):
                    return "./" + path.rpartition("/")[2] + "/" if _is_public(target, root) else None
                target = (target / "index.html").resolve()
            elif path.endswith("/"):
                return None
            if not _is_public(target, root):
                return None
            descriptor = os.open(target, _OPEN_FLAGS)
        except (OSError, RuntimeError, ValueError):  # RuntimeError: a loop of links
            return None
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            return None
        headers = (
            ("ETag", f'"{facts.st_mtime_ns:x}-{facts.st_size:x}-{facts.st_ino:x}"'),
            ("Last-Modified", formatdate(int(facts.st_mtime), usegmt=True)),
            ("Cache-Control", "no-cache"),
            ("Accept-Ranges", "bytes"),
        )
        content_type = CONTENT_TYPES.get(target.suffix.lower(), "application/octet-stream")
        return PublicFile(descriptor, facts.st_size, content_type, headers)


def _is_public(target: Path, root: Path) -> bool:
    """Whether a resolved path may be served: where a link leads decides, not how it is called."""
    return target.is_relative_to(root) and not any(part.startswith(".") for part in target.relative_to(root).parts)


def _names(path: str) -> list[str] | None:
    try:
        # A name on disk is bytes, of which nobody says that they are UTF-8.
        decoded = [os.fsdecode(unquote_to_bytes(part)) for part in path.split("/")]
    except UnicodeDecodeError:
        return None
    if not decoded or decoded[0]:
        return None
    names = decoded[1:]
    if names and names[-1] == "":
        names.pop()
    for name in names:
        # An empty name would make `//host/` a redirect elsewhere; a dot begins `..` and hidden files.
        if not name or name.startswith(".") or any(c in "/\\:" or c < " " or c == "\x7f" for c in name):
            return None
    return names
