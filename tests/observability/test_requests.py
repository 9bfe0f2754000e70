"""A line for each request: for the person in development, for programs where the project says so."""

from __future__ import annotations

import json
import re

import pytest

from gsws.observability.requests import AccessLines, RequestLines
from gsws.project.specs import AccessSpec
from tests.e2e.serving import serve, write_project
from tests.runtime.support import served
from tests.runtime.transport.harness import eventually

FILES = {
    "events/e.yaml": """
        websocket.greet: {fn: greet, payload: {type: object, properties: {name: {type: string}}}}
        websocket.words: {fn: words, payload: {}}
        websocket.fail: {fn: fail, payload: {}}
        websocket.status: {fn: status, payload: {}}
        websocket.wait: {fn: wait, payload: {}, timeout: 100ms}
    """,
    "functions/greet.py": "def greet(payload):\n    return payload\n",
    "functions/fail.py": "def fail(payload):\n    raise ValueError('private')\n",
    "functions/status.py": "from gsws import GSStatus\ndef status(_):\n    return GSStatus(False, 404, 'private')\n",
    "functions/wait.py": "import asyncio\nasync def wait(payload):\n    await asyncio.sleep(60)\n",
    "functions/words.py": """
        import asyncio
        async def words(payload):
            for word in ("a", "b", "c"):
                await asyncio.sleep(0.02)
                yield word
    """,
}
TIME = r"^\d\d:\d\d:\d\d "


@pytest.fixture
def observed(tmp_path, request):
    """A service with an observer, and what it writes."""
    made = []
    lines = []

    def observe(make):
        running = served(tmp_path, FILES)
        made.append(running)
        served_ = running.__enter__()
        live = served_.service.live["websocket"]
        served_.call(lambda: setattr(live.executor, "observer", make(lines.append)))
        return served_, lines

    yield observe
    for running in made:
        running.__exit__(None, None, None)


def test_lines_for_a_person(observed):
    """How it ended, which event, how long, who; of a stream its chunks, of an unknown event the nearest name."""
    running, lines = observed(lambda write: RequestLines(write, dim=False))
    with running.client() as client:
        client.ask("websocket.greet", {})
        client.send("websocket.greet", {})  # nobody asked for an answer
        client.send("websocket.words", {}, id=1)
        client.answer(1)
        for event, payload in (("fail", 1), ("status", 1), ("wait", 1), ("greet", 7), ("gret", 1), ("q\x1b[31m", 1)):
            client.ask(f"websocket.{event}", payload)
    expected = [
        r"ok websocket\.greet \d+\.\d ms test\n$",
        r"ok websocket\.greet \d+\.\d ms test\n$",
        r"ok websocket\.words \d+(\.\d)? ms test 3 chunks, first after \d+(\.\d)? ms\n$",
        r"handler_error websocket\.fail \d+\.\d ms test\n$",
        r"failed websocket\.status \d+\.\d ms test\n$",
        r"timeout websocket\.wait \d+(\.\d)? ms test\n$",
        r"schema_violation websocket\.greet test\n$",
        r"unknown_event websocket\.gret test, did you mean websocket\.greet\?\n$",
        "unknown_event websocket\\.q\ufffd\\[31m test\n$",
    ]
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected, strict=True):
        assert re.search(TIME + pattern, line), (line, pattern)
    assert "private" not in "".join(lines)


def test_a_flood_is_twenty_lines_and_a_sum(observed):
    running, lines = observed(lambda write: RequestLines(write, dim=True))
    with running.client() as client:
        for number in range(200):
            client.ask("websocket.greet", {}, id=number)
    eventually(lambda: any("more in 1 s" in line for line in lines))
    counted = sum(int(found[1]) for line in lines if (found := re.search(r"… (\d+) more in 1 s", line)))
    shown = [line for line in lines if "websocket.greet" in line]
    assert counted + len(shown) >= 180
    assert len(shown) < 200
    assert all(line.startswith("\x1b[2m") and line.endswith("\x1b[0m\n") for line in lines)


