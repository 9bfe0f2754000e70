"""
One HTTP/1.1 connection of the stand-in: requests in, answers out, and notice of a client that goes.

The protocol is h11's; here are sockets, bounds and deadlines, and the ways to drop a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gsws.errors import EnvironmentFailure

try:
    import h11
except ModuleNotFoundError:
    raise EnvironmentFailure(
        'the stand-in of Gemini needs `h11`: pip install "gsws[testing]"', 'pip install "gsws[testing]"'
    ) from None

__all__ = ["BODY", "Connection", "Incoming", "TooLarge"]

BODY: Final = 20 * 1024 * 1024
"""Bytes of a request's body; the real API's bound for inline data."""

_READ: Final = 65536
_IDLE: Final = 75.0
"""Seconds that a connection may wait for its next request."""
_ARRIVES: Final = 30.0
"""Seconds from a request's first byte to its last."""
_STUCK: Final = 60.0
"""Seconds that a client may not read."""
_DISCARDS: Final = 5.0
"""Seconds for what a client sends after it was refused."""
_EARLY: Final = 1024 * 1024
"""Bytes that a client may send ahead of its answer."""


class TooLarge(Exception):
    """A body beyond `BODY`."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request as it came: header names in lower case, of several alike the last."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A client's connection, taken by the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self._early = 0

    async def receive(self) -> Incoming | None:
        """
        The next request, or None if the client has no more or takes too long.

        Raises:
            TooLarge: The body is over its bound.
            h11.RemoteProtocolError: It is no HTTP.
        """
        head = None
        body = bytearray()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_IDLE) as deadline:
                while True:
                    event = self._http.next_event()
                    if event is h11.NEED_DATA:
                        if self._http.they_are_waiting_for_100_continue:
                            await self._write(h11.InformationalResponse(status_code=100, headers=[]))
                        data = await self._reader.read(_READ)
                        if head is None and data:
                            deadline.reschedule(loop.time() + _ARRIVES)
                        self._http.receive_data(data)
                    elif isinstance(event, h11.Request):
                        head = event
                    elif isinstance(event, h11.Data):
                        if len(body) + len(event.data) > BODY:
                            raise TooLarge
                        body += event.data
                    elif isinstance(event, h11.EndOfMessage) and head is not None:
                        return _incoming(head, bytes(body))
                    else:
                        return None
        except (TimeoutError, ConnectionError):
            return None

    async def gone(self) -> None:
        """Return when the client has closed or broken the connection."""
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(_READ):
                self._early += len(data)
                if self._early > _EARLY:
                    return
                self._http.receive_data(data)

    async def begin(self, status: int, content_type: str, length: int | None = None) -> None:
        """Send an answer's head; without a length the body is chunked."""
        headers = [("content-type", content_type), ("server", "gsws-fake-gemini")]
        if length is not None:
            headers.append(("content-length", str(length)))
        await self._write(h11.Response(status_code=status, headers=headers))

    async def send(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._write(h11.Data(data=data))

    async def finish(self) -> bool:
        """End the answer; tells whether another request may follow."""
        await self._write(h11.EndOfMessage())
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._early = 0
            return True
        return False

    def drop(self, *, reset: bool) -> None:
        """End the connection in the middle: with RST, or with FIN after what was sent."""
        transport = self._writer.transport
        if reset:
            endpoint: Any = self._writer.get_extra_info("socket")
            if endpoint is not None:
                with contextlib.suppress(OSError):
                    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()

    async def discard(self) -> None:
        """Read what a client still sends to one that has answered: who is cut off while it sends reads no answer."""
        total = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(_DISCARDS):
                while total < 4 * BODY and (data := await self._reader.read(_READ)):
                    total += len(data)

    async def close(self) -> None:
        """Close it, and wait a moment for that."""
        self._writer.close()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    async def _write(self, event: Any) -> None:
        data = self._http.send(event)
        if not data:
            return
        if self._writer.transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size():
            try:
                async with asyncio.timeout(_STUCK):
                    await self._writer.drain()
            except TimeoutError:
                self.drop(reset=True)
                raise ConnectionResetError("the client does not read") from None


def _incoming(head: h11.Request, body: bytes) -> Incoming:
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
    return Incoming(head.method.decode("ascii"), head.target.decode("latin-1"), headers, body)
