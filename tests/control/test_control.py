"""The control socket: where it is, whom it answers, what it does with nonsense, and that it is gone at the end."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from gsws.control.client import Unanswered, ask
from gsws.control.place import Untrusted, folders, open_folder, socket_name, sockets_of
from gsws.control.server import ControlServer
from tests.runtime.support import served

FILES = {
    "gsws.yaml": "name: my shop\n",
    "events/all.yaml": "websocket.enter: {fn: rooms.enter, payload: {}, broadcasts: {said: {required: [text]}}}\n",
    "functions/rooms.py": "async def enter(ctx, payload): await ctx.join(payload['room'])\n",
}


@pytest.fixture
def run():
    """Where sockets go: a folder whose path is short enough for one, to be made."""
    with tempfile.TemporaryDirectory(prefix="gsws-", dir="/tmp") as folder:
        yield Path(folder) / "run"


@pytest.fixture
def service(tmp_path):
    with served(tmp_path / "app", FILES) as running:
        yield running


@pytest.fixture
def control(service, run):
    """The service's control socket, in a folder of its own."""
    server = ControlServer(service.service, {"GSWS_RUNTIME_DIR": str(run)})
    service.call(server.start)
    yield server
    service.call(server.stop)


def put(control, service, **request):
    return ask(service.root, request, control._environ, timeout=5)


def raw(control):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(5)
    sock.connect(str(control.path))
    return sock


def test_it_is_the_users_alone(control, service, run):
    """The folder is made with 0700, the socket with 0600, and its name is the project's."""
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert stat.S_IMODE(control.path.stat().st_mode) == 0o600
    assert control.path.name == socket_name(service.root, "my shop") + ".sock"
    assert control.path.name.startswith("my-shop-")


def test_it_pushes_and_disconnects(control, service):
    with service.client(query="?clientId=ann") as ann:
        ann.ask("websocket.enter", {"room": "tea"})
        push = {"do": "push", "eventtype": "said", "payload": {"text": "hi"}}
        assert put(control, service, **push, room="tea") == [{"ok": True, "count": 1}]
        assert ann.receive() == {"eventtype": "said", "payload": {"text": "hi"}}
        assert put(control, service, **push, subject="bob") == [{"ok": True, "count": 0}]
        assert put(control, service, do="disconnect", client_id="ann", code=4999) == [{"ok": True, "count": 1}]
        assert ann.closed()[0] == 4999


def test_it_tells_who_is_there(control, service):
    with service.client(query="?clientId=ann"):
        (answer,) = put(control, service, do="clients")
        assert (answer["total"], answer["clients"][0]["client_id"]) == (1, "ann")
        (answer,) = put(control, service, do="statistics")
        assert (answer["name"], answer["connections"], answer["pid"]) == ("my shop", 1, os.getpid())
        assert answer["addresses"] == {"websocket": list(service.service.addresses()["websocket"])}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, "`do` is one of"),
        ({"do": ["push"]}, "`do` is one of"),
        ({"do": "push"}, "exactly one of"),
        ({"do": "push", "room": "tea"}, "an event type is a text"),
        ({"do": "push", "eventtype": "reply", "room": "tea"}, "belongs to the protocol"),
        ({"do": "push", "eventtype": "said", "payload": {}, "room": "tea"}, "does not fit its schema"),
        ({"do": "push", "eventtype": "x", "room": ["tea"]}, "not empty"),
        ({"do": "disconnect", "subject": "ann", "code": 1006}, "close code 1006"),
        ({"do": "disconnect", "subject": "ann", "code": "x"}, "close code"),
        ({"do": "disconnect", "room": "tea"}, "exactly one of"),
    ],
)
def test_nonsense_is_answered_in_a_sentence(control, service, request_, expected):
    (answer,) = put(control, service, **request_)

    assert answer["ok"] is False
    assert expected in answer["error"]


@pytest.mark.parametrize("line", [b"{\n", b"[1]\n", b"\xff\n", b"null\n", b"[" * 100_000 + b"\n"])
def test_what_is_no_request_is_answered_and_the_next_one_too(control, line):
    with raw(control) as sock, sock.makefile("rb") as file:
        for _ in range(2):
            sock.sendall(line)
            assert json.loads(file.readline())["ok"] is False


def test_a_line_without_end_is_cut(control, service):
    """Neither memory nor a place is held for it."""
    with raw(control) as sock:
        with pytest.raises(OSError, match=r".*"):  # noqa: PT012  # at some write, the buffers decide at which
            for _ in range(200):
                sock.sendall(b"x" * 65536)
        service.wait_for(lambda: not control._open)


def test_who_says_nothing_holds_up_nobody(control, service, monkeypatch):
    """Silent connections are bounded and cut after their time; who comes after them is answered."""
    monkeypatch.setattr("gsws.control.server._IDLE_SECONDS", 0.3)
    silent = [raw(control) for _ in range(40)]
    service.wait_for(lambda: 0 < len(control._open) <= 16)
    service.wait_for(lambda: not control._open)
    assert put(control, service, do="statistics")[0]["ok"] is True
    for sock in silent:
        sock.close()


