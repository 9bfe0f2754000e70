"""
Opening the SQLite file of a store: made for its owner alone, checked before it is used, never overwritten.

What is read and written in it is `sqlite`'s.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import aiosqlite

from gsws.ai.threads.errors import ThreadStoreError

__all__ = ["BUSY_SECONDS", "SCHEMA", "connect", "said"]

BUSY_SECONDS: Final = 5.0
"""How long a write waits for another process that writes."""

_VERSION: Final = 1  # of the table `gsws_threads`
_MAGIC: Final = b"SQLite format 3\0"
_CHECK_SECONDS: Final = 1.0
_WAL_BYTES: Final = 4 * 2**20

_COLUMNS: Final = {
    "checkpoints": {"thread_id", "checkpoint_ns", "checkpoint_id", "type", "checkpoint", "metadata"},
    "writes": {"thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", "channel", "type", "value"},
}

SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS gsws_threads (
    key TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    messages INTEGER NOT NULL DEFAULT 0,
    updated REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS gsws_threads_subject ON gsws_threads (subject, updated);
CREATE INDEX IF NOT EXISTS gsws_threads_updated ON gsws_threads (updated);
PRAGMA user_version = {_VERSION};
"""
"""Beside LangGraph's tables: what a list of threads shows, so that none is read for it."""


async def connect(path: str, create: bool = True) -> aiosqlite.Connection:
    """
    Open the file, or make it if it may be; in a thread of its own.

    Returns:
        A connection in autocommit mode, with WAL, ``synchronous=NORMAL`` and ``secure_delete``.

    Raises:
        ThreadStoreError: If it is no SQLite file, one of something else, damaged, or cannot be written.
    """
    if path != ":memory:":
        await asyncio.to_thread(_prepare if create else _check, Path(path))
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return await _connect(path)
        except sqlite3.Error as error:
            # The change to WAL is refused at once, not waited for, while another process makes it.
            is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise said(error, path) from error
        await asyncio.sleep(0.05)


def said(error: sqlite3.Error, path: str) -> ThreadStoreError:
    """What SQLite reports, in one sentence that names the file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    what, help = {
        sqlite3.SQLITE_BUSY: ("is locked by another process", "look who else has it open"),
        sqlite3.SQLITE_LOCKED: ("is locked by another process", "look who else has it open"),
        sqlite3.SQLITE_FULL: ("cannot be written: the disk is full", None),
        sqlite3.SQLITE_READONLY: ("cannot be written: it is read-only", "check who owns the file and its folder"),
        sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check who owns the file and its folder"),
        sqlite3.SQLITE_PERM: ("may not be opened", "check who owns the file and its folder"),
        sqlite3.SQLITE_NOTADB: ("is no SQLite file", "name another file; this one is left as it is"),
        sqlite3.SQLITE_CORRUPT: ("is damaged", "restore it, or move it away; it is left as it is"),
        sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", None),
    }.get(code, (f"cannot be used: {error}", None))
    return ThreadStoreError(f"the file of threads `{path}` {what}", help)


def _prepare(path: Path) -> None:
    """Make the folder and an empty file for the owner alone, or check the file that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ignore = path.parent / ".gitignore"
        if path.parent.name == ".gsws" and not ignore.exists():
            # What users said is nothing to commit; what else lies there is not for this to decide.
            ignore.write_text(f".gitignore\n/{path.name}*\n")
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:  # the file, or one that stands where its folder should be
        if path.parent.is_dir():
            return _check(path)
        raise ThreadStoreError(f"the file of threads `{path}` cannot be made: `{path.parent}` is a file") from None
    except OSError as error:
        raise ThreadStoreError(f"the file of threads `{path}` cannot be made: {error.strerror}") from error


def _check(path: Path) -> None:
    if not path.exists():
        raise ThreadStoreError(f"there is no file of threads `{path}`")
    if not path.is_file():
        raise ThreadStoreError(f"the file of threads `{path}` is no file, but a folder or a device")
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise ThreadStoreError(f"the file of threads `{path}` cannot be read: {error.strerror}") from error
    if not head:
        return
    if head != _MAGIC:
        raise ThreadStoreError(
            f"the file of threads `{path}` is no SQLite file", "name another file; this one is left as it is"
        )
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
        try:
            _check_content(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise said(error, str(path)) from error


def _check_content(connection: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, columns in _COLUMNS.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if (tables or found) and not columns <= found:
            raise ThreadStoreError(
                f"the file of threads `{path}` holds something else: no table `{table}` of LangGraph's",
                "name another file; this one is left as it is",
            )
    if connection.execute("PRAGMA user_version").fetchone()[0] > _VERSION:
        raise ThreadStoreError(f"the file of threads `{path}` was written by a newer gsws", "update gsws")
    # A look at every page, given up when it takes long: damage found later is reported then.
    deadline = time.monotonic() + _CHECK_SECONDS
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
    try:
        [verdict] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return
    if verdict != "ok":
        raise ThreadStoreError(
            f"the file of threads `{path}` is damaged", "restore it, or move it away; it is left as it is"
        )


async def _connect(path: str) -> aiosqlite.Connection:
    connection = aiosqlite.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    # A program that ends without closing the store must end nevertheless.
    thread: Any = getattr(connection, "_thread", connection)
    thread.daemon = True
    try:
        await connection
        await _set_up(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _set_up(connection: aiosqlite.Connection) -> None:
    # Takes effect on a new file only, and only before the first table.
    await connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    await connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode a killed process loses nothing; a power cut may cost the last turns, never the file.
    await connection.execute("PRAGMA synchronous = NORMAL")
    await connection.execute("PRAGMA secure_delete = ON")
    await connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
