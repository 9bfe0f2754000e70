"""
A connection that its application holds back (protocol P9.2): nothing is delivered, and nobody is given up for it.

A little is read ahead, so that the end of the stream, a goodbye and pings are noticed; then the socket is left
unread, and TCP slows the peer down.
"""

from __future__ import annotations

import asyncio
import select
from typing import Final, Protocol

from gsws.runtime.transport.websocket.framing import Framing
from gsws.runtime.wheel import Wheel

__all__ = ["READ_AHEAD", "Hold", "has_left"]

READ_AHEAD: Final = 65536
"""Bytes held of a connection that is held back, from which on it is not read any more."""

_LOOK: Final = 2.0
"""Seconds between two looks at whether a peer that is not read has left."""


class Held(Protocol):
    """What a hold asks of its connection."""

    def ping(self) -> None:
        """Send a ping."""

    def forsake(self) -> None:
        """Read on to the goodbye that may be in what was not read; nobody waits for answers to the rest."""


class Hold:
    """
    How often a connection is held, and the looks at whether its peer is still there.

    Args:
        connection: Which.
        framing: With what is held of it.
        transport: Its socket.
        wheel: For the looks.

    Attributes:
        count: How many more times it must be released.
    """

    __slots__ = ("_acknowledged", "_connection", "_framing", "_timer", "_transport", "_wheel", "count")

    def __init__(self, connection: Held, framing: Framing, transport: asyncio.Transport, wheel: Wheel) -> None:
        self.count = 0
        self._connection = connection
        self._framing = framing
        self._transport = transport
        self._wheel = wheel
        self._acknowledged = -1
        self._timer = wheel.schedule(_LOOK, self._look)

    @property
    def is_unread(self) -> bool:
        """Whether so much is held that the socket is not read."""
        return len(self._framing.held) >= READ_AHEAD

    def cancel(self) -> None:
        """It is over."""
        self._timer.cancel()

    def is_acknowledging(self, drained: int) -> bool:
        """
        Tell whether the peer's machine has acknowledged anything since this was last asked; the first time yes.

        Its pong may be behind what nobody reads, but the ping itself is acknowledged by who is still there.

        Args:
            drained: Bytes that it has acknowledged.
        """
        before, self._acknowledged = self._acknowledged, drained
        return before < drained

    def _look(self) -> None:
        if self.is_unread:
            if has_left(self._transport):
                self._connection.forsake()
                return
            # The end of its stream may be stuck behind what we have no room for; then this is answered by a reset.
            self._connection.ping()
        self._timer = self._wheel.schedule(_LOOK, self._look)


def has_left(transport: asyncio.Transport) -> bool:
    """Tell whether the peer has ended its side or reset the connection; it may have sent something before."""
    sock = transport.get_extra_info("socket")
    if sock is None or not hasattr(select, "poll") or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))
