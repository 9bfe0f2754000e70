"""
A listener in a thread and a client of raw bytes, for the transport's tests. Every wait has a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from gsws.runtime.sources.pages import status_page
from gsws.runtime.transport import Connection, Handshake, Listener, ListenOptions, Page, Port, RequestHead

DEADLINE = 10.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
TOO_LARGE = b'{"eventtype":"stream.error","payload":{"message":"too large","error":"too_large","code":413}}'

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def loop_factory(name: str) -> asyncio.AbstractEventLoop:
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


class Recorder:
    """Receiver that records, and echoes unless told otherwise."""

    def __init__(self, app: App, connection: Connection) -> None:
        self.app = app
        self.connection = connection

    def message(self, data: bytes) -> None:
        assert type(data) is bytes
        self.app.events.put(("text", data))
        if self.app.on_message is not None:
            self.app.on_message(self.connection, data)
        elif self.app.echo:
            self.connection.send_text(data)

    def binary(self, data: bytes) -> None:
        assert type(data) is bytes
        self.app.events.put(("binary", data))
        if self.app.echo:
            self.connection.send_binary(data)

    def closed(self, code: int, reason: str) -> None:
        self.app.events.put(("closed", (code, reason)))


class App:
    """Application of `Recorder` receivers, with places to put other behaviour in."""

    def __init__(self) -> None:
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.handshakes: list[Handshake] = []
        self.connections: list[Connection] = []
        self.authorize: Callable[[Handshake], Any] = lambda handshake: None
        self.on_message: Callable[[Connection, bytes], None] | None = None
        self.on_connected: Callable[[Connection], None] | None = None
        self.echo = True
        self.is_ready = True

    def connected(self, connection: Connection, handshake: Handshake) -> Recorder:
        self.handshakes.append(handshake)
        self.connections.append(connection)
        if self.on_connected is not None:
            self.on_connected(connection)
        return Recorder(self, connection)

    def page(self, head: RequestHead, peer: str) -> Page | None:
        return status_page(head, peer, is_ready=lambda: self.is_ready)

    def too_large(self, limit: int) -> bytes:
        return TOO_LARGE

    def next(self, timeout: float = DEADLINE) -> tuple[str, Any]:
        return self.events.get(timeout=timeout)


class Server:
    """One listener on its own event loop in a thread; leaves no log line of a trace, or its test fails."""

    def __init__(self, loop_name: str, options: ListenOptions) -> None:
        self.app = App()
        self.problems: list[str] = []
        self.loop = loop_factory(loop_name)
        self.loop.set_exception_handler(lambda _loop, context: self.problems.append(repr(context)))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.shared = self.call(lambda: Port(self.app, replace(options, port=0)))
        self.listener = Listener(self.shared)
        self.run(self.listener.start())
        self.port = self.shared.number

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def run(self, coroutine: Any, timeout: float = DEADLINE) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def call(self, function: Callable[[], Any], timeout: float = DEADLINE) -> Any:
        async def call() -> Any:
            return function()

        return self.run(call(), timeout)

    def stop(self) -> None:
        self.run(self.listener.close(timeout=1.0))
        self.call(lambda: None)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        left = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()
        assert not left
        assert not self.problems, self.problems

    def request(
        self, path: str = "/", headers: list[str] | None = None, *, method: str = "GET", http: str = "1.1"
    ) -> Response:
        """One plain request."""
        lines = [f"{method} {path} HTTP/{http}", *(headers if headers is not None else [self.host])]
        with Client(self.port) as client:
            client.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
            return client.response(head_only=method == "HEAD")

    @property
    def host(self) -> str:
        return f"Host: 127.0.0.1:{self.port}"

    def upgrade_request(self, path: str = "/", extra: list[str] | None = None, drop: tuple[str, ...] = ()) -> bytes:
        """The bytes of a handshake; ``extra`` replaces fields of the same name."""
        fields = {
            "host": self.host,
            "upgrade": "Upgrade: websocket",
            "connection": "Connection: Upgrade",
            "sec-websocket-key": f"Sec-WebSocket-Key: {KEY}",
            "sec-websocket-version": "Sec-WebSocket-Version: 13",
        }
        for name in (*drop, *(line.split(":")[0].lower() for line in extra or [])):
            fields.pop(name, None)
        return "\r\n".join([f"GET {path} HTTP/1.1", *fields.values(), *(extra or []), "", ""]).encode("latin-1")

    def upgrade(self, path: str = "/", extra: list[str] | None = None, drop: tuple[str, ...] = ()) -> Response:
        """One handshake, answered."""
        with Client(self.port) as client:
            client.send(self.upgrade_request(path, extra, drop))
            return client.response()

    @contextlib.contextmanager
    def connect(self, path: str = "/", extra: list[str] | None = None) -> Iterator[Client]:
        """An open WebSocket."""
        with Client(self.port) as client:
            client.send(self.upgrade_request(path, extra))
            response = client.response()
            assert response.status == 101, response
            client.headers = response.headers
            yield client


class Response:
    """An HTTP response."""

    def __init__(self, head: bytes, body: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.body = body

    def __repr__(self) -> str:
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Client:
    """A socket, and WebSocket frames by hand."""

    def __init__(self, port: int, host: str = "127.0.0.1", receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        try:
            self.socket.connect((host, port))
        except BaseException:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.headers: dict[str, str] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_until_cut(self, data: bytes, pause: float = 0.0) -> None:
        """Send the same again and again until the server cuts the connection."""
        end = time.monotonic() + DEADLINE
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                self.send(data)
                time.sleep(pause)
            raise AssertionError("the server goes on reading")

    def read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(f"closed after {self.buffer!r}")
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_to_end(self) -> bytes:
        """Everything until the server closes; a reset counts as an end."""
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(65536):
                self.buffer += data
        data, self.buffer = self.buffer, b""
        return data

    def response(self, head_only: bool = False) -> Response:
        while b"\r\n\r\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(f"closed after {self.buffer!r}")
            self.buffer += data
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        response = Response(head, b"")
        if not head_only and response.status != 101:
            response.body = self.read(int(response.headers.get("content-length", "0")))
        return response

    def send_frame(self, opcode: int, data: bytes = b"", **options: Any) -> None:
        self.send(frame(opcode, data, **options))

    def read_frame(self) -> tuple[int, bytes]:
        first, size = self.read(2)
        assert first & 0xF0 == 0x80, "the server sends whole, plain frames"
        assert size < 128, "the server does not mask"
        if size == 126:
            (size,) = struct.unpack("!H", self.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.read(8))
        return first & 0x0F, self.read(size)

    def expect(self, opcode: int, data: bytes) -> None:
        assert self.read_frame() == (opcode, data)

    def expect_close(self, code: int) -> str:
        """The next frame is a close with this code, and then the server ends the stream."""
        opcode, data = self.read_frame()
        assert opcode == CLOSE, (opcode, data[:100])
        assert struct.unpack("!H", data[:2])[0] == code
        assert self.read_to_end() == b""
        return data[2:].decode()

    def shake_close(self, code: int = 1000) -> None:
        """Close properly from this side."""
        self.send_frame(CLOSE, struct.pack("!H", code))
        assert self.expect_close(code) == ""


def frame(
    opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = b"\x11\x22\x33\x44",
    length: int | None = None,
) -> bytes:  # fmt: skip
    """Make a client's frame; ``length`` lies about its size."""
    size = len(data) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if mask is not None else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if mask is None:
        return head + data
    if data:
        repeated = mask * (len(data) // 4 + 1)
        number = int.from_bytes(data, "big") ^ int.from_bytes(repeated[: len(data)], "big")
        data = number.to_bytes(len(data), "big")
    return head + mask + data


def eventually(condition: Callable[[], Any], timeout: float = DEADLINE) -> Any:
    """Wait until something is true."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.01)


class LogProblems(logging.Handler):
    """Collects what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
