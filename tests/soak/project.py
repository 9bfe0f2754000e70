"""The project that is soaked: streams whose every byte follows from their name."""

from __future__ import annotations

from pathlib import Path

from tests.runtime.support import write

__all__ = ["STORIES", "WINDOW", "story", "write_project"]

STORIES = 24
WINDOW = 5.0
"""Seconds that a session is held."""

_EVENTS = """
websocket.tell:
  fn: soak.tell
  concurrency: parallel
  payload: {type: object, required: [name, run]}
"""
_CODE = '''
import asyncio
import random
from collections import Counter
from gsws import Frame

STARTED = Counter()
WORDS = ["one", "zwei", "trois ", "四", "🦔", "\\u0000", '"', "{}", "\\n", ""]


async def tell(payload):
    """Words, tool calls and a large frame now and then: all drawn from the name."""
    STARTED[payload["run"]] += 1
    draw = random.Random(payload["name"])
    for n in range(draw.randint(0, 120)):
        kind = draw.random()
        if kind < 0.08:
            yield Frame("tool.call", {"n": n, "arguments": draw.choice(WORDS) * 20})
        elif kind < 0.1:
            yield "x" * draw.randint(100, 5000)
        else:
            yield "".join(draw.choices(WORDS, k=draw.randint(1, 6)))
        if draw.random() < 0.5:
            await asyncio.sleep(draw.uniform(0.0, 0.012))
    yield Frame("stream.end", {"usage": {"words": draw.randint(0, 9)}})
'''


def story(number: int) -> str:
    """The name of a stream, and its id."""
    return f"story-{number}"


def write_project(root: Path) -> Path:
    """Write it."""
    write(root, "gsws.yaml", f"resume: {{window: {WINDOW:g}s, bytes: 4MiB}}\ndrain_timeout: 1s\n")
    write(root, "eventsources/websocket.yaml", "type: websocket\nport: 0\n")
    write(root, "events/soak.yaml", _EVENTS)
    write(root, "functions/soak.py", _CODE)
    return root
