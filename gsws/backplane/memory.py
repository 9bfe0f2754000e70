"""
Sessions in the memory of one process.

Guarantee: exact while the process lives; nothing survives it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from gsws.backplane.contract import StreamState
from gsws.protocol.answer import chunk_text
from gsws.types import RequestId

__all__ = ["MemorySessionLog"]


class _Stream:
    """
    One stream.

    ``first`` is the sequence number of the oldest frame that is held, or of the next one; ``seen`` is the text of the
    frames before it, or None if there was no room for it. The text of those that are held is read out of them when
    somebody asks: that is rare, and a token is not. Frames lie one behind the other in ``data``: kept as objects of
    their own they cost 3 µs each, for an encoder's buffer is larger than what it writes.
    """

    __slots__ = ("data", "dropped", "ended_at", "ends", "first", "is_lost", "seen")

    def __init__(self) -> None:
        self.first = 0
        self.data = bytearray()
        self.ends = array("Q")
        self.dropped = 0
        self.seen: str | None = ""
        self.ended_at: float | None = None
        self.is_lost = False

    @property
    def size(self) -> int:
        return len(self.data) + len(self.seen or "")

    def frames(self, index: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The held frames from an index on; ``ends`` counts from the stream's beginning."""
        start = self.dropped if index == 0 else self.ends[index - 1]
        for end in self.ends[index:stop]:
            yield bytes(self.data[start - self.dropped : end - self.dropped])
            start = end


class MemorySessionLog:
    """
    A `SessionLog` of one process.

    Args:
        limit: Bytes of frames and text that are held for the whole session.
    """

    __slots__ = ("_limit", "_size", "_streams", "has_forgotten")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._streams: dict[RequestId, _Stream] = {}
        self.has_forgotten = False

    def __len__(self) -> int:
        return len(self._streams)

    def begin(self, id: RequestId) -> None:
        self._forget(id)
        self._streams[id] = _Stream()

    def append(self, id: RequestId, seq: int, data: bytes, ended_at: float | None) -> None:
        if seq == 0:
            # An id may be used again once its request has ended.
            self.begin(id)
        stream = self._streams.get(id)
        if stream is None:
            return
        if not stream.is_lost:
            stream.data += data
            stream.ends.append(stream.dropped + len(stream.data))
            self._size += len(data)
        if ended_at is not None:
            stream.ended_at = ended_at
            if stream.is_lost:
                self._forget(id)
        if self._size > self._limit:
            self._shrink()

    def read(self, id: RequestId, seq: int) -> StreamState | None:
        stream = self._streams.get(id)
        if stream is None or stream.is_lost or not stream.first - 1 <= seq < stream.first + len(stream.ends):
            return None
        frames = tuple(stream.frames(seq + 1 - stream.first))
        text = None if stream.seen is None else stream.seen + _text(stream.frames())
        return StreamState(frames, text, stream.ended_at is not None)

    def holds(self, id: RequestId) -> bool:
        return id in self._streams

    def acknowledge(self, id: RequestId, seq: int) -> None:
        stream = self._streams.get(id)
        if stream is None or stream.is_lost or seq < stream.first:
            return
        count = min(seq + 1 - stream.first, len(stream.ends))
        if not count:
            return
        before = stream.size
        if stream.seen is not None:
            stream.seen += _text(stream.frames(0, count))
        end = stream.ends[count - 1]
        del stream.data[: end - stream.dropped], stream.ends[:count]
        stream.dropped = end
        stream.first += count
        self._size += stream.size - before
        if not stream.ends and stream.ended_at is not None:
            self._forget(id)

    def trim(self, ended_before: float) -> None:
        for id in [
            id for id, stream in self._streams.items() if stream.ended_at is not None and stream.ended_at < ended_before
        ]:
            self._forget(id)
            self.has_forgotten = True

    def _shrink(self) -> None:
        """
        Forget until the bound holds: ended streams in the order of their ends, then of the largest that runs.

        Of that one the acknowledged text goes first: without it there is no snapshot, but no frame is missing.
        """
        ended = sorted(
            (stream.ended_at, number, id)
            for number, (id, stream) in enumerate(self._streams.items())
            if stream.ended_at is not None
        )
        for _, _, id in ended:
            if self._size <= self._limit:
                return
            self._forget(id)
            self.has_forgotten = True
        while self._size > self._limit:
            largest = max(self._streams.values(), key=lambda stream: stream.size)
            if largest.seen:
                self._size -= len(largest.seen)
                largest.seen = None
                continue
            self._size -= largest.size
            largest.data, largest.ends, largest.seen = bytearray(), array("Q"), ""
            largest.is_lost = True

    def _forget(self, id: RequestId) -> None:
        stream = self._streams.pop(id, None)
        if stream is not None:
            self._size -= stream.size


def _text(frames: Iterator[bytes]) -> str:
    return "".join(text for data in frames if (text := chunk_text(data)) is not None)
