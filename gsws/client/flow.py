"""
What waits for consumers, and how much of it: a client reads no more from its connection than they take.

Pushes are what it receives without having asked: each subscriber has an iterator with a queue of its own.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, Generic, TypeVar

from gsws.client.errors import ClientClosed, ClientError
from gsws.client.frames import Push

__all__ = ["Flow", "Inbox", "Pushes", "Subscribers"]

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


class Pushes(AsyncIterator[Push]):
    """
    Broadcasts and other frames without an id, from the moment that this was made.

    It ends when the client is closed, and raises when the connection is lost for good.
    """

    __slots__ = ("__weakref__", "_inbox")

    def __init__(self, flow: Flow) -> None:
        self._inbox: Inbox[Push] = Inbox(flow, "pushes have one consumer; ask for another iterator")

    async def get(self, timeout: float | None = None) -> Push:
        """
        The next push.

        Raises:
            TimeoutError: If none comes in time.
            ClientError: If none will come any more.
        """
        return await self._inbox.get(timeout)

    async def __anext__(self) -> Push:
        try:
            return await self.get()
        except ClientClosed:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Collect no more."""
        self.end(ClientClosed())
        self._inbox.drop()

    def put(self, push: Push, size: int) -> None:
        """Queue one, for the session."""
        self._inbox.put(push, size)

    def end(self, error: ClientError) -> None:
        """No more will come, for the session."""
        self._inbox.fail(error)

    def __del__(self) -> None:
        # Nobody iterates any more: what waited must not keep the client from reading.
        self._inbox.drop()


class Subscribers:
    """Whoever iterates pushes; who does not any more is forgotten."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._all: weakref.WeakSet[Pushes] = weakref.WeakSet()

    def add(self) -> Pushes:
        """Begin to collect pushes."""
        pushes = Pushes(self._flow)
        self._all.add(pushes)
        return pushes

    def put(self, push: Push, size: int) -> None:
        """Give one to each."""
        for pushes in tuple(self._all):
            pushes.put(push, size)

    def end(self, error: ClientError) -> None:
        """No push will come any more."""
        for pushes in tuple(self._all):
            pushes.end(error)
