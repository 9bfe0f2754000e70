"""
Sessions in the memory of one process.

Guarantee: exact while the process lives; nothing survives it.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from typing import Final

from gsws.protocol.answer import chunk_text
from gsws.runtime.streams.log import StreamState
from gsws.runtime.streams.pool import STEP, Pool, Room
from gsws.types import RequestId

__all__ = ["MemorySessionLog"]

_STREAM: Final = 512
"""Bytes that a stream takes beside its frames: itself, its id, its buffers while they are small."""

_FRAME: Final = 24
"""Bytes that a frame takes beside itself: its place, and what its buffer is larger than it."""

_OTHER: Final = 160
"""Bytes that a frame takes which is kept as an object of its own, with its number."""

_EMPTY: Final = sys.getsizeof("")

_SLACK: Final = 16
"""A full log frees this part of its bound at once, so that it does not look for something to forget at each frame."""


class _Stream:
    """
    One stream.

    ``first`` is the sequence number of the oldest frame that is held, or of the next one; ``seen`` is the text of the
    frames before it and ``others`` those of them that are no text, with their numbers; both are gone (``seen`` is
    None) if there was no room for them. The text of those that are held is read out of them when somebody asks: that
    is rare, and a token is not. Frames lie one behind the other in ``data``: kept as objects of their own they cost
    3 µs each, for an encoder's buffer is larger than what it writes. ``acked`` is None, or with several readers the
    number up to which frames may be freed when room is short; of a stream that is lost, the last that was acknowledged.
    ``told`` is the number of the last text in ``seen``.
    """

    __slots__ = ("acked", "data", "dropped", "ended_at", "ends", "extra", "first", "is_lost", "others", "seen", "told")

    def __init__(self) -> None:
        self.first = 0
        self.data = bytearray()
        self.ends = array("Q")
        self.dropped = 0
        self.seen: str | None = ""
        self.others: list[tuple[int, bytes]] | None = None
        self.extra = 0
        self.ended_at: float | None = None
        self.acked: int | None = None
        self.told = -1
        self.is_lost = False

    @property
    def size(self) -> int:
        """Bytes of memory, not of frames alone: of short answers those are a fraction. Without frames, none."""
        if self.is_lost or not (self.ends or self.first):
            return 0
        return _STREAM + len(self.data) + _FRAME * len(self.ends) + self.extra

    @property
    def is_fresh(self) -> bool:
        """Whether it was begun, maybe shared, and has had no frame."""
        return not (self.is_lost or self.ends or self.first) and self.ended_at is None

    def frames(self, index: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The held frames from an index on; ``ends`` counts from the stream's beginning."""
        start = self.dropped if index == 0 else self.ends[index - 1]
        for end in self.ends[index:stop]:
            yield bytes(self.data[start - self.dropped : end - self.dropped])
            start = end

    def release(self, count: int) -> None:
        """Drop the oldest frames; of a stream that goes on, what a compact resume needs of them is kept."""
        if self.seen is not None:
            texts = [self.seen]
            self.extra -= _held(self.seen)
            for number, data in enumerate(self.frames(0, count), self.first):
                text = chunk_text(data)
                if text is not None:
                    texts.append(text)
                    self.told = number
                else:
                    self.others = self.others or []
                    self.others.append((number, data))
                    self.extra += len(data) + _OTHER
            self.seen = "".join(texts)
            self.extra += _held(self.seen)
        end = self.ends[count - 1]
        del self.data[: end - self.dropped], self.ends[:count]
        self.dropped = end
        self.first += count

    def condense(self) -> None:
        """Give up what only a compact resume needs."""
        self.seen, self.others, self.extra = None, None, 0

    def lose(self) -> None:
        """Hold nothing any more but how many frames there were."""
        self.condense()
        self.first += len(self.ends)
        self.data, self.ends = bytearray(), array("Q")
        self.is_lost = True


def _held(text: str) -> int:
    """Bytes that a text takes, which is kept with as many for each character as the widest one needs."""
    return sys.getsizeof(text) - _EMPTY


