"""
Bytes that all session logs of a process may hold together.

Logs reserve in steps, so that a frame costs no more than a comparison; who gives way when nothing is left is the
owner's to say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

__all__ = ["STEP", "Pool"]

STEP: Final = 4096
"""Bytes that a log reserves at a time."""


class Pool:
    """
    A bound over all logs.

    Args:
        limit: Bytes.
        evict: Frees what somebody holds, by calling `give`; returns False if there is nobody to take from.

    Attributes:
        size: Bytes that are reserved.
    """

    __slots__ = ("_evict", "limit", "size")

    def __init__(self, limit: int = sys.maxsize, evict: Callable[[], bool] = lambda: False) -> None:
        self.limit = limit
        self.size = 0
        self._evict = evict

    def take(self, count: int) -> bool:
        """Reserve bytes; False if there are none to be had."""
        while self.size + count > self.limit:
            if not self._evict():
                return False
        self.size += count
        return True

    def give(self, count: int) -> None:
        """Give reserved bytes back."""
        self.size -= count
