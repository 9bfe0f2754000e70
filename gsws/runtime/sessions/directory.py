"""
The seam that tells on which process a session is, for a client that comes back to another one.

`MemoryDirectory` is for several views in one process: what tests of it need, and the example of what others guarantee.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["LEASE", "Directory", "MemoryDirectory"]

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

    def release(self, key: str) -> None:
        """It holds a key no longer; one that it does not hold does nothing."""

    async def find(self, key: str) -> str | None:
        """The name of the process that holds a key, this one included; None if nobody does."""


class MemoryDirectory:
    """
    A `Directory` in memory; its lease begins at once.

    Args:
        node: The name of the process.
        held: Who holds which key; shared with the other views.
        now: Seconds of a monotonic clock.
        lease: How long the process keeps its keys without `renew`.
    """

    def __init__(
        self, node: str, held: dict[str, MemoryDirectory], now: Callable[[], float], lease: float = LEASE
    ) -> None:
        self.node = node
        self._held = held
        self._now = now
        self._lease = lease
        self.renew()

    def renew(self) -> None:
        """Say that the process is there."""
        self._until = self._now() + self._lease

    def claim(self, key: str) -> None:
        if self._holder(key) is None:
            self._held[key] = self

    def release(self, key: str) -> None:
        if self._held.get(key) is self:
            del self._held[key]

    async def find(self, key: str) -> str | None:
        return self._holder(key)

    def _holder(self, key: str) -> str | None:
        holder = self._held.get(key)
        return holder.node if holder is not None and holder._until > self._now() else None
