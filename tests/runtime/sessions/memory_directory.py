"""Directories in memory: the example of what others guarantee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LEASE: Final = 30.0
"""Seconds after which a process that no longer says it is there loses what it has claimed."""


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
