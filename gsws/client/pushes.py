"""What a client receives without having asked: an iterator with a queue, one for each subscriber."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator

from gsws.client.errors import ClientClosed, ClientError
from gsws.client.flow import Flow
from gsws.client.frames import Push

__all__ = ["Pushes", "Subscribers"]


class Pushes(AsyncIterator[Push]):
    """
    Broadcasts and other frames without an id, from the moment that this was made.

    It ends when the client is closed, and raises when the connection is lost for good.
    """

    __slots__ = ("__weakref__", "_end", "_flow", "_queue", "_waiter")

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._queue: deque[tuple[Push, int]] = deque()
        self._end: ClientError | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def get(self, timeout: float | None = None) -> Push:
        """
        The next push.

        Raises:
            TimeoutError: If none comes in time.
            ClientError: If none will come any more.
        """
        if not self._queue and self._end is None:
            if self._waiter is not None:
                raise RuntimeError("pushes have one consumer; ask for another iterator")
            waiter = self._waiter = asyncio.get_running_loop().create_future()
            self._flow.waits(1)
            try:
                async with asyncio.timeout(timeout):
                    await waiter
            finally:
                self._waiter = None
                if waiter.cancelled() or not waiter.done():
                    self._flow.waits(-1)
        if not self._queue:
            assert self._end is not None
            raise self._end
        push, size = self._queue.popleft()
        self._flow.took(size)
        return push

    async def __anext__(self) -> Push:
        try:
            return await self.get()
        except ClientClosed:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Collect no more."""
        self.end(ClientClosed())
        self._drop()

    def put(self, push: Push, size: int) -> None:
        """Queue one, for the session."""
        if self._end is not None:
            self._flow.took(size)
            return
        self._queue.append((push, size))
        self._wake()

    def end(self, error: ClientError) -> None:
        """No more will come, for the session."""
        if self._end is None:
            self._end = error
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            # Who was woken waits no more, though it runs later than the reader goes on.
            self._waiter.set_result(None)
            self._flow.waits(-1)

    def _drop(self) -> None:
        size = sum(size for _, size in self._queue)
        self._queue.clear()
        self._flow.took(size)

    def __del__(self) -> None:
        # Nobody iterates any more: what waited must not keep the client from reading.
        if self._queue:
            self._drop()


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
            self._flow.came(size)
            pushes.put(push, size)

    def end(self, error: ClientError) -> None:
        """No push will come any more."""
        for pushes in tuple(self._all):
            pushes.end(error)
