"""
WebSocket frames and messages of one open connection: the sans-I/O protocol of `websockets`, and a short cut.

Bytes in, messages and bytes out; no sockets and no asyncio. The library decides everything about frames but this:
whole, masked, unfragmented, uncompressed data frames, nearly all of what arrives, are taken straight from the
received bytes. A test feeds both ways the same streams and compares.
"""

from __future__ import annotations

import codecs
import logging
import struct
from typing import Any, Protocol

from websockets.exceptions import PayloadTooBig
from websockets.extensions import Extension
from websockets.frames import BINARY, CLOSE, CONT, CTRL_OPCODES, TEXT, CloseCode, Frame
from websockets.protocol import OPEN
from websockets.protocol import Protocol as FrameProtocol
from websockets.server import ServerProtocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # no C extension on this platform
    from websockets.utils import apply_mask

__all__ = ["Framing", "Sink", "encode_frame"]

TEXT_HEAD = 0x81
BINARY_HEAD = 0x82
FIRST_TEXT_HEAD = 0x01
CLOSE_HEAD = 0x88
PING_HEAD = 0x89

HOLD = 16384
"""Frames up to this size wait here until they are whole; the library gets longer ones in pieces."""

BURST = 256
"""Frames taken from one read before other connections get their turn."""

_SHORT_HEADS = {head: tuple(bytes((head, size)) for size in range(126)) for head in (TEXT_HEAD, BINARY_HEAD)}
_pack_medium_head = struct.Struct("!BBH").pack
_pack_long_head = struct.Struct("!BBQ").pack
_HOLDABLE = frozenset((TEXT_HEAD, BINARY_HEAD, FIRST_TEXT_HEAD))
_KNOWN_OPCODES = frozenset((0x0, 0x1, 0x2, 0x8, 0x9, 0xA))

log = logging.getLogger("gsws.transport")

quiet = logging.Logger("gsws.transport.websockets")
"""Given to the library, whose log lines would repeat ours."""
quiet.disabled = True


def encode_frame(data: bytes, *, binary: bool = False) -> bytes:
    """Make one unfragmented, uncompressed frame of a server (RFC 6455 section 5.2)."""
    head = BINARY_HEAD if binary else TEXT_HEAD
    size = len(data)
    if size < 126:
        return _SHORT_HEADS[head][size] + data
    if size < 65536:
        return _pack_medium_head(head, 126, size) + data
    return _pack_long_head(head, 127, size) + data


class Sink(Protocol):
    """Who takes the messages."""

    halted: bool

    def text(self, data: bytes) -> None:
        """Take one text message, valid UTF-8."""

    def binary(self, data: bytes) -> None:
        """Take one binary message."""

    def control(self, frames: list[bytes]) -> None:
        """Send what the library answers, before anything that is sent later; ``b""`` stands for the end."""

    def too_large(self) -> bytes:
        """Make the payload of the last text frame before a close with 1009; empty for none."""


class _TooManyFragments(PayloadTooBig):
    """A message of more fragments than its size can justify; ends in 1009 like one that is too long."""

    def __init__(self, limit: int) -> None:
        super().__init__(None, limit)

    def __str__(self) -> str:
        return f"message has more than {self.max_size} fragments"

    def set_current_size(self, current_size: int | None) -> None:
        """Leave the limit as it is: it counts frames."""


class _Partial:
    """A fragmented message on its way."""

    __slots__ = ("count", "data", "decoder")

    def __init__(self, frame: Frame) -> None:
        self.data = bytearray(frame.data)
        self.count = 1
        self.decoder = codecs.getincrementaldecoder("utf-8")() if frame.opcode is TEXT else None