def test_access_lines(observed):
    """An object a request with what operators ask for, and nothing of what users sent."""
    running, lines = observed(lambda write: AccessLines(AccessSpec(requests=1.0), write))
    with running.client() as client:
        client.ask("websocket.greet", {"name": "private"})
        client.ask("websocket.words", {})
        client.ask("websocket.fail", {})
        client.ask("websocket.status", {})
        client.ask("websocket.wait", {})
        client.ask("websocket.greet", 7)
        client.ask("websocket.nowhere", {})
    told = [json.loads(line) for line in lines]
    assert [(line["event_key"], line["outcome"], line.get("error"), line.get("code")) for line in told] == [
        ("websocket.greet", "ok", None, None),
        ("websocket.words", "ok", None, None),
        ("websocket.fail", "error", "handler_error", 500),
        ("websocket.status", "failed", "failed", 404),
        ("websocket.wait", "timeout", "timeout", 504),
        ("websocket.greet", "refused", "schema_violation", 400),
    ]
    assert all(line["event"] == "request" and line["client"] == "test" and line["peer"] == "127.0.0.1" for line in told)
    assert all(0 <= line["queue_ms"] <= line["duration_ms"] for line in told[:5])
    assert told[0]["bytes_in"] - told[1]["bytes_in"] == len('"name": "private"')
    assert told[0]["bytes_out"] < told[1]["bytes_out"]
    assert told[1]["chunks"] == 3
    assert 0 < told[1]["first_chunk_ms"] < told[1]["duration_ms"]
    assert "subject" not in told[0]
    assert "private" not in "".join(lines)


def test_an_access_line_tells_how_long_a_request_waited(observed):
    """``queue_ms`` is what it waited for those before it, and no part of its handler's time."""
    running, lines = observed(lambda write: AccessLines(AccessSpec(requests=1.0), write))
    with running.client() as client:
        client.send("websocket.wait", {}, id=1)
        client.ask("websocket.greet", {})
    waited, greeted = map(json.loads, lines)
    assert waited["queue_ms"] < 90 < waited["duration_ms"]
    assert 90 < greeted["queue_ms"] <= greeted["duration_ms"]


def test_what_has_an_access_line(observed):
    """Failures and slow ones always, of the rest a share; beyond the rate they are counted."""
    running, lines = observed(lambda write: AccessLines(AccessSpec(requests=0.0, slow=0.05, rate=2), write))
    with running.client() as client:
        client.ask("websocket.greet", {})
        client.ask("websocket.words", {})
        for number in range(5):
            client.ask("websocket.fail", {}, id=number)
        eventually(lambda: any("left out" in line for line in lines))
    told = [json.loads(line) for line in lines]
    assert [line["event_key"] for line in told[:2]] == ["websocket.words", "websocket.fail"]
    assert sum(line["count"] for line in told if line["event"] == "access lines left out") == 4


def test_nobody_is_told_of_anything_without_an_observer(tmp_path):
    """No time is read for a message."""
    with served(tmp_path, FILES) as running, running.client() as client:
        client.send("websocket.wait", {}, id=1)
        requests = running.wait_for(
            lambda: [one for busy in running.service.live["websocket"].executor.busy for one in busy.requests.values()]
        )
        assert requests[0].begun is None


@pytest.mark.parametrize(
    ("settings", "arguments", "shown"),
    [
        ("", (), r"ok websocket\.greet [\d.]+ ms ann"),
        ("log: {access: false}\n", (), None),
        ("", ("--env", "production"), None),
        ("log: {access: true}\n", ("--env", "production"), r'"event":"request".*"event_key":"websocket.greet"'),
        ("log: {access: {requests: 1}, format: console}\n", ("--env", "production"), r"ok websocket\.greet"),
    ],
)
def test_when_there_are_lines(tmp_path, settings, arguments, shown):
    """In development by default, elsewhere where `log.access` says so."""
    from websockets.sync.client import connect

    root = write_project(tmp_path / "app", {
        "gsws.yaml": f"name: app\n{settings}",
        "eventsources/websocket.yaml": "type: websocket\nport: 0\n",
        "events/e.yaml": "websocket.greet: {fn: greet, payload: {}}\n",
        "functions/greet.py": FILES["functions/greet.py"],
    })  # fmt: skip
    with serve(root, *arguments) as running, connect(f"ws://127.0.0.1:{running.port}/?clientId=ann") as client:
        client.send('{"eventtype": "websocket.greet", "id": 1, "payload": 1}')
        client.recv(5)
        if shown is not None:
            running.wait_for(shown)
    assert shown is not None or "ok websocket.greet" not in running.output
