"""What a client receives without having asked: an iterator with a queue, one for each subscriber."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator

from gsws.client.errors import ClientClosed, ClientError
from gsws.client.flow import Flow, Inbox
from gsws.client.frames import Push

__all__ = ["Pushes", "Subscribers"]


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
