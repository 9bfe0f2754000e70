"""
The sending half of a connection: coalescing, the high-water mark, and peers that do not read.

Shared ground of `connection`, which is the only class built on it; frames, receiving and closing are there.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl
    import termios

if TYPE_CHECKING:
    from gsws.runtime.transport.listener import Listener
    from gsws.runtime.wheel import Timer

__all__ = ["HIGH_WATER", "SendingHalf"]

HIGH_WATER = 65536
"""Bytes waiting to be sent above which nothing more is read; the default of asyncio's transports."""

log = logging.getLogger("gsws.transport")


class SendingHalf(asyncio.Protocol):
    """
    What waits to be sent on one socket.

    Attributes:
        id: The connection's, for the log.
        paused: Whether the peer reads too slowly; nothing is read from it meanwhile.
        halted: Whether nothing that arrives is delivered: it is paused, or its application holds it back.
    """

    __slots__ = (
        "_replayed",
        "_listener",
        "_pending",
        "_progress",
        "_scheduled",
        "_size",
        "_stall",
        "_timer",
        "_transport",
        "_waiters",
        "_written",
        "halted",
        "id",
        "paused",
    )

    def __init__(self, listener: Listener, transport: asyncio.Transport, identity: str) -> None:
        self.id = identity
        self.paused = False
        self.halted = False
        self._listener = listener
        self._transport = transport
        self._pending: list[bytes] = []
        self._size = 0
        self._written = 0
        self._replayed = 0
        self._scheduled = False
        self._progress = 0
        self._stall: Timer | None = None
        self._timer: Timer | None = None
        self._waiters: list[asyncio.Future[None]] | None = None

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return self._size + (self._transport.get_write_buffer_size() if self._alive() else 0)

    @property
    def backlog_beyond_replay(self) -> int:
        """Bytes that wait to be sent, without those that waited at the last `mark_replay`."""
        return min(self.buffered, self._written + self._size - self._replayed)

    def mark_replay(self) -> None:
        """What waits now was asked for at once: pushes that come behind it are not to blame on a slow reader."""
        self._replayed = self._written + self._size

    async def drain(self) -> None:
        """Wait until the peer reads fast enough again, or the connection is closed; that is no error here."""
        if self._size > HIGH_WATER:
            self._flush()
        if not self.paused or not self._alive():
            return
        waiter = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        await waiter

    def abort(self) -> None:
        """Cut the connection at once, without a close frame; what waits to be sent is lost."""
        raise NotImplementedError

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read; cut it if that lasts (protocol P9.3)."""
        self.paused = self.halted = True
        if self._reads():
            self._transport.pause_reading()
        if self._stall is None:
            self._watch_stall(self._drained())

    def resume_writing(self) -> None:
        """Read again."""
        self.paused = False
        self.halted = self._is_held()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._release_waiters()
        self._listener.loop.call_soon(self._go_on)

    # What the other half knows

    def _alive(self) -> bool:
        """Tell whether there still is a socket."""
        raise NotImplementedError

    def _reads(self) -> bool:
        """Tell whether what arrives is of interest."""
        raise NotImplementedError

    def _is_held(self) -> bool:
        """Tell whether the application wants nothing for now."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """Go on reading."""
        raise NotImplementedError

    # What the other half uses

    def control(self, frames: list[bytes]) -> None:
        """Queue what the library sends; ``b""`` means the end of the stream and is left out."""
        for frame in frames:
            if frame:
                self._pending.append(frame)
                self._size += len(frame)

    def _queue(self, frame: bytes) -> None:
        self._pending.append(frame)
        self._size += len(frame)
        if self._size > HIGH_WATER:
            self._flush()
        elif not self._scheduled:
            self._scheduled = True
            self._listener.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        pending = self._pending
        if pending:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            pending.clear()
            self._size = 0
            self._written += len(data)
            self._transport.write(data)

    def _drop(self) -> None:
        """Forget what waits and every deadline; the socket is gone."""
        self._pending.clear()
        self._size = 0
        for timer in (self._stall, self._timer):
            if timer is not None:
                timer.cancel()
        self._stall = self._timer = None
        self._release_waiters()

    def _set_timer(self, delay: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._listener.wheel.schedule(delay, callback)

    def _release_waiters(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    # Private: peers that do not read

    def _drained(self) -> int:
        return self._written - self._transport.get_write_buffer_size() - _unacknowledged(self._transport)

    def _watch_stall(self, drained: int) -> None:
        self._progress = drained
        listener = self._listener
        self._stall = listener.wheel.schedule(listener.options.stall_timeout, self._check_stall)

    def _check_stall(self) -> None:
        self._stall = None
        if not self._alive() or not self.paused:
            return
        drained = self._drained()
        if drained > self._progress:
            self._watch_stall(drained)
        else:
            self._listener.counters.add("limits.stall")
            log.info("connection %s reads nothing: cut with %d bytes waiting", self.id, self.buffered)
            self.abort()


def _unacknowledged(transport: asyncio.Transport) -> int:
    """
    Return the bytes that the kernel still holds for the peer.

    A steady but slow reader empties the kernel's buffer, megabytes of it, long before the event loop can write again.
    """
    sock = transport.get_extra_info("socket")
    if sys.platform == "win32" or sock is None:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0
