"""`gsws.testing.serve`: a project in this process, its answers, changes, logs and end."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from gsws.testing import Broadcast, ConnectionClosed, HandshakeRefused, ProjectError, serve
from tests.runtime.support import write
from tests.testing.support import make_project


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_project(tmp_path_factory.mktemp("testing"))


@pytest.fixture
def project(root):
    with serve(root) as running:
        yield running


def test_ask_gives_the_whole_answer(project):
    answer = project.ask("websocket.echo", {"a": 1}, id="mine")

    assert (answer.status, answer.data, answer.error, answer.ok, answer.reason) == (200, {"a": 1}, None, True, None)
    assert answer.frames == (
        {
            "eventtype": "reply",
            "id": "mine",
            "seq": 0,
            "payload": {"success": True, "code": 200, "data": {"a": 1}},
        },
    )


def test_ask_reads_a_stream_to_its_end(project):
    answer = project.ask("websocket.count", {"to": 3})

    assert answer.text == "0 1 2 "
    assert (answer.status, answer.reason, answer.data) == (200, "complete", {"usage": {"numbers": 3}})
    assert answer.end["chunks"] == 3


def test_errors_are_values(project):
    failed = project.ask("websocket.fail")
    assert (failed.status, failed.error, failed.message, failed.data) == (418, "failed", "no coffee", {"pot": "tea"})
    unknown = project.ask("websocket.nothing")
    assert (unknown.status, unknown.error, unknown.ok) == (404, "unknown_event", False)


def test_a_stream_is_read_while_it_comes(project):
    stream = project.stream("websocket.count", {"to": 1000, "s": 0.005})
    first = [next(stream) for _ in range(3)]
    assert [frame["seq"] for frame in first] == [0, 1, 2]
    assert stream.text == "0 1 "
    assert project.ask("websocket.echo", 1).data == 1, "others are answered meanwhile"

    stream.cancel()

    assert stream.end["reason"] == "cancelled"
    assert stream.ended
    rest = list(stream)
    assert [frame["seq"] for frame in first + rest] == list(range(len(first + rest)))


def test_every_wait_has_a_deadline(project):
    with project.client() as client:
        with pytest.raises(TimeoutError, match="last frame of `r1` did not come in time"):
            client.ask("websocket.stuck", id="r1", timeout=0.1)
        with pytest.raises(TimeoutError, match="a frame of type `said`"):
            client.expect("said", timeout=0.05)
        with pytest.raises(TimeoutError):
            project.wait_until(lambda: False, 0.05)
        with pytest.raises(TimeoutError):
            client.closed(0.05)
        client.silence(0.05)


def test_several_clients_and_what_is_broadcast(project):
    project.broadcasts.clear()
    with project.client("ann") as ann, project.client("bob") as bob:
        ann.ask("websocket.join")
        bob.ask("websocket.say", {"text": "héllo" * 100})
        assert ann.expect("said") == {"text": "héllo" * 100}
        bob.send("websocket.nothing")
        with pytest.raises(AssertionError, match="expected silence"):
            bob.silence(2)
        assert [ann.ask("websocket.who").data, bob.ask("websocket.who").data] == ["ann", "bob"]
    assert project.broadcasts == [Broadcast("room", "said", {"text": "héllo" * 100})]


def test_logs_are_captured(project, caplog):
    project.logs.clear()
    project.ask("websocket.echo", "logged")
    entry = next(entry for entry in project.logs if entry["event"] == "echoing")
    assert (entry["level"], entry["what"], entry["event_key"]) == ("info", "logged", "websocket.echo")


def test_a_session_client_resumes(project):
    with project.client(session=True) as client:
        assert client.hello["resume_window_ms"] == 5000
        stream = client.stream("websocket.count", {"to": 40, "s": 0.005})
        next(stream)
        client.cut()
        with pytest.raises(ConnectionClosed):
            client.ask("websocket.echo")
        assert client.reconnect()["streams"][stream.id]["state"] == "running"
        assert stream.answer().text == "".join(f"{n} " for n in range(40))
        assert [frame["seq"] for frame in stream.frames] == list(range(42))
    with project.client() as plain, pytest.raises(RuntimeError, match="session=True"):
        plain.reconnect()


def test_a_compact_resume_has_the_same_text(project):
    with project.client(session=True) as client:
        stream = client.stream("websocket.count", {"to": 40, "s": 0.005})
        next(stream)
        client.cut()
        time.sleep(0.1)
        client.reconnect(compact=True)
        assert stream.answer().text == "".join(f"{n} " for n in range(40))
        assert any(frame["eventtype"] == "stream.snapshot" for frame in stream.frames)


def test_one_project_a_process(project, root):
    with pytest.raises(RuntimeError, match="serves a project already"), serve(root):
        pass
    assert project.ask("websocket.echo", 2).data == 2


def test_a_wrong_path_is_refused(project):
    assert str(HandshakeRefused(401, "no\n")) == "the handshake was refused with 401: no"
    with pytest.raises(ValueError, match="outside of the project"):
        project.write("../x", "")


def test_write_and_reload(tmp_path):
    """What is written counts after a reload, and is undone at the end."""
    root = make_project(tmp_path)
    before = (root / "functions/app.py").read_text()
    with serve(root) as project:
        project.write("functions/app.py", before.replace("return payload\n", "return 'changed'\n"))
        assert project.reload() == ()
        assert project.ask("websocket.echo").data == "changed"
        project.write("events/more.yaml", "websocket.more: {fn: nowhere}\n")
        assert [finding.code for finding in project.reload()] == ["GS201"]
        assert project.ask("websocket.echo").data == "changed"
        assert not [entry for entry in project.logs if entry["level"] == "warning"]
    assert (root / "functions/app.py").read_text() == before
    assert not (root / "events/more.yaml").exists()


def test_errors_of_the_project_are_shown(tmp_path):
    """The text is what `gsws validate` prints; nothing runs afterwards."""
    root = make_project(tmp_path)
    write(root, "events/app.yaml", "websocket.x: {fn: nowhere.f}\n")
    with pytest.raises(ProjectError, match=r"(?s)has errors.*GS201.*events/app\.yaml:1:") as failed, serve(root):
        pass
    assert [finding.code for finding in failed.value.findings] == ["GS201"]
    write(root, "events/app.yaml", "websocket.x: {fn: bad.f}\n")
    write(root, "functions/bad.py", "def f(payload): ...\nraise ValueError('at import')\n")
    with pytest.raises(ProjectError, match="at import"), serve(root):
        pass
    with pytest.raises(ProjectError, match="no gsws project"), serve("/"):
        pass
    write(root, "functions/bad.py", "def f(payload): return 1\n")
    with serve(root) as project:
        assert project.ask("websocket.x", {"message": "m"}).data == 1
    assert not [name for name in sys.modules if name.startswith("functions")]
    assert not [thread for thread in threading.enumerate() if thread.name == "gsws service"]


def test_stopping_is_quick_and_draining_is_not(tmp_path):
    """Leaving the block ends what runs; `stop(drain=True)` begins as SIGTERM does (P10.2)."""
    root = make_project(tmp_path)
    with serve(root) as project:
        stuck = project.stream("websocket.stuck")
        project.wait_until(project.service.is_busy)
    assert not stuck.ended

    with serve(root) as project, project.client(session=True) as client:
        stream = client.stream("websocket.count", {"to": 20, "s": 0.01})
        next(stream)
        project.stop(drain=True)
        assert client.expect("gsws.draining")["reconnect_in_ms"] > 0
        assert stream.end["reason"] == "complete"
        assert client.closed()[0] == 4450


def test_several_sources_have_ports_of_their_own(tmp_path):
    root = make_project(tmp_path)
    write(root, "eventsources/other.yaml", "type: websocket\nport: 8001\npath: /other\n")
    write(root, "events/other.yaml", "other.echo: {fn: app.echo, payload: {}}\n")
    with serve(root) as project:
        assert len(set(project.addresses.values())) == 2
        with pytest.raises(ValueError, match="name one of the event sources: "):
            project.ask("websocket.echo")
        with project.client(source="other") as client:
            assert client.ask("other.echo", 3).data == 3
        with pytest.raises(HandshakeRefused, match="404"):
            project.client(source="other", path="/elsewhere")
