"""Reads and writes that end in time for who asked, and writes that are finished although nobody waits any more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Work"]

T = TypeVar("T")


class Work:
    """
    What is under way in one store.

    Attributes:
        is_closed: Whether the store takes no more of it.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._running: set[asyncio.Task[Any]] = set()

    async def finish(self, write: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """
        Run a write to its end, also if the caller is cancelled meanwhile.

        Raises:
            TimeoutError: After ``seconds``; the write is then cancelled, and what that takes is not waited for.
        """
        return await self._wait(self._start(write), seconds)

    async def ask(self, read: Coroutine[Any, Any, T], seconds: float) -> T:
        """
        Run a read, which ends with its caller.

        Raises:
            TimeoutError: After ``seconds``, as for a write.
        """
        task = self._start(read)
        try:
            return await self._wait(task, seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def drain(self, seconds: float) -> None:
        """Take no more; wait until none is under way, at most ``seconds``; what is still running then is cancelled."""
        self.is_closed = True
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=seconds)
        for task in late:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def _wait(self, task: asyncio.Task[T], seconds: float | None) -> T:
        # Unlike `wait_for`, this neither cancels the task with its caller nor waits for it to take its cancellation.
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            task.cancel()
            raise TimeoutError
        if task.cancelled():
            raise TimeoutError
        return task.result()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # told to the caller; one that was cancelled has nobody to be told
