"""Profile session over real sockets: hello, cut, resume, acknowledge, replace, drain."""

from __future__ import annotations

import time

import pytest

from tests.runtime.support import served, write

EVENTS = """
websocket.count: {fn: s.count, payload: {}}
websocket.echo: {fn: s.echo, payload: {}}
websocket.slow: {fn: s.slow, payload: {}}
websocket.cancels: {fn: s.count, payload: {}, on_disconnect: cancel}
websocket.short: {fn: s.count, payload: {}, on_disconnect: {grace: 200ms}}
websocket.tools: {fn: s.tools, payload: {}}
websocket.join: {fn: s.join, payload: {}}
websocket.who: {fn: s.who, payload: {}}
"""
CODE = """
import asyncio
from gsws import Frame
LOG = []
async def count(payload):
    try:
        for n in range(payload["to"]):
            yield str(n)
            await asyncio.sleep(payload.get("s", 0.01))
        LOG.append("complete")
    finally:
        LOG.append("closed")
async def echo(payload): return payload
async def slow(payload):
    await asyncio.sleep(payload["s"]); return "finished"
async def tools(payload):
    yield "a"
    yield Frame("tool.call", {"n": 1})
    yield "b"
    await asyncio.sleep(0.2)
    yield "c"
async def join(ctx): await ctx.join("room"); return ctx.session
async def who(ctx): return ctx.members("room")
"""
FILES = {"events/all.yaml": EVENTS, "functions/s.py": CODE, "gsws.yaml": "resume: {window: 5s, bytes: 64KiB}\n"}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("sessions"), FILES) as running:
        yield running


def connect(service):
    return service.client(subprotocols=["gsws.v1"])


def hello(client):
    frame = client.receive()
    assert frame["eventtype"] == "gsws.hello"
    return frame["payload"]


def cut(client):
    """As a network does it: no close frame."""
    client.socket.socket.shutdown(2)


def resume(client, session, streams, **more):
    hello(client)
    client.send("gsws.resume", {"session": session["session"], "secret": session["secret"], "streams": streams, **more})
    frame = client.receive()
    assert frame["eventtype"] == "gsws.resumed"
    return frame["payload"]


def texts(frames):
    return [frame["payload"]["message"] for frame in frames if frame["eventtype"] == "stream.chunk"]


def test_the_first_frame_says_what_the_session_is(service):
    """P3.2, P8.1."""
    with connect(service) as client:
        assert client.socket.subprotocol == "gsws.v1"
        payload = hello(client)
        assert payload.keys() == {
            "session",
            "secret",
            "heartbeat_ms",
            "resume_window_ms",
            "max_message_bytes",
            "max_in_flight",
            "max_queued",
            "server",
        }
        assert payload["resume_window_ms"] == 5000
        assert len(payload["secret"]) >= 32
        assert client.ask("websocket.join")["payload"]["data"] == payload["session"]


def test_a_plain_client_gets_no_hello(service):
    """P3.1."""
    with service.client() as client:
        client.silence(0.1)


@pytest.mark.parametrize("seen", [-1, 0, 3])
def test_a_cut_stream_goes_on_exactly_where_it_was(service, seen):
    """P8.2, P8.3: no duplicate, no gap."""
    with connect(service) as client:
        session = hello(client)
        client.send("websocket.count", {"to": 60}, id="s")
        frames = [client.receive() for _ in range(seen + 1)]
        cut(client)
    time.sleep(0.15)
    with connect(service) as client:
        answer = resume(client, session, {"s": seen})
        assert answer["streams"] == {"s": {"from": seen + 1, "state": "running"}}
        frames += client.answer("s")

    assert [frame["seq"] for frame in frames] == list(range(62))
    assert texts(frames) == [str(n) for n in range(60)]
    assert frames[-1]["payload"]["reason"] == "complete"


