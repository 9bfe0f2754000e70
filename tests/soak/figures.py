"""
`python -m tests.soak.figures [cancel|shutdown|stalled] …`: the figures that are promised, measured.

The server is `gsws serve` in a process of its own; the clients are here. No timed test of `make test`: what a figure
is on a busy machine says nothing about the code.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.serving import Served, serve
from tests.runtime.support import write
from tests.soak.raw import Raw, open_raw

_EVENTS = """
websocket.stream: {fn: app.stream, payload: {}, concurrency: parallel}
websocket.produced: {fn: app.produced, payload: {}}
websocket.join: {fn: app.join, payload: {}}
websocket.say: {fn: app.say, payload: {}}
websocket.flood: {fn: app.flood, payload: {}}
"""
_CODE = """
import asyncio
PRODUCED = {}
async def stream(payload):
    run = payload["run"]
    for n in range(payload.get("n", 10**9)):
        PRODUCED[run] = n + 1
        yield "token "
        await asyncio.sleep(payload.get("pace", 0.01))
async def produced(payload): return PRODUCED.get(payload["run"])
async def join(ctx): await ctx.join("room")
async def say(ctx, payload): return await ctx.broadcast("room", "said", payload)
async def flood(payload):
    while True: yield "x" * 10_000
"""
TERMINAL = ("reply", "stream.end", "stream.error")


def main() -> None:
    """Measure what is named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.figures", description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="default: all")
    parser.add_argument("--sockets", type=int, default=10_000, help="idle sockets at shutdown")
    options = parser.parse_args()
    for name in options.figures or FIGURES:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write(root, "gsws.yaml", "drain_timeout: 5s\n")
            write(root, "eventsources/websocket.yaml", "type: websocket\nport: 8000\nlimits: {connections: 50000}\n")
            write(root, "events/app.yaml", _EVENTS)
            write(root, "functions/app.py", _CODE)
            with serve(root, is_forked=False) as server:
                print(f"{name}: {asyncio.run(FIGURES[name](server, options))}", flush=True)


async def cancel(server: Served, options: argparse.Namespace) -> str:
    """From `gsws.cancel` to the last frame, with 100 streams running; and what was produced after it."""
    del options
    ends: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def on_message(client: Raw, data: bytes) -> None:
        frame = json.loads(data)
        if frame["eventtype"] in TERMINAL:
            ends[frame["id"]].set_result(frame)

    loop = asyncio.get_running_loop()
    clients = [await open_raw(server.port, f"/?clientId=c{n}", on_message) for n in range(10)]
    running: list[tuple[Raw, str]] = []
    count = 0

    def ask(client: Raw, event: str, payload: dict[str, Any]) -> str:
        nonlocal count
        count += 1
        id = f"r{count}"
        ends[id] = loop.create_future()
        client.send(_message(event, {"run": id, **payload}, id))
        return id

    for client in clients:
        running += [(client, ask(client, "websocket.stream", {})) for _ in range(10)]
    await asyncio.sleep(1.0)
    waits: list[float] = []
    extra = 0
    for _ in range(500):
        client, id = running.pop(random.randrange(len(running)))
        began = time.perf_counter()
        client.send(_message("gsws.cancel", {"id": id}))
        end = await asyncio.wait_for(ends[id], 5.0)
        waits.append(time.perf_counter() - began)
        assert end["payload"]["reason"] == "cancelled", end
        running.append((client, ask(client, "websocket.stream", {})))
        await asyncio.sleep(0.012)
        made = await asyncio.wait_for(ends[ask(client, "websocket.produced", {"run": id})], 5.0)
        extra = max(extra, made["payload"]["data"] - end["payload"]["chunks"])
    return (
        f"p50 {_ms(waits, 0.5)}, p99 {_ms(waits, 0.99)}, max {max(waits) * 1000:.1f} ms; at most {extra} further item"
    )


