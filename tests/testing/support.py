"""A small project for the tests of `gsws.testing`."""

from __future__ import annotations

from pathlib import Path

from tests.runtime.support import write

__all__ = ["make_project"]

_EVENTS = """
websocket.echo: {fn: app.echo, payload: {}}
websocket.count: {fn: app.count, payload: {}}
websocket.fail: {fn: app.fail, payload: {}}
websocket.stuck: {fn: app.stuck, payload: {}, on_disconnect: cancel}
websocket.join: {fn: app.join, payload: {}}
websocket.say: {fn: app.say, payload: {}}
websocket.who: {fn: app.who, payload: {}}
"""
_CODE = """
import asyncio
from gsws import Frame, GSStatus
async def echo(payload, ctx):
    ctx.logger.info("echoing", what=payload)
    return payload
async def count(payload):
    for n in range(payload["to"]):
        yield f"{n} "
        await asyncio.sleep(payload.get("s", 0))
    yield Frame("stream.end", {"usage": {"numbers": payload["to"]}})
async def fail(payload): return GSStatus(False, 418, "no coffee", {"pot": "tea"})
async def stuck(payload): await asyncio.sleep(100)
async def join(ctx): await ctx.join("room")
async def say(ctx, payload): await ctx.broadcast("room", "said", payload)
async def who(ctx): return ctx.actor.subject
"""


def make_project(root: Path) -> Path:
    """Write it."""
    write(root, "gsws.yaml", "drain_timeout: 3s\nresume: {window: 5s, bytes: 1MiB}\n")
    write(root, "eventsources/websocket.yaml", "type: websocket\nport: 8000\n")
    write(root, "events/app.yaml", _EVENTS)
    write(root, "functions/app.py", _CODE)
    return root
