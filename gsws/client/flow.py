"""What waits for consumers, and how much of it: a client reads no more from its connection than they take."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Generic, TypeVar

__all__ = ["Flow", "Inbox"]

T = TypeVar("T")

_HARD: Final = 16
"""How many times its buffer a client reads while some consumer starves."""


class Flow:
    """
    What has arrived and was not taken yet, in bytes.

    Args:
        buffer: How much may wait before the client stops reading.
    """

    def __init__(self, buffer: int) -> None:
        self._buffer = buffer
        self._buffered = 0
        self._starving = 0
        self._room = asyncio.Event()

    async def has_room(self) -> None:
        """Wait until consumers have taken enough; nobody who waits for a frame is kept waiting by one who is slow."""
        while self._buffered > self._buffer and (not self._starving or self._buffered > self._buffer * _HARD):
            self._room.clear()
            await self._room.wait()

    def came(self, size: int) -> None:
        """So many bytes arrived for one consumer."""
        self._buffered += size

    def took(self, size: int) -> None:
        """A consumer took this many bytes."""
        self._buffered -= size
        self._room.set()

    def waits(self, change: int) -> None:
        """One consumer more, or less, waits for a frame."""
        self._starving += change
        if change > 0:
            self._room.set()


class Inbox(Generic[T]):
    """
    What has arrived for one consumer, in order, and then perhaps why nothing more comes.

    Args:
        flow: Told of what comes, of what is taken, and of a consumer that waits.
        crowded: What a second consumer is told.
    """

    __slots__ = ("_crowded", "_failure", "_flow", "_items", "_waiter")

    def __init__(self, flow: Flow, crowded: str) -> None:
        self._flow = flow
        self._crowded = crowded
        self._items: deque[tuple[T, int]] = deque()
        self._failure: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put(self, item: T, size: int) -> None:
        """Queue one, so many bytes large; nothing after a failure."""
        if self._failure is None:
            self._flow.came(size)
            self._items.append((item, size))
            self._wake()

    def fail(self, error: BaseException) -> None:
        """Nothing more comes; the first reason counts."""
        if self._failure is None:
            self._failure = error
            self._wake()

    def drop(self) -> None:
        """Forget what the consumer will not take."""
        if self._items:
            self._flow.took(sum(size for _, size in self._items))
            self._items.clear()

    async def get(self, timeout: float | None) -> T:
        """
        Take the next one.

        Raises:
            TimeoutError: If it does not come in time.
            BaseException: Why it never will.
        """
        if not self._items and self._failure is None:
            await self._wait(timeout)
        if not self._items:
            assert self._failure is not None
            raise self._failure
        item, size = self._items.popleft()
        self._flow.took(size)
        return item

    async def _wait(self, timeout: float | None) -> None:
        if self._waiter is not None:
            raise RuntimeError(self._crowded)
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        self._flow.waits(1)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            if not self._items and self._failure is None:
                raise
        finally:
            self._waiter = None
            if waiter.cancelled() or not waiter.done():
                self._flow.waits(-1)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            # Who was woken waits no more, though it runs later than the reader goes on.
            self._waiter.set_result(None)
            self._flow.waits(-1)
