"""
Services behind nginx with the page's site, and what both files of tests do with them.

Lives here: the project, `behind`, a plain client's frames, a stream that stands in its middle. Not here: tests, and
nginx itself.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

import gsws.client
from gsws.client import Backoff
from tests.deploy.nginx import Nginx, documented, free_port, nginx, site
from tests.e2e.serving import Served, serve, write_project

__all__ = ["FILES", "SOURCE", "behind", "connect", "held", "numbers", "receive", "send"]

SOURCE = "type: websocket\nport: 8000\norigins: ['https://app.example.com']\n"
QUICK = Backoff(base=0.05, cap=0.3, patience=20)
FILES = {
    "gsws.yaml": "name: shop\ndrain_timeout: 10s\n",
    "eventsources/websocket.yaml": SOURCE,
    "public/index.html": "<!doctype html><title>shop</title>",
    "events/all.yaml": """\
"websocket.count": {fn: s.count, payload: {}, concurrency: parallel}
"websocket.held": {fn: s.held, payload: {}, concurrency: parallel}
"websocket.release": {fn: s.release, payload: {}, concurrency: parallel}
"websocket.who": {fn: s.who, payload: {}}
""",
    "functions/s.py": """\
import asyncio, os
GATES = {}
async def count(payload):
    for n in range(payload["to"]):
        yield f"{n} "
        await asyncio.sleep(payload.get("s", 0.02))
async def held(payload):
    for n in range(100):
        if n == 50:
            await GATES.setdefault(payload["gate"], asyncio.Event()).wait()
        yield f"{n} "
async def release(payload): GATES.setdefault(payload["gate"], asyncio.Event()).set()
async def who(ctx): return {"pid": os.getpid(), "subject": ctx.actor.subject}
""",
}


@contextmanager
def behind(
    folder: Path, *, processes: int = 1, config: str | None = None, top: str = "events {}", **files: str
) -> Iterator[tuple[Nginx, list[Served]]]:
    """Services behind nginx with the page's site, TLS left out; `config` replaces its upstream."""
    with ExitStack() as stack:
        root = write_project(folder / "app", {**FILES, **files})
        served = [stack.enter_context(serve(root, "--env", "production")) for _ in range(processes)]
        port = free_port()
        text = site(
            documented("listen 443 ssl"),
            {
                "listen 443 ssl": f"listen 127.0.0.1:{port}",
                "    ssl_certificate     /etc/ssl/app.pem;\n": "",
                "    ssl_certificate_key /etc/ssl/app.key;\n": "",
            },
        )
        upstream = text[text.index("upstream") : text.index("server {\n    listen")]
        text = text.replace(upstream, config or upstream)
        for number, one in enumerate(served):
            text = site(text, {f"127.0.0.1:{8000 + number + (processes > 1)}": f"127.0.0.1:{one.port}"})
        yield stack.enter_context(nginx(folder / "nginx", text, port, top=top)), served


def connect(port: int, **options: Any) -> gsws.client.Client:
    return gsws.client.connect(f"ws://127.0.0.1:{port}/", **{"backoff": QUICK, "client_id": "tab-1", **options})


def numbers(to: int) -> str:
    return "".join(f"{n} " for n in range(to))


def send(connection: ClientConnection, eventtype: str, payload: Any, **more: Any) -> None:
    connection.send(json.dumps({"eventtype": eventtype, "payload": payload, **more}))


def receive(connection: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(connection.recv(timeout=15))
    return frame


@asynccontextmanager
async def held(client: gsws.client.Client) -> AsyncIterator[Coroutine[Any, Any, None]]:
    """A stream that stands in its middle; awaiting what is given lets it go on, and compares all of it."""
    gate = str(uuid.uuid4())
    async with client.stream("websocket.held", {"gate": gate}) as stream:
        frames = stream.frames()
        first = [await anext(frames) for _ in range(51)]

        async def rest() -> None:
            await client.call("websocket.release", {"gate": gate}, idempotent=True)
            whole = [*first, *[frame async for frame in frames]]
            assert [frame.seq for frame in whole] == list(range(102))
            assert "".join(frame.payload["message"] for frame in whole[1:-1]) == numbers(100)

        yield rest()
