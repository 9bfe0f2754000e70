"""
What the tests of both client libraries share: a project to serve, and a TCP proxy that cuts.

The server is the real `gsws serve` in a process of its own; the proxy stands between it and the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.e2e.serving import Served, serve, write_project

EVENTS = """\
"websocket.count": {fn: s.count, payload: {}, concurrency: parallel}
"websocket.echo": {fn: s.echo, payload: {}}
"websocket.slow": {fn: s.slow, payload: {}}
"websocket.strict": {fn: s.echo, payload: {type: object, required: [name]}}
"websocket.refuse": {fn: s.refuse, payload: {}}
"websocket.tools": {fn: s.tools, payload: {}}
"websocket.flood": {fn: s.flood, payload: {}, concurrency: parallel}
"websocket.once": {fn: s.count, payload: {}, concurrency: interrupt}
"websocket.join": {fn: s.join, payload: {}}
"websocket.shout": {fn: s.shout, payload: {}}
"websocket.closed": {fn: s.closed, payload: {}}
"websocket.log": {fn: s.log, payload: {}}
"""
CODE = """\
import asyncio
from gsws import Frame, GSStatus
LOG = []
async def count(payload):
    ended = "cut short"
    try:
        for n in range(payload["to"]):
            yield f"{payload.get('tag', '')}{n} "
            await asyncio.sleep(payload.get("s", 0.005))
        ended = "complete"
    finally:
        LOG.append(ended)
async def echo(payload): return payload
async def slow(payload):
    await asyncio.sleep(payload["s"])
    return "finished"
async def refuse(payload): return GSStatus(False, 409, "not now", {"why": "because"})
async def tools(payload):
    yield "a"
    yield Frame("tool.call", {"name": "search"})
    yield "b"
    yield Frame("stream.end", {"usage": 3})
async def flood(payload):
    for n in range(payload["to"]):
        yield "x" * 1000
async def join(ctx): await ctx.join("room")
async def shout(ctx, payload): return await ctx.broadcast("room", "room.said", payload)
async def closed(ctx, payload):
    await ctx.inputs.data.ws.close(payload["code"], "as asked")
async def log(): return LOG
"""
SOURCE = "type: websocket\nport: 8000\nlimits: {in_flight: 1000}\n"
FILES = {
    "eventsources/websocket.yaml": SOURCE,
    "events/all.yaml": EVENTS,
    "functions/s.py": CODE,
    "gsws.yaml": "name: clients\ndrain_timeout: 5s\nresume: {window: 30s, bytes: 4MiB}\n",
}
SEED = random.SystemRandom().randrange(2**32)


@contextmanager
def service(root: Path, *arguments: str, **files: str) -> Iterator[Served]:
    """Serve the project; files by path replace its own."""
    write_project(root, {**FILES, **files})
    with serve(root, *arguments) as served:
        yield served


class Proxy:
    """
    A TCP proxy to one port that cuts connections, at any byte and at once in both directions.

    Attributes:
        port: Where it listens.
        cuts: How many connections it cut.
        accepted: How many it took.
        is_up: Whether it passes connections on.
    """

    def __init__(self, target: int, rng: random.Random | None = None) -> None:
        self.target = target
        self.port = 0
        self.cuts = 0
        self.accepted = 0
        self.is_up = True
        self.mean: float | None = None
        self._rng = rng or random.Random(0)
        self._open: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Reset every connection."""
        for near, far in self._open.items():
            self.cuts += 1
            near.transport.abort()
            far.transport.abort()

    def freeze(self) -> None:
        """Half-open: let connections stand, and pass nothing on."""
        for task in self._tasks:
            task.cancel()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if not self.is_up:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open[writer] = far_writer
        left = [self._rng.expovariate(1 / self.mean) if self.mean else float("inf")]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.get_running_loop().create_task(self._pass(source, sink, (writer, far_writer), left))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        left: list[float],
    ) -> None:
        """Pass bytes on until the connection's share is used up: then a part of a piece, and the cut."""
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                left[0] -= len(data)
                if left[0] < 0:
                    writer.write(data[: self._rng.randrange(len(data) + 1)])
                    await asyncio.sleep(0)
                    self.cuts += 1
                    break
                writer.write(data)
                await writer.drain()
        self._open.pop(pair[0], None)
        for end in pair:
            end.transport.abort() if left[0] < 0 else end.close()
