from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.cli.support import inside


@pytest.fixture(autouse=True)
def _activated(monkeypatch) -> None:
    """The shell of somebody who has activated the environment: `gsws` is a word that it knows."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


@pytest.fixture(scope="session")
def _starter(tmp_path_factory) -> Path:
    """One starter project, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    made = inside("init", "app", cwd=folder)
    assert made.code == 0, made
    return folder / "app"


@pytest.fixture
def starter(_starter: Path, tmp_path: Path) -> Path:
    """A fresh starter project."""
    import shutil

    shutil.copytree(_starter, tmp_path / "app")
    return tmp_path / "app"
