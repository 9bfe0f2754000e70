"""Control frames that wait for the connection, and what the server is to be told that was seen (protocol P8.6)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from gsws.protocol.codec import encode

__all__ = ["Outbox"]

_ACKNOWLEDGE_AFTER: Final = 1.0
_ACKNOWLEDGE_MANY: Final = 64


class Outbox:
    """
    What is to be said besides requests.

    Attributes:
        control: Control frames to be sent.
        ready: Set whenever there may be something to send, requests included.
        is_session: Whether there is a session, or was one before the cut: frames are acknowledged.
        is_connected: Whether there is a connection; what was seen is told on the next one if not.
    """

    def __init__(self) -> None:
        self.control: deque[bytes] = deque()
        self.ready = asyncio.Event()
        self.is_session = False
        self.is_connected = False
        self._acknowledged: dict[str, int] = {}
        self._flushing: asyncio.TimerHandle | None = None

    def say(self, eventtype: str, payload: dict[str, Any]) -> None:
        """Queue a control frame."""
        self.tell(encode({"eventtype": eventtype, "payload": payload}))

    def tell(self, message: bytes) -> None:
        """Queue a control frame that is encoded already."""
        self.control.append(message)
        self.ready.set()

    def acknowledge(self, id: str, seq: int) -> None:
        """Frames up to this number were seen; said together with others, soon."""
        if not self.is_session:
            return
        self._acknowledged[id] = seq
        if len(self._acknowledged) >= _ACKNOWLEDGE_MANY:
            self.flush()
        elif self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(_ACKNOWLEDGE_AFTER, self.flush)

    def flush(self) -> None:
        """Tell the server what was seen."""
        self.end()
        if self.is_connected and self.is_session:
            for id, seq in self._acknowledged.items():
                self.say("gsws.ack", {"id": id, "seq": seq})
            self._acknowledged.clear()

    def forget(self) -> None:
        """The session is a new one: nothing of the one before is acknowledged."""
        self._acknowledged.clear()

    def end(self) -> None:
        """Let the timer go."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
