"""
What waits to be sent on one socket: coalescing, the high-water mark, and peers that do not read.

Frames and closing are `connection`'s.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable

from gsws.runtime.transport.port import Port
from gsws.runtime.wheel import Timer

if sys.platform != "win32":
    import fcntl
    import termios

__all__ = ["HIGH_WATER", "Outbox", "Stall"]

HIGH_WATER = 65536
"""Bytes waiting to be sent above which nothing more is read; the default of asyncio's transports."""


log = logging.getLogger("gsws.transport")


class Outbox:
    """
    Bytes on their way to one socket.

    Args:
        loop: Of the socket.
        transport: The socket.

    Attributes:
        transport: The socket.
        size: Bytes that were not yet given to the transport.
        is_scheduled: Whether somebody will call `flush`; what is queued until then leaves in one write.
    """

    __slots__ = ("_loop", "_pending", "_replayed", "_waiters", "_written", "is_scheduled", "size", "transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.size = 0
        self.is_scheduled = False
        self._loop = loop
        self._pending: list[bytes] = []
        self._written = 0
        self._replayed = 0
        self._waiters: list[asyncio.Future[None]] | None = None

    def queue(self, frame: bytes) -> None:
        """Send this with what else this turn of the event loop sends."""
        self._pending.append(frame)
        size = self.size = self.size + len(frame)
        if size > HIGH_WATER:
            self.flush()
        elif not self.is_scheduled:
            self.is_scheduled = True
            self._loop.call_soon(self.flush)

    def put(self, frames: list[bytes]) -> None:
        """Keep what the library sends for the next `flush`; ``b""`` means the end of the stream and is left out."""
        for frame in frames:
            if frame:
                self._pending.append(frame)
                self.size += len(frame)

    def flush(self) -> None:
        """Give what waits to the transport."""
        self.is_scheduled = False
        pending = self._pending
        if pending:
            data = pending[0] if len(pending) == 1 else b"".join(pending)
            pending.clear()
            self.size = 0
            self._written += len(data)
            self.transport.write(data)

    def send(self, frames: list[bytes]) -> None:
        """Send what the library sends, with what waits before it."""
        self.put(frames)
        self.flush()

    def drop(self) -> None:
        """Forget what waits; the socket is gone."""
        self._pending.clear()
        self.size = 0
        self.release_waiters()

    # What of it the peer has

    @property
    def buffered(self) -> int:
        """Bytes that wait here and in the transport."""
        return self.size + self.transport.get_write_buffer_size()

    @property
    def beyond_replay(self) -> int:
        """Those of them that were queued since `mark_replay`."""
        return min(self.buffered, self._written + self.size - self._replayed)

    def mark_replay(self) -> None:
        """What waits now was asked for at once."""
        self._replayed = self._written + self.size

    def drained(self) -> int:
        """Bytes that the peer's machine has acknowledged, since the beginning."""
        return self._written - self.transport.get_write_buffer_size() - _unacknowledged(self.transport)

    # Who waits for room

    async def room(self) -> None:
        """Wait until `release_waiters`."""
        waiter = self._loop.create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        await waiter

    def release_waiters(self) -> None:
        """Let everybody go on who waits in `room`."""
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)


class Stall:
    """
    The deadline of a peer that does not read: it begins anew whenever something was acknowledged (protocol P9.3).

    Args:
        outbox: What the peer does not read.
        port: Of the socket; its options say how long, its counters are told.
        name: Of the connection, for the log.
        give_up: Called when nothing was acknowledged for so long.
    """

    __slots__ = ("_give_up", "_name", "_outbox", "_port", "_progress", "_timer")

    def __init__(self, outbox: Outbox, port: Port, name: str, give_up: Callable[[], None]) -> None:
        self._outbox = outbox
        self._name = name
        self._port = port
        self._give_up = give_up
        self._watch(outbox.drained())

    def cancel(self) -> None:
        """The peer reads again, or is gone."""
        self._timer.cancel()

    def _watch(self, drained: int) -> None:
        self._progress = drained
        self._timer: Timer = self._port.wheel.schedule(self._port.options.stall_timeout, self._check)

    def _check(self) -> None:
        drained = self._outbox.drained()
        if drained > self._progress:
            self._watch(drained)
        else:
            self._port.counters.add("limits.stall")
            log.info("connection %s reads nothing: cut with %d bytes waiting", self._name, self._outbox.buffered)
            self._give_up()


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
