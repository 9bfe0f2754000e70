"""``on_connect`` and ``on_disconnect``: who is let in, what comes first, and that who was let in is seen off once."""

from __future__ import annotations

import contextlib
import socket
import sys
import time

import pytest
from websockets.exceptions import ConnectionClosed

from tests.beside import beside
from tests.runtime.support import served

SOURCE = (
    "type: websocket\nport: 0\non_connect: hooks.hello\non_disconnect: hooks.bye\nlimits: {handshake_timeout: 1s}\n"
)
CODE = """
import asyncio
from gsws import GSStatus
LOG = []
GO = asyncio.Event()

async def hello(ctx):
    who = ctx.inputs.data.clientId
    LOG.append(("hello", who))
    await ctx.join(f"home.{who}")
    await ctx.push("welcome", {"to": who}, connection=ctx.inputs.metadata.connection)
    await ctx.inputs.data.ws.send({"eventtype": "second", "payload": {}})
    await asyncio.sleep(0)
    match who.partition("-")[0]:
        case "slow": await asyncio.sleep(0.4)
        case "never": await asyncio.sleep(60)
        case "stubborn":
            for _ in range(3):
                try: await asyncio.sleep(1)
                except asyncio.CancelledError: pass
        case "raises": raise ValueError("boom")
        case "exits": raise SystemExit(3)
        case "cancels": raise asyncio.CancelledError
        case "gate": await GO.wait()
        case "status": return GSStatus(False, 403, "not today")
        case "zero": return {"success": 0}
        case "guest": return {"success": True, "role": "guest"}
        case "code": return {"success": True, "code": 404, "message": "unknown"}
        case "text": return "yes"
        case "true": return True
        case "ok": return {"success": True}
    if who == "one": return 1
    if who == "false": return False

async def bye(ctx):
    data = ctx.inputs.data
    await data.ws.send("nobody hears this")
    await ctx.emit("nor", {"this": 1})
    LOG.append(("bye", data.clientId, data.rooms, data.close.code, data.close.reason, data.close.seconds))
    if data.clientId == "bad": raise RuntimeError("in bye")
    if data.clientId == "late": await asyncio.sleep(0.3)
    LOG.append(("gone", data.clientId))

async def echo(ctx, payload):
    LOG.append(("echo", payload))
    return payload

async def number(ctx, payload):
    LOG.append(("number", payload["n"]))
    return payload["n"]

async def log(): return [list(entry) for entry in LOG]
async def go(): GO.set()
async def count(payload):
    for n in range(payload["to"]):
        yield str(n)
        await asyncio.sleep(0.02)
"""
EVENTS = """
websocket.echo: {fn: hooks.echo, payload: {}}
websocket.number: {fn: hooks.number, payload: {}}
websocket.log: {fn: hooks.log, payload: {}}
websocket.go: {fn: hooks.go, payload: {}}
websocket.count: {fn: hooks.count, payload: {}}
"""
FILES = {
    "eventsources/websocket.yaml": SOURCE,
    "events/all.yaml": EVENTS,
    "functions/hooks.py": CODE,
    "gsws.yaml": "resume: {window: 1s}\ndrain_timeout: 3s\n",
}


@pytest.fixture
def service(tmp_path):
    with served(tmp_path, FILES) as running:
        yield running


def log():
    return sys.modules["functions.hooks"].LOG


def byes(who):
    return [entry for entry in log() if entry[:2] == ("bye", who)]


def plain(service, who):
    return service.client(query=f"?clientId={who}")


def session(service, who):
    return service.client(query=f"?clientId={who}", subprotocols=["gsws.v1"])


def hello(client):
    frame = client.receive()
    assert frame["eventtype"] == "gsws.hello"
    return frame["payload"]


def resume(client, before, streams=None):
    hello(client)
    payload = {"session": before["session"], "secret": before["secret"], "streams": streams or {}}
    client.send("gsws.resume", payload)
    frame = client.receive()
    assert frame["eventtype"] == "gsws.resumed"
    return frame["payload"]["session"] == before["session"]


def cut(client):
    client.socket.socket.close()


def types(client, count):
    return [client.receive()["eventtype"] for _ in range(count)]