class MemorySessionLog:
    """
    A `SessionLog` of one process.

    Args:
        limit: Bytes of frames and text that are held for the whole session.
        room: Where they are reserved: what its user, and all users together, may hold.
    """

    __slots__ = ("_limit", "_mark", "_reserved", "_room", "_size", "_streams", "has_forgotten")

    def __init__(self, limit: int, room: Room | None = None) -> None:
        self._limit = limit
        self._room = room or Pool()
        self._reserved = 0
        self._mark = 0
        self._size = 0
        self._streams: dict[RequestId, _Stream] = {}
        self.has_forgotten = False

    def __len__(self) -> int:
        return len(self._streams)

    def begin(self, id: RequestId) -> None:
        self._forget(id)
        self._streams[id] = _Stream()

    def append(self, id: RequestId, seq: int, data: bytes, ended_at: float | None) -> None:
        stream = self._streams.get(id)
        if seq == 0:
            if stream is None or not stream.is_fresh:
                # An id may be used again once its request has ended.
                self.begin(id)
                stream = self._streams[id]
            self._size += _STREAM
        if stream is None:
            return
        if not stream.is_lost:
            stream.data += data
            stream.ends.append(stream.dropped + len(stream.data))
            self._size += len(data) + _FRAME
        else:
            stream.first += 1
        if ended_at is not None:
            stream.ended_at = ended_at
            if stream.is_lost:
                self._forget(id)
        if self._size > self._mark:
            self._grow()

    def read(self, id: RequestId, seq: int, *, compact: bool = False) -> StreamState | None:
        stream = self._streams.get(id)
        if stream is None or stream.is_lost or seq >= stream.first + len(stream.ends):
            return None
        if seq >= stream.first - 1:
            text = self._text(stream) if compact else None
            return StreamState(tuple(stream.frames(seq + 1 - stream.first)), stream.ended_at is not None, text)
        if not compact or stream.seen is None:
            return None
        earlier = [(number, data) for number, data in stream.others or () if number > seq]
        return StreamState(
            (*(data for _, data in earlier), *stream.frames()),
            stream.ended_at is not None,
            self._text(stream),
            stream.told if stream.told > seq else None,
            sum(number < stream.told for number, _ in earlier),
        )

    def holds(self, id: RequestId) -> bool:
        return id in self._streams

    def share(self, id: RequestId) -> None:
        stream = self._streams.get(id)
        if stream is not None and stream.acked is None:
            stream.acked = -1

    def acknowledge(self, id: RequestId, seq: int) -> bool:
        stream = self._streams.get(id)
        if stream is None:
            return False
        if stream.is_lost or stream.acked is not None:
            news = stream.acked is None or seq > stream.acked
            is_there = seq < stream.first + len(stream.ends)
            if news and is_there:
                stream.acked = seq
            return news and is_there
        count = min(seq + 1 - stream.first, len(stream.ends))
        if count <= 0:
            return False
        if count == len(stream.ends) and stream.ended_at is not None:
            self._forget(id)
        else:
            before = stream.size
            stream.release(count)
            self._size += stream.size - before
        self._settle()
        return True

    def trim(self, ended_before: float) -> None:
        for id in [
            id for id, stream in self._streams.items() if stream.ended_at is not None and stream.ended_at < ended_before
        ]:
            self._forget(id)
            self.has_forgotten = True
        self._settle()

    def close(self) -> None:
        for id, stream in tuple(self._streams.items()):
            if stream.ended_at is None:
                stream.lose()
            else:
                self._forget(id)
        self._size = self._limit = self._mark = 0
        self.has_forgotten = True
        self._settle()

    # The bounds.

    def _grow(self) -> None:
        """Reserve what is needed, or forget something."""
        if self._size > self._limit:
            self._shrink(self._limit)
        wanted = min(-(-self._size // STEP) * STEP, self._limit) - self._reserved
        if wanted > 0:
            if not self._room.take(wanted):
                self._shrink(self._reserved)
            elif not self._limit:
                # This very log had to give way, and is closed.
                self._room.give(wanted)
            else:
                self._reserved += wanted
        self._mark = self._reserved

    def _settle(self) -> None:
        """Give back what is no longer needed."""
        spare = self._reserved - min(-(-self._size // STEP) * STEP, self._reserved)
        if spare > STEP or not self._size:
            self._room.give(spare)
            self._reserved -= spare
            self._mark = self._reserved

    def _shrink(self, limit: int) -> None:
        """
        Forget until a bound holds: ended streams from the oldest on, then of the largest that runs.

        Of that one what was acknowledged goes first: without it there is no snapshot, but no frame is missing.
        """
        for id in [id for id, stream in self._streams.items() if stream.ended_at is not None]:
            self._forget(id)
            self.has_forgotten = True
            if self._size <= limit - limit // _SLACK:
                break
        while self._size > limit:
            largest = max(self._streams.values(), key=lambda stream: stream.size)
            before = largest.size
            if largest.acked is not None and largest.acked >= largest.first and largest.ends:
                largest.release(min(largest.acked + 1 - largest.first, len(largest.ends)))
            elif largest.extra:
                largest.condense()
            else:
                largest.lose()
            self._size += largest.size - before

    def _forget(self, id: RequestId) -> None:
        stream = self._streams.pop(id, None)
        if stream is not None:
            self._size -= stream.size

    def _text(self, stream: _Stream) -> str | None:
        if stream.seen is None:
            return None
        return stream.seen + "".join(text for data in stream.frames() if (text := chunk_text(data)) is not None)
