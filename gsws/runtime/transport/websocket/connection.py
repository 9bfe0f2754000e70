"""
One open WebSocket: an `asyncio.Protocol` between a socket and a `Receiver`.

It begins after the opening handshake (`http`) and knows receiving, heartbeats and closing; frames are `framing`'s,
flow control is `sending`'s and `holding`'s. An idle connection owns no task and no timer of the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

from websockets.protocol import OPEN

from gsws.errors import ConnectionClosed
from gsws.runtime.transport.closing import check_close_code, cut_reason, end_stream, outcome
from gsws.runtime.transport.websocket.framing import Framing, encode_frame
from gsws.runtime.transport.websocket.heartbeat import Heartbeat
from gsws.runtime.transport.websocket.holding import READ_AHEAD, HoldingHalf

if TYPE_CHECKING:
    from websockets.extensions import Extension

    from gsws.runtime.transport.interface import Handshake, Receiver
    from gsws.runtime.transport.listener import Listener

__all__ = ["Connection", "encode_frame"]

LINGER_BYTES = 2**26
"""Bytes thrown away after the connection was closed or failed: a TCP reset would take our last words."""

_LAST_WORDS = 0.2  # seconds for the close frame to a peer that missed its heartbeat: most likely nobody is there
log = logging.getLogger("gsws.transport")


class Connection(HoldingHalf):
    """
    One open WebSocket.

    Attributes:
        id: Made by the server, unique, unguessable.
        host: Address of the peer.
        port: Port of the peer.
        authority: ``Host`` of the handshake, as sent.
        path: Path of the handshake, percent-encoded.
        query: Query of the handshake, without ``?``.
        subprotocol: What was negotiated, or None.
        origin: ``Origin`` of the handshake, or None.
        user_agent: ``User-Agent`` of the handshake, or None.
        is_open: Whether messages can be sent.
        paused: Whether the peer reads too slowly; nothing is read from it meanwhile.
        close_code: Close code once the connection is closed, else None.
        close_reason: Close reason once the connection is closed, else None.
        closed_by_peer: Whether the peer closed it, by a close frame that came before one of ours.
    """

    __slots__ = (
        "__weakref__",
        "_framing",
        "_heard",
        "_heartbeat",
        "_linger",
        "_receiver",
        "authority",
        "close_code",
        "close_reason",
        "closed_by_peer",
        "host",
        "is_open",
        "origin",
        "path",
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
        super().__init__(listener, transport, identity)
        self.host = handshake.host
        self.port = handshake.port
        self.authority = sys.intern(handshake.headers.get("Host", ""))  # one text for all of a host's
        self.path = handshake.path
        self.query = handshake.query
        self.subprotocol = handshake.subprotocol
        self.origin = handshake.origin
        self.user_agent = handshake.headers.get("User-Agent")
        self.is_open = True
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.closed_by_peer = False
        self._framing: Framing | None = Framing(self, listener.options.message_bytes, extensions)
        self._receiver: Receiver | None = None
        self._heard = True
        self._heartbeat: Heartbeat | None = None
        self._linger = LINGER_BYTES

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
        if self.paused and self.backlog_beyond_replay > self._listener.options.send_buffer:
            self.close(4430, "slow consumer")
            return
        self._queue(frame)

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
        check_close_code(code)
        if not self.is_open:
            return
        framing = self._framing
        assert framing is not None
        self.is_open = False
        if self._holds:  # the answer to our close frame is behind what is held
            self._end_hold()
            self._listener.loop.call_soon(self._go_on)
        self.close_code, self.close_reason = code, cut_reason(reason)
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
        if not self.is_open:
            self._linger -= len(data)
            if self._linger < 0:
                self._transport.abort()
        if self._holds:
            framing.held += data
            self._look(framing)
        elif not framing.eof_sent:
            self._feed(framing, data)

    def eof_received(self) -> bool:
        """Take the end of what the peer sends; the transport then closes, after sending what waits."""
        framing = self._framing
        if framing is not None and not framing.eof_sent:
            if framing.held and not self.paused:
                self._take_all(framing)
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
        self._finish(framing)
        framing.release()
        self._drop()
        self._listener.forget(self)

    # Called by the application

    def entrust(self, receiver: Receiver) -> None:
        """Give what comes from now on to another receiver; does nothing once the connection is no longer open."""
        if self._receiver is not None:
            self._receiver = receiver

    def probe(self) -> None:
        """Ask the peer for a sign of life that `was_heard` tells of."""
        framing = self._framing
        if framing is not None and self.is_open:
            self._heard = False
            framing.send_ping(b"")
            self.control(framing.data_to_send())

    @property
    def was_heard(self) -> bool:
        """Whether anything came since the last `probe`, or heartbeat."""
        return self._heard

    # Called by the HTTP connection

    def begin(self, response: bytes, handshake: Handshake) -> None:
        """Send the 101 response and hand the connection to the application; its exceptions pass through."""
        self._scheduled = True
        self._pending.append(response)
        self._size = len(response)
        self._receiver = self._listener.application.connected(self, handshake)
        self._flush()
        interval = self._listener.options.heartbeat_interval
        if interval and self.is_open:
            self._heartbeat = Heartbeat(self._listener.wheel.time())
            self._set_timer(interval, self._beat)

    def give_up(self) -> None:
        """Undo `begin` after the application refused the connection by raising; nothing was sent."""
        framing, self._framing = self._framing, None
        self.is_open = False
        self._drop()
        if framing is not None:
            framing.release()

    # Called by the framing

    def text(self, data: bytes) -> None:
        """Give one text message to the receiver."""
        receiver = self._receiver
        if self.is_open and receiver is not None and not self._deaf:
            try:
                receiver.message(data)
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def binary(self, data: bytes) -> None:
        """Give one binary message to the receiver."""
        receiver = self._receiver
        if self.is_open and receiver is not None and not self._deaf:
            try:
                receiver.binary(data)
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def too_large(self) -> bytes:
        """Ask the application for the error that goes before a close with 1009."""
        try:
            return self._listener.application.too_large(self._listener.options.message_bytes)
        except Exception:
            log.exception("no error frame for a message that is too large")
            return b""

    # Asked by the sending half

    def _alive(self) -> bool:
        return self._framing is not None

    def _reads(self) -> bool:
        return self._framing is not None and not self._framing.eof_sent

    def _go_on(self) -> None:
        framing = self._framing
        if framing is None or self.paused:
            return
        if self._holds:
            self._look(framing)
            return
        if framing.held and not framing.eof_sent and (self._feed(framing, b"") or self.halted):
            return
        self._transport.resume_reading()

    def _begin_hold(self) -> bool:
        if self._framing is None or not self.is_open:
            return False
        self._framing.begin_look()
        return True

    def _is_unread(self) -> bool:
        return self._framing is not None and len(self._framing.held) >= READ_AHEAD

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
        elif self._holds:
            self._look(framing)
        if more and not framing.eof_sent:
            self._transport.pause_reading()
            self._listener.loop.call_soon(self._go_on)
            return True
        return False

    def _look(self, framing: Framing) -> None:
        """Of a connection that is held back: see whether it ends, and read a little ahead."""
        if framing.look_ahead():
            # What came before the goodbye was sent in time: it is taken, however much waits already.
            self._take_all(framing)
            self.control(framing.data_to_send())
            self._flush()
            self._settle(framing)
            return
        self._flush()
        if self.paused or self._is_unread():
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take_all(self, framing: Framing) -> None:
        """Deliver everything that is held."""
        more = True
        while more and not framing.eof_sent:
            self._end_hold()
            framing.feed(b"", 1 << 30)
            more = self._holds > 0

    # Private: closing

    def _settle(self, framing: Framing) -> None:
        """Follow the library out of the open state: it has sent a close frame, received one, or failed."""
        if framing.eof_sent and self._framing is not None:
            self._finish(framing)
            self._transport.resume_reading()  # what is still coming is thrown away, see LINGER_BYTES
            self._set_timer(self._listener.options.close_timeout, self.abort)
            end_stream(self._transport, self._listener.wheel)

    def _finish(self, framing: Framing) -> None:
        self.is_open = False
        self._end_hold()
        if self.close_code is None:
            self.close_code, self.close_reason, self.closed_by_peer = outcome(framing)
        receiver, self._receiver = self._receiver, None
        self._release_waiters()
        if receiver is not None:
            try:
                receiver.closed(self.close_code, self.close_reason or "")
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def _closed_error(self) -> ConnectionClosed:
        return ConnectionClosed(1006 if self.close_code is None else self.close_code, self.close_reason or "")

    # Private: deadlines

    def _beat(self) -> None:
        """Ping, or give up on a peer that has sent nothing since the first unanswered ping (P10.1)."""
        framing, heartbeat, listener = self._framing, self._heartbeat, self._listener
        if framing is None or heartbeat is None or not self.is_open:
            return
        interval, timeout = listener.options.heartbeat_interval, listener.options.heartbeat_timeout
        now = listener.wheel.time()
        heard = self._heard or self.paused
        if self._holds and not heard and self._is_unread():
            heard = self._is_acknowledging()
        self._heard = False
        decision = heartbeat.check(now, heard=heard, interval=interval, timeout=timeout)
        if decision is None:
            log.debug("connection %s missed its heartbeat", self.id)
            self.close(4408, "heartbeat missed")
            self._set_timer(min(_LAST_WORDS, listener.options.close_timeout), self.abort)
            return
        ping, delay = decision
        if ping:
            self._ping()
        self._set_timer(delay, self._beat)

    def _ping(self) -> None:
        framing = self._framing
        if framing is not None and self.is_open:
            framing.send_ping(b"")
            self.control(framing.data_to_send())
            self._flush()
