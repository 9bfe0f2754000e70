"""A source that shuts down: who leaves when, and what is said of what came too late (protocol P10.2)."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import InvalidStatus

from gsws.runtime.sources.drain import end_requests, finish_requests
from tests.runtime.sources.test_drain import FILES, stop_later
from tests.runtime.support import served, write
from tests.runtime.virtual import VirtualLoop, make_source, open_connection, route


async def wait(payload):
    await asyncio.sleep(payload["s"])
    return payload["s"]


async def stream(payload):
    yield "x"
    await asyncio.sleep(payload["s"])


@pytest.fixture
def loop():
    loop = VirtualLoop()
    yield loop
    loop.advance(200.0)
    loop.close()


@pytest.fixture
def source(loop):
    return make_source(loop, [route("wait", wait), route("stream", stream)], window=60.0, heartbeat=10.0)


def drain(loop, source, seconds):
    """What a listener does at SIGTERM; returns when it was over."""
    source.router.drain()

    async def main():
        await finish_requests(source.router, seconds, asyncio.Event())
        for task in end_requests(source.router):
            await asyncio.wait([task])

    began = loop.time()
    loop.run_until_complete(main())
    loop.settle()
    return loop.time() - began


def said(connection):
    return [frame["payload"] for frame in connection.sent if frame["eventtype"] == "gsws.draining"]


def close_times(loop, connections):
    """Note when each connection is closed."""
    times = {}
    for connection in connections:
        before = connection.close

        def close(code, reason, connection=connection, before=before):
            times.setdefault(connection, (loop.time(), code))
            before(code, reason)

        connection.close = close
    return times


@pytest.mark.parametrize(("clients", "seconds", "longest"), [(1, 30, 1.3), (200, 30, 5.3), (200, 2, 2.1), (5, 0, 0.1)])
def test_sessions_leave_one_after_the_other(loop, source, clients, seconds, longest):
    """P10.2: over as long as their number needs, and within the drain time; nobody before the moment it was told."""
    connections = [open_connection(loop, source, session=True) for _ in range(clients)]
    times = close_times(loop, connections)
    began = loop.time()
    assert drain(loop, source, seconds) <= longest
    for connection in connections:
        at, code = times[connection]
        first, last = said(connection)
        assert code == 4450
        assert first.keys() == {"reconnect_in_ms"}
        assert last == {"reconnect_in_ms": 0, "taken": 0}
        assert at >= min(began + first["reconnect_in_ms"] / 1000, began + seconds) - 0.001
    if clients > 100:
        quarters = [int(4 * said(connection)[0]["reconnect_in_ms"] / (1000 * min(seconds, 5))) for connection in times]
        assert all(quarters.count(quarter) > clients / 10 for quarter in range(4))
        assert len({round(at, 1) for at, _ in times.values()}) > 10


def test_a_client_that_leaves_when_told_is_not_waited_for(loop, source):
    """P10.2: and its place is not kept, for the process ends."""
    connection = open_connection(loop, source, session=True)
    loop.call_later(0.3, connection.leave, 4000)
    assert drain(loop, source, 30.0) < 0.5


def test_who_has_something_running_stays_until_it_has_ended(loop, source):
    """P10.2: whatever moment it was told."""
    connection = open_connection(loop, source, session=True)
    connection.message("wait", {"s": 7}, id=1)
    loop.settle()
    assert 7.0 <= drain(loop, source, 30.0) < 7.2
    assert [frame["eventtype"] for frame in connection.sent][-2:] == ["reply", "gsws.draining"]
    assert said(connection)[-1]["taken"] == 1


def test_what_comes_too_late_is_told_so(loop, source):
    """P10.2, P7.1: refused, and queued until the end: no handler was called; running until the end: it was."""
    connection = open_connection(loop, source, session=True)
    for id, event in enumerate(["wait", "wait", "stream", "stream"]):
        connection.message(event, {"s": 60}, id=id)
    loop.settle()
    loop.call_later(1.0, connection.message, "wait", {"s": 0})
    loop.call_later(1.0, lambda: connection.message("wait", {"s": 0}, id="late"))
    assert drain(loop, source, 2.0) <= 2.1
    ends = {frame["id"]: frame for frame in connection.sent if "id" in frame}
    assert {id: frame["payload"].get("taken") for id, frame in ends.items()} == {
        0: None,
        1: False,
        2: None,
        3: False,
        "late": False,
    }
    assert [ends[id]["eventtype"] for id in (1, 3)] == ["stream.error", "stream.end"]
    assert said(connection)[-1]["taken"] == 6


def test_messages_of_a_connection_are_counted_from_its_first(loop, source):
    """P10.2: what asks for a resume is one; what an older connection said is none."""
    before = open_connection(loop, source, session=True)
    before.message("wait", {"s": 60}, id=1)
    before.message("gsws.ping", {})
    loop.settle()
    before.cut()
    connection = open_connection(loop, source, session=True)
    facts = {key: before.sent[0]["payload"][key] for key in ("session", "secret")}
    connection.message("gsws.resume", {**facts, "streams": {"1": -1}})
    connection.message("gsws.cancel", {"id": 1})
    drain(loop, source, 2.0)
    assert said(connection)[-1]["taken"] == 2


def test_a_resume_that_is_refused_is_counted_too(loop, source):
    """P10.2: else what was taken would be sent again."""
    connection = open_connection(loop, source, session=True)
    connection.message("gsws.resume", {"session": "nobody's", "secret": "x", "streams": {}})
    connection.message("wait", {"s": 0}, id=1)
    drain(loop, source, 2.0)
    assert said(connection)[-1]["taken"] == 2


@pytest.mark.parametrize("profile", [None, ["gsws.v1"]])
def test_a_peer_that_does_not_answer_the_close_holds_up_nothing(tmp_path, profile):
    """P10.2: it is cut a second after the drain time."""
    write(tmp_path, "gsws.yaml", "drain_timeout: 500ms\n")
    with served(tmp_path, FILES) as running, running.client(subprotocols=profile) as client:
        client.send("websocket.slow", {"s": 60}, id="s")
        client.send("websocket.stubborn", {}, id="t")
        running.wait_for(running.service.is_busy)
        client.socket.protocol.receive_data = lambda data: None  # whatever comes, it does not answer
        stop_later(running).join()
        running.stop()


@pytest.mark.parametrize("profile", [None, ["gsws.v1"]])
def test_what_was_sent_before_is_answered_or_refused(tmp_path, profile):
    """P10.2: messages that lie in the buffers when the signal comes are read, not thrown away with the connection."""
    with served(tmp_path, FILES) as running, running.client(subprotocols=profile) as client:
        if profile:
            client.receive()

        def stop():
            # The loop is busy while they arrive.
            for number in range(20):
                client.send("websocket.echo", number, id=number)
            time.sleep(0.2)
            running.end()

        running.call(stop)
        ends = {}
        while len(ends) < 20:
            frame = client.receive()
            if "id" in frame:
                ends[frame["id"]] = frame["payload"].get("data", frame["payload"].get("error"))
        assert all(end in (number, "draining") for number, end in ends.items())


def test_newcomers_and_probes_are_told_while_there_is_something_left_to_do(tmp_path):
    """P10.2: 503 for handshakes and `/readyz` until the drain is over, 200 for `/healthz`; then the port is closed."""
    write(tmp_path, "gsws.yaml", "drain_timeout: 5s\n")
    with served(tmp_path, FILES) as running:
        url = f"http://127.0.0.1:{running.ports['websocket']}"
        with running.client() as client:
            client.send("websocket.slow", {"s": 1.5}, id="s")
            running.wait_for(running.service.is_busy)
            stop_later(running).join()
            running.wait_for(lambda: running.service.live["websocket"].router.is_draining)
            with pytest.raises(InvalidStatus) as refused, running.client():
                pass
            assert refused.value.response.status_code == 503
            assert int(refused.value.response.headers["Retry-After"]) > 0
            with pytest.raises(urllib.error.HTTPError, match="503") as unready:
                urllib.request.urlopen(f"{url}/readyz", timeout=2)
            unready.value.close()
            assert urllib.request.urlopen(f"{url}/healthz", timeout=2).status == 200
            assert client.answer("s")[-1]["payload"]["data"] == "finished"
            assert client.closed()[0] == 1001
        running.stop()
        with pytest.raises(urllib.error.URLError, match="refused"):
            urllib.request.urlopen(f"{url}/readyz", timeout=2)
