"""
`python -m tests.soak.fuzz [--seconds N] [--seed N]`: messages and bytes that no honest client would send.

Envelopes go to plain and session clients without sockets; bytes go to a served project, as handshakes and as frames.
What must hold: nothing raises, nothing is logged as an error, every frame that comes back is one (P2.3), and the next
honest request is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import socket
import struct
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import structlog

from gsws.testing import ServedProject, serve
from tests.runtime.virtual import FakeConnection, VirtualLoop, make_source, open_connection, route
from tests.testing.support import make_project

__all__ = ["fuzz_bytes", "fuzz_envelopes"]

_WORDS = [
    "gsws.resume",
    "gsws.cancel",
    "gsws.ack",
    "gsws.follow",
    "gsws.unfollow",
    "gsws.ping",
    "gsws.auth",
    "gsws.hello",
    "gsws.",
    "echo",
    "count",
    "",
]
_KEYS = [
    "eventtype",
    "payload",
    "id",
    "seq",
    "meta",
    "session",
    "secret",
    "streams",
    "compact",
    "idempotency_key",
    "token",
]
_ODD = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1.5, 1e308, -0.0, "", "x" * 65, "a\0b"),
    *("\ud800", "🦔", "é", "__proto__", [], {}, [[]], {"": {}}, "9" * 30, "1e999"),
]
_TERMINAL = ("reply", "stream.end", "stream.error")


async def echo(payload: Any) -> Any:
    return payload


async def count(payload: Any) -> Any:
    for n in range(3):
        yield str(n)
        await asyncio.sleep(0.01)


def value(draw: random.Random, depth: int = 0) -> Any:
    """Any JSON value, the odd ones first."""
    kind = draw.random()
    if depth > 4 or kind < 0.5:
        return draw.choice(_ODD)
    if kind < 0.7:
        return [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return {draw.choice([*_KEYS, "x"]): value(draw, depth + 1) for _ in range(draw.randrange(5))}


def envelope(draw: random.Random, session: dict[str, Any], ids: list[Any]) -> bytes:
    """One message: honest in parts, or not even JSON."""
    message: dict[str, Any] = {"eventtype": draw.choice(_WORDS), "payload": value(draw)}
    if draw.random() < 0.6:
        message["id"] = draw.choice([*ids, draw.randrange(50), f"i{draw.randrange(50)}", draw.choice(_ODD)])
    if draw.random() < 0.4:
        message["payload"] = {
            "id": draw.choice([*ids, draw.choice(_ODD)]),
            "seq": draw.choice([0, 1, -1, 10**6, draw.choice(_ODD)]),
            "session": draw.choice([session.get("session"), draw.choice(_ODD)]),
            "secret": draw.choice([session.get("secret"), draw.choice(_ODD)]),
            "streams": draw.choice([{str(id): draw.randrange(-2, 5) for id in ids}, value(draw)]),
            "compact": draw.choice([True, False, draw.choice(_ODD)]),
        }
    if draw.random() < 0.2:
        message[draw.choice(_KEYS)] = value(draw)
    if draw.random() < 0.1:
        message["meta"] = {"idempotency_key": draw.choice(["k1", "k2", draw.choice(_ODD)])}
    text = json.dumps(message if draw.random() < 0.97 else draw.choice(_ODD), ensure_ascii=draw.random() < 0.5)
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    kind = draw.random()
    if kind < 0.1:
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
    elif kind < 0.15:
        del data[draw.randrange(len(data)) :]
    elif kind < 0.18:
        depth = draw.choice([60, 64, 65, 1000, 100_000])
        data = bytearray(b'{"eventtype":"echo","payload":' + b"[" * depth + b"]" * depth + b"}")
    elif kind < 0.2:
        data += draw.choice([b" ", b"\0", b"{}", b"\xef\xbb\xbf", b"NaN"])
    return bytes(data)


def fuzz_envelopes(seed: int, seconds: float, limit: int | None = None) -> Counter[str]:
    """Feed envelopes until the time is over; counts what came back."""
    draw = random.Random(f"{seed}/envelopes")
    outcome: Counter[str] = Counter()
    errors: list[Any] = []

    def keep(logger: Any, method: str, entry: Any) -> Any:
        del logger
        if method == "error":
            errors.append(entry)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], wrapper_class=structlog.BoundLogger, cache_logger_on_first_use=False)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline and (limit is None or outcome["messages"] < limit):
            _feed(draw, outcome)
            assert not errors, errors[0]
    finally:
        structlog.configure(**before)
    return outcome


def _feed(draw: random.Random, outcome: Counter[str]) -> None:
    loop = VirtualLoop()
    source = make_source(loop, [route("echo", echo), route("count", count)], window=5.0)
    connections: list[FakeConnection] = []
    session: dict[str, Any] = {}
    ids: list[Any] = ["a", 7]
    for _ in range(draw.randint(1, 6)):
        connection = open_connection(loop, source, session=draw.random() < 0.7)
        if connection.sent and (not session or draw.random() < 0.3):
            session = connection.sent[0]["payload"]
        connections.append(connection)
        for _ in range(draw.randint(1, 25)):
            if not connection.is_open:
                break
            data = envelope(draw, session, ids)
            outcome["messages"] += 1
            (connection.receiver.message if draw.random() < 0.9 else connection.receiver.binary)(data)
            if draw.random() < 0.2:
                loop.advance(draw.choice([0.0, 0.005, 0.05]))
        if draw.random() < 0.5:
            connection.cut()
    loop.advance(1.0)
    for connection in connections:
        for frame in connection.sent:
            outcome[_checked(frame)] += 1
    honest = open_connection(loop, source, session=True)
    honest.message("echo", {"fine": True}, id="honest")
    loop.settle()
    assert honest.sent[-1]["payload"] == {"success": True, "code": 200, "data": {"fine": True}}, honest.sent
    for connection in (*connections, honest):
        connection.cut()
    loop.advance(70.0)
    assert not source.executor.busy
    assert not source.registry.sessions
    assert not source.router.connections
    assert not source.registry.waiting.pool.size
    loop.close()


def _checked(frame: Any) -> str:
    """P2.3: what every frame is; returns what kind it is."""
    kind, payload = frame["eventtype"], frame["payload"]
    assert isinstance(kind, str), frame
    assert isinstance(payload, dict), frame
    if kind.startswith("stream."):
        assert isinstance(payload["message"], str), frame
    if kind == "stream.error":
        assert payload["error"] != "handler_error", frame
        return f"stream.error {payload['error']}"
    return kind


def fuzz_bytes(project: ServedProject, seed: int, seconds: float) -> Counter[str]:
    """Throw bytes at the port until the time is over."""
    draw = random.Random(f"{seed}/bytes")
    outcome: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        outcome[_throw(draw, project.port)] += 1
        if outcome.total() % 50 == 0:
            with project.client() as client:
                assert client.ask("websocket.echo", {"fine": True}).data == {"fine": True}
            bad = [entry for entry in project.logs if entry["level"] == "error"]
            assert not bad, bad[0]
            project.logs.clear()
    project.wait_until(lambda: not project.service.is_busy(), 10.0)
    return outcome


def _throw(draw: random.Random, port: int) -> str:
    """One connection; returns how it ended."""
    head = bytearray(
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        + draw.choice(
            [b"", b"Sec-WebSocket-Protocol: gsws.v1\r\n", b"Sec-WebSocket-Extensions: permessage-deflate\r\n"]
        )
        + b"\r\n"
    )
    is_honest = draw.random() < 0.7
    if not is_honest:
        for _ in range(draw.randint(1, 6)):
            head[draw.randrange(len(head))] = draw.randrange(256)
        if draw.random() < 0.3:
            del head[draw.randrange(len(head)) :]
    body = b"".join(_frame(draw) for _ in range(draw.randint(0, 8)))
    data = bytes(head) + body
    with socket.create_connection(("127.0.0.1", port), 5.0) as peer:
        peer.settimeout(0.05)
        try:
            while data:
                size = draw.choice([len(data), draw.randint(1, 50), draw.randint(1, 2000)])
                peer.sendall(data[:size])
                data = data[size:]
            if draw.random() < 0.3:
                peer.shutdown(socket.SHUT_WR)
            received = bytearray()
            while chunk := peer.recv(65536):
                received += chunk
        except TimeoutError:
            return "open"
        except OSError:
            return "reset"
    return "closed" if is_honest else f"http {received[9:12].decode('latin1') or 'nothing'}"


def _frame(draw: random.Random) -> bytes:
    """A frame whose every field may be wrong."""
    payload = draw.choice(
        [
            envelope(draw, {}, ["a"]),
            draw.randbytes(draw.choice([0, 1, 2, 125, 126, 127, 1000, 70_000])),
            struct.pack("!H", draw.choice([0, 999, 1000, 1005, 1006, 1015, 3000, 4999, 65535]))
            + b"why\xff"[: draw.randrange(5)],
        ]
    )
    first = draw.choice([0x81, 0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8A, 0xC1, draw.randrange(256)])
    size = len(payload) if draw.random() < 0.9 else draw.choice([0, 1, 2**16, 2**20 + 1, 2**31, 2**63, 2**64 - 1])
    masked = 0x80 if draw.random() < 0.93 else 0
    if size < 126 and draw.random() < 0.95:
        head = bytes((first, masked | size))
    elif size < 65536 and draw.random() < 0.95:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    mask = draw.randbytes(4)
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    frame = head + (mask if masked else b"") + body
    return frame if draw.random() < 0.95 else frame[: draw.randrange(len(frame) + 1)]


class _Errors(logging.Handler):
    """An error in the transport's log is a finding."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


def main() -> None:
    """Fuzz for a while, half of the time each way."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    print("envelopes:", dict(fuzz_envelopes(options.seed, options.seconds / 2).most_common()), flush=True)
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    with tempfile.TemporaryDirectory() as folder, serve(make_project(Path(folder))) as project:
        print("bytes:", dict(fuzz_bytes(project, options.seed, options.seconds / 2).most_common()), flush=True)
    assert not errors.records, errors.records[0]


if __name__ == "__main__":
    main()