@pytest.mark.parametrize("who", ["ann", "true", "ok", "slow"])
def test_what_is_sent_meanwhile_waits_and_pushes_come_first(service, who):
    """A burst that is written at once with the handshake's end is answered in order, after the hook's own frames."""
    with plain(service, who) as client:
        for n in range(25):
            client.send("websocket.echo", n, id=n)
        assert types(client, 2) == ["welcome", "second"]
        assert [client.receive()["payload"]["data"] for _ in range(25)] == list(range(25))
    assert [entry[0] for entry in log()][:2] == ["hello", "echo"]


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ("status", "not today"),
        ("zero", "forbidden"),
        ("guest", "forbidden"),
        ("code", "unknown"),
        ("text", "forbidden"),
        ("one", "forbidden"),
        ("false", "forbidden"),
        ("raises", "forbidden"),
        ("exits", "forbidden"),
        ("cancels", "forbidden"),
        ("never", "forbidden"),
        ("stubborn", "forbidden"),
    ],
)
@pytest.mark.parametrize("profile", [plain, session])
def test_whoever_is_refused_gets_no_answer_and_no_goodbye(service, profile, who, reason):
    """A failed status, what is no yes, an exception, a timeout: 4504, nothing is run, ``on_disconnect`` neither."""
    with profile(service, who) as client:
        with contextlib.suppress(ConnectionClosed):  # it may be refused already
            client.send("websocket.echo", "x", id=1)
        frames = []
        with pytest.raises(Exception, match="4504") as closed:  # noqa: PT012
            while True:
                frames.append(client.receive()["eventtype"])
        assert closed.value.rcvd.reason == reason
        assert [name for name in frames if name != "gsws.hello"] == ["welcome", "second"]
    live = service.service.live["websocket"]
    service.wait_for(lambda: not live.router.connections and not live.registry.sessions)
    assert log() == [("hello", who)]


def test_a_plain_client_is_seen_off_once_with_what_it_was(service):
    """Its rooms, code, reason and seconds; sending in the hook does nothing."""
    with plain(service, "ann") as client:
        types(client, 2)
        client.ask("websocket.echo")
        client.socket.close(4123, "enough")
    service.wait_for(lambda: ("gone", "ann") in log())
    ((_, _, rooms, code, reason, seconds),) = byes("ann")
    assert (rooms, code, reason) == (["home.ann"], 4123, "enough")
    assert 0 <= seconds < 5
    assert len(service.service.live["websocket"].registry.visits) == 0


def test_a_session_that_resumes_is_nobody_new(service):
    """However often it is cut, and though it has nothing to resume: one hello, and one goodbye at its end."""
    with session(service, "ann") as client:
        before = hello(client)
        client.send("gsws.ping", {})
        assert sorted(types(client, 3)) == ["gsws.pong", "second", "welcome"]
        cut(client)
    for _ in range(3):
        with session(service, "ann") as client:
            assert resume(client, before)
            cut(client)
    assert byes("ann") == []
    with session(service, "ann") as client:
        assert resume(client, before)
        client.socket.close(1000)
    service.wait_for(lambda: byes("ann"))
    assert [entry[0] for entry in log() if entry[1] == "ann"] == ["hello", "bye", "gone"]


def test_a_session_whose_window_is_over_is_seen_off_then(service):
    with session(service, "ann") as client:
        before = hello(client)
        client.send("gsws.ping", {})
        types(client, 3)
        cut(client)
    live = service.service.live["websocket"]
    service.wait_for(lambda: not live.router.connections)
    assert byes("ann") == []
    service.wait_for(lambda: byes("ann"))
    assert byes("ann")[0][2:4] == (["home.ann"], 1006)
    with session(service, "ann") as client:
        assert not resume(client, before)
        assert types(client, 2) == ["welcome", "second"]  # so it is somebody new
    assert [entry[:2] for entry in log() if entry[0] == "hello"] == [("hello", "ann")] * 2


def test_a_session_that_only_listens_is_welcomed(service):
    """It sends nothing, and is told apart from one that is about to resume by its pong."""
    with session(service, "ann") as client:
        hello(client)
        assert types(client, 2) == ["welcome", "second"]
    service.wait_for(lambda: byes("ann"))


