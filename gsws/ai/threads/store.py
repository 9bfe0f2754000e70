"""
`ThreadStore`: the memory of an agent's threads, whatever keeps it.

Whose a thread is (`naming`) and how long it stays are decided here; how it is stored is `sqlite`'s and `postgres`'s,
which are imported when a store is opened.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from gsws.ai.threads.address import read_address
from gsws.ai.threads.errors import ThreadStoreError
from gsws.ai.threads.naming import subject_key, subject_name, thread_id
from gsws.ai.threads.queue import TURNS, Busy, key_of, mark
from gsws.ai.threads.summary import Row, SubjectInfo, ThreadInfo, info, when

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

__all__ = ["Backend", "ThreadStore"]

_BATCH: Final = 100
_MAX_LIST: Final = 1_000
_UPKEEP_SECONDS: Final = 60.0
_BATCHES_A_ROUND: Final = 50
_PATIENCE: Final = 5.0
"""Seconds that a deletion waits for the turn of its thread."""


class Backend(Protocol):
    """What keeps the threads. Keys are `thread_id`'s, subjects are `subject_key`'s, times are Unix time."""

    @property
    def checkpointer(self) -> BaseCheckpointSaver[Any]:
        """What graphs are compiled with."""

    async def rows(self, subject: str, limit: int) -> list[Row]:
        """The threads of a subject, the last used first."""

    async def subjects(self, limit: int) -> list[tuple[str, int, float]]:
        """Each subject, how many threads it has, and when one of them was last used."""

    async def keys(self, subject: str, limit: int) -> list[str]:
        """Keys of a subject's threads."""

    async def stale(self, before: float, limit: int) -> list[str]:
        """Keys of threads that were last used before a time."""

    async def surplus(self, keep: int, limit: int) -> list[str]:
        """Keys of the threads beyond the ``keep`` last used ones of each subject."""

    async def delete(self, keys: Sequence[str], before: float | None = None) -> int:
        """Delete threads with everything in them, unless used since ``before``; tell how many were there."""

    async def prune(self, limit: int) -> int:
        """Drop what no thread needs; ``limit`` is returned if there may be more."""

    async def tidy(self) -> None:
        """Let deleted text leave the storage."""

    async def aclose(self) -> None:
        """Close, within a deadline."""


