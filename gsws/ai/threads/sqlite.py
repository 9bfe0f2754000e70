"""
Threads in an SQLite file: what `ThreadStore` asks of it beside the turns, which go through `sqlite_saver`.

Deleted text leaves the file: pages are overwritten when they are freed, and the write-ahead log is emptied.
"""

# ruff: noqa: S608 -- statements are put together from this module's own texts; values are always bound

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, Final

from gsws.ai.threads.errors import ThreadStoreError
from gsws.ai.threads.naming import owner
from gsws.ai.threads.sqlite_file import connect, said
from gsws.ai.threads.sqlite_saver import SqliteSaver, deletion
from gsws.ai.threads.summary import Row

__all__ = ["SqliteThreads"]

_CLOSE_SECONDS: Final = 3.0
_VACUUM_PAGES: Final = 2_000

_UNKNOWN: Final = (
    "SELECT DISTINCT thread_id FROM checkpoints WHERE thread_id NOT IN (SELECT key FROM gsws_threads) LIMIT ?"
)
_ADOPT: Final = "INSERT OR IGNORE INTO gsws_threads (key, subject, updated) VALUES (?, ?, ?)"
_LATEST: Final = (
    "(SELECT max(checkpoint_id) FROM checkpoints AS l"
    " WHERE l.thread_id = o.thread_id AND l.checkpoint_ns = o.checkpoint_ns)"
)
_DROP_OLDER: Final = (
    f"DELETE FROM checkpoints WHERE rowid IN (SELECT o.rowid FROM checkpoints AS o WHERE o.checkpoint_id < {_LATEST}"
    " AND NOT EXISTS (SELECT 1 FROM checkpoints AS d WHERE d.thread_id = o.thread_id"
    " AND json_extract(CAST(d.metadata AS TEXT), '$.counters_since_delta_snapshot') IS NOT NULL) LIMIT ?)"
)
# What was written for a checkpoint that was never stored, or that is gone; not for one that may be about to be.
_DROP_ORPHANS: Final = (
    f"DELETE FROM writes WHERE rowid IN (SELECT o.rowid FROM writes AS o WHERE o.checkpoint_id < {_LATEST}"
    " AND NOT EXISTS (SELECT 1 FROM checkpoints AS c WHERE c.thread_id = o.thread_id"
    " AND c.checkpoint_ns = o.checkpoint_ns AND c.checkpoint_id = o.checkpoint_id) LIMIT ?)"
)


class SqliteThreads:
    """The store's side of an SQLite file: listing, deleting, keeping it small."""

    def __init__(self, saver: SqliteSaver) -> None:
        self.checkpointer = saver

    @classmethod
    async def open(cls, path: str, create: bool = True) -> SqliteThreads:
        """
        Open the file, or make it if it may be.

        Raises:
            ThreadStoreError: If it cannot be used.
        """
        connection = await connect(path, create)
        saver = SqliteSaver(connection, path)
        try:
            await saver.setup()
        except sqlite3.Error as error:
            await connection.close()
            raise said(error, path) from error
        return cls(saver)

    async def rows(self, subject: str, limit: int) -> list[Row]:
        """The threads of a subject's key, the last used first."""
        found = await self._read(
            "SELECT key, title, messages, updated FROM gsws_threads WHERE subject = ? ORDER BY updated DESC LIMIT ?",
            (subject, limit),
        )
        return [Row(*row) for row in found]

    async def subjects(self, limit: int) -> list[tuple[str, int, float]]:
        """Each subject's key, how many threads it has, and when one of them was last used."""
        return await self._read(
            "SELECT subject, count(*), max(updated) FROM gsws_threads GROUP BY subject ORDER BY 3 DESC LIMIT ?",
            (limit,),
        )

    async def keys(self, subject: str, limit: int) -> list[str]:
        """Keys of a subject's threads."""
        sql = "SELECT key FROM gsws_threads WHERE subject = ? LIMIT ?"
        return [key for (key,) in await self._read(sql, (subject, limit))]

    async def stale(self, before: float, limit: int) -> list[str]:
        """Keys of the threads that were last used before a time."""
        sql = "SELECT key FROM gsws_threads WHERE updated < ? ORDER BY updated LIMIT ?"
        return [key for (key,) in await self._read(sql, (before, limit))]

    async def surplus(self, keep: int, limit: int) -> list[str]:
        """Keys of the threads beyond the ``keep`` last used ones of each subject."""
        sql = (
            "SELECT key FROM (SELECT key, row_number() OVER (PARTITION BY subject ORDER BY updated DESC) AS place"
            " FROM gsws_threads WHERE subject IN (SELECT subject FROM gsws_threads WHERE subject <> ''"
            " GROUP BY subject HAVING count(*) > ?)) WHERE place > ? LIMIT ?"
        )
        return [key for (key,) in await self._read(sql, (keep, keep, limit))]

    async def delete(self, keys: Sequence[str], before: float | None = None) -> int:
        """
        Delete threads with everything in them.

        Args:
            before: Leave alone what has been used since this time.

        Returns:
            How many were there.
        """
        if not keys:
            return 0
        return await self.checkpointer.write(deletion(keys, math.inf if before is None else before))

    async def prune(self, limit: int) -> int:
        """
        Take in threads that another program wrote, and drop what no thread needs.

        Returns:
            ``limit`` if there may be more to do, less if not.
        """
        unknown = await self._read(_UNKNOWN, (limit,))
        now = time.time()
        adopted = [(_ADOPT, (key, owner(key), now)) for (key,) in unknown]
        dropped = await self.checkpointer.write([*adopted, (_DROP_ORPHANS, (limit,)), (_DROP_OLDER, (limit,))])
        return max(dropped, len(unknown))

    async def tidy(self) -> None:
        """Give free pages back, and let deleted text leave the file and its log; bounded work."""
        saver = self.checkpointer
        async with saver.lock:
            try:
                # As a script: run as a statement, sqlite3 stops it after its first page.
                await saver.conn.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
                await saver.conn.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise said(error, saver.path) from error

    async def aclose(self) -> None:
        """Close the file once running writes are through, within a deadline."""
        saver = self.checkpointer
        await saver.work.drain(_CLOSE_SECONDS)
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await saver.conn.close()
        except TimeoutError:
            raise ThreadStoreError(f"the file of threads `{saver.path}` did not close in time") from None

    async def _read(self, sql: str, values: Sequence[Any]) -> list[Any]:
        saver = self.checkpointer
        saver.check_open()
        async with saver.lock:
            try:
                return list(await saver.conn.execute_fetchall(sql, values))
            except sqlite3.Error as error:
                raise said(error, saver.path) from error
