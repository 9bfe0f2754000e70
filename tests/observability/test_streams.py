"""stdout and stderr of a service: a line is whole, in JSON an object, and nobody waits for its reader."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from websockets.sync.client import connect

from tests.e2e.serving import GSWS, write_project
from tests.runtime.transport.harness import eventually

FILES = {
    "gsws.yaml": "name: loud\nlog: {level: warning}\n",
    "eventsources/websocket.yaml": "type: websocket\nport: 0\norigins: []\n",
    "events/e.yaml": "websocket.loud: {fn: loud, payload: {}}\n",
    "functions/loud.py": """\
import logging, os, sys, threading, warnings

print("imported")

def loud(payload):
    print("one\\ntwo")
    print("no end", end="")
    sys.stderr.write("{not: json}\\n")
    sys.stdout.buffer.write(b"bytes \\xff\\n")
    logging.getLogger("library").error("of a library, %s", "https://user:" + "pw9secret" + "@host/x")
    warnings.warn("of Python")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    raise ValueError("of a handler")
""",
}


def started(root, *arguments, **streams):
    return subprocess.Popen(
        [GSWS, "serve", "--port", "0", *arguments], cwd=root, stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1"}, **streams,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [("--env", "production"), ("--log-format", "json")])
def test_every_line_is_a_json_object(tmp_path, arguments):
    """Whoever wrote it: the service, a handler, a library, Python itself; and no line shows a password."""
    root = write_project(tmp_path / "app", FILES)
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = started(root, *arguments, stdout=out, stderr=err)
        try:
            lines = eventually(lambda: [line for line in objects(tmp_path / "out") if line["event"] == "serving"], 20)
            assert (lines[0]["pid"], lines[0]["version"]) == (process.pid, "0.0.0")
            with connect(lines[0]["sources"]["websocket"]) as client:
                client.send(json.dumps({"eventtype": "websocket.loud", "id": 1, "payload": 1}))
                assert json.loads(client.recv(5))["payload"]["error"] == "handler_error"
                client.send("x" * (2**20 + 1))
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
    assert (tmp_path / "err").read_bytes() == b""
    told = objects(tmp_path / "out")
    events = [line["event"] for line in told]
    for expected in ("imported", "one", "two", "no end{not: json}", "handler failed"):
        assert any(event.startswith(expected[:6]) for event in events), expected
    assert all({"timestamp", "level", "event"} <= line.keys() for line in told)
    assert any("of Python" in event for event in events)
    assert any("ZeroDivisionError" in event for event in events)
    assert "of a library, https://***@host/x" in events
    assert "pw9secret" not in (tmp_path / "out").read_text()


def objects(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    "files",
    [{"events/e.yaml": "websocket.loud: {fn: nowhere}\n"}, {"events/e.yaml": "broken: [\n"},
     {"eventsources/websocket.yaml": "type: websocket\nhost: 192.0.2.1\n"}, {"gsws.yaml": "nme: x\n"}, {}],
)  # fmt: skip
def test_what_keeps_it_from_serving_is_json_too(tmp_path, files):
    """Findings, a port that cannot be had, and no project at all."""
    root = write_project(tmp_path / "app", {**FILES, **files} if files else {})
    root.mkdir(exist_ok=True)
    process = started(root, "--env", "production", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    lines = [json.loads(line) for line in out.decode().splitlines()]
    assert lines[-1]["event"] == "not serving"
    assert lines[-1]["level"] == "error"
    assert err == b""


@pytest.mark.parametrize(("format", "dead"), [("json", "stdout"), ("console", "stderr"), ("console", "stdout")])
def test_a_reader_that_is_stuck_stops_nothing(tmp_path, format, dead):
    """T14: Nobody reads the pipe: handlers that print, refusals that are logged, health checks and the end go on."""
    loud = (
        "import sys\ndef loud(payload):\n    print('x' * 2000)\n    print('y' * 2000, file=sys.stderr)\n    return 1\n"
    )
    root = write_project(tmp_path / "app", {**FILES, "functions/loud.py": loud})
    reading, writing = os.pipe()
    (tmp_path / "port").mkdir()
    others = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, dead: writing}
    port = 20_000 + os.getpid() % 20_000
    process = subprocess.Popen(
        [GSWS, "serve", "--port", str(port), "--env", "production", "--log-format", format],
        cwd=root, stdin=subprocess.DEVNULL, **others,
    )  # fmt: skip
    try:
        os.close(writing)
        client = eventually(lambda: opened(port), 20)
        with client:
            for number in range(500):
                client.send(json.dumps({"eventtype": "websocket.loud", "id": number, "payload": 1}))
                assert json.loads(client.recv(10))["payload"]["success"] is True
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        found = b""
        while piece := os.read(reading, 65536):
            found += piece
        assert found == b"" or found.endswith(b"\n")
    finally:
        process.kill()
        process.wait(10)
        os.close(reading)


def opened(port):
    try:
        return connect(f"ws://127.0.0.1:{port}/", open_timeout=5)
    except OSError:
        return None


def test_the_interpreter_s_own_streams_come_back(capfd):
    """And what waited was written."""
    from gsws.observability.streams import finish, taken_over

    before = sys.stdout, sys.stderr
    with taken_over("console"):
        print("for a person", end="")
        finish()
    assert (sys.stdout, sys.stderr) == before
    assert "for a person" in capfd.readouterr().out
