"""
A process that has imported what `gsws serve` imports, and forks a server for each project.

Importing an agent's libraries takes five seconds of a processor, for each of a hundred servers. A server that is forked
is the command otherwise: its own process, environment, folder and output. Lives here: both ends of the pair of sockets
that asks for one. Not here: what is done with a server (`serving.py`).
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO

__all__ = ["Forked"]

COMMAND = ("gsws.cli.entry", "gsws.cli.commands.serve", "gsws.runtime.service", "gsws.reload.reloader", "gsws.testing")
AGENT = (
    "gsws.ai",
    "gsws.datasources.chat_model",
    "gsws.datasources.documents",
    "gsws.datasources.threads",
    "langgraph.graph",
    "langgraph.prebuilt",
    "langgraph.checkpoint.sqlite.aio",
    "langchain_google_genai",
)

_LOCK = threading.Lock()


class Forked:
    """
    A command of gsws that runs; what tests use of `subprocess.Popen`, with its output as text.

    Args:
        arguments: As the command has them, `serve` first.
        folder: Where it runs.
        environ: All of its environment.
        is_agent: Whether the libraries of an agent are to be there.
    """

    def __init__(self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], *, is_agent: bool) -> None:
        self.args = list(arguments)
        self.returncode: int | None = None
        self._lock = threading.Lock()
        reading, writing = os.pipe()
        self._status, telling = os.pipe()
        request = {"arguments": self.args, "folder": str(folder), "environ": dict(environ), "is_agent": is_agent}
        try:
            with _LOCK:
                _send(_forker(), json.dumps(request).encode(), [writing, telling])
        finally:
            os.close(writing)
            os.close(telling)
        self.stdout: TextIO = open(reading, encoding="utf-8", errors="replace")  # closed by `close`
        self.pid = self._number(60)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            with self._lock:
                if self.returncode is None:
                    with contextlib.suppress(TimeoutError):
                        self.returncode = self._number(0 if timeout == 0 else 0.02)
            if self.returncode is None and end is not None and time.monotonic() >= end:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go of its output; it has ended."""
        self.stdout.close()
        os.close(self._status)

    def _number(self, seconds: float) -> int:
        """The next thing that is told of it: its number, then how it ended."""
        if not select.select([self._status], [], [], seconds)[0]:
            raise TimeoutError
        told = os.read(self._status, 16)
        assert told, "the process that forks has ended"
        return int(told)


@cache
def _forker() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
        )

    def end() -> None:
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


def _send(control: socket.socket, data: bytes, descriptors: list[int]) -> None:
    control.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])


def _main(control: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that watch a server are nobody's to wait for
    _load(COMMAND)
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 2**18, 2)
        if not data:
            return
        request = json.loads(data)
        if request["is_agent"]:
            _load(AGENT)
        if os.fork() == 0:
            control.close()
            _watch(request, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _load(names: Sequence[str]) -> None:
    for name in names:
        importlib.import_module(name)
    gc.freeze()
    assert threading.active_count() == 1, threading.enumerate()


def _watch(request: dict[str, Any], output: int, status: int) -> None:
    """Run the command in one more process, and tell how it ends: whoever asked cannot wait for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        os.close(output)
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"%d" % pid)
            ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os.write(status, b"%d" % ended)
        os._exit(0)
    os.close(status)
    for number, name in enumerate(("stdout", "stderr"), 1):
        os.dup2(output, number)
        stream = open(number, "wb", 0)
        setattr(sys, name, io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", write_through=True))
    os.close(output)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    sys.argv = [str(Path(sys.executable).with_name("gsws")), *request["arguments"]]
    sys.exit(importlib.import_module("gsws.cli.entry").main())


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
