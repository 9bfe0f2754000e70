"""
Sessions in the memory of one process.

Guarantee: exact while the process lives; nothing survives it.
"""

from __future__ import annotations

from collections.abc import Sequence

from gsws.backplane.contract import StreamState
from gsws.protocol.answer import chunk_text
from gsws.types import RequestId

__all__ = ["MemorySessionLog"]


class _Stream:
    """
    One stream.

    ``first`` is the sequence number of the oldest frame that is held, or of the next one; ``seen`` is the text of the
    frames before it. The text of those that are held is read out of them when somebody asks: that is rare, and a token
    is not.
    """

    __slots__ = ("ended_at", "first", "frames", "is_lost", "seen", "size")

    def __init__(self) -> None:
        self.first = 0
        self.frames: list[bytes] = []
        self.seen = ""
        self.size = 0
        self.ended_at: float | None = None
        self.is_lost = False


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

    def append(self, id: RequestId, seq: int, data: bytes, ended_at: float | None) -> None:
        if seq == 0:
            # An id may be used again once its request has ended.
            self._forget(id)
            self._streams[id] = _Stream()
        stream = self._streams.get(id)
        if stream is None:
            return
        if not stream.is_lost:
            stream.frames.append(data)
            size = len(data)
            stream.size += size
            self._size += size
        if ended_at is not None:
            stream.ended_at = ended_at
            if stream.is_lost:
                self._forget(id)
        if self._size > self._limit:
            self._shrink()

    def read(self, id: RequestId, seq: int) -> StreamState | None:
        stream = self._streams.get(id)
        if stream is None or stream.is_lost or not stream.first - 1 <= seq < stream.first + len(stream.frames):
            return None
        frames = tuple(stream.frames[seq + 1 - stream.first :])
        return StreamState(frames, stream.seen + _text(stream.frames), stream.ended_at is not None)

    def acknowledge(self, id: RequestId, seq: int) -> None:
        stream = self._streams.get(id)
        if stream is None or stream.is_lost or seq < stream.first:
            return
        count = min(seq + 1 - stream.first, len(stream.frames))
        dropped, stream.frames = stream.frames[:count], stream.frames[count:]
        stream.first += count
        text = _text(dropped)
        stream.seen += text
        freed = sum(map(len, dropped)) - len(text.encode())
        stream.size -= freed
        self._size -= freed
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
            largest.seen = ""
            largest.size = 0
            largest.is_lost = True

    def _forget(self, id: RequestId) -> None:
        stream = self._streams.pop(id, None)
        if stream is not None:
            self._size -= stream.size


def _text(frames: Sequence[bytes]) -> str:
    return "".join(text for data in frames if (text := chunk_text(data)) is not None)
