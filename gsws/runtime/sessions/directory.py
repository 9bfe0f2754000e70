"""
The seam that tells on which process a session is, for a client that comes back to another one.

`MemoryDirectory` serves services of one process, which is what tests of it need and the example of what others
guarantee.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["LEASE", "Directory", "MemoryDirectories"]

LEASE: Final = 30.0
"""Seconds after which a process that no longer says it is there loses what it has claimed."""


class Directory(Protocol):
    """
    One process's view.

    Guarantees of every implementation: at most one process holds a key at a time; who claimed it first keeps it until
    it releases it, or until its lease is over without having been renewed. `find` may be late by as much as a lease:
    whoever goes where it points asks there. `claim` and `release` do not wait; they come from the event loop.
    """

    def claim(self, key: str) -> None:
        """This process holds a key from now on; a key that another one holds stays that one's."""
        ...

    def release(self, key: str) -> None:
        """It holds a key no longer; one that it does not hold does nothing."""
        ...

    async def find(self, key: str) -> str | None:
        """The name of the process that holds a key, this one included; None if nobody does."""
        ...


class MemoryDirectories:
    """
    Directories of processes that are all in this one; each is made by `of`.

    Args:
        now: Seconds of a monotonic clock.
        lease: How long a process that is not renewed keeps its keys.
    """

    __slots__ = ("_held", "_lease", "_now", "_until")

    def __init__(self, now: Callable[[], float], lease: float = LEASE) -> None:
        self._now = now
        self._lease = lease
        self._held: dict[str, str] = {}
        self._until: dict[str, float] = {}

    def of(self, node: str) -> _MemoryDirectory:
        """Make the view of one process; its lease begins."""
        self.renew(node)
        return _MemoryDirectory(self, node)

    def renew(self, node: str) -> None:
        """A process says that it is there."""
        self._until[node] = self._now() + self._lease

    def holder(self, key: str) -> str | None:
        """Who holds a key now."""
        node = self._held.get(key)
        return node if node is not None and self._until[node] > self._now() else None

    def claim(self, key: str, node: str) -> None:
        if self.holder(key) is None:
            self._held[key] = node

    def release(self, key: str, node: str) -> None:
        if self._held.get(key) == node:
            del self._held[key]


class _MemoryDirectory:
    __slots__ = ("_all", "_node")

    def __init__(self, all: MemoryDirectories, node: str) -> None:
        self._all = all
        self._node = node

    def claim(self, key: str) -> None:
        self._all.claim(key, self._node)

    def release(self, key: str) -> None:
        self._all.release(key, self._node)

    async def find(self, key: str) -> str | None:
        return self._all.holder(key)
