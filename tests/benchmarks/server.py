"""
Servers under measurement as child processes, and what the kernel knows of them.

Lives here: starting one on its own core, its CPU clock, its memory, its end. Not here: load, figures.
Linux only: the CPU clock of another process and `/proc` are needed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.workload import EVENT, SCHEMA
from tests.e2e.available import install_node_packages

__all__ = ["GSWS", "LOAD_CORE", "SERVER_CORE", "Contestant", "Server", "contestants", "gsws_project"]

ROOT = Path(__file__).resolve().parents[2]
GSWS = Path(sys.executable).with_name("gsws")
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]
_ADDRESS = re.compile(r"\b(?:ws|http)s?://(?:\[[^\]]+\]|[\w.-]+):(\d+)")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that takes part: its name in the tables and how it is started; `why_not` if it cannot be."""

    name: str
    command: Sequence[str | Path]
    folder: Path = ROOT
    why_not: str = ""


@dataclass(slots=True)
class Server:
    """A running contestant. CPU is seconds of the whole process tree, memory bytes of its anonymous pages."""

    contestant: Contestant
    port: int = 0
    _process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None
    _output: list[str] = field(default_factory=list)

    def start(self, seconds: float = 30) -> Server:
        """Start it pinned to the servers' core and wait for the address that it prints."""
        began = threading.Event()
        self._process = process = subprocess.Popen(
            self.contestant.command,
            cwd=self.contestant.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                self._output.append(line)
                if not self.port and (match := _ADDRESS.search(line)):
                    self.port = int(match[1])
                    began.set()
            began.set()

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        if not began.wait(seconds) or not self.port:
            self.stop()
            raise RuntimeError(f"{self.contestant.name} did not start:\n{''.join(self._output)}")
        return self

    def cpu(self) -> float:
        """CPU seconds used so far, in nanosecond steps, ended threads included."""
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self._pids())

    def memory(self) -> int:
        """Bytes of anonymous resident memory."""
        total = 0
        for pid in self._pids():
            status = Path(f"/proc/{pid}/status").read_text()
            match = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
            assert match is not None
            total += int(match[1]) * 1024
        return total

    def stop(self) -> None:
        """End it, by force if it takes long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        assert self._reader is not None
        assert self._process.stdout is not None
        self._reader.join(5)
        self._process.stdout.close()

    def _pids(self) -> list[int]:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.contestant.name} ended:\n{''.join(self._output)}"
        found = [self._process.pid]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            found += [int(child) for child in children.read_text().split()]
        return found


def gsws_project(folder: Path, events: int = 1) -> Path:
    """
    Write a project of the measured event and `events - 1` others, each with its own schema and handler.
    """
    files = {"eventsources/websocket.yaml": "type: websocket\nport: 0\n"}
    for number in range(events):
        name = EVENT if number == 0 else f"websocket.event{number}"
        function = "echo" if number == 0 else f"event{number}"
        schema = SCHEMA if number == 0 else SCHEMA | {"maxProperties": 10 + number}  # no two compile to the same
        files[f"events/{function}.yaml"] = f'"{name}":\n  fn: {function}\n  payload: {json.dumps(schema)}\n'
        files[f"functions/{function}.py"] = "async def handler(payload):\n    return payload\n"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def contestants(folder: Path) -> list[Contestant]:
    """Who takes part, gsws first; its project is written into `folder`."""
    peers = [sys.executable, "-m"]
    modules, why_not = install_node_packages()
    script = ROOT / "tests" / "benchmarks" / "peers" / "node_server.cjs"
    package = "tests.benchmarks.peers"
    return [
        Contestant("gsws", [GSWS, "serve", "--env", "production"], gsws_project(folder / "echo")),
        Contestant("websockets.asyncio", [*peers, f"{package}.websockets_server"]),
        Contestant("websockets.asyncio, uvloop", [*peers, f"{package}.websockets_server", "--uvloop"]),
        Contestant("FastAPI on uvicorn", [*peers, f"{package}.fastapi_server"]),
        Contestant("Node ws", ["node", script, str(modules), json.dumps(SCHEMA)], why_not=why_not),
    ]
