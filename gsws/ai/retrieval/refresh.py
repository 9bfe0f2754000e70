"""
Bringing the index of words up to what the folder holds, file by file.

Each file is one transaction: whoever searches meanwhile, or after an interruption, sees whole documents. A file is read
again if its size, times or inode changed, and cut anew only if its content did.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from gsws.ai.retrieval.chunks import Chunk, chunks_of
from gsws.ai.retrieval.database import Database
from gsws.ai.retrieval.protocol import Progress, Report, Trouble
from gsws.ai.retrieval.query import indexed
from gsws.ai.retrieval.readers import Unreadable, read_document
from gsws.ai.retrieval.readers.apart import Apart, is_quick
from gsws.ai.retrieval.scan import Found, Selection, Stamp, read_file, scan

__all__ = ["refresh_words"]

_BINARY: Final = "binary"
_RACY_NS: Final = 2 * 10**9
"""A file written so shortly before it was read may change again without its times telling (two seconds on FAT)."""


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    path: str
    hash: bytes
    stamp: Stamp
    read_ns: int
    error: str | None

    def is_sure(self, stamp: Stamp) -> bool:
        """Whether the file is certainly the one that was read."""
        return self.stamp == stamp and self.read_ns - stamp.mtime_ns > _RACY_NS


def refresh_words(
    database: Database,
    folder: Path,
    selection: Selection,
    *,
    rebuild: bool = False,
    again: bool = False,
    progress: Progress | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Report:
    """
    Index what is new or changed, and forget what is gone.

    Args:
        rebuild: Read and cut every file anew; each old one serves until it is replaced.
        again: Read also those files that could not be read the last time.
        progress: Called before each file that is read.
        is_stopping: Asked before each file; what is left then is for the next time.

    Raises:
        sqlite3.Error: If the index cannot be written, e.g. on a full disk.
    """
    began = time.monotonic()
    listing = scan(folder, selection)
    listed = time.monotonic() - began
    known = _known(database)
    report = Report(
        failed=list(listing.failed),
        skipped=list(listing.skipped),
        skipped_total=listing.skipped_total,
        unmatched=listing.unmatched,
        problem=listing.problem,
        files=len(listing.found) + listing.unmatched + listing.skipped_total,
        listing_seconds=listed,
    )
    present = {found.path for found in listing.found}
    gone = {path: one for path, one in known.items() if path not in present}
    _forget(database, gone.values())
    todo: list[Found] = []
    hashes: dict[str, bytes] = {}
    for found in listing.found:
        one = known.get(found.path)
        if one is None or rebuild or not one.is_sure(found.stamp) or (again and one.error is not None):
            todo.append(found)
        else:
            _still(report, one)
    with Apart() as apart:
        for number, found in enumerate(todo):
            if is_stopping():
                report.problem = report.problem or "stopped before the end; the next refresh goes on"
                break
            if progress is not None:
                progress(found.path, number, len(todo))
            hashes[found.path] = _take_in(database, found, known.get(found.path), selection, rebuild, report, apart)
    if progress is not None and todo:
        progress("", len(todo), len(todo))
    _tell_renames(report, gone.values(), hashes)
    with database.reading() as connection:
        [report.documents] = connection.execute("SELECT count(*) FROM files WHERE error IS NULL").fetchone()
        [report.chunks] = connection.execute("SELECT count(*) FROM chunks").fetchone()
    report.seconds = time.monotonic() - began
    return report


def _known(database: Database) -> dict[str, _Known]:
    with database.reading() as connection:
        rows = connection.execute("SELECT id, path, hash, size, mtime_ns, ctime_ns, inode, read_ns, error FROM files")
        return {
            path: _Known(id, path, hash, Stamp(*stamp), read, error) for id, path, hash, *stamp, read, error in rows
        }


def _still(report: Report, one: _Known) -> None:
    if one.error is None:
        report.unchanged += 1
    else:
        _refused(report, one.path, one.error)


def _refused(report: Report, path: str, reason: str) -> None:
    if reason == _BINARY:
        report.skipped_total += 1
        report.skipped.append(Trouble(path, reason))
    else:
        report.failed.append(Trouble(path, reason))


def _take_in(
    database: Database,
    found: Found,
    known: _Known | None,
    selection: Selection,
    rebuild: bool,
    report: Report,
    apart: Apart,
) -> bytes:
    """
    Read one file and put it into the index; a file that cannot be read is noted there with its reason.

    Returns:
        The hash of its content; empty if it could not be read.
    """
    now = time.time_ns()
    stamp, digest, error = found.stamp, b"", None
    title, chunks = "", list[Chunk]()
    try:
        raw, stamp = read_file(found, selection.max_file_bytes)
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        if known is not None and known.hash == digest and known.error is None and not rebuild:
            _touch(database, known.id, stamp, now)
            report.unchanged += 1
            return digest
        content = (read_document if is_quick(found.path, raw) else apart.read)(found.path, raw)
        title, chunks = content.title or PurePosixPath(found.path).stem, chunks_of(content)
    except FileNotFoundError:
        return b""  # gone since it was listed; the next refresh forgets it
    except OSError as failure:
        error = f"cannot be read: {failure.strerror or failure}"
    except (ValueError, Unreadable) as failure:
        error = str(failure)
    row = (title, digest, stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode, now, error, found.path)
    with database.writing() as connection:
        _put(connection, row, chunks)
    if error is not None:
        _refused(report, found.path, error)
    elif known is None:
        report.added.append(found.path)
    elif known.hash == digest:
        report.unchanged += 1
    else:
        report.changed.append(found.path)
    return digest


def _put(connection: sqlite3.Connection, row: tuple[object, ...], chunks: list[Chunk]) -> None:
    title, path = str(row[0]), str(row[-1])
    found = connection.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
    if found is not None:
        file = found[0]
        _drop_chunks(connection, file)
        columns = "title = ?, hash = ?, size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, read_ns = ?, error = ?"
        connection.execute(f"UPDATE files SET {columns} WHERE path = ?", row)  # noqa: S608  # the line above
    else:
        columns = "title, hash, size, mtime_ns, ctime_ns, inode, read_ns, error, path"
        insert = f"INSERT INTO files ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # the line above
        file = connection.execute(insert, row).lastrowid
    # The file's name is a title too: `limits.md` is asked for by its name.
    titled = indexed(f"{title} {PurePosixPath(path).with_suffix('')}")
    for chunk in chunks:
        *above, own = chunk.heading or ("",)
        inserted = connection.execute(
            "INSERT INTO chunks (file, heading, anchor, text, digest) VALUES (?, ?, ?, ?, ?)",
            (file, " › ".join(chunk.heading), chunk.anchor, chunk.text, chunk.digest),
        )
        connection.execute(
            "INSERT INTO words (rowid, title, above, heading, text) VALUES (?, ?, ?, ?, ?)",
            (inserted.lastrowid, titled, indexed(" ".join(above)), indexed(own), indexed(chunk.text)),
        )


def _touch(database: Database, id: int, stamp: Stamp, now: int) -> None:
    with database.writing() as connection:
        connection.execute(
            "UPDATE files SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, read_ns = ? WHERE id = ?",
            (stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode, now, id),
        )


def _forget(database: Database, gone: Collection[_Known]) -> None:
    if not gone:
        return
    with database.writing() as connection:
        for one in gone:
            _drop_chunks(connection, one.id)
            connection.execute("DELETE FROM files WHERE id = ?", (one.id,))


def _drop_chunks(connection: sqlite3.Connection, file: int) -> None:
    connection.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM chunks WHERE file = ?)", (file,))
    connection.execute("DELETE FROM chunks WHERE file = ?", (file,))


def _tell_renames(report: Report, gone: Iterable[_Known], hashes: Mapping[str, bytes]) -> None:
    """Tell a file that went and came under another name with the same content as renamed."""
    new: dict[bytes, list[str]] = {}
    for path in reversed(report.added):
        new.setdefault(hashes[path], []).append(path)
    for one in gone:
        if one.error is None and new.get(one.hash):
            path = new[one.hash].pop()
            report.added.remove(path)
            report.renamed.append((one.path, path))
        else:
            report.removed.append(one.path)