@pytest.mark.parametrize("uid", [os.geteuid() + 1, None])
def test_a_stranger_is_not_answered(control, monkeypatch, uid):
    """Only who has the service's own user id, or is root, gets a word; whom the kernel does not name gets none."""
    monkeypatch.setattr("gsws.control.server.peer_uid", lambda sock: uid)
    with raw(control) as sock:
        assert sock.recv(10) == b""


def test_a_service_of_a_stranger_is_not_told_anything(control, service, monkeypatch):
    monkeypatch.setattr("gsws.control.client.peer_uid", lambda sock: os.geteuid() + 1)
    with pytest.raises(Unanswered, match="not served by this user"):
        put(control, service, do="statistics")


def test_it_is_gone_at_the_end_and_nothing_is_asked_then(control, service):
    service.call(control.stop)

    assert not control.path.exists()
    assert put(control, service, do="statistics") == []


def test_what_a_dead_process_left_is_replaced(service, run):
    folder = run
    environ = {"GSWS_RUNTIME_DIR": str(folder)}
    open_folder(environ)
    left = folder / (socket_name(service.root, "my shop") + ".sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "other-0123456789ab.sock"))
    assert ask(service.root, {"do": "statistics"}, environ) == []

    server = ControlServer(service.service, environ)
    service.call(server.start)
    assert list(folder.iterdir()) == [server.path] == [left]
    assert len(ask(service.root, {"do": "statistics"}, environ)) == 1
    service.call(server.stop)


def test_a_second_process_gets_a_socket_of_its_own_and_both_are_asked(control, service):
    """Neither takes the other's away, also not at its end."""
    second = ControlServer(service.service, control._environ)
    service.call(second.start)

    assert second.path != control.path
    assert len(put(control, service, do="statistics")) == 2
    service.call(second.stop)
    assert len(put(control, service, do="statistics")) == 1


def test_another_project_is_not_asked(control, tmp_path):
    assert ask(tmp_path, {"do": "statistics"}, control._environ) == []


@pytest.mark.parametrize("trap", ["link", "file", "writable"])
def test_a_folder_that_others_may_have_made_is_refused(service, tmp_path, trap):
    """A link, something else than a folder, one that others may write to: by the service and by who asks."""
    place = tmp_path / "trap"
    if trap == "link":
        (tmp_path / "real").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "real")
    elif trap == "file":
        place.touch()
    else:
        place.mkdir()
        place.chmod(0o777)
    environ = {"GSWS_RUNTIME_DIR": str(place)}

    with pytest.raises(Untrusted):
        open_folder(environ)
    assert sockets_of(service.root, environ) == []


def test_a_folder_of_another_user_is_refused(monkeypatch, run):
    run.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(Untrusted, match="another user"):
        open_folder({"GSWS_RUNTIME_DIR": str(run)})


def test_where_it_is_looked_for(tmp_path):
    """The variable of gsws alone, else the user's runtime folder if it is there, else /tmp."""
    own = f"/tmp/gsws-{os.geteuid()}"
    assert [str(one) for one in folders({"GSWS_RUNTIME_DIR": "/x", "XDG_RUNTIME_DIR": str(tmp_path)})] == ["/x"]
    assert [str(one) for one in folders({"XDG_RUNTIME_DIR": str(tmp_path)})] == [f"{tmp_path}/gsws", own]
    assert [str(one) for one in folders({"XDG_RUNTIME_DIR": str(tmp_path / "no")})] == [own]
    assert [str(one) for one in folders({"XDG_RUNTIME_DIR": "relative"})] == [own]
    assert [str(one) for one in folders({})] == [own]


def test_a_path_that_is_too_long_says_so(service, tmp_path):
    server = ControlServer(service.service, {"GSWS_RUNTIME_DIR": str(tmp_path / ("x" * 100))})

    with pytest.raises(Untrusted, match="GSWS_RUNTIME_DIR"):
        service.call(server.start)


def test_a_service_that_hangs_is_given_up(tmp_path, run):
    """A process that was stopped has a queue that takes connections, and no answer."""
    environ = {"GSWS_RUNTIME_DIR": str(run)}
    folder = open_folder(environ)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(folder / (socket_name(tmp_path, "x") + ".sock")))
        hung.listen()
        with pytest.raises(Unanswered, match=r"within 0\.3 s"):
            ask(tmp_path, {"do": "statistics"}, environ, timeout=0.3)


def test_answers_that_are_none_are_not_believed(tmp_path, run):
    environ = {"GSWS_RUNTIME_DIR": str(run)}
    folder = open_folder(environ)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / (socket_name(tmp_path, "x") + ".sock")))
        other.listen()

        def speak():
            peer, _ = other.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 200 OK\n")

        speaking = threading.Thread(target=speak)
        speaking.start()
        with pytest.raises(Unanswered, match="no service of gsws"):
            ask(tmp_path, {"do": "statistics"}, environ, timeout=5)
        speaking.join(5)
