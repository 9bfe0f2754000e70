"""
LangGraph's saver for SQLite, made to keep one checkpoint of a thread and to share its file with other processes.

What the saver of `langgraph-checkpoint-sqlite` leaves open is closed here: a write is one transaction, finished or
undone whatever becomes of the turn, and what a checkpoint supersedes goes in the same one. Opening the file is
`sqlite_file`'s, listing and deleting `sqlite`'s.
"""

# ruff: noqa: S608 -- statements are put together from this module's own texts; values are always bound

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from gsws.ai.threads.errors import ThreadStoreError, damaged
from gsws.ai.threads.finishing import Work
from gsws.ai.threads.naming import owner
from gsws.ai.threads.sqlite_file import SCHEMA, said
from gsws.ai.threads.summary import summarise

__all__ = ["SqliteSaver", "Statement", "deletion"]

Statement: TypeAlias = tuple[str, Sequence[Any]]

_LOCK_SECONDS: Final = 15.0

_PUT: Final = (
    "INSERT OR REPLACE INTO checkpoints"
    " (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_PUT_WRITE: Final = (
    "INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Writes and calls of subgraphs go by the checkpoints that are deleted, never by "all others": those of the next
# checkpoint may be stored before it is.
_OLD: Final = "SELECT checkpoint_id FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id <> ?"
_DROP_WRITES: Final = f"DELETE FROM writes WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id IN ({_OLD})"
_DROP_OLD: Final = "DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id <> ?"
_CALLS: Final = (
    "SELECT checkpoint_ns FROM checkpoints WHERE thread_id = ? AND instr(checkpoint_ns, ':') > 0"
    " AND json_extract(CAST(metadata AS TEXT), '$.parents.\"\"') = ?"
)
_DROP_CALLS: Final = tuple(
    f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_ns IN ({_CALLS})" for table in ("writes", "checkpoints")
)
_TOUCH: Final = (
    "INSERT INTO gsws_threads (key, subject, title, messages, updated) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET title = excluded.title, messages = excluded.messages, updated = excluded.updated"
)
_GONE: Final = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT key FROM gsws_threads WHERE updated >= ?)"
_DELETE: Final = (
    f"DELETE FROM writes WHERE thread_id IN ({_GONE})",
    f"DELETE FROM checkpoints WHERE thread_id IN ({_GONE})",
    f"DELETE FROM gsws_threads WHERE key IN ({_GONE})",
)