def test_a_resume_that_comes_late_undoes_the_welcome(service):
    """Each hello that let in has its goodbye: that of the session which was begun by mistake, too."""
    with session(service, "ann") as client:
        before = hello(client)
        types(client, 2)
        cut(client)
    with session(service, "ann") as client:
        hello(client)
        types(client, 2)  # it was silent for too long
        client.send("gsws.resume", {"session": before["session"], "secret": before["secret"], "streams": {}})
        assert client.receive()["payload"]["session"] == before["session"]
        service.wait_for(lambda: len(byes("ann")) == 1)
        client.socket.close(1000)
    service.wait_for(lambda: len(byes("ann")) == 2)
    assert len([entry for entry in log() if entry[0] == "hello"]) == 2


@pytest.mark.parametrize("profile", [plain, session])
def test_who_leaves_before_it_is_let_in_is_seen_off_if_it_would_have_been(service, profile):
    """The hook runs to its end; what it began, `bye` ends."""
    with profile(service, "gate") as client:
        client.send("websocket.echo", "x")
        service.wait_for(lambda: ("hello", "gate") in log())
        client.socket.close(1000)
    with plain(service, "ann") as other:
        types(other, 2)
        assert byes("gate") == []
        other.ask("websocket.go")
        service.wait_for(lambda: byes("gate"))
    assert ("echo", "x") not in log()


@pytest.mark.parametrize("profile", [plain, session])
def test_who_is_disconnected_before_it_is_let_in_is_seen_off_too(service, profile):
    """Closed from outside while its hook runs: the hook lets in, and the goodbye follows, once."""
    with profile(service, "gate") as client:
        client.send("websocket.echo", "x")
        service.wait_for(lambda: ("hello", "gate") in log())
        assert service.service.pushes.disconnect(client_id="gate", code=4700) == 1
        assert client.closed()[0] == 4700
        service.call(lambda: sys.modules["functions.hooks"].GO.set())
        service.wait_for(lambda: byes("gate"))
    visits = service.service.live["websocket"].registry.visits
    service.wait_for(lambda: not visits.arriving and not len(visits))
    assert [entry[3] for entry in byes("gate")] == [4700]
    assert ("echo", "x") not in log()


def test_a_hook_that_fails_is_logged_and_the_next_ones_run(service):
    with plain(service, "bad") as bad:
        types(bad, 2)
    with plain(service, "ann") as ann:
        types(ann, 2)
    service.wait_for(lambda: ("gone", "ann") in log())
    assert len(byes("bad")) == 1
    assert [entry["fn"] for entry in service.log("on_disconnect failed")] == ["hooks.bye"]


def test_everybody_is_seen_off_at_a_shutdown(tmp_path):
    """Connected, away and just leaving: once each, before the service has ended, though it takes a moment."""
    with served(tmp_path, FILES) as service:
        kept = log()
        clients = [plain(service, f"late{n}") for n in range(5)]
        away = session(service, "away")
        with away as cut_one:
            hello(cut_one)
            cut_one.send("gsws.ping", {})
            types(cut_one, 3)
            cut(cut_one)
        opened = [one.__enter__() for one in clients]
        for one in opened:
            types(one, 2)
        with plain(service, "late") as late:
            types(late, 2)
    assert sorted(entry[1] for entry in kept if entry[0] == "gone") == ["away", "late", *[f"late{n}" for n in range(5)]]
    assert sorted(entry[1] for entry in kept if entry[0] == "hello") == [
        "away",
        "late",
        *[f"late{n}" for n in range(5)],
    ]


def test_only_a_goodbye_hook_counts_everybody(tmp_path):
    files = {**FILES, "eventsources/websocket.yaml": "type: websocket\nport: 0\non_disconnect: hooks.bye\n"}
    with served(tmp_path, files) as service:
        with plain(service, "ann") as client:
            client.ask("websocket.echo")
        with session(service, "bob") as client:
            hello(client)
            client.ask("websocket.echo")
            client.socket.close(1000)
        service.wait_for(lambda: byes("ann") and byes("bob"))
        assert [entry[0] for entry in log() if entry[1] in ("ann", "bob")] == ["bye", "gone"] * 2


def test_a_plain_function_is_a_hook_too(tmp_path):
    """In a thread, where it may push and refuse."""
    code = (
        CODE
        + """
def sync(ctx):
    ctx.push("welcome", {}, client_id="ann")
    return ctx.inputs.data.clientId == "ann"
"""
    )
    source = SOURCE.replace("hooks.hello", "hooks.sync")
    with served(tmp_path, {**FILES, "functions/hooks.py": code, "eventsources/websocket.yaml": source}) as service:
        with plain(service, "ann") as client:
            assert types(client, 1) == ["welcome"]
            assert client.ask("websocket.echo", 1)["payload"]["data"] == 1
        with plain(service, "bob") as client:
            assert client.closed()[0] == 4504


