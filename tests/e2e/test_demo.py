"""`make demo` without a terminal: it serves, asks, shows the answer and ends."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.e2e.available import ROOT


def test_the_demo_answers_and_ends() -> None:
    """On a pipe the demo shows a whole streamed answer and ends with status 0, leaving nothing running."""
    done = subprocess.run(
        [sys.executable, "tests/tools/demo.py"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # shared by all that the demo starts: it closes when the last of them has ended
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    for command in ("$ gsws init demo", "$ gsws serve", "$ gsws call websocket.stream"):
        assert command in done.stdout
    first, second = done.stdout.split("$ gsws call websocket.stream")[1:]
    assert "What is LangGraph" in first.splitlines()[0]
    assert "state machine" in first
    assert "langgraph.md" in first
    assert "every 40 days" in second, done.stdout
    assert "Traceback" not in done.stdout
