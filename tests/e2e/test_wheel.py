"""What a stranger installs: the built wheel, used without the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gsws.__about__ import __version__
from tests.e2e.available import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the working tree without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps"]
    done = subprocess.run(
        [*pip, "--no-build-isolation", "--no-index", "--wheel-dir", folder, ROOT],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_what_is_needed(wheel: Path) -> None:
    """Types, licence and every file of the templates are in it; tests and build results are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {path.relative_to(ROOT) for path in (ROOT / "templates").rglob("*") if path.is_file()}
    templates = {path for path in templates if "__pycache__" not in path.parts}

    assert "gsws/py.typed" in names
    assert f"gsws-{__version__}.dist-info/licenses/LICENSE" in names
    assert {f"gsws/scaffold/{path.as_posix()}" for path in templates} <= names
    assert {name.split("/")[0] for name in names} == {"gsws", f"gsws-{__version__}.dist-info"}


def test_the_installed_wheel_makes_a_project(wheel: Path, tmp_path: Path) -> None:
    """`gsws init` and `gsws validate` work from the wheel alone, in a folder far from the source tree."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environ = {**os.environ, "PYTHONPATH": str(site), "NO_COLOR": "1"}

    def run(*arguments: str, folder: Path = tmp_path) -> str:
        command = [sys.executable, "-P", "-m", "gsws", *arguments]
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    where = [sys.executable, "-P", "-c", "import gsws; print(gsws.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.startswith(str(site))
    assert run("--version").strip() == f"gsws {__version__}"
    for template in ("starter", "bare"):
        run("init", template, "--template", template)
        run("validate", folder=tmp_path / template)
