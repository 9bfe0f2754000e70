"""The pytest fixture: a stand-in for one test, and the environment that leads there."""

from __future__ import annotations

import subprocess
import sys

TEST = """
import os, urllib.request

def test_one(fake_gemini):
    fake_gemini.script("said")
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == fake_gemini.url
    assert os.environ["GOOGLE_API_KEY"] == "fake-key"
    with urllib.request.urlopen(f"{fake_gemini.url}/v1beta/models?key=fake-key", timeout=5) as answer:
        assert answer.status == 200
    assert len(fake_gemini.requests) == 1

def test_another(fake_gemini):
    assert (fake_gemini.requests, fake_gemini.unused) == ([], 0)

def test_without():
    assert os.environ["GOOGLE_API_KEY"] == "mine"
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ
"""


def test_the_fixture_gives_a_stand_in_and_its_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "mine")
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    (tmp_path / "test_it.py").write_text(TEST)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "3 passed" in done.stdout, done.stdout


def test_the_plugin_loads_nothing_of_it_before_it_is_asked_for():
    code = (
        "import sys, gsws.testing, gsws.testing.plugin\n"
        "print([name for name in sys.modules if name == 'h11' or 'gemini.' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"