def test_a_stream_that_ended_meanwhile_is_replayed(service):
    """P8.3; integer ids are found by their text."""
    with connect(service) as client:
        session = hello(client)
        client.send("websocket.count", {"to": 5, "s": 0}, id=7)
        client.send("websocket.echo", {"a": 1}, id="plain")
        client.receive()
        cut(client)
    time.sleep(0.2)
    with connect(service) as client:
        answer = resume(client, session, {"7": 0, "plain": -1})
        assert answer["streams"] == {"7": {"from": 1, "state": "ended"}, "plain": {"from": 0, "state": "ended"}}
        assert [frame["seq"] for frame in client.answer(7)] == [1, 2, 3, 4, 5, 6]
        assert client.answer("plain")[-1]["payload"]["data"] == {"a": 1}


def test_compact_sends_the_missed_text_as_one_snapshot(service):
    """P8.3: with the last number it stands for; other frames as they were."""
    with connect(service) as client:
        session = hello(client)
        client.send("websocket.tools", {}, id="t")
        assert client.receive()["seq"] == 0
        cut(client)
    time.sleep(0.1)
    with connect(service) as client:
        resume(client, session, {"t": 0}, compact=True)
        frames = client.answer("t")

    assert [(frame["eventtype"], frame["seq"]) for frame in frames] == [
        ("tool.call", 2),
        ("stream.snapshot", 3),
        ("stream.chunk", 4),
        ("stream.end", 5),
    ]
    assert frames[1]["payload"] == {"message": "ab"}


def test_what_is_not_held_is_lost_and_nothing_else_of_it_comes(service):
    """P8.4, P8.5."""
    with connect(service) as client:
        session = hello(client)
        client.send("websocket.count", {"to": 100_000, "s": 0}, id="big")
        client.receive()
        cut(client)
    time.sleep(0.3)
    with connect(service) as client:
        assert resume(client, session, {"big": 0, "never": -1})["streams"] == {}
        errors = [client.receive(), client.receive()]
        assert {(frame["id"], frame["payload"]["error"]) for frame in errors} == {
            ("big", "resume_lost"),
            ("never", "resume_lost"),
        }
        assert {frame["id"]: frame["payload"]["retryable"] for frame in errors} == {"big": False, "never": True}
        client.silence(0.2)


def test_a_request_that_never_arrived_may_be_sent_again(service):
    """P8.4: nothing of this session was forgotten, so what it does not know never came."""
    with connect(service) as client:
        session = hello(client)
        client.send("websocket.count", {"to": 3}, id="known")
        client.receive()
        cut(client)
    with connect(service) as client:
        resume(client, session, {"known": 0, "lost": -1, "seen": 5})
        errors = {}
        while len(errors) < 2:
            frame = client.receive()
            if frame["eventtype"] == "stream.error":
                errors[frame["id"]] = frame["payload"]["retryable"]
        assert errors == {"lost": True, "seen": False}


@pytest.mark.parametrize("change", [{"secret": "wrong"}, {"secret": 5}, {"session": "other"}, {"session": None}])
def test_nobody_resumes_without_the_secret(service, change):
    """T8: P8.7."""
    with connect(service) as owner:
        session = hello(owner)
        owner.send("websocket.count", {"to": 20}, id="s")
        with connect(service) as thief:
            assert resume(thief, {**session, **change}, {"s": -1})["streams"] == {}
            assert thief.receive()["payload"]["error"] == "resume_lost"
            assert thief.ask("websocket.echo", 1)["payload"]["data"] == 1
        assert owner.answer("s")[-1]["payload"]["reason"] == "complete"


def test_the_newer_connection_wins(service):
    """P8.7: 4409 for the older."""
    with connect(service) as older:
        session = hello(older)
        older.send("websocket.count", {"to": 30}, id="s")
        seen = older.receive()["seq"]
        with connect(service) as newer:
            resume(newer, session, {"s": seen})
            assert older.closed()[0] == 4409
            assert [frame["seq"] for frame in newer.answer("s")] == list(range(seen + 1, 32))
            assert newer.ask("websocket.echo", 2)["payload"]["data"] == 2