async def shutdown(server: Served, options: argparse.Namespace) -> str:
    """SIGTERM with idle sockets and 500 streams, half of which would never end."""
    ends: dict[Raw, dict[str, Any]] = {}

    def on_message(client: Raw, data: bytes) -> None:
        frame = json.loads(data)
        if frame["eventtype"] in TERMINAL:
            ends[client] = frame

    streams = [await open_raw(server.port, on_message=on_message) for _ in range(500)]
    idle: list[Raw] = []
    while len(idle) < options.sockets:
        idle += await asyncio.gather(*(open_raw(server.port) for _ in range(min(200, options.sockets - len(idle)))))
    for number, client in enumerate(streams):
        n = 10 if number % 2 else 10**9
        client.send(_message("websocket.stream", {"run": str(number), "n": n, "pace": 0.3}, "s"))
    await asyncio.sleep(1.0)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(asyncio.gather(*(client.ended.wait() for client in (*idle, *streams))), 60.0)
    code = await asyncio.to_thread(server.process.wait, 60)
    seconds = time.monotonic() - began
    reasons: dict[str, int] = defaultdict(int)
    codes: dict[str, int] = defaultdict(int)
    for client in streams:
        reasons[ends[client]["payload"]["reason"] if client in ends else "none"] += 1
    for client in (*idle, *streams):
        codes[str(client.close_code)] += 1
    return (
        f"{len(idle)} idle sockets, {len(streams)} streams: exit {code} after {seconds:.1f} s (drain_timeout 5 s); "
        f"streams ended {dict(reasons)}; close codes {dict(codes)}"
    )


async def stalled(server: Served, options: argparse.Namespace) -> str:
    """Broadcasts to 1,000 members, alternately with and without one that asks for much and reads nothing."""
    del options
    waits: list[float] = []

    def on_message(client: Raw, data: bytes) -> None:
        frame = json.loads(data)
        if frame["eventtype"] == "said":
            waits.append(time.perf_counter() - frame["payload"]["at"])

    members = [await open_raw(server.port, on_message=on_message) for _ in range(999)]
    for member in members:
        member.send(_message("websocket.join", {}))
    await asyncio.sleep(1.0)
    results: dict[bool, list[float]] = {False: [], True: []}
    memory: dict[bool, int] = {}
    closes = []
    for is_stalled in (False, True) * 4:
        reader = await open_raw(server.port)
        reader.send(_message("websocket.join", {}))
        if is_stalled:
            reader.send(_message("websocket.flood", {}))
            reader.transport.pause_reading()
        await asyncio.sleep(0.5)
        waits.clear()
        for _ in range(60):
            members[0].send(_message("websocket.say", {"at": time.perf_counter(), "text": "x" * 200}))
            await asyncio.sleep(0.08)
        await asyncio.sleep(0.3)
        assert len(waits) == 60 * 999, len(waits)
        results[is_stalled] += [_quantile(waits, 0.99)]
        memory[is_stalled] = max(memory.get(is_stalled, 0), _resident(server.process.pid))
        reader.transport.resume_reading()
        closes.append(reader.close_code)
        reader.transport.abort()
        await asyncio.sleep(0.3)
    without, beside = (sorted(results[key])[1] for key in (False, True))
    return (
        f"p99 of the others {without * 1000:.1f} ms without, {beside * 1000:.1f} ms beside it "
        f"({100 * (beside / without - 1):+.0f} %); resident {memory[False]} KiB and {memory[True]} KiB"
    )


FIGURES: dict[str, Callable[[Served, argparse.Namespace], Any]] = {
    "cancel": cancel,
    "shutdown": shutdown,
    "stalled": stalled,
}


def _message(eventtype: str, payload: Any, id: str | None = None) -> bytes:
    return json.dumps({"eventtype": eventtype, "payload": payload, **({"id": id} if id else {})}).encode()


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _ms(values: list[float], share: float) -> str:
    return f"{_quantile(values, share) * 1000:.1f} ms"


def _resident(pid: int) -> int:
    if sys.platform != "linux":
        return 0
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    main()
