"""`gsws validate --watch`: again after every change, until Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from queue import Queue

import pytest

from tests.cli.support import environment

DEADLINE = 20.0


class Watching:
    def __init__(self, cwd, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gsws", "validate", "--watch", *options],
            cwd=cwd,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, text: str) -> list[str]:
        """The lines up to one that holds ``text``."""
        end, seen = time.monotonic() + DEADLINE, []
        while not seen or text not in seen[-1]:
            seen.append(self.lines.get(timeout=max(0.01, end - time.monotonic())))
        return seen

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=DEADLINE)
        finally:
            self.process.kill()
            self.process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_every_change_is_checked(starter, number):
    watching = Watching(starter)
    assert watching.until("watching")[0].startswith("ok: no findings")
    event = starter / "events/greet.yaml"
    right = event.read_text()
    event.write_text(right.replace("fn: greet", "fn: gret"))
    seen = watching.until("watching")
    assert seen[0].startswith("events/greet.yaml:")
    assert seen[1].startswith("failed: 1 error")
    event.write_text(right)
    assert watching.until("watching")[0].startswith("ok: ")
    assert "\x1b" not in "".join(seen)
    assert watching.end(number) == 0


def test_repairs_are_made_as_files_are_saved(starter):
    watching = Watching(starter, "--fix")
    watching.until("watching")
    event = starter / "events/greet.yaml"
    right = event.read_text()
    event.write_text(right.replace("fn: greet", "fn: gret"))
    assert watching.until("ok: ")[0].startswith("fixed events/greet.yaml:")
    assert event.read_text() == right
    assert watching.end(signal.SIGINT) == 0


def test_no_project(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gsws", "validate", "--watch"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 1
