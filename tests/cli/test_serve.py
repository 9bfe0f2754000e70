"""`gsws serve` as a process: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import json
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.cli.support import environment, gsws, inside


class Serving:
    """A running `gsws serve --port 0`; stdout and stderr line by line as they come."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._passed: list[str] = []
        for stream, kept in ((process.stdout, self.out), (process.stderr, self.err)):
            threading.Thread(target=self._read, args=(stream, kept), daemon=True).start()
        self.url = self.wait_for(r"source websocket (ws://[^\s\"]+)")[1]

    def _read(self, stream, kept: list[str]) -> None:
        for line in stream:
            kept.append(line)
            self._lines.put(line.rstrip("\n"))

    def wait_for(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        """A line that nobody waited for yet; what stdout and stderr say at once comes in either order."""
        end = time.monotonic() + seconds
        for at, line in enumerate(self._passed):
            if found := re.search(pattern, line):
                del self._passed[at]
                return found
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {pattern!r} in:\n{''.join(self.out)}---\n{''.join(self.err)}") from None
            if found := re.search(pattern, line):
                return found
            self._passed.append(line)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def serving(project: Path, *arguments: str, **extra: str) -> Iterator[Serving]:
    process = subprocess.Popen(
        [sys.executable, "-m", "gsws", "serve", "--port", "0", *arguments],
        cwd=project, env=environment(**extra), stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Serving(process)
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()
        process.stderr.close()


def test_what_is_printed_and_how_to_try_it(starter):
    """The printed line works as it stands, and Ctrl-C is a good end."""
    with serving(starter) as served:
        served.wait_for("^try npx wscat")
        port = served.url.rpartition(":")[2]
        assert served.out[:5] == [
            "serving app 0.1.0 (development, reloads on change)\n",
            f"source websocket ws://127.0.0.1:{port}\n",
            f"page websocket http://127.0.0.1:{port}/\n",
            "event websocket.greet -> greet (functions/greet.py:4)\n",
            "event websocket.stream -> stream_words (functions/stream_words.py:6)\n",
        ]
        line = served.out[5].removeprefix("try gsws ").split()
        assert line == ["call", "websocket.stream", "message=hello", "--url", f"ws://127.0.0.1:{port}"]
        asked = gsws(*line, cwd=starter)
        assert (asked.code, asked.out) == (0, "You said: hello \n"), asked
        greeted = gsws("call", "websocket.greet", "name=Ann", "--url", served.url, cwd=starter)
        assert (greeted.code, greeted.out) == (0, '{"text": "Hello, Ann!"}\n'), greeted
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
            assert b"<title>app</title>" in page.read()
        assert served.end() == 0
        assert "Traceback" not in "".join(served.err)


def test_a_bad_message_is_answered(starter):
    with serving(starter) as served:
        ran = gsws("call", "websocket.greet", "name=3", "--url", served.url, cwd=starter)
        assert ran.code == 1
        assert "schema_violation 400" in ran.err
        ran = gsws("call", "websocket.gret", "--url", served.url, cwd=starter)
        assert (ran.code, "did you mean `websocket.greet`?" in ran.err) == (1, True)


def test_reload_is_told(starter):
    with serving(starter) as served:
        function = starter / "functions/greet.py"
        time.sleep(0.3)
        function.write_text(function.read_text().replace("Hello", "Good day"))
        served.wait_for(r"^reloaded functions/greet\.py in \d+ ms$")
        ran = gsws("call", "websocket.greet", "name=Ann", "--url", served.url, cwd=starter)
        assert ran.out == '{"text": "Good day, Ann!"}\n'
        (starter / "events/greet.yaml").write_text('"websocket.greet": {fn: gret}\n')
        served.wait_for(r"events/greet\.yaml:1:\d+")
        served.wait_for("^error: not reloaded: 1 error")
        ran = gsws("call", "websocket.greet", "name=Ann", "--url", served.url, cwd=starter)
        assert ran.out == '{"text": "Good day, Ann!"}\n'


@pytest.mark.parametrize("arguments", [("--no-reload",), ("--env", "production")])
def test_no_reload(starter, arguments):
    with serving(starter, *arguments) as served:
        assert "reloads" not in served.out[0]
        (starter / "events/greet.yaml").write_text("broken: [\n")
        time.sleep(1)
        assert gsws("call", "websocket.greet", "name=A", "--url", served.url, cwd=starter.parent).code == 0
        told = "".join(served.err)
        assert told == "" if "production" in arguments else re.fullmatch(r"\S+ ok websocket\.greet .*\n", told)


def test_an_error_binds_nothing(starter):
    (starter / "events/greet.yaml").write_text('"websocket.greet": {fn: gret}\n')
    ran = gsws("serve", "--port", "0", cwd=starter)
    assert (ran.code, ran.out) == (1, "")
    assert "error[GS201]" in ran.err
    assert "--> events/greet.yaml:1:" in ran.err
    assert ran.err.splitlines()[-1].startswith("error: not serving: 1 error")


def test_a_handler_that_does_not_import(starter):
    (starter / "functions/greet.py").write_text("import nothing_of_that_name\nasync def greet(payload): ...\n")
    ran = gsws("serve", "--port", "0", cwd=starter)
    assert (ran.code, ran.out) == (1, "")
    assert "nothing_of_that_name" in ran.err


def test_port_in_use(starter):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = gsws("serve", "--port", str(port), cwd=starter)
    assert (ran.code, ran.out) == (1, "")
    assert str(port) in ran.err.splitlines()[0]
    assert ran.err.startswith("error: ")


def test_outside_a_project(tmp_path):
    ran = gsws("serve", cwd=tmp_path)
    assert (ran.code, ran.err) == (1, "error: no gsws project here or above\n  help: `gsws init .` makes one\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--workers", "4"), "several processes are not supported yet"),
        (("--workers", "0"), "several processes are not supported yet"),
        (("--port", "70000"), "`70000` is no port"),
        (("--port=-1",), "`-1` is no port"),
        (("--env", "../x"), "is no environment"),
        (("--log-format", "jsn"), "did you mean `json`?"),
    ],
)
def test_options_that_make_no_sense(starter, arguments, says):
    ran = inside("serve", *arguments, cwd=starter)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err


