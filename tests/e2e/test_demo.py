"""`make demo` without a terminal: it serves, asks, shows the answer and ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.available import ROOT


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of its own for the demo: the tree it stands in is somebody's."""
    (tmp_path / "tests" / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "tools" / "demo.py", tmp_path / "tests" / "tools")
    (tmp_path / ".git").mkdir()
    return tmp_path


def demo(place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tests/tools/demo.py"],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # shared by all that the demo starts: it closes when the last of them has ended
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
        text=True,
        timeout=100,
        check=False,
    )


def test_the_demo_answers_and_ends(place: Path) -> None:
    """On a pipe the demo shows a whole streamed answer and ends with status 0, leaving nothing running."""
    done = demo(place)

    assert done.returncode == 0, done.stdout
    for command in ("$ gsws init demo", "$ gsws serve", "$ gsws call websocket.stream"):
        assert command in done.stdout
    first, second = done.stdout.split("$ gsws call websocket.stream")[1:]
    assert "What is LangGraph" in first.splitlines()[0]
    assert "state machine" in first
    assert "langgraph.md" in first
    assert "every 40 days" in second, done.stdout
    assert "Traceback" not in done.stdout
    activate = Path(sys.executable).with_name("activate")
    assert f"source {activate}" in done.stdout
    assert sorted(path.name for path in place.iterdir()) == [".git", "build", "tests"]


def test_the_demo_keeps_what_was_written(place: Path) -> None:
    """A second demo serves the project as its owner left it, edits, documents, settings and all."""
    assert demo(place).returncode == 0
    project = place / "build" / "demo"
    (project / "documents" / "own.md").write_text("The Frobnitz is blue.\n")
    (project / "documents" / "zorblax.md").write_text("The Zorblax must be descaled every 7 days, I found.\n")
    (project / "helper" / "own.py").write_text("# mine\n")
    (project / ".env").write_text("# mine\n")
    (project / "documents" / "streams.md").unlink()

    done = demo(place)

    assert done.returncode == 0, done.stdout
    assert "is served as it is" in done.stdout
    assert "every 7 days" in done.stdout.split("$ gsws call websocket.stream")[2]
    assert (project / "documents" / "own.md").read_text() == "The Frobnitz is blue.\n"
    assert (project / "helper" / "own.py").read_text() == "# mine\n"
    assert (project / ".env").read_text() == "# mine\n"
    assert not (project / "documents" / "streams.md").exists()
