"""`gsws push` and `gsws disconnect` beside a real `gsws serve`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.cli.support import gsws
from tests.cli.test_serve import serving

ROOMS = """
async def enter(ctx, payload):
    await ctx.join(payload["room"])
"""
EVENTS = """
"websocket.enter":
  fn: rooms.enter
  payload: {type: object, required: [room]}
  broadcasts: {order.paid: {type: object, required: [order]}}
"""


@pytest.fixture
def run():
    """Where sockets go: a folder whose path is short enough for one, to be made."""
    with tempfile.TemporaryDirectory(prefix="gsws-", dir="/tmp") as folder:
        yield Path(folder) / "run"


@pytest.fixture
def project(starter):
    (starter / "functions" / "rooms.py").write_text(ROOMS)
    (starter / "events" / "rooms.yaml").write_text(EVENTS)
    return starter


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory):
    """A project that is served, and what is to be in the environment of commands that ask it."""
    project = tmp_path_factory.mktemp("shared") / "app"
    assert gsws("init", "app", cwd=project.parent).code == 0
    with tempfile.TemporaryDirectory(prefix="gsws-", dir="/tmp") as folder:
        here = {"GSWS_RUNTIME_DIR": folder}
        with serving(project, **here):
            yield project, here


def test_a_frame_is_pushed_from_a_shell(project, run):
    """Nested and typed payloads as `gsws call` takes them; the count on stdout; 0 is no failure; gone at the end."""
    here = {"GSWS_RUNTIME_DIR": str(run)}
    with serving(project, **here) as served:
        with connect(f"{served.url}?clientId=ann") as ann:
            ann.send('{"eventtype": "websocket.enter", "payload": {"room": "tea"}, "id": 1}')
            assert json.loads(ann.recv(5))["eventtype"] == "reply"

            done = gsws("push", "order.paid", "order.number=7", "who=ann", "--room", "tea", cwd=project, **here)
            assert (done.code, done.out) == (0, "1\n"), done
            assert json.loads(ann.recv(5)) == {
                "eventtype": "order.paid",
                "payload": {"order": {"number": 7}, "who": "ann"},
            }
            done = gsws("push", "x", "--subject", "nobody", "--json", cwd=project, **here)
            assert (done.code, done.json) == (0, {"ok": True, "count": 0, "processes": 1})
            done = gsws("push", "x", "-f", "-", "--client-id", "ann", cwd=project, stdin='{"a": [1]}', **here)
            assert (done.code, done.out) == (0, "1\n")
            assert json.loads(ann.recv(5))["payload"] == {"a": [1]}

            done = gsws("push", "order.paid", "no=1", "--room", "tea", cwd=project, **here)
            assert (done.code, done.out) == (1, "")
            assert "does not fit its schema in `broadcasts`" in done.err
            done = gsws("push", "x", "--room", "tea", "--source", "websockt", cwd=project, **here)
            assert (done.code, "did you mean `websocket`?" in done.err) == (1, True)

            done = gsws("disconnect", "--subject", "ann", "--reason", "bye", cwd=project, **here)
            assert (done.code, done.out) == (0, "1\n")
            with pytest.raises(ConnectionClosed) as closed:
                ann.recv(5)
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4504, "bye")
        assert served.end() == 0
    assert list((run).iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (["push", "x", "--client-id", "page"], "nobody has client id `page`"),
        (["push", "x", "--room", "te\x1b[2Ja"], "nobody is in the room `te\\x1b[2Ja`"),
        (
            ["push", "x", "--subject", "ann", "--source", "websocket"],
            "nobody is connected as `ann` of source `websocket`",
        ),
        (["disconnect", "--connection", "c-1"], "there is no connection `c-1`"),
        (["disconnect", "--client-id", "page"], "nobody has client id `page`"),
    ],
)
def test_a_person_is_told_who_was_not_there(shared_service, arguments, note):
    """On stderr: a program reads the count on stdout, and with `--json` nothing else."""
    project, here = shared_service
    done = gsws(*arguments, cwd=project, **here)
    assert (done.code, done.out, done.err) == (0, "0\n", note + "\n")
    done = gsws(*arguments, "--json", cwd=project, **here)
    assert (done.json["count"], done.err) == (0, "")


def test_a_call_finds_the_running_service(project, run):
    """Without `--url` it goes where the service says that it listens, not where the file says; then where that says."""
    here = {"GSWS_RUNTIME_DIR": str(run)}
    call = ["call", "websocket.greet", "name=Ann", "--json"]
    file = project / "eventsources" / "websocket.yaml"
    written = [1, 0, 2]
    for port in written:
        file.write_text(f"type: websocket\nport: {port}\npath: /chat\n")
        with serving(project, **here) as served:
            done = gsws(*call, cwd=project / "functions", **here)
            assert (done.code, done.json["url"]) == (0, served.url), done
    with serving(project, **here) as one, serving(project, **here) as other:
        done = gsws(*call, cwd=project, **here)
        assert done.code == 1
        assert one.url in done.json["error"]
        assert other.url in done.json["error"]
        file.write_text(f"type: websocket\nport: {other.url.split(':')[2].split('/')[0]}\npath: /chat\n")
        done = gsws(*call, cwd=project, **here)
        assert (done.code, done.json["url"]) == (0, other.url), done
    file.write_text("type: websocket\nport: 2\n")
    done = gsws(*call, cwd=project, **here)
    assert (done.code, done.json["error"]) == (1, "nothing is listening at ws://127.0.0.1:2/")


def test_without_a_service_it_says_so(project, run):
    done = gsws("push", "x", "--room", "tea", cwd=project, GSWS_RUNTIME_DIR=str(run))

    assert done.code == 1
    assert "no service of this project is running" in done.err
    assert "gsws serve" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["push", "x"], "exactly one of `--room`, `--subject`, `--client-id` and `--connection`"),
        (["push", "x", "--room", "a", "--subject", "b"], "exactly one of"),
        (["push", "stream.end", "--room", "a"], "belongs to the protocol"),
        (["push", "x", "y", "--room", "a"], "no `key=value`"),
        (["disconnect"], "exactly one of `--subject`, `--client-id` and `--connection`"),
        (["disconnect", "--subject", "a", "--code", "1001"], "close code 1001"),
    ],
)
def test_arguments_that_make_no_sense(project, arguments, said, run):
    done = gsws(*arguments, cwd=project, GSWS_RUNTIME_DIR=str(run))

    assert done.code == 2
    assert said in done.err


def test_a_service_without_a_folder_for_its_socket_serves(project, tmp_path):
    """It says so in one line, and does everything else."""
    (tmp_path / "file").touch()
    with serving(project, GSWS_RUNTIME_DIR=str(tmp_path / "file")) as served:
        assert gsws("call", "websocket.greet", "name=Ann", "--url", served.url, cwd=project).code == 0
        served.wait_for("no control socket")
