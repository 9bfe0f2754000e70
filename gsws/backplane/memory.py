"""
Sessions in the memory of one process.

Guarantee: exact while the process lives; nothing survives it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gsws.backplane.contract import LoggedFrame, StreamState
from gsws.types import RequestId

__all__ = ["MemorySessionLog"]


@dataclass(slots=True)
class _Stream:
    """One stream; ``first`` is the sequence number of the oldest frame that is held, or of the next one."""

    first: int = 0
    frames: deque[LoggedFrame] = field(default_factory=deque)
    text: list[str] | None = field(default_factory=list)
    size: int = 0
    ended_at: float | None = None
    is_lost: bool = False


class MemorySessionLog:
    """
    A `SessionLog` of one process.

    Args:
        limit: Bytes of frames and text that are held for the whole session.
    """

    __slots__ = ("_limit", "_size", "_streams")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._streams: dict[RequestId, _Stream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def append(self, id: RequestId, seq: int, data: bytes, *, text: str | None, is_terminal: bool, now: float) -> None:
        if seq == 0:
            # An id may be used again once its request has ended.
            self._forget(id)
            self._streams[id] = _Stream()
        stream = self._streams.get(id)
        if stream is None:
            return
        if not stream.is_lost:
            stream.frames.append(LoggedFrame(seq, data))
            added = len(data)
            if text is not None and stream.text is not None:
                stream.text.append(text)
                added += len(text)
            stream.size += added
            self._size += added
        if is_terminal:
            stream.ended_at = now
            if stream.is_lost:
                self._forget(id)
        if self._size > self._limit:
            self._shrink()

    def read(self, id: RequestId, seq: int) -> StreamState | None:
        stream = self._streams.get(id)
        if stream is None or stream.is_lost or seq + 1 < stream.first:
            return None
        last = stream.first + len(stream.frames) - 1
        if seq > last:
            return None
        frames = tuple(frame for frame in stream.frames if frame.seq > seq)
        text = None if stream.text is None else "".join(stream.text)
        return StreamState(frames, text, stream.ended_at is not None)

    def acknowledge(self, id: RequestId, seq: int) -> None:
        stream = self._streams.get(id)
        if stream is None:
            return
        while stream.frames and stream.frames[0].seq <= seq:
            dropped = len(stream.frames.popleft().data)
            stream.first += 1
            stream.size -= dropped
            self._size -= dropped
        if not stream.frames and stream.ended_at is not None:
            self._forget(id)

    def trim(self, ended_before: float) -> None:
        for id in [
            id for id, stream in self._streams.items() if stream.ended_at is not None and stream.ended_at < ended_before
        ]:
            self._forget(id)

    def _shrink(self) -> None:
        """Forget until the bound holds: ended streams in the order of their ends, then the largest that runs."""
        ended = sorted(
            (stream.ended_at, number, id)
            for number, (id, stream) in enumerate(self._streams.items())
            if stream.ended_at is not None
        )
        for _, _, id in ended:
            if self._size <= self._limit:
                return
            self._forget(id)
        while self._size > self._limit:
            largest = max(self._streams.values(), key=lambda stream: stream.size)
            self._size -= largest.size
            largest.frames.clear()
            largest.text = None
            largest.size = 0
            largest.is_lost = True

    def _forget(self, id: RequestId) -> None:
        stream = self._streams.pop(id, None)
        if stream is not None:
            self._size -= stream.size
