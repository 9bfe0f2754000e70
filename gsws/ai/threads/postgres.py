"""
Threads in a Postgres database, for services of several processes or machines.

What `ThreadStore` asks of it beside the turns, which go through `postgres_saver`. The twin of `sqlite`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from gsws.ai.threads.errors import ThreadStoreError
from gsws.ai.threads.naming import owner
from gsws.ai.threads.postgres_saver import PostgresSaver, said
from gsws.ai.threads.summary import Row

__all__ = ["PostgresThreads"]

_CONNECTIONS: Final = 10
_CONNECT_SECONDS: Final = 5.0
_SETUP_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 3.0
_LOCK: Final = 0x67737773  # "gsws": who makes the tables

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS gsws_threads (key text PRIMARY KEY, subject text NOT NULL,"
    " title text NOT NULL DEFAULT '', messages integer NOT NULL DEFAULT 0, updated double precision NOT NULL)",
    "CREATE INDEX IF NOT EXISTS gsws_threads_subject ON gsws_threads (subject, updated)",
    "CREATE INDEX IF NOT EXISTS gsws_threads_updated ON gsws_threads (updated)",
)
_ADOPT: Final = "INSERT INTO gsws_threads (key, subject, updated) VALUES (%s, %s, %s) ON CONFLICT (key) DO NOTHING"
_DROP_ORPHANS: Final = (
    "DELETE FROM checkpoint_writes WHERE ctid = ANY(ARRAY(SELECT o.ctid FROM checkpoint_writes AS o WHERE"
    " EXISTS (SELECT 1 FROM checkpoints AS l WHERE l.thread_id = o.thread_id"
    " AND l.checkpoint_ns = o.checkpoint_ns AND l.checkpoint_id > o.checkpoint_id)"
    " AND NOT EXISTS (SELECT 1 FROM checkpoints AS c WHERE c.thread_id = o.thread_id"
    " AND c.checkpoint_ns = o.checkpoint_ns AND c.checkpoint_id = o.checkpoint_id) LIMIT %s))"
)


class PostgresThreads:
    """The store's side of a database: listing, deleting, keeping it small."""

    def __init__(self, saver: PostgresSaver) -> None:
        self.checkpointer = saver

    @classmethod
    async def open(cls, url: str, shown: str, create: bool = True) -> PostgresThreads:
        """
        Connect, and make the tables where they are missing if they may be made.

        Args:
            shown: The database's name for people, without a password.

        Raises:
            ThreadStoreError: If it cannot be reached, or the tables cannot be made.
        """
        options = {"autocommit": True, "prepare_threshold": None, "row_factory": dict_row}
        try:
            async with asyncio.timeout(_SETUP_SECONDS):
                await _set_up(url, shown, options, create)
        except TimeoutError as error:
            raise ThreadStoreError(f"the database of threads `{shown}` does not answer") from error
        except psycopg.Error as error:
            raise said(error, shown) from error
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=_CONNECT_SECONDS,
            kwargs={**options, "connect_timeout": int(_CONNECT_SECONDS)},
            # A connection that was lost meanwhile is replaced before a turn gets it.
            check=AsyncConnectionPool.check_connection,
            open=False,
            name="gsws-threads",
        )
        await pool.open()
        return cls(PostgresSaver(pool, shown))

    async def rows(self, subject: str, limit: int) -> list[Row]:
        """The threads of a subject's key, the last used first."""
        sql = "SELECT key, title, messages, updated FROM gsws_threads WHERE subject = %s ORDER BY updated DESC LIMIT %s"
        return [Row(**row) for row in await self._read(sql, (subject, limit))]

    async def subjects(self, limit: int) -> list[tuple[str, int, float]]:
        """Each subject's key, how many threads it has, and when one of them was last used."""
        sql = (
            "SELECT subject, count(*) AS threads, max(updated) AS updated FROM gsws_threads"
            " GROUP BY subject ORDER BY 3 DESC LIMIT %s"
        )
        return [(row["subject"], row["threads"], row["updated"]) for row in await self._read(sql, (limit,))]

    async def keys(self, subject: str, limit: int) -> list[str]:
        """Keys of a subject's threads."""
        return await self._keys("SELECT key FROM gsws_threads WHERE subject = %s LIMIT %s", (subject, limit))

    async def stale(self, before: float, limit: int) -> list[str]:
        """Keys of the threads that were last used before a time."""
        sql = "SELECT key FROM gsws_threads WHERE updated < %s ORDER BY updated LIMIT %s"
        return await self._keys(sql, (before, limit))

    async def surplus(self, keep: int, limit: int) -> list[str]:
        """Keys of the threads beyond the ``keep`` last used ones of each subject."""
        sql = (
            "SELECT key FROM (SELECT key, row_number() OVER (PARTITION BY subject ORDER BY updated DESC) AS place"
            " FROM gsws_threads WHERE subject IN (SELECT subject FROM gsws_threads WHERE subject <> ''"
            " GROUP BY subject HAVING count(*) > %s)) AS ranked WHERE place > %s LIMIT %s"
        )
        return await self._keys(sql, (keep, keep, limit))

    async def delete(self, keys: Sequence[str], before: float | None = None) -> int:
        """Delete threads with everything in them, unless used since ``before``; tell how many there were."""
        return await self.checkpointer.delete(keys, before) if keys else 0

    async def prune(self, limit: int) -> int:
        """
        Take in threads that another program wrote, drop their older checkpoints, and writes that came too late.

        Returns:
            ``limit`` if there may be more to do, less if not.
        """
        sql = (
            "SELECT DISTINCT thread_id AS key FROM checkpoints"
            " WHERE NOT EXISTS (SELECT 1 FROM gsws_threads WHERE key = thread_id) LIMIT %s"
        )
        unknown = await self._keys(sql, (limit,))
        for key in unknown:
            await self.checkpointer.run(self._adopt(key), is_write=True)
        return max(len(unknown), await self.checkpointer.run(self._write(_DROP_ORPHANS, (limit,)), is_write=True))

    async def tidy(self) -> None:
        """Nothing: Postgres's autovacuum frees what was deleted."""

    async def aclose(self) -> None:
        """Close the connections once running writes are through, within a deadline."""
        await self.checkpointer.work.drain(_CLOSE_SECONDS)
        await self.checkpointer.pool.close(timeout=_CLOSE_SECONDS)

    async def _keys(self, sql: str, values: Sequence[Any]) -> list[str]:
        return [row["key"] for row in await self._read(sql, values)]

    async def _read(self, sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        return await self.checkpointer.run(self._fetch(sql, values))

    async def _fetch(self, sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        async with self.checkpointer.pool.connection() as connection:
            return list(await (await connection.execute(sql, values)).fetchall())

    async def _write(self, sql: str, values: Sequence[Any]) -> int:
        async with self.checkpointer.pool.connection() as connection:
            return int((await connection.execute(sql, values)).rowcount)

    async def _adopt(self, key: str) -> None:
        await self._write(_ADOPT, (key, owner(key), time.time()))
        # A state may be spread over them; and a turn that is storing the thread just now prunes it itself.
        with contextlib.suppress(NotImplementedError, SerializationFailure, DeadlockDetected):
            await self.checkpointer.aprune([key])


async def _set_up(url: str, shown: str, options: dict[str, Any], create: bool) -> None:
    """Make the tables, one process at a time; a user who may not make any needs them made before."""
    connection = await psycopg.AsyncConnection.connect(url, **options, connect_timeout=int(_CONNECT_SECONDS))
    async with connection:
        if await _is_set_up(connection):
            return
        if not create:
            raise ThreadStoreError(f"there are no threads in `{shown}`")
        # Asked again and again, since a statement that waits would hold up CREATE INDEX CONCURRENTLY of who has it.
        while True:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS mine", (_LOCK,))
            row = await cursor.fetchone()
            if row is not None and row["mine"]:
                break
            await asyncio.sleep(0.1)
        await AsyncPostgresSaver(connection).setup()
        for sql in _SCHEMA:
            await connection.execute(sql)


async def _is_set_up(connection: psycopg.AsyncConnection[Any]) -> bool:
    tables = "to_regclass('checkpoint_migrations') AS migrations, to_regclass('gsws_threads') AS threads"
    row = await (await connection.execute(f"SELECT {tables}")).fetchone()
    if row is None or row["migrations"] is None or row["threads"] is None:
        return False
    row = await (await connection.execute("SELECT max(v) AS version FROM checkpoint_migrations")).fetchone()
    return row is not None and row["version"] is not None and row["version"] >= len(AsyncPostgresSaver.MIGRATIONS) - 1
