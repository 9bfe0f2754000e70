"""A handler that blocks the loop is named, with its stack."""

from __future__ import annotations

import asyncio
import time

from gsws.observability.watchdog import Watchdog
from tests.runtime.support import logged


def run(main):
    async def with_deadline():
        async with asyncio.timeout(10):
            await main()

    asyncio.run(with_deadline())


def blocking_handler(seconds):
    time.sleep(seconds)


def test_the_blocking_line_is_named(tmp_path):
    async def main():
        from pathlib import Path

        watchdog = Watchdog(asyncio.get_running_loop(), Path(__file__).parent, lambda: True, threshold=0.1)
        watchdog.start()
        await asyncio.sleep(0.05)
        blocking_handler(0.6)
        await asyncio.sleep(0.3)
        watchdog.stop()

    with logged() as logs:
        run(main)
    reports = [entry for entry in logs if entry["event"] == "handler blocks the event loop"]
    assert len(reports) == 1
    assert "blocking_handler" in reports[0]["stack"]
    assert "time.sleep(seconds)" in reports[0]["stack"]
    assert "test_watchdog.py" in reports[0]["handler"]
    ends = [entry for entry in logs if entry["event"] == "event loop runs again"]
    assert 300 <= ends[0]["blocked_ms"] <= 2000


def test_an_idle_or_lively_loop_is_left_alone(tmp_path):
    async def main():
        asked = []
        watchdog = Watchdog(
            asyncio.get_running_loop(), tmp_path, lambda: asked.append(1) or len(asked) > 2, threshold=0.2
        )
        watchdog.start()
        await asyncio.sleep(0.6)
        watchdog.stop()

    with logged() as logs:
        run(main)
    assert logs == []
