"""How much waits for consumers: a client reads no more from its connection than they take."""

from __future__ import annotations

import asyncio
from typing import Final

__all__ = ["Flow"]

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
