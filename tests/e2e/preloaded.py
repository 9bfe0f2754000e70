"""
A process that has imported what the commands of gsws import, and forks one when it is asked to.

Importing an agent's libraries takes five seconds of a processor, for each of a hundred servers, and those of any other
command half a second. What is forked is the command otherwise: its own process, environment, folder and output. Lives
here: both ends of the pair of sockets that asks for one. Not here: what is done with a server (`serving.py`).
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
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO

__all__ = ["Forked", "run"]

COMMAND = (
    "gsws.cli.entry",
    "gsws.cli.commands.call",
    "gsws.cli.commands.serve",
    "gsws.cli.commands.validate",
    "gsws.runtime.service",
    "gsws.reload.reloader",
    "gsws.testing",
)
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

DEADLINE = 120.0
"""Seconds until it must have begun: importing an agent's libraries takes a busy machine long."""
WIDTH = 8
"""Bytes of a number that tells of a command: what is written twice may be there before it is read once."""

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
        try:
            with open(os.devnull, "rb") as nothing:
                self._status = _ask(self.args, folder, environ, [nothing.fileno(), writing, writing], is_agent)
        finally:
            os.close(writing)
        self.stdout: TextIO = open(reading, encoding="utf-8", errors="replace")  # closed by `close`
        self.pid = self._number(DEADLINE)

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
        return _number(self._status, seconds)


def run(
    arguments: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    *,
    given: str | None = None,
    seconds: float = 120,
) -> subprocess.CompletedProcess[str]:
    """
    Run a command to its end, as `subprocess.run` does with pipes; `given` is its stdin.

    Raises:
        TimeoutError: If it does not end in time; it is killed.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write((given or "").encode())
        stdin.seek(0)
        status = _ask(arguments, folder, environ, [file.fileno() for file in (stdin, stdout, stderr)], False)
        try:
            pid = _number(status, DEADLINE)
            try:
                code = _number(status, seconds)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
        finally:
            os.close(status)
        stdout.seek(0), stderr.seek(0)
        out, err = (file.read().decode().replace("\r\n", "\n") for file in (stdout, stderr))
        return subprocess.CompletedProcess(list(arguments), code, out, err)


def _ask(
    arguments: Sequence[str], folder: Path, environ: Mapping[str, str], streams: Sequence[int], is_agent: bool
) -> int:
    """Ask for a command with these standard streams; what is read from the result tells of it."""
    status, telling = os.pipe()
    request = {"arguments": [*arguments], "folder": str(folder), "environ": dict(environ), "is_agent": is_agent}
    try:
        with _LOCK:
            _send(_forker(), json.dumps(request).encode(), [telling, *streams])
    finally:
        os.close(telling)
    return status


def _number(status: int, seconds: float) -> int:
    if not select.select([status], [], [], seconds)[0]:
        raise TimeoutError
    told = os.read(status, WIDTH)
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
        data, descriptors, _, _ = socket.recv_fds(control, 2**18, 4)
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


def _watch(request: dict[str, Any], status: int, *streams: int) -> None:
    """Run the command in one more process, and tell how it ends: whoever asked cannot wait for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        for stream in streams:
            os.close(stream)
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"%*d" % (WIDTH, pid))
            ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os.write(status, b"%*d" % (WIDTH, ended))
        os._exit(0)
    os.close(status)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = open(0, encoding="utf-8")
    for number, name in enumerate(("stdout", "stderr"), 1):
        written = open(number, "wb", 0)
        setattr(sys, name, io.TextIOWrapper(written, encoding="utf-8", errors="backslashreplace", write_through=True))
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    time.tzset()
    sys.argv = [str(Path(sys.executable).with_name("gsws")), *request["arguments"]]
    sys.exit(importlib.import_module("gsws.cli.entry").main())


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