class SqliteSaver(AsyncSqliteSaver):
    """
    The saver that graphs are compiled with: one checkpoint of a thread and namespace, with its pending writes.

    A graph with a ``DeltaChannel`` keeps its older checkpoints, since its state is read out of them.
    """

    def __init__(self, connection: aiosqlite.Connection, path: str) -> None:
        super().__init__(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self.path = path
        self.work = Work()

    async def setup(self) -> None:
        """Make the tables where they are missing; a no-op afterwards."""
        if not self.is_setup:
            await super().setup()
            await self.conn.executescript(SCHEMA)

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
            ThreadStoreError: If the file cannot be written; what was there stays.
        """
        configurable = config["configurable"]
        key, namespace, new = str(configurable["thread_id"]), configurable.get("checkpoint_ns", ""), checkpoint["id"]
        has_deltas = bool(metadata.get("counters_since_delta_snapshot"))
        parent = configurable.get("checkpoint_id")
        facts = json.dumps(get_checkpoint_metadata(config, metadata), ensure_ascii=False).encode("utf-8", "ignore")
        kind, blob = self.serde.dumps_typed(checkpoint)
        statements: list[Statement] = [
            (_PUT, (key, namespace, new, parent if has_deltas else None, kind, blob, facts)),
        ]
        if namespace == "":
            title, messages = summarise(checkpoint["channel_values"])
            statements.append((_TOUCH, (key, owner(key), title, messages, time.time())))
        await self.write(statements, superseding=None if has_deltas else (key, namespace, new))
        return {"configurable": {"thread_id": key, "checkpoint_ns": namespace, "checkpoint_id": new}}

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """
        Store what a task wrote, all or nothing.

        Raises:
            ThreadStoreError: If the file cannot be written.
        """
        configurable = config["configurable"]
        place = tuple(str(configurable[name]) for name in ("thread_id", "checkpoint_ns", "checkpoint_id"))
        index_of = WRITES_IDX_MAP.get
        verb = "INSERT OR REPLACE " if all(channel in WRITES_IDX_MAP for channel, _ in writes) else "INSERT OR IGNORE "
        await self.write(
            [
                (
                    verb + _PUT_WRITE,
                    (*place, task_id, task_path, index_of(channel, number), channel, *self.serde.dumps_typed(value)),
                )
                for number, (channel, value) in enumerate(writes)
            ]
        )

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread with everything in it."""
        await self.write(deletion([str(thread_id)]))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """
        Read a thread's checkpoint.

        Raises:
            ThreadStoreError: If the file, or what it holds of this thread, cannot be read.
        """
        self.check_open()
        try:
            return await super().aget_tuple(config)
        except sqlite3.Error as error:
            raise said(error, self.path) from error
        except (ValueError, TypeError, NotImplementedError) as error:
            raise damaged(config["configurable"].get("thread_id"), self.path) from error

    async def write(self, statements: Iterable[Statement], superseding: tuple[str, str, str] | None = None) -> int:
        """
        Run statements as one transaction, to its end even if the caller is cancelled meanwhile.

        Args:
            superseding: Thread, namespace and id of the only checkpoint that is to stay there.

        Returns:
            How many rows the last statement changed.

        Raises:
            ThreadStoreError: If nothing was written.
        """
        self.check_open()
        # Half a transaction would keep every other process from writing.
        return await self.work.finish(self._write(list(statements), superseding))

    def check_open(self) -> None:
        """Raise the error of a store that is closed."""
        if self.work.is_closed:
            raise ThreadStoreError(f"the file of threads `{self.path}` is closed")

    async def _write(self, statements: list[Statement], superseding: tuple[str, str, str] | None) -> int:
        try:
            async with asyncio.timeout(_LOCK_SECONDS):
                await self.lock.acquire()
        except TimeoutError:
            raise ThreadStoreError(f"the file of threads `{self.path}` is too slow to be written") from None
        try:
            return await self._transaction(statements, superseding)
        except sqlite3.Error as error:
            raise said(error, self.path) from error
        finally:
            self.lock.release()

    async def _transaction(self, statements: list[Statement], superseding: tuple[str, str, str] | None) -> int:
        changed = 0
        # Immediate: a lock that is taken later, after a read, is refused at once instead of waited for.
        await self.conn.execute("BEGIN IMMEDIATE")
        try:
            if superseding is not None:
                await self._supersede(*superseding)
            for sql, values in statements:
                changed = (await self.conn.execute(sql, values)).rowcount
            await self.conn.execute("COMMIT")
        except BaseException:
            if self.conn.in_transaction:
                await self.conn.execute("ROLLBACK")
            raise
        return changed

    async def _supersede(self, key: str, namespace: str, new: str) -> None:
        old = await self.conn.execute_fetchall(_OLD, (key, namespace, new))
        if not old:
            return
        if namespace == "":
            # A call of a subgraph lives as long as the checkpoint that it was made from.
            for (checkpoint,) in old:
                for sql in _DROP_CALLS:
                    await self.conn.execute(sql, (key, key, checkpoint))
        await self.conn.execute(_DROP_WRITES, (key, namespace, key, namespace, new))
        await self.conn.execute(_DROP_OLD, (key, namespace, new))


def deletion(keys: Sequence[str], before: float = math.inf) -> list[Statement]:
    """What deletes threads with everything in them, unless they were used since ``before``."""
    return [(sql, (json.dumps(list(keys)), before)) for sql in _DELETE]
