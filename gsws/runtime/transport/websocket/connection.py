"""
One open WebSocket: an `asyncio.Protocol` between a socket and a `Receiver`.

It begins after the opening handshake (`http`) and knows receiving, heartbeats and closing; frames are `framing`'s, what
waits to be sent is `outbox`'s, being held back `holding`'s. An idle connection owns no task and no timer of the event
loop.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable

from websockets.extensions import Extension
from websockets.protocol import OPEN

from gsws.errors import ConnectionClosed
from gsws.protocol.closecodes import CloseCode
from gsws.runtime.transport.closing import check_close_code, cut_reason, end_stream
from gsws.runtime.transport.interface import Handshake, Receiver
from gsws.runtime.transport.port import Port
from gsws.runtime.transport.websocket.framing import Framing, encode_frame
from gsws.runtime.transport.websocket.heartbeat import Heartbeat
from gsws.runtime.transport.websocket.holding import Hold
from gsws.runtime.transport.websocket.outbox import HIGH_WATER, Outbox, Stall
from gsws.runtime.wheel import Timer

__all__ = ["WebSocketConnection"]

LINGER_BYTES = 2**26
"""Bytes thrown away after the connection was closed or failed: a TCP reset would take our last words."""

_LAST_WORDS = 0.2  # seconds for the close frame to a peer that missed its heartbeat: most likely nobody is there
log = logging.getLogger("gsws.transport")


class WebSocketConnection(asyncio.Protocol):
    """
    A `gsws.runtime.transport.Connection` with a socket of its own.

    Args:
        port: What it shares with the other sockets.
        transport: The socket.
        identity: Its ``id``.
        handshake: Where its attributes are from.
        extensions: As negotiated.

    Attributes:
        halted: Whether nothing that arrives is delivered: it is paused, or its application holds it back.
    """

    __slots__ = (
        "_framing", "_heartbeat", "_hold", "_linger", "_outbox", "_port", "_receiver", "_stall",
        "_timer", "authority", "close_code", "close_reason", "closed_by_peer", "halted", "host", "id", "is_open",
        "origin", "path", "paused", "port", "query", "subprotocol", "was_heard",
    )  # fmt: skip

    def __init__(
        self, port: Port, transport: asyncio.Transport, identity: str, handshake: Handshake, extensions: list[Extension]
    ) -> None:
        self.id = identity
        self.host = handshake.host
        self.port = handshake.port
        self.authority = sys.intern(handshake.headers.get("Host", ""))  # one text for all of a host's
        self.path = handshake.path
        self.query = handshake.query
        self.subprotocol = handshake.subprotocol
        self.origin = handshake.origin
        self.is_open = True
        self.paused = False
        self.halted = False
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.closed_by_peer = False
        self._port = port
        self._outbox = Outbox(port.loop, transport)
        self._framing: Framing | None = Framing(self, port.options.message_bytes, extensions)
        self._receiver: Receiver | None = None
        self.was_heard = True
        self._heartbeat: Heartbeat | None = None
        self._hold: Hold | None = None
        self._stall: Stall | None = None
        self._timer: Timer | None = None
        self._linger = LINGER_BYTES

    def __repr__(self) -> str:
        return f"<WebSocketConnection {self.id} {self.host}:{self.port} {'open' if self.is_open else self.close_code}>"

    # Sending

    def send_text(self, data: bytes) -> None:
        if not self.is_open:
            raise _closed_error(self)
        framing = self._framing
        assert framing is not None
        self._outbox.queue(framing.text_frame(data) if framing.extensions else encode_frame(data))

    def send_binary(self, data: bytes) -> None:
        if not self.is_open:
            raise _closed_error(self)
        assert self._framing is not None
        self._outbox.queue(self._framing.binary_frame(data))

    def send_prepared(self, frame: bytes) -> None:
        if not self.is_open:
            raise _closed_error(self)
        self._outbox.queue(frame)

    def push(self, frame: bytes) -> bool:
        if not self.is_open:
            raise _closed_error(self)
        if self.paused and not self.keeps_up(self._port.options.send_buffer):
            return False
        self._outbox.queue(frame)
        return True

    def keeps_up(self, most: int) -> bool:
        if not self.paused or self.backlog_beyond_replay <= most:
            return True
        self.close(CloseCode.SLOW_CONSUMER, "slow consumer")
        return False

    @property
    def buffered(self) -> int:
        return 0 if self._framing is None else self._outbox.buffered

    @property
    def backlog_beyond_replay(self) -> int:
        return 0 if self._framing is None else self._outbox.beyond_replay

    def mark_replay(self) -> None:
        self._outbox.mark_replay()

    async def drain(self) -> None:
        if self._outbox.size > HIGH_WATER:
            self._outbox.flush()
        if self.paused and self._framing is not None:
            await self._outbox.room()

    # Receiving

    def hold(self) -> None:
        framing = self._framing
        if framing is None or not self.is_open:
            return
        if self._hold is None:
            framing.begin_look()
            self._hold = Hold(self, framing, self._outbox.transport, self._port.wheel)
        self._hold.count += 1
        self.halted = True

    def release(self) -> None:
        hold = self._hold
        if hold is None:
            return
        hold.count -= 1
        if not hold.count:
            self._end_hold()
            self._port.loop.call_soon(self._go_on)

    def entrust(self, receiver: Receiver) -> None:
        if self._receiver is not None:
            self._receiver = _Forsaken(receiver) if isinstance(self._receiver, _Forsaken) else receiver

    def probe(self) -> None:
        self.was_heard = False
        self.ping()

    # Closing

    def close(self, code: int = 1000, reason: str = "") -> None:
        check_close_code(code)
        if not self.is_open:
            return
        framing = self._framing
        assert framing is not None
        self.is_open = False
        if self._hold is not None:  # the answer to our close frame is behind what is held
            self._end_hold()
            self._port.loop.call_soon(self._go_on)
        self.close_code, self.close_reason = code, cut_reason(reason)
        framing.send_close(code, self.close_reason)
        self._outbox.send(framing.data_to_send())
        self._outbox.release_waiters()
        self._set_timer(self._port.options.close_timeout, self.abort)

    def abort(self) -> None:
        """Cut the connection at once, without a close frame; what waits to be sent is lost."""
        self.is_open = False
        if self._framing is not None:
            self._outbox.transport.abort()

    # Called by the event loop

    def data_received(self, data: bytes) -> None:
        """Take what the peer sent; replies to it leave in one write."""
        framing = self._framing
        if framing is None:
            return
        self.was_heard = True
        if not self.is_open:
            self._linger -= len(data)
            if self._linger < 0:
                self._outbox.transport.abort()
        if self._hold is not None:
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
            self._outbox.send(framing.data_to_send())
            self._settle(framing)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the socket is gone."""
        framing = self._framing
        if framing is None:
            return
        self._framing = None
        self._finish(framing)
        self._drop(framing)
        self._port.forget(self)

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read; cut it if that lasts (protocol P9.3)."""
        self.paused = self.halted = True
        if self._framing is not None and not self._framing.eof_sent:
            self._outbox.transport.pause_reading()
        if self._stall is None:
            self._stall = Stall(self._outbox, self._port, self.id, self.abort)

    def resume_writing(self) -> None:
        """Read again."""
        self.paused = False
        self.halted = self._hold is not None
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._outbox.release_waiters()
        self._port.loop.call_soon(self._go_on)

    # Called by the HTTP connection

    def begin(self, response: bytes, handshake: Handshake) -> None:
        """Send the 101 response and hand the connection to the application; its exceptions pass through."""
        port, outbox = self._port, self._outbox
        outbox.is_scheduled = True
        outbox.put([response])
        self._receiver = port.application.connected(self, handshake)
        outbox.flush()
        interval = port.options.heartbeat_interval
        if interval and self.is_open:
            self._heartbeat = Heartbeat(port.wheel.time())
            self._set_timer(interval, self._beat)

    def give_up(self) -> None:
        """Undo `begin` after the application refused the connection by raising; nothing was sent."""
        framing, self._framing = self._framing, None
        self.is_open = False
        if framing is not None:
            self._drop(framing)

    # Called by the framing

    def text(self, data: bytes) -> None:
        """Give one text message to the receiver."""
        receiver = self._receiver
        if self.is_open and receiver is not None:
            try:
                receiver.message(data)
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def binary(self, data: bytes) -> None:
        """Give one binary message to the receiver."""
        receiver = self._receiver
        if self.is_open and receiver is not None:
            try:
                receiver.binary(data)
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def control(self, frames: list[bytes]) -> None:
        """Send what the library answers, with what is sent next."""
        self._outbox.put(frames)

    def too_large(self) -> bytes:
        """Ask the application for the error that goes before a close with 1009."""
        try:
            return self._port.application.too_large(self._port.options.message_bytes)
        except Exception:
            log.exception("no error frame for a message that is too large")
            return b""

    # Called by the hold

    def ping(self) -> None:
        """Send a ping."""
        framing = self._framing
        if framing is not None and self.is_open:
            framing.send_ping(b"")
            self._outbox.send(framing.data_to_send())

    def forsake(self) -> None:
        """Read on to the goodbye that may be in what was not read; nobody waits for answers to the rest."""
        if self._receiver is not None:
            self._receiver = _Forsaken(self._receiver)
        self._end_hold()
        self._go_on()

    # Private: receiving

    def _feed(self, framing: Framing, data: bytes) -> bool:
        """Take received bytes; tell whether the rest was left for the next turn of the event loop."""
        outbox = self._outbox
        outbox.is_scheduled = True
        more = framing.feed(data)
        if framing.writes:
            outbox.put(framing.data_to_send())
        outbox.flush()
        if framing.state is not OPEN:
            self._settle(framing)
        elif self._hold is not None:
            self._look(framing)
        if more and not framing.eof_sent:
            outbox.transport.pause_reading()
            self._port.loop.call_soon(self._go_on)
            return True
        return False

    def _go_on(self) -> None:
        framing = self._framing
        if framing is None or self.paused:
            return
        if self._hold is not None:
            self._look(framing)
            return
        if framing.held and not framing.eof_sent and (self._feed(framing, b"") or self.halted):
            return
        self._outbox.transport.resume_reading()

    def _look(self, framing: Framing) -> None:
        """Of a connection that is held back: see whether it ends, and read a little ahead."""
        if framing.look_ahead():
            # What came before the goodbye was sent in time: it is taken, however much waits already.
            self._take_all(framing)
            self._outbox.send(framing.data_to_send())
            self._settle(framing)
            return
        self._outbox.flush()
        if self.paused or (self._hold is not None and self._hold.is_unread):
            self._outbox.transport.pause_reading()
        else:
            self._outbox.transport.resume_reading()

    def _take_all(self, framing: Framing) -> None:
        """Deliver everything that is held."""
        more = True
        while more and not framing.eof_sent:
            self._end_hold()
            framing.feed(b"", 1 << 30)
            more = self._hold is not None

    def _end_hold(self) -> None:
        """Deliver again from now on, however often it was held."""
        self.halted = self.paused
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None

    # Private: closing

    def _settle(self, framing: Framing) -> None:
        """Follow the library out of the open state: it has sent a close frame, received one, or failed."""
        if framing.eof_sent and self._framing is not None:
            self._finish(framing)
            self._outbox.transport.resume_reading()  # what is still coming is thrown away, see LINGER_BYTES
            self._set_timer(self._port.options.close_timeout, self.abort)
            end_stream(self._outbox.transport, self._port.wheel)

    def _finish(self, framing: Framing) -> None:
        self.is_open = False
        self._end_hold()
        if self.close_code is None:
            self.close_code, self.close_reason, self.closed_by_peer = framing.outcome
        receiver, self._receiver = self._receiver, None
        self._outbox.release_waiters()
        if receiver is not None:
            try:
                receiver.closed(self.close_code, self.close_reason or "")
            except Exception:
                log.exception("the receiver of connection %s failed", self.id)

    def _drop(self, framing: Framing) -> None:
        """Forget what waits and every deadline; the socket is gone."""
        framing.release()
        self._outbox.drop()
        if self._stall is not None:
            self._stall.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._stall = self._timer = None

    # Private: deadlines

    def _set_timer(self, delay: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._port.wheel.schedule(delay, callback)

    def _beat(self) -> None:
        """Ping, or give up on a peer that has sent nothing since the first unanswered ping (P10.1)."""
        heartbeat, port = self._heartbeat, self._port
        if heartbeat is None or not self.is_open:
            return
        interval, timeout = port.options.heartbeat_interval, port.options.heartbeat_timeout
        heard = self.was_heard or self.paused
        if self._hold is not None and not heard and self._hold.is_unread:
            heard = self._hold.is_acknowledging(self._outbox.drained())
        self.was_heard = False
        decision = heartbeat.check(port.wheel.time(), heard=heard, interval=interval, timeout=timeout)
        if decision is None:
            log.debug("connection %s missed its heartbeat", self.id)
            self.close(CloseCode.HEARTBEAT_MISSED, "heartbeat missed")
            self._set_timer(min(_LAST_WORDS, port.options.close_timeout), self.abort)
            return
        ping, delay = decision
        if ping:
            self.ping()
        self._set_timer(delay, self._beat)


class _Forsaken:
    """What becomes of the receiver when its peer has left: it is told the end, and nothing before."""

    def __init__(self, receiver: Receiver) -> None:
        self.closed = receiver.closed

    def message(self, data: bytes) -> None:
        """Nobody waits for an answer."""

    def binary(self, data: bytes) -> None:
        """Nobody waits for an answer."""


def _closed_error(connection: WebSocketConnection) -> ConnectionClosed:
    code = connection.close_code
    return ConnectionClosed(1006 if code is None else code, connection.close_reason or "")