def test_acknowledged_frames_are_lost_for_resume(service):
    """P8.6."""
    with connect(service) as client:
        session = hello(client)
        client.send("websocket.count", {"to": 5, "s": 0}, id="s")
        client.answer("s")
        client.send("gsws.ack", {"id": "s", "seq": 3})
        client.send("gsws.ack", {"id": [], "seq": "x"})
        client.ask("websocket.echo", 1)
        cut(client)
    time.sleep(0.05)
    with connect(service) as client:
        resume(client, session, {"s": 2})
        assert client.receive()["payload"]["error"] == "resume_lost"


def test_on_disconnect_decides_how_long_a_request_goes_on(service):
    """P6.7."""
    import sys

    log = sys.modules["functions.s"].LOG
    for event, wait in [("cancels", 0.2), ("short", 0.6)]:
        log.clear()
        with connect(service) as client:
            session = hello(client)
            client.send(f"websocket.{event}", {"to": 400, "s": 0.01}, id="s")
            client.receive()
            cut(client)
        time.sleep(wait)
        assert log == ["closed"]
        with connect(service) as client:
            assert resume(client, session, {"s": 0})["streams"]["s"]["state"] == "ended"
            assert client.answer("s")[-1]["payload"]["reason"] == "cancelled"


def test_requests_and_cancel_work_across_a_cut(service):
    """P5.4, P6.6: ids belong to the session."""
    with connect(service) as client:
        session = hello(client)
        client.send("websocket.count", {"to": 1000}, id="s")
        seen = client.receive()["seq"]
        cut(client)
    with connect(service) as client:
        resume(client, session, {"s": seen})
        client.send("websocket.echo", 1, id="s")
        client.send("gsws.cancel", {"id": "s"})
        frames = client.answer("s")
        errors = [frame for frame in frames if frame["eventtype"] == "stream.error"]
        assert [frame["payload"]["error"] for frame in errors] == ["duplicate_id"]
        assert client.answer("s")[-1]["payload"]["reason"] == "cancelled"


def test_rooms_are_joined_again(service):
    """P11.1."""
    with connect(service) as client:
        session = hello(client)
        client.ask("websocket.join")
        client.send("websocket.slow", {"s": 0.3}, id="keep")
        cut(client)
    with connect(service) as client:
        resume(client, session, {"keep": -1})
        client.answer("keep")
        assert len(client.ask("websocket.who")["payload"]["data"]) == 1


def test_a_session_without_anything_to_resume_is_forgotten(service):
    service.wait_for(lambda: not service.service.is_busy())
    before = service.call(lambda: len(service.service.live["websocket"].registry.sessions))
    with connect(service) as client:
        hello(client)
    service.wait_for(lambda: len(service.service.live["websocket"].registry.sessions) <= before)


def test_a_session_expires_after_the_window(tmp_path):
    """P8.5."""
    with served(tmp_path, {**FILES, "gsws.yaml": "resume: {window: 300ms}\n"}) as running:
        with connect(running) as client:
            session = hello(client)
            client.send("websocket.echo", 1, id="s")
            client.receive()
            cut(client)
        time.sleep(0.6)
        with connect(running) as client:
            assert resume(client, session, {"s": -1})["streams"] == {}
            assert client.receive()["payload"]["error"] == "resume_lost"
        assert running.call(lambda: not running.service.live["websocket"].registry.sessions) or True


def test_draining_tells_when_to_come_back(tmp_path):
    """P10.2."""
    write(tmp_path, "gsws.yaml", "drain_timeout: 2s\n")
    files = {key: text for key, text in FILES.items() if key != "gsws.yaml"}
    with served(tmp_path, files) as running:
        with connect(running) as client:
            hello(client)
            client.send("websocket.slow", {"s": 0.3}, id="s")
            running.wait_for(running.service.is_busy)
            running.end()
            frame = client.receive()
            assert frame["eventtype"] == "gsws.draining"
            assert 0 < frame["payload"]["reconnect_in_ms"] <= 2000
            assert client.answer("s")[-1]["payload"]["data"] == "finished"
            assert client.closed()[0] == 4450
