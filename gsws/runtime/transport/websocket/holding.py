"""
Connections that their application holds back (protocol P9.2): nothing is delivered, and nobody is given up for it.

A little is read ahead, so that the end of the stream, a goodbye and pings are noticed; then the socket is left
unread, and TCP slows the peer down. Shared ground of `connection`, as `sending` is.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Final

from gsws.runtime.transport.websocket.sending import SendingHalf

if TYPE_CHECKING:
    from gsws.runtime.transport.listener import Listener
    from gsws.runtime.wheel import Timer

__all__ = ["READ_AHEAD", "HoldingHalf", "has_left"]

READ_AHEAD: Final = 65536
"""Bytes held of a connection that is held back, from which on it is not read any more."""

_LOOK: Final = 2.0
"""Seconds between two looks at whether a peer that is not read has left."""


class HoldingHalf(SendingHalf):
    """What arrives on one socket while its application wants nothing of it."""

    __slots__ = ("_acknowledged", "_deaf", "_holds", "_watcher")

    def __init__(self, listener: Listener, transport: asyncio.Transport, identity: str) -> None:
        super().__init__(listener, transport, identity)
        self._holds = 0
        self._deaf = False
        self._acknowledged = -1
        self._watcher: Timer | None = None

    def hold(self) -> None:
        """Deliver no message until `release` was called as often; what is delivered now is the last one."""
        if not self._holds:
            if not self._begin_hold():
                return
            self._acknowledged = -1
            self._watcher = self._listener.wheel.schedule(_LOOK, self._watch)
        self._holds += 1
        self.halted = True

    def release(self) -> None:
        """Undo one `hold`; does nothing if there is none, or the connection was closed meanwhile."""
        if self._holds == 1:
            self._end_hold()
            self._listener.loop.call_soon(self._go_on)
        elif self._holds:
            self._holds -= 1

    # What the other half knows

    def _begin_hold(self) -> bool:
        """Prepare to look at what is held; False if the connection is not open."""
        raise NotImplementedError

    def _is_unread(self) -> bool:
        """Tell whether so much is held that the socket is not read."""
        raise NotImplementedError

    def _ping(self) -> None:
        """Send a ping."""
        raise NotImplementedError

    # What the other half uses

    def _end_hold(self) -> None:
        """Deliver again from now on, however often it was held."""
        self._holds = 0
        self.halted = self.paused
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def _is_held(self) -> bool:
        return self._holds > 0

    def _is_acknowledging(self) -> bool:
        """
        Tell whether the peer's machine has acknowledged anything since this was last asked; the first time yes.

        Its pong may be behind what nobody reads, but the ping itself is acknowledged by who is still there.
        """
        before, self._acknowledged = self._acknowledged, self._drained()
        return before < self._acknowledged

    # Private: peers that leave unread

    def _watch(self) -> None:
        self._watcher = None
        if not self._alive() or not self._holds:
            return
        if self._is_unread():
            if has_left(self._transport):
                # Nobody waits for answers to what was not read; there may be a goodbye in it.
                self._deaf = True
                self._end_hold()
                self._go_on()
                return
            # The end of its stream may be stuck behind what we have no room for; then this is answered by a reset.
            self._ping()
        self._watcher = self._listener.wheel.schedule(_LOOK, self._watch)


def has_left(transport: asyncio.Transport) -> bool:
    """Tell whether the peer has ended its side or reset the connection; it may have sent something before."""
    sock = transport.get_extra_info("socket")
    if sock is None or not hasattr(select, "poll") or sock.fileno() < 0:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))