def test_a_reload_brings_hooks_and_takes_them_away(tmp_path):
    """Who was there before has no goodbye, because nobody let it in."""
    files = {**FILES, "eventsources/websocket.yaml": "type: websocket\nport: 0\n"}
    with served(tmp_path, files) as service, plain(service, "old") as old:
        old.ask("websocket.echo")
        assert service.service.live["websocket"].registry.visits is None
        service.write("eventsources/websocket.yaml", SOURCE)
        assert service.reload("eventsources/websocket.yaml") == ()
        with plain(service, "new") as new:
            assert types(new, 2) == ["welcome", "second"]
        service.wait_for(lambda: byes("new"))
        service.write("eventsources/websocket.yaml", "type: websocket\nport: 0\n")
        assert service.reload("eventsources/websocket.yaml") == ()
        with plain(service, "third") as third:
            third.ask("websocket.echo")
            third.silence()
        old.socket.close()
        time.sleep(0.1)
        assert (byes("old"), byes("third")) == ([], [])


def test_a_hook_that_takes_its_time_does_not_hold_up_others(service):
    with plain(service, "slow") as slow:
        slow.send("websocket.echo", 1, id=1)
        with plain(service, "ann") as ann:
            types(ann, 2)
            assert ann.ask("websocket.echo", 2)["payload"]["data"] == 2
        assert types(slow, 3) == ["welcome", "second", "reply"]


def test_what_waits_for_the_hook_at_a_shutdown_is_answered_once_it_has_ended(tmp_path):
    """P5.2, P10.2: what a client had sent is read before it is closed."""
    with served(tmp_path, FILES) as service, plain(service, "slow") as slow, session(service, "slow") as other:
        for client in (slow, other):
            client.send("websocket.echo", 1, id=1)
        service.wait_for(lambda: log().count(("hello", "slow")) == 2)
        entries = log()
        with beside(service.end):
            assert types(slow, 2) == ["welcome", "second"]
            refused = slow.receive()
            assert (refused["id"], refused["payload"]["error"], refused["payload"]["taken"]) == (1, "draining", False)
            assert slow.closed()[0] == 1001
            while (frame := other.receive())["eventtype"] != "stream.error":
                assert frame["eventtype"] in ("gsws.hello", "gsws.draining", "welcome", "second")
            assert (frame["id"], frame["payload"]["error"], frame["payload"]["taken"]) == (1, "draining", False)
            assert other.closed()[0] == 4450
    assert [entry[0] for entry in entries] == ["hello", "hello", "bye", "gone", "bye", "gone"]


def test_a_flood_before_the_hook_has_ended_is_bounded(service):
    """P9.2: what a client sends meanwhile is left in its socket; all of it is answered afterwards."""
    with plain(service, "gate") as client:
        service.wait_for(lambda: ("hello", "gate") in log())
        # The answers are short: whoever sends much and reads nothing meanwhile is not read from either.
        flood = [{"n": n, "pad": "x" * 500_000} for n in range(25)]
        with beside(lambda: [client.send("websocket.number", one, id=one["n"]) for one in flood]) as sending:
            with plain(service, "ann") as ann:
                types(ann, 2)
                assert ("number", 0) not in log()
                assert sending.is_alive()  # nobody reads so much
                ann.ask("websocket.go")
            assert types(client, 2) == ["welcome", "second"]
            assert [client.receive()["payload"]["data"] for _ in range(25)] == list(range(25))


def test_what_comes_with_the_handshake_itself_waits_too(service):
    """A client that does not wait for the 101 response: its first message is in the same packet."""
    message = b'{"eventtype": "websocket.echo", "payload": 1, "id": 1}'
    frame = bytes([0x81, 0x80 | len(message), 0, 0, 0, 0]) + message
    lines = (
        "GET /?clientId=slow HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "",
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", service.ports["websocket"]), timeout=5) as sock:
        sock.sendall("\r\n".join(lines).encode() + frame)
        data = b""
        while b'"reply"' not in data:
            part = sock.recv(65536)
            assert part, data
            data += part
    assert data.index(b"101") < data.index(b"welcome") < data.index(b"second") < data.index(b'"reply"')
