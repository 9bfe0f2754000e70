"""The shipped client and what a service does for who comes, goes and is away for a moment."""

from __future__ import annotations

import asyncio
import sys

import gsws.client
from gsws.testing import FaultProxy
from tests.runtime.support import served

FILES = {
    "eventsources/websocket.yaml": "type: websocket\nport: 0\non_connect: hooks.hello\non_disconnect: hooks.bye\n",
    "events/all.yaml": "websocket.log: {fn: hooks.log, payload: {}}\n",
    "functions/hooks.py": """
LOG = []
async def hello(ctx):
    LOG.append("hello")
    await ctx.push("welcome", {}, connection=ctx.inputs.metadata.connection)
async def bye(ctx): LOG.append("bye")
async def log(): return LOG
""",
}


def test_a_cut_is_no_goodbye_and_loses_no_push(tmp_path):
    """A listener that is cut comes back as who it was, with every push of the time between, once and in order."""

    async def listen(service, proxy):
        async with gsws.client.connect(f"ws://{proxy.address[0]}:{proxy.address[1]}/?clientId=ann") as client:
            pushes = client.pushes()
            got = [(await asyncio.wait_for(anext(pushes), 10)).eventtype]
            (session,) = service.service.live["websocket"].registry.sessions.values()
            before = session.connection
            proxy.cut()
            while before.is_open:
                await asyncio.sleep(0.005)
            # Whether it is back already or not, each of them counts and comes.
            reached = [service.service.pushes.push("n", {"n": n}, client_id="ann") for n in range(10)]
            got += [(await asyncio.wait_for(anext(pushes), 10)).payload["n"] for _ in range(10)]
            assert reached == [1] * 10
            return got

    with served(tmp_path, FILES) as service, FaultProxy(service.ports["websocket"]) as proxy:
        got = asyncio.run(listen(service, proxy))
        log = sys.modules["functions.hooks"].LOG
        service.wait_for(lambda: log == ["hello", "bye"])
    assert got == ["welcome", *range(10)]