class Framing(ServerProtocol):
    """
    Frames of one connection, from the end of the handshake on.

    Args:
        sink: Who takes the messages. While it is halted nothing is read on; what was received is held.
        limit: Largest message in bytes, decompressed.
        extensions: As negotiated.
    """

    __slots__ = ("_fragments", "_limit", "_looked", "_missing", "_partial", "_sink", "held")

    # Without the generator that reads the opening handshake.
    parse = FrameProtocol.parse

    def __init__(self, sink: Sink, limit: int, extensions: list[Extension]) -> None:
        super().__init__(state=OPEN, max_size=limit, logger=quiet)
        self.id = None  # type: ignore[assignment]  # 88 bytes that nobody reads
        if extensions:
            self.extensions = extensions
        self._sink = sink
        self._limit = limit
        self._fragments = max(1024, limit // 64)
        self._partial: _Partial | None = None
        self._missing = 0
        self._looked = 0
        self.held = b""
        """Received and not yet taken."""

    def release(self) -> None:
        """Break the reference cycles; nothing may be called afterwards."""
        self.parser.close()
        self.parser = None  # type: ignore[assignment]
        self._sink = None  # type: ignore[assignment]
        self._partial = None
        self.held = b""

    @property
    def outcome(self) -> tuple[int, str, bool]:
        """Code and reason of whoever closed first, and whether that was the peer; 1006 if nobody did."""
        received, sent = self.close_rcvd, self.close_sent
        if received is not None and (sent is None or self.close_rcvd_then_sent):
            return int(received.code), received.reason, True
        if sent is not None:
            return int(sent.code), sent.reason, False
        return 1006, "", False

    def feed(self, data: bytes, burst: int = BURST) -> bool:
        """
        Take received bytes.

        Messages and answers go to the sink one after another; the last words of a failed connection are left in
        ``data_to_send()``.

        Args:
            data: Bytes, possibly none to go on with what is held.
            burst: Most frames to take now.

        Returns:
            Whether frames were left for later because of ``burst``; call again with no data then.
        """
        if self.held:
            data = self.held + data
            self.held = b""
        sink = self._sink
        position, end = 0, len(data)
        while position < end:
            if self.eof_sent:
                return False
            if sink.halted or burst <= 0:
                self.held = data[position:]
                return not sink.halted
            if self._missing:
                taken = min(self._missing, end - position)
                self._missing -= taken
                self._pass_on(data[position : position + taken])
                position += taken
                continue
            left = end - position
            if left < 2:
                break
            first, size = data[position], data[position + 1]
            if size < 128 or first & 0x0F not in _KNOWN_OPCODES:
                self._pass_on(data[position:])  # unmasked or unknown: the library fails the connection
                return False
            size &= 0x7F
            start = 6
            if size == 126:
                if left < 4:
                    break
                start, size = 8, data[position + 2] << 8 | data[position + 3]
            elif size == 127:
                if left < 10:
                    break
                start, size = 14, int.from_bytes(data[position + 2 : position + 10], "big")
            whole = start + size
            fresh = size <= self._limit and self._partial is None
            if whole > left:
                if fresh and first in _HOLDABLE and whole <= HOLD:
                    if first != BINARY_HEAD and left > start:
                        # Bad UTF-8 fails as soon as it is seen, not at the end of its frame (Autobahn 6.4.3).
                        start += position
                        self._is_utf8(apply_mask(data[start:], data[start - 4 : start]), final=False)
                    break
                self._missing = whole - left
                self._pass_on(data[position:])
                return False
            burst -= 1
            stop = position + whole
            if fresh and (first == TEXT_HEAD or first == BINARY_HEAD):  # noqa: SIM109  (faster)
                start += position
                payload = apply_mask(data[start:stop], data[start - 4 : start])
                if first == BINARY_HEAD:
                    sink.binary(payload)
                elif payload.isascii() or self._is_utf8(payload):
                    sink.text(payload)
            else:
                self._pass_on(data[position:stop])
            position = stop
        if position < end and not self.eof_sent:
            self.held = data[position:]
        return False

    def begin_look(self) -> None:
        """From now on the sink is halted; what is held is looked at from its beginning."""
        self._looked = 0

    def look_ahead(self, burst: int = BURST) -> bool:
        """
        Answer pings among what is held behind messages, and tell whether the peer says goodbye in it.

        Control frames may be taken out of turn (RFC 6455 section 5.4). What is no good control frame is left to `feed`.

        Args:
            burst: Most control frames to take now; later ones wait for their turn.
        """
        held = self.held
        position, end, begin = self._looked or self._missing, len(held), 0
        kept: list[bytes] = []
        is_goodbye = False
        while position + 2 <= end and burst > 0:
            first, size = held[position], held[position + 1]
            start = position + 6
            if first & 0x08:
                stop = start + (size & 0x7F)
                if stop > end or not 0x88 <= first <= 0x8A or not 128 <= size <= 253:
                    break
                is_goodbye = first == CLOSE_HEAD
                if is_goodbye:
                    break
                if first == PING_HEAD:
                    self.send_pong(apply_mask(held[start:stop], held[start - 4 : start]))
                kept.append(held[begin:position])
                position = begin = stop
                burst -= 1
                continue
            size &= 0x7F
            if size >= 126:
                width = 2 if size == 126 else 8
                if position + 2 + width > end:
                    break
                start += width
                size = int.from_bytes(held[position + 2 : position + 2 + width], "big")
            position = start + size
        if kept:
            self.held = b"".join([*kept, held[begin:]])
            self._sink.control(self.data_to_send())
        self._looked = position - (end - len(self.held))
        return is_goodbye

    def feed_eof(self) -> None:
        """Learn that the peer will send nothing more."""
        self.held = b""
        if not self.eof_sent:
            self.receive_eof()

    def text_frame(self, data: bytes) -> bytes:
        """Make a text frame, compressed if that was negotiated and is worth it."""
        return self._frame(TEXT, data)

    def binary_frame(self, data: bytes) -> bytes:
        """Make a binary frame, compressed if that was negotiated and is worth it."""
        return self._frame(BINARY, data)

    def recv_frame(self, frame: Frame) -> None:
        """Follow the library, but assemble messages, and let a close inside a fragmented message be one."""
        if frame.opcode is CLOSE:
            # RFC 6455 section 5.4: control frames may come between fragments (Autobahn 7.1.5).
            self.current_size = self._partial = None
            super().recv_frame(frame)
        elif frame.opcode in CTRL_OPCODES:
            super().recv_frame(frame)
        else:
            super().recv_frame(frame)
            self.events.pop()
            message = self._assemble(frame)
            if message is not None:
                self.events.append(message)

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Fail the connection; a message that is too big is answered before (protocol P7.3)."""
        if code == CloseCode.MESSAGE_TOO_BIG and self.state is OPEN:
            payload = self._sink.too_large()
            if payload:
                self.writes.append(encode_frame(payload))
        super().fail(code, reason)

    def _pass_on(self, data: bytes) -> None:
        self.receive_data(data)
        if self.writes:
            self._sink.control(self.data_to_send())
        if not self.events:
            return
        for frame in self.events_received():
            if isinstance(frame, Frame):
                if frame.opcode is TEXT:
                    self._sink.text(bytes(frame.data))
                elif frame.opcode is BINARY:
                    self._sink.binary(bytes(frame.data))

    def _assemble(self, frame: Frame) -> Frame | None:
        partial = self._partial
        if frame.opcode is not CONT:
            if frame.fin:
                if frame.opcode is TEXT:
                    str(frame.data, "utf-8")
                return frame
            partial = self._partial = _Partial(frame)
        else:
            assert partial is not None, "the library refuses a continuation of nothing"
            partial.data += frame.data
            partial.count += 1
        if partial.count > self._fragments:
            raise _TooManyFragments(self._fragments)
        if partial.decoder is not None:
            partial.decoder.decode(frame.data, frame.fin)
        if not frame.fin:
            return None
        self._partial = None
        return Frame(BINARY if partial.decoder is None else TEXT, bytes(partial.data))

    def _is_utf8(self, payload: bytes, final: bool = True) -> bool:
        try:
            codecs.utf_8_decode(payload, "strict", final)
        except UnicodeDecodeError as error:
            self.fail(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            return False
        return True

    def _frame(self, opcode: Any, data: bytes) -> bytes:
        if self.extensions and len(data) >= 128:
            return Frame(opcode, data).serialize(mask=False, extensions=self.extensions)
        return encode_frame(data, binary=opcode is BINARY)
