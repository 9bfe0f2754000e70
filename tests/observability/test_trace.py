"""An exception at the console: the project's own lines first, and none longer than a screen."""

from __future__ import annotations

import io
import re
import sys

import pytest
import structlog

from gsws.observability.logging import configure_logging
from tests.runtime.support import served

HELPER = "import json\ndef inner(text):\n    return json.loads('{' + text)\n"
HANDLERS = """
import asyncio
from helper.words import inner
async def plain(payload): raise ValueError("bad " + "x" * 300)
def library(payload): inner("a")
def caused(payload):
    try: inner("a")
    except ValueError as error: raise KeyError("wrapped") from error
async def grouped(payload):
    async with asyncio.TaskGroup() as group:
        group.create_task(plain(payload))
async def deep(payload, n=200):
    await deep(payload, n - 1) if n else await plain(payload)
def stream(payload):
    yield "a"
    raise ValueError("\\n".join(["line"] * 500))
"""
NAMES = ("plain", "library", "caused", "grouped", "deep", "stream")


@pytest.fixture
def console():
    """What the console shows, without colour."""
    before = structlog.get_config()
    yield io.StringIO()
    structlog.configure(**before)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("t")
    files = {
        "events/e.yaml": "".join(f"websocket.{name}: {{fn: h.{name}, payload: {{}}}}\n" for name in NAMES),
        "functions/h.py": HANDLERS,
        "helper/words.py": HELPER,
    }
    with served(root, files) as service:
        yield service


@pytest.mark.parametrize("name", NAMES)
def test_the_project_s_lines_come_first_and_no_line_is_long(project, console, name):
    with project.client() as client:
        client.send(f"websocket.{name}", {}, id=1)
        client.answer(1)
    (entry,) = [entry for entry in project.logs if entry.get("exc_info") and entry["fn"] == f"h.{name}"]
    configure_logging(stream=console, base=project.root)
    structlog.get_logger("gsws").error(**{key: value for key, value in entry.items() if key != "level"})
    lines = console.getvalue().splitlines()

    assert max(map(len, lines)) <= 100
    assert len(lines) < 60
    frames = [line for line in lines if re.match(r"    \S+:\d+ in ", line)]
    first = frames[0].split(":")[0].strip()
    assert first in ("functions/h.py", "helper/words.py")
    assert not any("gsws/" in frame or "asyncio/" in frame for frame in frames)
    assert sum("of gsws and asyncio" in line for line in lines) >= 1
    assert any(re.match(r"  [\w.]*(Error|ExceptionGroup)", line) for line in lines)


def test_a_json_log_keeps_the_whole_trace(project, console):
    configure_logging(format="json", stream=console, base=project.root)
    try:
        raise ValueError("no")
    except ValueError:
        structlog.get_logger("gsws").error("handler failed", exc_info=sys.exc_info())

    assert "Traceback (most recent call last)" in console.getvalue()


def test_a_line_without_an_exception_stays_one_line(console):
    configure_logging(stream=console)
    structlog.get_logger("gsws").warning("something", **{f"key{n}": "x" * 20 for n in range(10)})

    assert len(console.getvalue().splitlines()) == 1
