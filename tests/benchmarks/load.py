"""
The load: N connections, each with M requests in flight, in a process of its own on the other core.

Lives here: a client as cheap as Python allows, so that it never is what is measured; it counts frames, and
checks every answer of the warm-up and the first of each connection afterwards. Not here: servers, figures.

Run as `python -m tests.benchmarks.load`; it reads one JSON command a line and answers one JSON object a line:
``{"port": int, "connections": int, "in_flight": int, "messages": int, "check": bool, "ids": bool}`` and
``{"seconds": float}`` or ``{"error": str}``.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from typing import Any, cast

import uvloop

from tests.benchmarks.workload import anonymous_message, is_answer, message

__all__ = ["Load", "masked"]

_KEY = base64.b64encode(bytes(16)).decode()
_VARIETY = 64  # prepared requests; more than are ever in flight on one connection


class Load:
    """The load process, seen from the benchmark."""

    def __init__(self, core: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    def run(
        self, port: int, *, connections: int, in_flight: int, messages: int, check: bool = False, ids: bool = True
    ) -> float:
        """Send and await `messages` in all, with ids or without; the seconds it took on the clock."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = {"port": port, "connections": connections, "in_flight": in_flight}
        self._process.stdin.write(json.dumps(command | {"messages": messages, "check": check, "ids": ids}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "the load process ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return float(answer["seconds"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def masked(payload: bytes) -> bytes:
    """A text frame as a client sends it."""
    key = os.urandom(4)
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
    mask = (key * (size // 4 + 1))[:size]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
    return head + key + masked


_REQUESTS = {
    True: [masked(message(number)) for number in range(_VARIETY)],
    False: [masked(anonymous_message(number)) for number in range(_VARIETY)],
}


class _Client(asyncio.Protocol):
    """One connection: keeps `in_flight` requests on their way until its share is answered."""

    def __init__(self, in_flight: int, share: int, check: bool, ids: bool) -> None:
        loop = asyncio.get_running_loop()
        self.open: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._in_flight = in_flight
        self._share = share
        self._check = check
        self._requests = _REQUESTS[ids]
        self._sent = self._answered = 0
        self._closing = False
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._transport.write(
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + _KEY.encode() + b"\r\n\r\n"
        )

    def begin(self) -> None:
        """Send the first requests."""
        self._send(min(self._in_flight, self._share))

    def _send(self, count: int) -> None:
        assert self._transport is not None
        sent = self._sent
        self._transport.write(b"".join([self._requests[number % _VARIETY] for number in range(sent, sent + count)]))
        self._sent = sent + count

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        if not self.open.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            assert head.startswith(b"HTTP/1.1 101 "), head
            self.open.set_result(None)
        position, size, answered = 0, len(data), 0
        while position + 2 <= size:
            length, start = data[position + 1], position + 2
            if length == 126:
                if position + 4 > size:
                    break
                length, start = data[position + 2] << 8 | data[position + 3], position + 4
            if start + length > size:
                break
            opcode = data[position] & 15
            if opcode == 8:
                assert self._closing, f"closed by the server: {data[start : start + length]!r}"
            elif opcode == 9:  # a ping: the heartbeat of a server
                assert self._transport is not None
                self._transport.write(bytes([0x8A, 0x80]) + bytes(4))
            else:
                assert opcode == 1, f"opcode {opcode}: {data[start : start + length]!r}"
                number = self._answered + answered
                if (self._check or number < 1) and not is_answer(data[start : start + length], number % _VARIETY):
                    raise AssertionError(f"wrong answer: {data[start : start + length]!r}")
                answered += 1
            position = start + length
        self._rest = data[position:]
        self._answered += answered
        if self._answered == self._share and not self.done.done():
            self.done.set_result(None)
        elif count := min(answered, self._share - self._sent):
            self._send(count)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(None)
        for future in (self.open, self.done):
            if not future.done():
                future.set_exception(error or ConnectionError("the server closed the connection"))

    def close(self) -> None:
        """Begin the close handshake; the server then ends the connection."""
        assert self._transport is not None
        self._closing = True
        self._transport.write(bytes([0x88, 0x82]) + bytes(4) + (1000).to_bytes(2, "big"))


async def _run(port: int, connections: int, in_flight: int, messages: int, check: bool, ids: bool = True) -> float:
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()

    def on_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not failed.done():
            failed.set_exception(context.get("exception") or RuntimeError(context["message"]))

    loop.set_exception_handler(on_error)
    share = messages // connections
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: _Client(in_flight, share, check, ids), "127.0.0.1", port)
        clients.append(client)
        await asyncio.wait_for(client.open, 10)
    began = time.perf_counter()
    for client in clients:
        client.begin()
    everything = asyncio.gather(*(client.done for client in clients))
    both: set[asyncio.Future[Any]] = {everything, failed}
    await asyncio.wait(both, timeout=120, return_when=asyncio.FIRST_COMPLETED)
    if failed.done():
        everything.cancel()
        failed.result()
    await asyncio.wait_for(everything, 1)
    failed.cancel()
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    await asyncio.wait([client.lost for client in clients], timeout=10)
    assert all(client.lost.done() for client in clients), "the server did not end a closed connection"
    return seconds


def _main() -> None:
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"seconds": uvloop.run(_run(**json.loads(line)))}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main()
