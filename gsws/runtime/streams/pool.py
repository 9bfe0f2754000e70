"""
Bytes that all sessions of a process may hold together, and those of one user among them.

Who holds them reserves in steps, so that a frame costs no more than a comparison; who gives way when nothing is left
is the owner's to say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Final, Protocol

from gsws.runtime.shares import Shares

__all__ = ["STEP", "Pool", "Room", "Share"]

STEP: Final = 4096
"""Bytes that are reserved at a time."""


class Room(Protocol):
    """Where bytes are reserved."""

    def take(self, count: int) -> bool:
        """Reserve bytes; False if there are none to be had."""

    def give(self, count: int) -> None:
        """Give reserved bytes back."""


class Pool:
    """
    A bound over all.

    Args:
        limit: Bytes.
        evict: Frees what somebody holds, by calling `give`; returns False if there is nobody to take from.
        evict_of: The same, of one user.

    Attributes:
        shares: Bytes that are reserved, by user.
    """

    __slots__ = ("_evict", "_evict_of", "limit", "shares")

    def __init__(
        self,
        limit: int = sys.maxsize,
        evict: Callable[[], bool] = lambda: False,
        evict_of: Callable[[Hashable], bool] = lambda owner: False,
    ) -> None:
        self.limit = limit
        self.shares: Shares[Hashable] = Shares()
        self._evict = evict
        self._evict_of = evict_of

    @property
    def size(self) -> int:
        """Bytes that are reserved."""
        return self.shares.total

    def take(self, count: int, owner: Hashable = None, limit: int = sys.maxsize) -> bool:
        """
        Reserve bytes for a user.

        Args:
            count: How many.
            owner: Who.
            limit: How many that user may have.

        Returns:
            Whether they were to be had.
        """
        while self.shares.of(owner) + count > limit:
            if not self._evict_of(owner):
                return False
        while self.shares.total + count > self.limit:
            if not self._evict():
                return False
        self.shares.add(owner, count)
        return True

    def give(self, count: int, owner: Hashable = None) -> None:
        """Give reserved bytes back."""
        if count:
            self.shares.add(owner, -count)


class Share:
    """
    A user's part of a pool.

    Args:
        pool: The bound over all.
        owner: The user.
        limit: Bytes that the user may have.
    """

    __slots__ = ("_limit", "_owner", "_pool")

    def __init__(self, pool: Pool, owner: Hashable, limit: int = sys.maxsize) -> None:
        self._pool = pool
        self._owner = owner
        self._limit = limit

    def take(self, count: int) -> bool:
        return self._pool.take(count, self._owner, self._limit)

    def give(self, count: int) -> None:
        self._pool.give(count, self._owner)
