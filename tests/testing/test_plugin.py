"""The pytest plugin: a fixture, a marker, and no cost for who uses neither."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from tests.testing.support import make_project

TEST = """
import pytest

def test_default(gsws_project):
    assert gsws_project.ask("websocket.echo", 1).data == 1

@pytest.mark.gsws("app", timeout=2.0)
def test_marked(gsws_project):
    assert gsws_project.timeout == 2.0
    assert gsws_project.ask("websocket.echo", 1).data == 1

@pytest.mark.gsws("broken")
def test_broken(gsws_project): ...
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--strict-markers", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_entry_point_is_there():
    [point] = [point for point in entry_points(group="pytest11") if point.value.startswith("gsws")]
    assert (point.name, point.value) == ("gsws", "gsws.testing.plugin")


def test_the_fixture_serves_the_project_that_a_test_lies_in(tmp_path):
    app = make_project(tmp_path / "app")
    broken = make_project(tmp_path / "broken")
    (broken / "events/app.yaml").write_text("websocket.x: {fn: nowhere}\n")
    (app / "tests").mkdir()
    (app / "tests" / "test_it.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    done = run(tmp_path)

    assert "2 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "GS201" in done.stdout


def test_who_does_not_use_it_pays_nothing(tmp_path):
    """Nothing of gsws but its name, the plugin and plain types is imported."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it():\n"
        "    print('loaded', sorted(name for name in sys.modules if name.split('.')[0] in"
        " ('gsws', 'websockets', 'structlog', 'jsonschema_rs')))\n"
    )
    done = run(tmp_path, "-s")

    [line] = [line for line in done.stdout.splitlines() if "loaded" in line]
    assert "'gsws.testing.plugin'" in line, "the plugin is not installed"
    for heavy in ("gsws.runtime", "gsws.project", "gsws.errors", "websockets", "structlog", "jsonschema_rs"):
        assert heavy not in line
