"""
CPU microseconds a streamed token and a delivery of a broadcast: gsws beside a hand-written server.

The hand-written one runs on uvloop too and sends the same frames. gsws is measured with sessions, so with sequence
numbers and a log for resume, and for plain clients.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import Comparison, compare
from tests.benchmarks.load import masked
from tests.benchmarks.server import GSWS, Contestant, Server

__all__ = ["measure_fan_out", "measure_streams", "run_streams"]

_STREAMS, _MEMBERS = 20, 200
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n"
)
_FILES = {
    "eventsources/websocket.yaml": "type: websocket\nport: 0\n",
    "events/all.yaml": "websocket.tokens: {fn: work.tokens, payload: {}}\n"
    "websocket.join: {fn: work.join, payload: {}}\n"
    "websocket.fan: {fn: work.fan, payload: {}}\n",
    "functions/work.py": """import asyncio


async def tokens(payload):
    for number in range(payload["count"]):
        yield f"token {number} "
        await asyncio.sleep(0)


async def join(ctx):
    await ctx.join("all")


async def fan(ctx, payload):
    for number in range(payload["count"]):
        await ctx.broadcast("all", "room.said", {"text": f"number {number} to everybody"})
        await asyncio.sleep(0)
""",
}


def measure_streams(folder: Path, rounds: int, tokens: int) -> list[Comparison]:
    """CPU of one streamed token, several streams at a time, each on its own connection."""
    entries = _contestants(folder)
    entries.insert(1, Contestant("gsws, sessions", entries[0].command, entries[0].folder))
    figures: dict[str, list[float]] = {entry.name: [] for entry in entries}
    servers = [Server(entry).start() for entry in entries]
    try:
        for number in range(-1, rounds):
            for server in servers:
                name = server.contestant.name
                protocol = b"Sec-WebSocket-Protocol: gsws.v1\r\n" if "sessions" in name else b""
                before = server.cpu()
                run_streams(server.port, tokens, _STREAMS, protocol)
                used = (server.cpu() - before) / (tokens * _STREAMS) * 1e6
                print(f"stream round {number + 1} of {rounds}: {name} {used:.2f} us", file=sys.stderr)
                if number >= 0:
                    figures[name].append(used)
    finally:
        for server in servers:
            server.stop()
    return compare("us", figures, {"websockets.asyncio, uvloop": 1.0}, subject="gsws, sessions")


def measure_fan_out(folder: Path, rounds: int, frames: int) -> list[Comparison]:
    """CPU of one frame to one member of a room."""
    entries = _contestants(folder)
    figures: dict[str, list[float]] = {entry.name: [] for entry in entries}
    servers = [Server(entry).start() for entry in entries]
    try:
        for number in range(-1, rounds):
            for server in servers:
                members = [_open(server.port) for _ in range(_MEMBERS)]
                for member in members:
                    _send(member, "websocket.join", {})
                time.sleep(0.3)  # the joins are not answered by every server
                before = server.cpu()
                _send(members[0], "websocket.fan", {"count": frames})
                for member in members:
                    _read_until(member, f"number {frames - 1} to".encode())
                used = (server.cpu() - before) / (frames * _MEMBERS) * 1e6
                for member in members:
                    member.close()
                name = server.contestant.name
                print(f"fan-out round {number + 1} of {rounds}: {name} {used:.2f} us", file=sys.stderr)
                if number >= 0:
                    figures[name].append(used)
    finally:
        for server in servers:
            server.stop()
    return compare("us", figures, {"websockets.asyncio, uvloop": 1.0})


def _contestants(folder: Path) -> list[Contestant]:
    project = folder / "delivery"
    for name, text in _FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    peer: Sequence[str] = [sys.executable, "-m", "tests.benchmarks.peers.delivery_server"]
    return [
        Contestant("gsws", [GSWS, "serve", "--env", "production"], project),
        Contestant("websockets.asyncio, uvloop", peer),
    ]


def run_streams(port: int, tokens: int, streams: int, protocol: bytes = b"") -> None:
    """Ask for so many streams at once, each on its own connection, and read them to their ends."""
    connections = [_open(port, protocol) for _ in range(streams)]
    for connection in connections:
        _send(connection, "websocket.tokens", {"count": tokens})
    for connection in connections:
        _read_until(connection, b"[STREAM_END]")
        connection.close()


def _open(port: int, protocol: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(_HANDSHAKE % protocol)
    _read_until(connection, b"\r\n\r\n")
    return connection


def _send(connection: socket.socket, eventtype: str, payload: dict[str, int]) -> None:
    connection.sendall(masked(json.dumps({"eventtype": eventtype, "id": "b", "payload": payload}).encode()))


def _read_until(connection: socket.socket, end: bytes) -> None:
    """Read up to and with ``end``; the socket's timeout is the deadline."""
    tail = b""
    while end not in tail:
        data = connection.recv(1 << 20)
        if not data:
            raise RuntimeError("the server closed the connection")
        tail = (tail + data)[-(len(data) + len(end)) :]
