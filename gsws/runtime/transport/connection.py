"""
One open WebSocket: an `asyncio.Protocol` between a socket and a `Receiver`.

It begins after the opening handshake (`intake`) and knows sending, flow control, heartbeats and closing; frames
are `framing`'s. An idle connection owns no task and no timer of the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from websockets.protocol import OPEN

from gsws.errors import ConnectionClosed
from gsws.runtime.transport.ending import end_stream
from gsws.runtime.transport.framing import Framing, encode_frame

if TYPE_CHECKING:
    from websockets.extensions import Extension

    from gsws.runtime.transport.interface import Handshake, Receiver
    from gsws.runtime.transport.listener import Listener
    from gsws.runtime.transport.wheel import Timer

__all__ = ["Connection", "encode_frame"]

HIGH_WATER = 65536
"""Bytes waiting to be sent above which nothing more is read; the default of asyncio's transports."""

LINGER_BYTES = 2**26
"""Bytes thrown away after the connection was failed, so that a TCP reset does not take our last words."""

_CLOSE_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))

log = logging.getLogger("gsws.transport")


class Connection(asyncio.Protocol):
    """
    One open WebSocket.

    Attributes:
        id: Made by the server, unique, unguessable.
        host: Address of the peer.
        port: Port of the peer.
        path: Path of the handshake, percent-encoded.
        query: Query of the handshake, without ``?``.
        subprotocol: What was negotiated, or None.
        origin: ``Origin`` of the handshake, or None.
        user_agent: ``User-Agent`` of the handshake, or None.
        is_open: Whether messages can be sent.
        paused: Whether the peer reads too slowly; nothing is read from it meanwhile.
        close_code: Close code once the connection is closed, else None.
        close_reason: Close reason once the connection is closed, else None.
    """

    __slots__ = (
        "__weakref__",
        "_framing",
        "_heard",
        "_linger",
        "_listener",
        "_pending",
        "_pinged",
        "_progress",
        "_receiver",
        "_scheduled",
        "_size",
        "_stall",
        "_timer",
        "_transport",
        "_unanswered",
        "_waiters",
        "_written",
        "close_code",
        "close_reason",
        "host",
        "id",
        "is_open",
        "origin",
        "path",
        "paused",
        "port",
        "query",
        "subprotocol",
        "user_agent",
    )

    def __init__(
        self,
        listener: Listener,
        transport: asyncio.Transport,
        identity: str,
        handshake: Handshake,
        extensions: list[Extension],
    ) -> None:
        self.id = identity
        self.host = handshake.host
        self.port = handshake.port
        self.path = handshake.path
        self.query = handshake.query
        self.subprotocol = handshake.subprotocol
        self.origin = handshake.origin
        self.user_agent = handshake.headers.get("User-Agent")
        self.is_open = True
        self.paused = False
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._listener = listener
        self._transport = transport
        self._framing: Framing | None = Framing(self, listener.options.message_bytes, extensions)
        self._receiver: Receiver | None = None
        self._pending: list[bytes] = []
        self._size = 0
        self._written = 0
        self._scheduled = False
        self._heard = True
        self._pinged = 0.0
        self._unanswered = 0.0
        self._progress = 0
        self._linger = LINGER_BYTES
        self._timer: Timer | None = None
        self._stall: Timer | None = None
        self._waiters: list[asyncio.Future[None]] | None = None

    def __repr__(self) -> str:
        return f"<Connection {self.id} {self.host}:{self.port} {'open' if self.is_open else self.close_code}>"

    # Sending

    def send_text(self, data: bytes) -> None:
        """
        Queue one text message; what one turn of the event loop queues leaves in one write.

        Args:
            data: Valid UTF-8; not checked.

        Raises:
            ConnectionClosed: If the connection is not open.
        """
        if not self.is_open:
            raise self._closed_error()
        framing = self._framing
        assert framing is not None
        self._queue(framing.text_frame(data) if framing.extensions else encode_frame(data))

    def send_binary(self, data: bytes) -> None:
        """
        Queue one binary message.

        Raises:
            ConnectionClosed: If the connection is not open.
        """
        if not self.is_open:
            raise self._closed_error()
        framing = self._framing
        assert framing is not None
        self._queue(framing.binary_frame(data))

    def send_prepared(self, frame: bytes) -> None:
        """
        Push a frame made by `encode_frame`, the same bytes for many connections (protocol P9.3, P11.2).

        A connection that already has more than ``send_buffer`` bytes waiting is closed with 4430 instead.

        Raises:
            ConnectionClosed: If the connection is not open.
        """
        if not self.is_open:
            raise self._closed_error()
        if self.paused and self.buffered > self._listener.options.send_buffer:
            self.close(4430, "slow consumer")
            return
        self._queue(frame)

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return self._size + (0 if self._framing is None else self._transport.get_write_buffer_size())

    async def drain(self) -> None:
        """Wait until the peer reads fast enough again, or the connection is closed; that is no error here."""
        if self._size > HIGH_WATER:
            self._flush()
        if not self.paused or self._framing is None:
            return
        waiter = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        await waiter

    # Closing

    def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Begin the closing handshake; the connection is cut if the peer does not answer in ``close_timeout``.

        What was sent before leaves first; nothing can be sent after. Does nothing to a connection not open.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999.
            reason: At most 123 bytes of UTF-8; the rest is cut off.

        Raises:
            ValueError: If the code may not be sent.
        """
        if code not in _CLOSE_CODES and not 3000 <= code < 5000:
            raise ValueError(f"close code {code} may not be sent: 1000-1003, 1007-1014 and 3000-4999 may")
        if not self.is_open:
            return
        framing = self._framing
        assert framing is not None
        self.is_open = False
        self.close_code, self.close_reason = code, _cut(reason)
        framing.send_close(code, self.close_reason)
        self.control(framing.data_to_send())
        self._flush()
        self._release_waiters()
        self._set_timer(self._listener.options.close_timeout, self.abort)

    def abort(self) -> None:
        """Cut the connection at once, without a close frame; what waits to be sent is lost."""
        self.is_open = False
        if self._framing is not None:
            self._transport.abort()

    # Called by the event loop

    def data_received(self, data: bytes) -> None:
        """Take what the peer sent; replies to it leave in one write."""
        framing = self._framing
        if framing is None:
            return
        self._heard = True
        if framing.eof_sent:
            self._linger -= len(data)
            if self._linger < 0:
                self._transport.abort()
            return
        self._feed(framing, data)

    def eof_received(self) -> bool:
        """Take the end of what the peer sends; the transport then closes, after sending what waits."""
        framing = self._framing
        if framing is not None and not framing.eof_sent:
            if framing.held and not self.paused:
                framing.feed(b"", 1 << 30)
            framing.feed_eof()
            self.control(framing.data_to_send())
            self._flush()
            self._settle(framing)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the socket is gone."""
        framing = self._framing
        if framing is None:
            return
        self._framing = None
        self._finish(*self._outcome(framing))
        framing.release()
        self._pending.clear()
        self._size = 0
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()
        self._timer = self._stall = None
        self._release_waiters()
        self._listener.forget(self)

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read; cut it if that lasts (protocol P9.3)."""
        self.paused = True
        framing = self._framing
        if framing is not None and not framing.eof_sent:
            self._transport.pause_reading()
        if self._stall is None:
            self._watch_stall(self._drained())

    def resume_writing(self) -> None:
        """Read again."""
        self.paused = False
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._release_waiters()
        self._listener.loop.call_soon(self._go_on)

    # Called by the intake

    def begin(self, response: bytes, handshake: Handshake) -> None:
        """Send the 101 response and hand the connection to the application; its exceptions pass through."""
        self._scheduled = True
        self._pending.append(response)
        self._size = len(response)
        self._receiver = self._listener.application.connected(self, handshake)
        self._flush()
        interval = self._listener.options.heartbeat_interval
        if interval and self.is_open:
            self._pinged = self._listener.wheel.time()
            self._set_timer(interval, self._beat)

    def give_up(self) -> None:
        """Undo `begin` after the application refused the connection by raising; nothing was sent."""
        framing, self._framing = self._framing, None
        self.is_open = False
        self._pending.clear()
        self._size = 0
        for timer in (self._timer, self._stall):
            if timer is not None:
                timer.cancel()
        if framing is not None:
            framing.release()

    # Called by the framing

    def text(self, data: bytes) -> None:
        """Give one text message to the receiver."""
        receiver = self._receiver
        if receiver is not None and self.is_open:
            try:
                receiver.message(data)
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def binary(self, data: bytes) -> None:
        """Give one binary message to the receiver."""
        receiver = self._receiver
        if receiver is not None and self.is_open:
            try:
                receiver.binary(data)
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def control(self, frames: list[bytes]) -> None:
        """Queue what the library sends; the end of the stream is `_settle`'s."""
        for frame in frames:
            if frame:
                self._pending.append(frame)
                self._size += len(frame)

    def too_large(self) -> bytes:
        """Ask the application for the error that goes before a close with 1009."""
        try:
            return self._listener.application.too_large(self._listener.options.message_bytes)
        except Exception:
            log.exception("no error frame for a message that is too large")
            return b""

    # Private: sending

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

    def _drained(self) -> int:
        return self._written - self._transport.get_write_buffer_size()

    def _release_waiters(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    # Private: receiving

    def _feed(self, framing: Framing, data: bytes) -> bool:
        """Take received bytes; tell whether the rest was left for the next turn of the event loop."""
        self._scheduled = True
        more = framing.feed(data)
        if framing.writes:
            self.control(framing.data_to_send())
        self._flush()
        if framing.state is not OPEN:
            self._settle(framing)
        if more and not framing.eof_sent:
            self._transport.pause_reading()
            self._listener.loop.call_soon(self._go_on)
            return True
        return False

    def _go_on(self) -> None:
        framing = self._framing
        if framing is None or self.paused:
            return
        if framing.held and not framing.eof_sent and (self._feed(framing, b"") or self.paused):
            return
        self._transport.resume_reading()

    # Private: closing

    def _settle(self, framing: Framing) -> None:
        """Follow the library out of the open state: it has sent a close frame, received one, or failed."""
        if framing.eof_sent and self._framing is not None:
            self._finish(*self._outcome(framing))
            self._transport.resume_reading()  # what is still coming is thrown away, see LINGER_BYTES
            self._set_timer(self._listener.options.close_timeout, self.abort)
            end_stream(self._transport, self._listener.wheel)

    def _outcome(self, framing: Framing) -> tuple[int, str]:
        if self.close_code is not None:
            return self.close_code, self.close_reason or ""
        received, sent = framing.close_rcvd, framing.close_sent
        if received is not None and (sent is None or framing.close_rcvd_then_sent):
            return int(received.code), received.reason
        if sent is not None:
            return int(sent.code), sent.reason
        return 1006, ""

    def _finish(self, code: int, reason: str) -> None:
        self.is_open = False
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
        receiver, self._receiver = self._receiver, None
        self._release_waiters()
        if receiver is not None:
            try:
                receiver.closed(code, reason)
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def _closed_error(self) -> ConnectionClosed:
        return ConnectionClosed(1006 if self.close_code is None else self.close_code, self.close_reason or "")

    # Private: deadlines

    def _set_timer(self, delay: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._listener.wheel.schedule(delay, callback)

    def _beat(self) -> None:
        """Ping, or give up on a peer that has sent nothing since the first unanswered ping (P10.1)."""
        framing = self._framing
        if framing is None or not self.is_open:
            return
        options = self._listener.options
        now = self._listener.wheel.time()
        if self._heard or self.paused:
            self._heard = False
            self._unanswered = 0.0
        elif self._unanswered and now >= self._unanswered + options.heartbeat_timeout - 0.01:
            log.debug("connection %s missed its heartbeat", self.id)
            self.close(4408, "heartbeat missed")
            self._set_timer(min(1.0, options.close_timeout), self.abort)
            return
        due = self._pinged + options.heartbeat_interval
        if now >= due - 0.01:
            framing.send_ping(b"")
            self.control(framing.data_to_send())
            self._flush()
            self._pinged = now
            self._unanswered = self._unanswered or now
            due = now + options.heartbeat_interval
        if self._unanswered:
            due = min(due, self._unanswered + options.heartbeat_timeout)
        self._set_timer(max(due - now, 0.0), self._beat)

    def _check_stall(self) -> None:
        self._stall = None
        if self._framing is None or not self.paused:
            return
        drained = self._drained()
        if drained <= self._progress:
            log.info("connection %s reads nothing: cut with %d bytes waiting", self.id, self.buffered)
            self.abort()
            return
        self._watch_stall(drained)

    def _watch_stall(self, drained: int) -> None:
        self._progress = drained
        listener = self._listener
        self._stall = listener.wheel.schedule(listener.options.stall_timeout, self._check_stall)


def _cut(reason: str) -> str:
    return reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")
