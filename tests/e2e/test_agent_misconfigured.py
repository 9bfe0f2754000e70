"""What `gsws serve` says of an agent that cannot work: what is wrong, what to do, no traceback, exit status 1."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.serving import GSWS
from tests.e2e.test_agent import project

__all__ = ["project"]

pytestmark = pytest.mark.timeout(120)

GARBAGE = bytes(range(256)) * 20
WITHOUT_THE_EXTRA = """
import sys

MISSING = {"aiosqlite", "langchain_core", "langchain_google_genai", "langgraph", "langsmith"}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def refused(project: Path, **environ: str) -> str:
    """What `gsws serve` prints when it does not serve."""
    done = subprocess.run(
        [GSWS, "serve", "--port", "0"],
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env={**os.environ, "NO_COLOR": "1", **environ},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert "not serving" in said
    return said


def test_without_the_extra_each_finding_names_what_to_install(project: Path, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(WITHOUT_THE_EXTRA)
    said = refused(project, PYTHONPATH=str(tmp_path / "without"))
    assert said.count('pip install "gsws[ai]"') == said.count("error[GS2") == 3


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("google_genai:gemini-flash-latest", "needs a key: set GOOGLE_API_KEY or GEMINI_API_KEY"),
        ("gemini-flash-latest", "did you mean `google_genai:${AGENT_MODEL}`?"),  # what was looked up is not shown
        ("googel_genai:gemini-flash-latest", "did you mean `google_genai`?"),
    ],
)
def test_a_model_that_cannot_be_had_is_named_with_what_to_write(project: Path, model: str, expected: str) -> None:
    assert expected in refused(project, AGENT_MODEL=model)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("threads.sqlite", "is no SQLite file (name another file; this one is left as it is)"),
        ("budget.sqlite", "cannot be used: file is not a database"),
    ],
)
def test_a_damaged_file_is_named_and_left_alone(project: Path, name: str, expected: str) -> None:
    file = project / ".gsws" / name
    file.write_bytes(GARBAGE)
    said = refused(project, GOOGLE_API_KEY="none", AGENT_MODEL="google_genai:gemini-flash-latest")
    assert name in said
    assert expected in said
    assert file.read_bytes() == GARBAGE
