"""The plugin of docs/how-to/write-a-plugin.md is loaded from the page and run."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from gsws.plugins.contract import EventSource, Health, Reconfigurable
from gsws.plugins.registry import Registry
from gsws.types import GSStatus
from tests.cli.support import environment, gsws, install_plugin

PAGE = Path(__file__).parents[2] / "docs/how-to/write-a-plugin.md"


def block(title: str) -> str:
    """The code block of the page that has this title."""
    found = re.search(rf'```\w+ title="{re.escape(title)}"\n(.*?)```', PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "site"
    install_plugin(folder, "ticker", block("gsws_plugin_ticker.py"))
    monkeypatch.syspath_prepend(folder)
    yield folder

    sys.modules.pop("gsws_plugin_ticker", None)


class Context:
    """As much of a `SourceContext` as the ticker uses."""

    def __init__(self):
        self.warnings = []
        self.logger = self

    def warning(self, *args, **facts):
        self.warnings.append(facts)


def test_entry_point_of_the_page():
    declared = tomllib.loads(block("pyproject.toml"))
    assert declared["project"]["name"] == "gsws-plugin-ticker"
    assert declared["project"]["entry-points"]["gsws.plugins"] == {"ticker": "gsws_plugin_ticker:plugin"}


def test_ticker_runs(site):
    """It calls each subscribed event, logs what is refused, and calls nothing after `stop`."""
    found = Registry()["ticker"]
    assert found.error is None
    context = Context()
    got = []

    async def take(payload, **_):
        got.append(payload)
        return GSStatus(success=payload["count"] != 2, message="no twos")

    async def run():
        source = found.plugin.create({"every": 0.01}, context)
        assert isinstance(source, EventSource)
        assert not source.health().ok
        source.subscribe("ticker.second", take)
        await source.start()
        async with asyncio.timeout(5):
            while len(got) < 3:
                await asyncio.sleep(0.005)
        assert source.health().ok
        assert isinstance(source, Reconfigurable)
        assert source.reconfigure({"every": 0.02}) == ()
        assert source.every == 0.02
        await source.stop()
        count = len(got)
        await asyncio.sleep(0.05)
        assert len(got) == count
        assert isinstance(source.health(), Health)
        assert not source.health().ok

    asyncio.run(run())
    assert [payload["count"] for payload in got[:3]] == [1, 2, 3]
    assert context.warnings == [{"event_key": "ticker.second", "reason": "no twos"}]


def test_add_writes_the_file_of_the_page(starter, site):
    """`gsws plugin add ticker` writes what the page shows under the editor's line, and the project stays valid."""
    ran = gsws("plugin", "add", "ticker", cwd=starter, PYTHONPATH=str(site))
    assert ran.code == 0, ran
    modeline, _, text = (starter / "eventsources/ticker.yaml").read_text().partition("\n")
    assert modeline.startswith("# yaml-language-server: $schema=")
    assert text == block("eventsources/ticker.yaml")
    assert gsws("new", "event", "ticker.second", cwd=starter, PYTHONPATH=str(site)).code == 0
    checked = gsws("validate", cwd=starter, PYTHONPATH=str(site))
    assert (checked.code, checked.out) == (0, ""), checked


def test_serve_runs_the_ticker(starter, site):
    """A project with the ticker beside its WebSocket port: handlers are called, a refused tick is logged."""
    (starter / "eventsources/ticker.yaml").write_text("type: ticker\nevery: 0.05\n")
    (starter / "events/ticks.yaml").write_text(
        '"ticker.good": {fn: tick, payload: {type: object}}\n"ticker.bad": {fn: tick, payload: {type: string}}\n'
    )
    (starter / "functions/tick.py").write_text(
        "async def tick(ctx, payload):\n    ctx.logger.info('got a tick', count=payload['count'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "gsws", "serve", "--log-format", "json"],
        cwd=port_zero(starter), env=environment(PYTHONPATH=str(site)), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    watch = threading.Timer(60, process.kill)
    watch.start()
    try:
        seen = []
        for line in process.stdout:
            seen.append(line)
            if any("got a tick" in line for line in seen) and any("tick was not taken" in line for line in seen):
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(20) == 0, rest
    finally:
        watch.cancel()
        process.kill()
        process.wait(20)
        process.stdout.close()
    ticks = [json.loads(line) for line in seen if "got a tick" in line]
    assert ticks, seen
    assert ticks[0]["count"] == 1
    assert any(json.loads(line).get("event_key") == "ticker.bad" for line in seen), seen


def port_zero(project: Path) -> Path:
    (project / "eventsources/websocket.yaml").write_text("type: websocket\nport: 0\n")
    return project
