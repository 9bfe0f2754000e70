"""WebSocket clients so thin that ten thousand of them fit beside the server that is measured."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import Callable

__all__ = ["Raw", "open_raw"]


class Raw(asyncio.Protocol):
    """
    One client: whole text messages go to a function, a close frame is answered and remembered.

    Attributes:
        close_code: The code of the server's close frame, or None.
        ended: Set when the connection is gone.
    """

    def __init__(self, path: str, on_message: Callable[[Raw, bytes], None] | None) -> None:
        self.close_code: int | None = None
        self.last: bytes = b""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()
        self.transport: asyncio.Transport
        self._path = path
        self._on_message = on_message
        self._buffer = bytearray()
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, gap, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not gap:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.ready.set_exception(ConnectionError(head.decode("latin1")))
                return
            self._is_open = True
            self._buffer[:] = rest
            self.ready.set_result(None)
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("closed in the handshake"))

    def send(self, text: bytes) -> None:
        """Send one text message."""
        self._write(0x81, text)

    def _write(self, first: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes((first, 0x80 | size)) if size < 126 else struct.pack("!BBH", first, 0xFE, size)
        self.transport.write(head + b"\0\0\0\0" + payload)  # the mask of zeros changes nothing

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 0x7F, 2
        if size == 126:
            if len(buffer) < 4:
                return None
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            size, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + size:
            return None
        frame = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        return frame

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 1:
            self.last = payload
            if self._on_message is not None:
                self._on_message(self, payload)
        elif opcode == 9:
            self._write(0x8A, payload)
        elif opcode == 8:
            self.close_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            self._write(0x88, payload[:2])
            self.transport.close()


async def open_raw(port: int, path: str = "/", on_message: Callable[[Raw, bytes], None] | None = None) -> Raw:
    """Connect, and wait for the handshake."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Raw(path, on_message), "127.0.0.1", port)
    await asyncio.wait_for(client.ready, 20.0)
    return client
