"""Which changes concern a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from gsws.reload.watch import is_watched

ROOT = Path("/app")


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "gsws.yaml",
        "events/a.yml",
        "events/public/a.yaml",
        "functions/build/handler.py",
        "functions/dist",
        "src/events/a.yaml",
        "helper/rag.py",
    ],
)
def test_what_is_loaded_is_watched(path):
    """`public`, `build` and such are names like any other inside the folders that are loaded."""
    assert is_watched(ROOT / path, ROOT)


@pytest.mark.parametrize(
    "path",
    [
        "public/app.json",
        "src/public/app.json",
        "build/lib/a.py",
        "venv/lib/a.py",
        ".venv/lib/a.py",
        "env/lib/site-packages/a/b.py",
        "functions/__pycache__",
        "functions/__pycache__/a.py",
        "functions/.a.py.swp",
        "functions/a.py~",
        "notes.txt",
        "../elsewhere/a.py",
    ],
)
def test_what_is_not_loaded_is_not_watched(path):
    assert not is_watched(ROOT / path, ROOT)
