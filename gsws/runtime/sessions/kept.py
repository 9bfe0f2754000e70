"""
What was pushed to a session while its client is away: sent when it resumes, after the frames of its streams.

Bounded by ``resume.bytes`` a session and, with the logs of all sessions, by ``resume.total``. What there is no room
for is not kept, its sender is told so, and the client learns on its resume how many it missed.
"""

from __future__ import annotations

from collections.abc import Iterator

from gsws.runtime.streams.pool import STEP, Room

__all__ = ["Kept"]

_OVERHEAD = 64
"""Bytes that a kept frame costs beside itself."""


class Kept:
    """
    Whole WebSocket frames in the order they were pushed.

    Args:
        limit: Bytes.
        room: Where they are reserved.

    Attributes:
        missed: How many found no room.
    """

    __slots__ = ("_frames", "_limit", "_reserved", "_room", "_size", "missed")

    def __init__(self, limit: int, room: Room) -> None:
        self._limit = limit
        self._room = room
        self._frames: list[bytes] = []
        self._size = 0
        self._reserved = 0
        self.missed = 0

    def add(self, prepared: bytes) -> bool:
        """Keep a frame; False if there is no room."""
        size = self._size + len(prepared) + _OVERHEAD
        # Once one is missing the client is to know where the gap is: after everything that was kept.
        if self.missed or not self._reserve(size):
            self.missed += 1
            return False
        self._size = size
        self._frames.append(prepared)
        return True

    def release(self) -> Iterator[bytes]:
        """Give the frames, and their room back."""
        frames = self._frames
        self._free()
        yield from frames

    def close(self) -> None:
        """Forget the frames, and take no more."""
        self._limit = -1
        self._free()

    def _free(self) -> None:
        self._room.give(self._reserved)
        self._frames, self._size, self._reserved = [], 0, 0

    def _reserve(self, size: int) -> bool:
        while self._reserved < size <= self._limit:
            if not self._room.take(STEP):
                return False
            self._reserved += STEP
        if self._limit < 0:
            self._free()  # its own session had to give way for it
        return size <= self._limit
