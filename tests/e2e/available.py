"""
What the machine offers beside Python: Node.js packages and a browser.

Absent, a test skips and says what is missing.
With `CI` set it fails, so that CI never passes for want of a tool.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

__all__ = ["find_chromium", "install_node_packages", "missing", "node_modules"]

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = [ROOT / "tests" / "node" / name for name in ("package.json", "package-lock.json")]
NODE = ROOT / "build" / "node"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def missing(what: str) -> None:
    """Skip the running test, or fail it in CI, naming what the machine lacks."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have it: {what}")
    pytest.skip(what)


def install_node_packages() -> tuple[Path | None, str]:
    """
    Install the manifest's packages into `build/node` unless they are there.

    Returns:
        The folder `node_modules` and "", or None and what is missing.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        return None, "Node.js is not installed"
    NODE.mkdir(parents=True, exist_ok=True)
    with (NODE.parent / "node.lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _install(npm)


def _install(npm: str | None) -> tuple[Path | None, str]:
    modules = NODE / "node_modules"
    copies = {NODE / one.name: one.read_bytes() for one in MANIFESTS}
    if (modules / "ws").is_dir() and all(copy.is_file() and copy.read_bytes() == one for copy, one in copies.items()):
        return modules, ""
    if npm is None:
        return None, "npm is not installed"
    for copy, one in copies.items():
        copy.write_bytes(one)
    command = [npm, "ci", "--prefix", str(NODE), "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return None, "npm could not install `ws` within 120 s"
    if done.returncode or not (modules / "ws").is_dir():
        (NODE / "package-lock.json").unlink()
        return None, f"npm could not install `ws`: {done.stderr.strip()[-200:]}"
    return modules, ""


@cache
def _node_packages() -> tuple[Path | None, str]:
    return install_node_packages()


def node_modules() -> Path:
    """The folder with `ws`; without it the running test ends as `missing` says."""
    modules, reason = _node_packages()
    if modules is None:
        missing(reason)
        raise AssertionError("unreachable")
    return modules


def find_chromium() -> str:
    """The browser's path; without one the running test ends as `missing` says."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    missing(f"no browser: none of {', '.join(BROWSERS)} is installed")
    raise AssertionError("unreachable")