def test_a_host_that_is_no_host(starter):
    ran = gsws("serve", "--host", "nothing.invalid", cwd=starter)
    assert (ran.code, ran.out) == (1, "")
    assert "nothing.invalid" in ran.err


def test_open_to_everybody_is_said(starter):
    """P4.2: the last word of the start, whether the command line opened it or the file; not for this machine alone."""
    with serving(starter, "--host", "0.0.0.0") as served:
        served.wait_for("listens on 0.0.0.0 and anybody may connect: there is no `authn`")
    with serving(starter, "--host", "127.0.0.2") as served:
        served.wait_for("^try npx wscat")
        assert "anybody" not in "".join(served.err)
    source = starter / "eventsources" / "websocket.yaml"
    source.write_text(source.read_text().replace("host: 127.0.0.1", "host: 0.0.0.0"))
    with serving(starter) as served:
        served.wait_for("listens on 0.0.0.0 and anybody may connect: there is no `authn`")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_moment(starter, number):
    """From the first instruction to serving: no trace and status 0, or the bare signal before Python runs."""
    for wait in (0.05, 0.1, 0.2, 0.3, 0.45, 0.6):
        process = subprocess.Popen(
            [sys.executable, "-m", "gsws", "serve", "--port", "0"],
            cwd=starter, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        time.sleep(wait)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        # Before Python runs our first line, on a busy machine much later than on an idle one, nobody can answer.
        if wait < 0.3 and "Could not import runpy" in err:
            continue
        assert process.returncode in (0, 130, -number), (wait, err)
        assert process.returncode == -number or wait < 0.3 or "Traceback" not in err, (wait, err)


@pytest.mark.parametrize("body", ["asyncio.to_thread(time.sleep, 60)", "swallow()"])
def test_what_a_handler_leaves_behind_does_not_hold_up_the_end(starter, body):
    """P10.2: neither a thread of its own nor a task that swallows its cancellation; a third signal is none too many."""
    (starter / "gsws.yaml").write_text("drain_timeout: 100ms\n")
    (starter / "events/stuck.yaml").write_text('"websocket.stuck": {fn: stuck, payload: {}}\n')
    (starter / "functions/stuck.py").write_text(
        "import asyncio, time\n\nasync def swallow():\n    while True:\n"
        "        try:\n            await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError:\n            pass\n\n"
        f"async def handler():\n    await {body}\n"
    )
    with serving(starter, "--no-reload") as served, connect(served.url) as client:
        client.send('{"eventtype": "websocket.stuck", "id": "s"}')
        client.send('{"eventtype": "gsws.ping"}')
        client.recv(5)
        served.process.send_signal(signal.SIGTERM)
        assert json.loads(client.recv(5))["payload"]["error"] == "draining"
        for _ in range(3):
            served.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert served.process.wait(6) == 0


def test_a_signal_within_a_callback_of_the_import_system():
    """An exception raised there is ignored, so the stop may not be one."""
    code = """
import signal, weakref
from gsws.cli import entry
class Lock: pass
signal.signal(signal.SIGTERM, entry._stop)
lock = Lock()
kept = weakref.ref(lock, lambda _: signal.raise_signal(signal.SIGTERM))
del lock
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_stdin_that_is_closed(starter):
    """What would be opened as descriptor 0 is closed by the loop at the end, and libuv aborts on that."""
    with subprocess.Popen(
        ["bash", "-c", f'exec "{sys.executable}" -m gsws serve --port 0 <&-'],
        cwd=starter, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert Serving(process).end() == 0
        finally:
            process.kill()


def test_stdout_that_is_gone(starter):
    """A closed stdout does not end the service."""
    process = subprocess.Popen(
        ["sh", "-c", f'exec "{sys.executable}" -m gsws serve --port {free_port()} >&-'],
        cwd=starter, env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in err) == (0, False), err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
