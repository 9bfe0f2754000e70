"""
`gsws serve` as a child process, for tests that need the real command on a real port.

Lives here: writing a project's files, starting the command, finding its address, ending it; every wait has a
deadline. Not here: tests, and in-process servers (`gsws.testing` is for those).
"""

from __future__ import annotations

import atexit
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.e2e.preloaded import Forked

__all__ = ["GSWS", "Served", "initialised", "serve", "write_project"]

GSWS = Path(sys.executable).with_name("gsws")
_ADDRESS = re.compile(r"\b(?:ws|http)s?://(?:\[[^\]]+\]|[\w.-]+):(\d+)")


class Served:
    """A running `gsws serve`: its port, what it printed so far, and its end."""

    def __init__(self, process: subprocess.Popen[str] | Forked) -> None:
        self.process = process
        self.port = 0
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)

    def wait_for(self, pattern: str | re.Pattern[str], seconds: float = 60) -> re.Match[str]:
        """The first match in lines not yet looked at; AssertionError with all output when there is none."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} within {seconds} s in:\n{self.output}") from None
            if line is None:
                raise AssertionError(f"the server ended with {self.process.wait(5)}:\n{self.output}")
            if match := re.search(pattern, line):
                return match

    @property
    def output(self) -> str:
        """All that was printed so far."""
        return "".join(self.lines)

    def stop(self, seconds: float = 15) -> int:
        """Ctrl-C, then the exit status; killed and an AssertionError if it does not end in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise AssertionError(f"the server did not end within {seconds} s:\n{self.output}") from None


def write_project(root: Path, files: Mapping[str, str]) -> Path:
    """Write a project's files (relative path -> text), secrets for their owner alone, and return its root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if path.name == ".env":
            path.chmod(0o600)
    return root


def initialised(root: Path, template: str) -> Path:
    """Write what `gsws init app --template …` writes, and return its root; the command runs once for each template."""
    made = _made(template) / "app"
    assert root.name == made.name, "its name stands in the project"
    shutil.copytree(made, root, symlinks=True)
    return root


@cache
def _made(template: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="gsws-made-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run([GSWS, "init", "app", "--template", template], cwd=folder, check=True, timeout=120)
    return folder


@contextmanager
def serve(
    project: Path, *arguments: str, environ: Mapping[str, str] | None = None, is_forked: bool = True
) -> Iterator[Served]:
    """
    Run `gsws serve --port 0` in a project until the block ends; its output has stderr too.

    With ``is_forked`` off it is a process that imports everything itself: for what is measured.
    """
    arguments = ("serve", *(() if "--port" in arguments else ("--port", "0")), *arguments)
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **(environ or {})}
    process: subprocess.Popen[str] | Forked
    if is_forked:
        is_agent = (project / "datasources" / "model.yaml").exists()
        process = Forked(arguments, project, environ, is_agent=is_agent)
    else:
        process = subprocess.Popen(
            [GSWS, *arguments],
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environ,
        )
    served = Served(process)
    try:
        served.port = int(served.wait_for(_ADDRESS, 120)[1])  # importing an agent's libraries takes a busy machine long
        yield served
        assert served.stop() == 0, served.output
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(5)
        served.reader.join(5)
        if isinstance(process, Forked):
            process.close()
        else:
            assert process.stdout is not None
            process.stdout.close()