class ThreadStore:
    """
    The threads of a project: ``ctx.datasources.threads``.

    One store belongs to one event loop. Every method raises `ThreadStoreError`, with one sentence, if the file or
    the database cannot be read or written, and ends within a deadline.

    Attributes:
        checkpointer: What a graph is compiled with: ``builder.compile(checkpointer=store.checkpointer)``. It keeps
            the latest checkpoint of a thread, with the interrupts that wait in it, and drops the one before.
    """

    def __init__(self, backend: Backend, *, expire_after: float = 0.0, keep: int = 0, logger: Any = None) -> None:
        self.checkpointer = backend.checkpointer
        mark(self.checkpointer)
        self._backend = backend
        self._expire_after = expire_after
        self._keep = keep
        self._logger = logger
        self._upkeep: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str | Path,
        *,
        base: Path | None = None,
        create: bool = True,
        expire_after: float = 0.0,
        keep: int = 0,
        logger: Any = None,
    ) -> ThreadStore:
        """
        Open a store, or make it; with ``expire_after`` or ``keep`` it is kept small in the background.

        Args:
            url: ``sqlite:///path``, a path, ``postgresql://user@host/database``, or ``memory:`` for tests.
            base: The folder in which a relative path starts; the working directory without one.
            create: Whether to make the file or the tables if they are missing.
            expire_after: Seconds after its last turn when a thread is deleted; 0 is never.
            keep: How many threads of a subject stay, the last used ones; 0 is all.
            logger: A structlog logger for what goes wrong in the background.

        Raises:
            ThreadStoreError: If it cannot be used; the message names it.
        """
        address = read_address(str(url), base)
        backend: Backend
        # Off the loop: the first import of a saver takes about a second.
        if address.kind == "sqlite":
            sqlite = await asyncio.to_thread(_import, "sqlite")
            backend = await sqlite.SqliteThreads.open(address.target, create)
        else:
            postgres = await asyncio.to_thread(_import, "postgres")
            backend = await postgres.PostgresThreads.open(address.target, address.shown, create)
        store = cls(backend, expire_after=expire_after, keep=keep, logger=logger)
        if expire_after or keep:
            store._upkeep = asyncio.get_running_loop().create_task(store._keep_small(), name="gsws-threads")
        return store

    async def threads(self, subject: str, *, limit: int = 100) -> list[ThreadInfo]:
        """
        A subject's threads, the last used first, at most ``limit`` and 1,000.

        Raises:
            ValueError: If the subject is empty.
        """
        rows = await self._backend.rows(subject_key(subject), _bounded(limit))
        return [info(row) for row in rows]

    async def subjects(self, *, limit: int = 100) -> list[SubjectInfo]:
        """Who has threads, the last active first, at most ``limit`` and 1,000; for operators, not for clients."""
        found = await self._backend.subjects(_bounded(limit))
        return [
            {"subject": subject_name(key), "threads": threads, "updated": when(updated)}
            for key, threads, updated in found
        ]

    async def delete(self, subject: str, thread: str | None = None) -> int:
        """
        Delete one thread of a subject, or all of them, with everything that was said; the text leaves the file too.

        A turn of this process that is running or ending is waited for, five seconds at most: it stores its thread when
        it ends. One that takes longer, or that runs in another process, stores it again: end it first.

        Returns:
            How many there were.

        Raises:
            ValueError: If the subject or the thread is empty.
        """
        deleted = 0
        if thread is not None:
            key = thread_id(subject, thread)
            async with self._turn(key):
                deleted = await self._backend.delete([key])
        else:
            while keys := await self._backend.keys(subject_key(subject), _BATCH):
                deleted += await self._backend.delete(keys)
        if deleted:
            await self._backend.tidy()
        return deleted

    async def expire(self, older_than: float, *, batches: int | None = None) -> int:
        """
        Delete the threads of all subjects whose last turn was more than ``older_than`` seconds ago.

        Args:
            batches: Stop after so many times 100 threads; None goes on to the end.

        Returns:
            How many there were.
        """
        before = time.time() - older_than
        deleted = 0
        while batches is None or batches > 0:
            keys = await self._backend.stale(before, _BATCH)
            deleted += await self._backend.delete(keys, before)
            if len(keys) < _BATCH:
                break
            batches = batches - 1 if batches is not None else None
        if deleted:
            await self._backend.tidy()
        return deleted

    async def prune(self) -> None:
        """Drop what no thread needs: threads beyond ``keep``, and what other programs or a crash left behind."""
        while await self._backend.prune(_BATCH) >= _BATCH:
            pass
        await self._drop_surplus(None)
        await self._backend.tidy()

    async def aclose(self) -> None:
        """Close the store; what is being written is finished."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.wait({self._upkeep}, timeout=1.0)
        await self._backend.aclose()

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        """Hold a thread, so that no turn of this process stores it meanwhile; go on without it after a while."""
        taken = key_of(self.checkpointer, key)
        try:
            await TURNS.take(taken, queue=_MAX_LIST, wait=_PATIENCE)
        except Busy:
            yield
            return
        try:
            yield
        finally:
            TURNS.release(taken)

    async def _drop_surplus(self, batches: int | None) -> int:
        deleted = 0
        while self._keep and (batches is None or batches > 0):
            keys = await self._backend.surplus(self._keep, _BATCH)
            deleted += await self._backend.delete(keys)
            if len(keys) < _BATCH:
                break
            batches = batches - 1 if batches is not None else None
        return deleted

    async def _keep_small(self) -> None:
        """Once a minute a bounded amount of work, in batches between which turns are stored."""
        is_first = True
        while True:
            try:
                if is_first:  # what a crash or another program left; it looks at every thread
                    await self._backend.prune(_BATCH)
                is_first = False
                if self._expire_after:
                    await self.expire(self._expire_after, batches=_BATCHES_A_ROUND)
                if await self._drop_surplus(_BATCHES_A_ROUND):
                    await self._backend.tidy()
            except ThreadStoreError as error:
                if self._logger is not None:
                    self._logger.warning("threads were not expired", reason=str(error))
            await asyncio.sleep(_UPKEEP_SECONDS)


def _bounded(limit: int) -> int:
    return max(0, min(limit, _MAX_LIST))


def _import(name: str) -> Any:
    """
    Import what keeps the threads.

    Raises:
        ThreadStoreError: If its package is not installed.
    """
    from importlib import import_module

    try:
        return import_module(f"gsws.ai.threads.{name}")
    except ImportError as error:
        extra = "ai,postgres" if name == "postgres" else "ai"
        raise ThreadStoreError(
            f"a package that keeps threads in {name} is not installed: {error}",
            f'pip install "gsws[{extra}]"',
            is_missing_package=True,
        ) from error
