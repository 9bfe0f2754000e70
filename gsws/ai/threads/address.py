"""Where threads are kept, as configuration writes it: a file, this process's memory, or a Postgres database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from gsws.ai.threads.errors import ThreadStoreError

__all__ = ["Address", "read_address"]


@dataclass(frozen=True, slots=True)
class Address:
    """
    Where a store is.

    Attributes:
        kind: Which store.
        target: The file's path, ``:memory:``, or what Postgres's client is given.
        shown: How it is named to people; without a password.
    """

    kind: Literal["sqlite", "postgres"]
    target: str
    shown: str


def read_address(url: str, base: Path | None = None) -> Address:
    """
    Read ``sqlite:///relative/path``, ``sqlite:////absolute/path``, a path, ``memory:`` or ``postgresql://…``.

    Args:
        base: The folder in which a relative path starts; the working directory without one.

    Raises:
        ThreadStoreError: If it is none of these.
    """
    if url in ("memory:", "sqlite://", "sqlite:///:memory:", ":memory:"):
        return Address("sqlite", ":memory:", "memory:")
    scheme, separator, rest = url.partition("://")
    if separator and scheme.lower() in ("postgresql", "postgres"):
        return Address("postgres", url, _without_password(url))
    if separator and scheme.lower() == "sqlite":
        if not rest.startswith("/") or len(rest) < 2 or "?" in rest:
            raise ThreadStoreError(f"`{url}` names no file", "write `sqlite:///.gsws/threads.sqlite`")
        return _file(unquote(rest[1:]), base)
    if separator or not url.strip():
        raise ThreadStoreError(
            f"`{_without_password(url)}` is no place for threads",
            "expected `sqlite:///path`, `postgresql://host/database` or `memory:`",
        )
    return _file(url, base)


def _file(path: str, base: Path | None) -> Address:
    if "\0" in path:
        raise ThreadStoreError(f"`{path!r}` is no path of a file")
    place = (base or Path()) / path
    return Address("sqlite", str(place), str(place))


def _without_password(url: str) -> str:
    """Scheme, host and path: user, password and options stay out of messages."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "postgresql://…"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
