"""
LangGraph's saver for Postgres over a pool of connections, made to keep one checkpoint of a thread.

A write is finished whatever becomes of the turn, and everything ends within a deadline. The twin of `sqlite_saver`;
connecting, listing and deleting are `postgres`'.
"""

# ruff: noqa: S608 -- statements are put together from this module's own texts; values are always bound

from __future__ import annotations

import time
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from gsws.ai.threads.errors import ThreadStoreError, damaged
from gsws.ai.threads.finishing import Work
from gsws.ai.threads.naming import owner
from gsws.ai.threads.summary import summarise

__all__ = ["PostgresSaver", "said"]

T = TypeVar("T")

_DEADLINE: Final = 10.0

_TABLES: Final = ("checkpoint_writes", "checkpoint_blobs", "checkpoints")

# As in `sqlite_saver`: writes and calls of subgraphs go by the checkpoints that are deleted. Connections run side by
# side, so a write may come after the checkpoint that supersedes it; the next turn drops it, being older.
_OLD: Final = (
    "SELECT checkpoint_id FROM checkpoints"
    " WHERE thread_id = %(key)s AND checkpoint_ns = %(namespace)s AND checkpoint_id <> %(new)s"
)
_CALLS: Final = (
    "SELECT checkpoint_ns FROM checkpoints WHERE thread_id = %(key)s AND position(':' in checkpoint_ns) > 0"
    f" AND metadata -> 'parents' ->> '' IN ({_OLD})"
)
_HERE: Final = "thread_id = %(key)s AND checkpoint_ns = %(namespace)s"
_SUPERSEDE: Final = (
    f"DELETE FROM checkpoint_writes WHERE {_HERE} AND (checkpoint_id IN ({_OLD}) OR checkpoint_id < %(new)s)",
    f"DELETE FROM checkpoints WHERE {_HERE} AND checkpoint_id <> %(new)s",
    f"DELETE FROM checkpoint_blobs AS b WHERE {_HERE} AND NOT EXISTS (SELECT 1 FROM checkpoints AS c"
    " CROSS JOIN LATERAL jsonb_each_text(c.checkpoint -> 'channel_versions') AS v"
    " WHERE c.thread_id = b.thread_id AND c.checkpoint_ns = b.checkpoint_ns"
    " AND v.key = b.channel AND v.value = b.version)",
    f"UPDATE checkpoints SET parent_checkpoint_id = NULL WHERE {_HERE} AND parent_checkpoint_id IS NOT NULL",
)
_DROP_CALLS: Final = tuple(
    f"DELETE FROM {table} WHERE thread_id = %(key)s AND checkpoint_ns IN ({_CALLS})" for table in _TABLES
)
_TOUCH: Final = (
    "INSERT INTO gsws_threads (key, subject, title, messages, updated)"
    " VALUES (%(key)s, %(subject)s, %(title)s, %(messages)s, %(updated)s)"
    " ON CONFLICT (key) DO UPDATE SET title = excluded.title, messages = excluded.messages, updated = excluded.updated"
)


class PostgresSaver(AsyncPostgresSaver):
    """
    The saver that graphs are compiled with: one checkpoint of a thread and namespace, with its pending writes.

    A graph with a ``DeltaChannel`` keeps its older checkpoints, since its state is read out of them.
    """

    def __init__(self, pool: AsyncConnectionPool[Any], shown: str) -> None:
        super().__init__(pool, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self.pool = pool
        self.shown = shown
        self.work = Work()

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """
        Store a checkpoint in place of the one before.

        Raises:
            ThreadStoreError: If the database cannot be reached or does not answer in time.
        """
        return await self.run(self._put(config, checkpoint, metadata, new_versions), is_write=True)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """
        Store what a task wrote, all or nothing.

        Raises:
            ThreadStoreError: If the database cannot be reached or does not answer in time.
        """
        await self.run(super().aput_writes(config, writes, task_id, task_path), is_write=True)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread with everything in it."""
        await self.delete([str(thread_id)])

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """
        Read a thread's checkpoint.

        Raises:
            ThreadStoreError: If the database cannot be read in time, or what it holds of this thread cannot be.
        """
        try:
            return await self.run(super().aget_tuple(config))
        except (ValueError, TypeError, NotImplementedError) as error:
            raise damaged(config["configurable"].get("thread_id"), self.shown) from error

    async def delete(self, keys: Sequence[str], before: float | None = None) -> int:
        """Delete threads, unless used since ``before``; tell how many there were."""
        return await self.run(self._delete(list(keys), before), is_write=True)

    async def run(self, work: Coroutine[Any, Any, T], *, is_write: bool = False) -> T:
        """
        Give reading or writing ten seconds; a write goes on without its caller.

        Raises:
            ThreadStoreError: One sentence on what went wrong.
        """
        do = self.work.finish if is_write else self.work.ask
        try:
            return await do(work, _DEADLINE)
        except (TimeoutError, PoolTimeout) as error:
            raise ThreadStoreError(f"the database of threads `{self.shown}` does not answer") from error
        except PoolClosed as error:
            raise ThreadStoreError(f"the database of threads `{self.shown}` is closed") from error
        except psycopg.Error as error:
            raise said(error, self.shown) from error

    async def _put(
        self, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata, new: ChannelVersions
    ) -> RunnableConfig:
        stored = await super().aput(config, checkpoint, metadata, new)
        key = str(config["configurable"]["thread_id"])
        namespace = config["configurable"].get("checkpoint_ns", "")
        values: dict[str, Any] = {"key": key, "namespace": namespace, "new": checkpoint["id"]}
        statements: list[str] = []
        if not metadata.get("counters_since_delta_snapshot"):
            statements += [*(_DROP_CALLS if namespace == "" else ()), *_SUPERSEDE]
        if namespace == "":
            title, messages = summarise(checkpoint["channel_values"])
            values |= {"subject": owner(key), "title": title, "messages": messages, "updated": time.time()}
            statements.append(_TOUCH)
        # A transaction of its own: cut off in between, the next turn finds both checkpoints and takes the newer one.
        # And one that is not waited for to be on disk, which halves a turn's wait: the thread itself is there already.
        async with self.pool.connection() as connection, connection.transaction(), connection.pipeline():
            await connection.execute("SET LOCAL synchronous_commit = off")
            for sql in statements:
                await connection.execute(sql, values)
        return stored

    async def _delete(self, keys: list[str], before: float | None) -> int:
        async with self.pool.connection() as connection, connection.transaction():
            if before is not None:
                sql = "SELECT key FROM gsws_threads WHERE key = ANY(%s) AND updated < %s FOR UPDATE"
                keys = [row["key"] for row in await (await connection.execute(sql, (keys, before))).fetchall()]
            for table in _TABLES:
                await connection.execute(f"DELETE FROM {table} WHERE thread_id = ANY(%s)", (keys,))
            deleted = await connection.execute("DELETE FROM gsws_threads WHERE key = ANY(%s)", (keys,))
            return int(deleted.rowcount)


def said(error: psycopg.Error, shown: str) -> ThreadStoreError:
    """The first line of what the server or its client reports, unless it may repeat the address with its password."""
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return ThreadStoreError(f"the address of the database of threads `{shown}` cannot be read")
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    is_away = isinstance(error, psycopg.OperationalError)
    help = "look whether the server runs and the address is right" if is_away else None
    return ThreadStoreError(f"the database of threads `{shown}` cannot be used: {reason}", help)
