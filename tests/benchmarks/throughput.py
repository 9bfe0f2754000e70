"""
CPU microseconds a message, and memory of an idle connection: gsws and its peers, round by round in turn.

Not here: latencies, which have no peer (`latency`).
"""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import Comparison, compare
from tests.benchmarks.load import Load, masked
from tests.benchmarks.server import GSWS, LOAD_CORE, Contestant, Server, gsws_project
from tests.benchmarks.workload import message

__all__ = ["CONNECTIONS", "IN_FLIGHT", "measure_cpu", "measure_memory"]

CONNECTIONS, IN_FLIGHT = 50, 8
SENDS = "gsws, ctx.inputs and ws.send"
"""The same answer from a handler of the other shape: it takes the context and writes to the socket itself."""

SENDS_GOALS = {"gsws": 1.2, "websockets.asyncio": 0.5, "Node ws": 1.1}
_SENDS = """\
from gsws import GSContext, GSStatus


async def handler(ctx: GSContext) -> GSStatus:
    data = ctx.inputs.data
    ws, payload = data.ws, data.payload
    if not ws or ws.readyState != ws.OPEN:
        return GSStatus(False, 400, "WebSocket disconnected")
    await ws.send({"eventtype": "reply", "payload": {"success": True, "code": 200, "data": payload}})
    return GSStatus(True, 200, "ok")
"""
CPU_GOALS = {"websockets.asyncio": 0.75, "FastAPI on uvicorn": 0.85, "Node ws": 1.25}
MEMORY_GOALS = {"websockets.asyncio": 0.8}
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_CLOSE = bytes([0x88, 0x82]) + bytes(4) + (1000).to_bytes(2, "big")


def measure_cpu(
    entries: Sequence[Contestant], folder: Path, rounds: int, messages: int
) -> tuple[list[Comparison], list[Comparison]]:
    """
    CPU of the server for one routed, validated, answered message.

    Each server runs on one core and the load on the other. A round visits every server once, so that whatever
    the machine does meanwhile meets all of them. The warm-up checks every answer.

    Returns:
        The comparison with handlers that return their reply, and the one with those that send it by themselves.
    """
    root = gsws_project(folder)
    (root / "functions" / "echo.py").write_text(_SENDS)
    entries = [*entries, Contestant(SENDS, [GSWS, "serve", "--env", "production"], root)]
    load = Load(LOAD_CORE)
    servers = [Server(entry).start() for entry in entries]
    figures: dict[str, list[float]] = {entry.name: [] for entry in entries}
    try:
        for number in range(-1, rounds):
            for server in servers:
                before = server.cpu()
                load.run(
                    server.port,
                    connections=CONNECTIONS,
                    in_flight=IN_FLIGHT,
                    messages=messages,
                    check=number < 0,
                    ids=server.contestant.name != SENDS,
                )
                used = (server.cpu() - before) / messages * 1e6
                _progress(f"cpu round {number + 1} of {rounds}: {server.contestant.name} {used:.2f} us")
                if number >= 0:
                    figures[server.contestant.name].append(used)
    finally:
        load.close()
        for server in servers:
            server.stop()
    returned = {name: values for name, values in figures.items() if name != SENDS}
    return compare("us", returned, CPU_GOALS), compare("us", figures, SENDS_GOALS, SENDS)


def measure_memory(entries: Sequence[Contestant], rounds: int, connections: int) -> dict[str, list[Comparison]]:
    """
    Anonymous memory of an idle connection in KiB: silent since its handshake, and after one answered message.

    All connections are opened twice and the second time counts: what is allocated once is no connection's.
    Each round starts new servers.
    """
    silent: dict[str, list[float]] = {entry.name: [] for entry in entries}
    spoken: dict[str, list[float]] = {entry.name: [] for entry in entries}
    for number in range(rounds):
        for entry in entries:
            server = Server(entry).start()
            try:
                _close(_open(server.port, 20, speak=True))
                before = server.memory()
                _close(_open(server.port, connections, speak=True))
                sockets = _open(server.port, connections, speak=False)
                silent[entry.name].append((_settled(server) - before) / connections / 1024)
                for one in sockets:
                    _speak(one)
                spoken[entry.name].append((_settled(server) - before) / connections / 1024)
                _close(sockets)
            finally:
                server.stop()
            figures = f"{silent[entry.name][-1]:.1f} and {spoken[entry.name][-1]:.1f} KiB"
            _progress(f"memory round {number + 1} of {rounds}: {entry.name} {figures}")
    return {
        "silent since its handshake": compare("KiB", silent, MEMORY_GOALS),
        "after one answered message": compare("KiB", spoken, MEMORY_GOALS),
    }


def _open(port: int, count: int, *, speak: bool) -> list[socket.socket]:
    sockets = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port), timeout=10)
        one.sendall(_HANDSHAKE)
        answer = b""
        while b"\r\n\r\n" not in answer:
            received = one.recv(4096)
            assert received, answer
            answer += received
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        if speak:
            _speak(one)
        sockets.append(one)
    return sockets


def _speak(one: socket.socket) -> None:
    one.sendall(masked(message(1)))
    answer = b""
    while not re.search(rb'"data":.*\}\}', answer, re.DOTALL):
        received = one.recv(4096)
        assert received, answer
        answer += received


def _close(sockets: Sequence[socket.socket]) -> None:
    for one in sockets:
        one.sendall(_CLOSE)
    for one in sockets:
        while one.recv(4096):
            pass
        one.close()


def _settled(server: Server) -> int:
    time.sleep(0.5)
    return server.memory()


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
