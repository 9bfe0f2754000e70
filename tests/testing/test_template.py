"""A new project contains a test, and the test passes."""

from __future__ import annotations

import subprocess
import sys

from gsws.scaffold.templates import find_template


def test_the_test_of_a_new_project_passes(tmp_path):
    for path, content in find_template("starter").files({"name": "app", "version": "0"}).items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
