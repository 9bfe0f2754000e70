"""
The SQLite file of an index: its tables, its connections, and a new one in place of a file that is none.

One connection writes, a few read; WAL lets them go on side by side, in several threads and several processes. What
is written and asked is not known here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

__all__ = ["Closed", "Database", "is_damage"]

_LOG = logging.getLogger("gsws.ai.retrieval")

APPLICATION_ID: Final = 0x67737769  # "gswi"
CONTENT_VERSION: Final = 1
"""Raised when chunks or what is indexed of them change: an index of another version is built anew."""

_BUSY_SECONDS: Final = 10.0
_MAX_IDLE: Final = 8

# An id is never given twice, so that what was found is not mistaken for what came in its place.
# Combining marks are part of words: without them Hindi and other scripts fall apart.
_SCHEMA: Final = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, title TEXT NOT NULL, hash BLOB NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    read_ns INTEGER NOT NULL, error TEXT
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL REFERENCES files ON DELETE CASCADE,
    heading TEXT NOT NULL, anchor TEXT NOT NULL, text TEXT NOT NULL, digest BLOB NOT NULL
);
CREATE INDEX chunks_by_file ON chunks (file);
CREATE INDEX chunks_by_digest ON chunks (digest);
CREATE VIRTUAL TABLE words USING fts5(
    title, above, heading, text, detail=full,
    tokenize="porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
CREATE TABLE vectors (model TEXT NOT NULL, digest BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (model, digest));
"""
# Taken from the tables themselves, so that nobody can forget to raise it with them.
SCHEMA_VERSION: Final = crc32(f"{CONTENT_VERSION}{_SCHEMA}".encode()) & 0x7FFFFFFF


class Closed(RuntimeError):
    """The index was closed."""

    def __str__(self) -> str:
        return "the index is closed"


class _Unusable(Exception):
    """The file is not an index of this version."""

    def __str__(self) -> str:
        return "it is no index of this version"


class Database:
    """
    The file of one index.

    Args:
        path: Where; its folder is made.

    Raises:
        OSError: If the folder cannot be made or the file not be opened.
        sqlite3.Error: If it cannot be opened for another reason, e.g. a full disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.replaced = 0
        self._lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._generation = 0
        self._closed = False
        self._writer = self._open_or_replace()
        self._inode = self._file_number()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading; what it sees does not change within a transaction."""
        connection, generation = self._borrow()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            keep = not self._closed and generation == self._generation and len(self._idle) < _MAX_IDLE
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; all of it is kept, or nothing if the block raises."""
        with self._write_lock:
            if self._closed:
                raise Closed
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def check(self) -> bool:
        """Open the file again if another one, or none, is in its place; tell whether that was so."""
        if self._closed or self._file_number() == self._inode:
            return False
        with self._write_lock:
            self._reopen()
        return True

    def replace(self, broken: BaseException) -> None:
        """Put a new, empty index in place of one that turned out to be broken."""
        with self._write_lock:
            if self._closed:
                raise Closed
            _LOG.warning("the index %s is broken and is built anew: %s", self.path, broken)
            self._writer.close()
            with _only_one(self.path):
                if self._file_number() == self._inode:  # else another process was faster
                    self._set_aside()
            self._reopen()

    def close(self) -> None:
        """Close every connection; what is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        with self._write_lock:
            self._writer.close()

    def _borrow(self) -> tuple[sqlite3.Connection, int]:
        with self._lock:
            if self._closed:
                raise Closed
            generation = self._generation
            if self._idle:
                return self._idle.pop(), generation
        return _connect(self.path), generation

    def _reopen(self) -> None:
        self._writer.close()
        self._writer = self._open_or_replace()
        self._inode = self._file_number()
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _file_number(self) -> int | None:
        try:
            return self.path.stat().st_ino
        except OSError:
            return None

    def _open_or_replace(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _open(self.path)
        except (_Unusable, sqlite3.DatabaseError) as error:
            if not is_damage(error):
                raise
        with _only_one(self.path):
            try:
                return _open(self.path)  # another process was faster
            except (_Unusable, sqlite3.DatabaseError) as error:
                if not is_damage(error):
                    raise
                self._set_aside()
            return _open(self.path)

    def _set_aside(self) -> None:
        """Delete an index of ours, which can be made again; keep a file of somebody else under another name."""
        self.replaced += 1
        if _is_ours(self.path):
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            number = 1
            while (kept := self.path.with_name(f"{self.path.name}.not-an-index-{number}")).exists():
                number += 1
            self.path.rename(kept)
            _LOG.warning("%s was no index of documents; it is kept as %s", self.path, kept.name)
        for suffix in ("-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


def is_damage(error: BaseException) -> bool:
    """Whether the content of the file is at fault; locked, full and not to be opened are no damage."""
    return not isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError | sqlite3.IntegrityError)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")  # a document that was deleted is not to be read out of the file
    except BaseException:
        connection.close()  # a damaged file must not stay open: it is about to be moved
        raise
    return connection


def _open(path: Path) -> sqlite3.Connection:
    """
    Open an index, or make one where there is no file.

    Raises:
        _Unusable: If this is another kind of file, or another version.
        sqlite3.DatabaseError: If it is damaged.
    """
    connection = _connect(path)
    try:
        if not _is_made(connection):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            # Not executescript: it would commit first, and two processes would both make the tables.
            if not _is_made(connection):
                for statement in _SCHEMA.split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        _check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise _Unusable
    try:
        connection.execute("SELECT 1 FROM files, chunks, words, vectors LIMIT 0")
    except sqlite3.OperationalError:  # a table is missing
        raise _Unusable from None


def _is_made(connection: sqlite3.Connection) -> bool:
    [identity] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and (identity, version) != (APPLICATION_ID, SCHEMA_VERSION):
        raise _Unusable
    return bool(tables)


def _is_ours(path: Path) -> bool:
    """Whether the file's header says that it is an index, of whatever version."""
    try:
        with path.open("rb") as file:
            head = file.read(72)
    except OSError:
        return False
    return head[68:72] == APPLICATION_ID.to_bytes(4, "big") or not head


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Keep other processes from replacing the same file: a lock that ends with its process, on every system."""
    lock = sqlite3.connect(f"{os.fspath(path)}.lock", timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()
