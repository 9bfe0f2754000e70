"""Who sends faster than it is answered is slowed, not refused (P9.2): bursts, bounds, and ends while much waits."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from websockets.sync.client import connect

from gsws.plugins.registry import facts
from gsws.project import load_project
from tests.runtime.support import Client, served, write
from tests.runtime.transport.harness import CLOSE, PING, PONG, TEXT, eventually, frame
from tests.runtime.transport.harness import Client as Raw
from tests.runtime.transport.test_certificate import make_certificate, trusting

EVENTS = """
websocket.echo: {fn: work.echo, payload: {}}
websocket.seen: {fn: work.seen, payload: {}}
websocket.gate: {fn: work.gate, payload: {}, timeout: 1h}
websocket.going: {fn: work.going, payload: {}, on_disconnect: continue}
websocket.thread: {fn: work.in_thread, payload: {}}
websocket.wait: {fn: work.wait, payload: {}, concurrency: parallel}
websocket.latest: {fn: work.wait, payload: {}, concurrency: interrupt}
websocket.alone: {fn: work.wait, payload: {}, concurrency: reject}
websocket.stream: {fn: work.stream, payload: {}}
websocket.other: {fn: work.stream, payload: {}}
"""
WORK = """
import asyncio, threading
CALLS, ENDED = [], []
OPEN = asyncio.Event()
TENTH = threading.Event()

async def echo(payload): return payload

async def seen(ctx, payload):
    CALLS.append((ctx.inputs.data.clientId, payload))
    if len(CALLS) == 10: TENTH.set()
    return payload

async def gate(payload):
    CALLS.append(payload)
    try: await OPEN.wait()
    finally: ENDED.append(payload)
    return payload

async def going(payload):
    CALLS.append(payload)
    await OPEN.wait()
    ENDED.append(payload)

def in_thread(payload): return payload

async def wait(payload):
    CALLS.append(payload)
    await OPEN.wait()
    return payload

async def stream(payload):
    CALLS.append(payload)
    yield "begun"
    await OPEN.wait()
"""
FILES = {"events/all.yaml": EVENTS, "functions/work.py": WORK}
SESSION = ["Sec-WebSocket-Protocol: gsws.v1"]


def limits(**bounds):
    inner = ", ".join(f"{key}: {value}" for key, value in bounds.items())
    return {"eventsources/websocket.yaml": f"type: websocket\nport: 0\nlimits: {{{inner}}}\n"}


@pytest.fixture
def service(tmp_path):
    with served(tmp_path, FILES) as running:
        yield running


def work(running):
    """The module of the handlers, as the service has it."""
    return sys.modules["functions.work"]


def text(event, payload=None, **more):
    return frame(TEXT, json.dumps({"eventtype": f"websocket.{event}", "payload": payload, **more}).encode())


def opened(running, *extra, query="/"):
    client = Raw(running if isinstance(running, int) else running.ports["websocket"])
    client.send(
        b"\r\n".join(
            [
                b"GET " + query.encode() + b" HTTP/1.1", b"Host: 127.0.0.1", b"Upgrade: websocket",
                b"Connection: Upgrade", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                *(line.encode() for line in extra), b"", b"",
            ]
        )
    )  # fmt: skip
    assert client.response().status == 101
    return client


def answers(client, count):
    """So many text frames, decoded."""
    found = []
    while len(found) < count:
        opcode, data = client.read_frame()
        if opcode != PING:
            assert opcode == TEXT, (opcode, data)
            found.append(json.loads(data))
    return found


def the(running):
    """The requests of the only client."""
    scheduler = next(iter(running.service.live["websocket"].router.connections)).client.scheduler
    return scheduler or SimpleNamespace(is_full=False, queued=0, in_flight=0)  # before its first one


def let_go(running):
    running.call(work(running).OPEN.set)


# Bursts.


@pytest.mark.parametrize("count", [100, 1000, 5000])
@pytest.mark.parametrize("extra", [(), SESSION], ids=["plain", "session"])
@pytest.mark.parametrize("event", ["echo", "thread"])
def test_a_burst_in_one_write_is_answered_whole_and_in_order(service, count, extra, event):
    """Not one is refused, however many there are."""
    with opened(service, *extra) as client:
        data = b"".join(text(event, n, id=n) for n in range(count))
        writing = threading.Thread(target=client.send, args=(data,))
        writing.start()
        found = answers(client, count + len(extra))[len(extra) :]
        writing.join()
    assert [frame["id"] for frame in found] == list(range(count))
    assert {frame["eventtype"] for frame in found} == {"reply"}


def test_a_burst_over_tls(tmp_path):
    """What waits in the layer of encryption is not forgotten."""
    make_certificate(tmp_path / "tls", "localhost")
    source = "type: websocket\nport: 0\ntls: {cert: tls/cert.pem, key: tls/key.pem}\nlimits: {queue: 50}\n"
    with served(tmp_path, {**FILES, "eventsources/websocket.yaml": source}) as running:
        with connect(f"wss://127.0.0.1:{running.ports['websocket']}/", ssl=trusting()) as one:
            client = Client(one)
            for n in range(2000):
                client.send("websocket.seen", n, id=n)
            assert [client.receive()["id"] for _ in range(2000)] == list(range(2000))


def test_messages_without_an_id_are_not_lost_either(service):
    """Nothing tells a client of them, so nothing may be dropped."""
    with opened(service) as client:
        client.send(b"".join(text("seen", n) for n in range(3000)) + text("echo", id="last"))
        assert answers(client, 1)[0]["id"] == "last"
    assert [payload for _, payload in work(service).CALLS] == list(range(3000))


def test_one_connection_in_a_hurry_starves_nobody(service):
    """Another client's message is taken in turn, not after a burst that is under way."""
    with opened(service, query="/?clientId=burst") as burst, opened(service, query="/?clientId=other") as other:
        data = b"".join(text("seen", n) for n in range(30_000))
        writing = threading.Thread(target=burst.send, args=(data,))
        writing.start()
        assert work(service).TENTH.wait(5)
        other.send(text("seen", "me", id=1))
        answers(other, 1)
        writing.join()
        service.wait_for(lambda: len(work(service).CALLS) == 30_001)
    order = [label for label, _ in work(service).CALLS]
    assert order.index("other") < 30_000


# The bound.


@pytest.mark.parametrize(
    ("bounds", "payload", "most"),
    [({}, "x", 1000), ({"queue": 7}, "x", 7), ({"queue_bytes": "10KiB"}, "x" * 1000, 10), ({"queue": 1}, "x", 1)],
)
def test_at_the_bound_the_connection_is_read_no_further(tmp_path, bounds, payload, most):
    """So many wait and no more; when half of them have gone it is read again, and in the end all are answered."""
    with served(tmp_path, FILES | limits(**bounds)) as running, opened(running) as client:
        data = text("gate", "first", id="first") + b"".join(text("echo", payload, id=n) for n in range(3000))
        writing = threading.Thread(target=client.send, args=(data,))
        writing.start()
        running.wait_for(lambda: the(running).is_full)
        time.sleep(0.1)
        assert running.call(lambda: the(running).queued) in (most, most + 1)
        assert len(work(running).CALLS) <= 1
        let_go(running)
        assert [frame["id"] for frame in answers(client, 3001)] == ["first", *range(3000)]
        writing.join()
        running.wait_for(lambda: not the(running).is_full and not the(running).queued)


def test_a_message_larger_than_the_bound_is_taken_alone(tmp_path):
    """Nothing waits for ever."""
    with served(tmp_path, FILES | limits(queue_bytes="1KiB")) as running, running.client() as client:
        for n in range(5):
            client.send("websocket.echo", "x" * 50_000, id=n)
        assert [client.receive()["id"] for _ in range(5)] == list(range(5))


@pytest.mark.parametrize("bound", ["queue: 0", "queue: -1", "queue: many", "queue_bytes: 0", "queue_bytes: 3 apples"])
def test_a_bound_that_bounds_nothing_is_refused(tmp_path, bound):
    """Where it stands in the file."""
    for path, content in (FILES | {"eventsources/websocket.yaml": f"type: websocket\nlimits: {{{bound}}}\n"}).items():
        write(tmp_path, path, content)
    project = load_project(tmp_path, plugins=facts(), environ={})
    assert [finding.span.path for finding in project.findings] == ["eventsources/websocket.yaml"]


def test_a_flood_costs_little_memory(tmp_path):
    """200,000 messages written at once to a handler that is slow: the server grows by less than 64 MB."""
    for path, content in ({"eventsources/websocket.yaml": "type: websocket\nport: 0\n"} | FILES).items():
        write(tmp_path, path, content)
    with subprocess.Popen(
        [sys.executable, "-m", "gsws", "serve", "--no-reload"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "NO_COLOR": "1"},
    ) as process:  # fmt: skip
        try:
            port = None
            while port is None:
                line = process.stdout.readline()
                assert line, "it did not start"
                match = re.search(r"ws://[^ ]*:(\d+)", line)
                port = match and int(match[1])
            with opened(port) as client:
                client.send(text("echo", 1, id=0))
                answers(client, 1)
                before = anonymous(process.pid)
                data = text("gate") + b"".join(text("echo", {"n": n}, id=n) for n in range(200_000))
                client.socket.settimeout(2)
                with pytest.raises(TimeoutError):
                    client.socket.sendall(data)
                assert anonymous(process.pid) - before < 64 * 1024
        finally:
            process.terminate()
            process.communicate(timeout=20)


def anonymous(pid):
    """The memory of a process that is no file's, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)[1])


# What is acted on when it is read, and ends.


def test_control_frames_do_not_wait_in_the_queue(service):
    """A cancel and a ping behind hundreds of messages are acted on as soon as they are read."""
    with opened(service) as client:
        client.send(text("gate", id="first") + b"".join(text("echo", n, id=n) for n in range(900)))
        ping = frame(TEXT, b'{"eventtype":"gsws.ping","payload":{"n":1}}')
        cancel = frame(TEXT, b'{"eventtype":"gsws.cancel","payload":{"id":450}}')
        client.send(ping + cancel)
        assert answers(client, 1)[0] == {"eventtype": "gsws.pong", "payload": {"n": 1}}
        end = answers(client, 1)[0]
        assert (end["id"], end["payload"]["reason"]) == (450, "cancelled")
        client.send(frame(TEXT, b'{"eventtype":"gsws.cancel","payload":{"id":"first"}}'))
        found = answers(client, 900)
        assert found[0]["id"] == "first"
        assert [frame["id"] for frame in found[1:]] == [n for n in range(900) if n != 450]


def test_cancelled_messages_make_room(tmp_path):
    """What was withdrawn does not fill the queue any more."""
    with served(tmp_path, FILES | limits(queue=20)) as running, opened(running) as client:
        client.send(text("gate", id="first") + b"".join(text("echo", n, id=n) for n in range(19)))
        for n in range(19):
            client.send(frame(TEXT, json.dumps({"eventtype": "gsws.cancel", "payload": {"id": n}}).encode()))
        assert {frame["payload"]["reason"] for frame in answers(client, 19)} == {"cancelled"}
        client.send(b"".join(text("echo", n, id=n) for n in range(18)) + frame(PING, b"read"))
        assert client.read_frame() == (PONG, b"read")
        let_go(running)
        assert [frame["id"] for frame in answers(client, 19)] == ["first", *range(18)]


def test_p10_1_a_heartbeat_is_not_missed_behind_a_full_queue(tmp_path):
    """The client's pongs are behind what is not read; it is still there when there is room again."""
    source = "type: websocket\nport: 0\nheartbeat: {interval: 500ms, timeout: 2s}\n"
    data = text("gate", id="first") + b"".join(text("echo", "x" * 500, id=n) for n in range(20_000))
    with served(tmp_path, {**FILES, "eventsources/websocket.yaml": source}) as running, opened(running) as client:
        writing = threading.Thread(target=client.send, args=(data,))
        writing.start()
        running.wait_for(lambda: the(running).is_full)
        for _ in range(7):
            assert client.read_frame()[0] == PING
        let_go(running)
        assert [frame["id"] for frame in answers(client, 20_001)] == ["first", *range(20_000)]
        writing.join()
        client.send_frame(PONG)


def test_a_client_that_leaves_with_a_full_queue_ends_its_work(service):
    """Cut without a word, with megabytes unread: the handler is cancelled, what waited does not begin."""
    with opened(service) as client:
        data = text("gate", "running") + b"".join(text("seen", "x" * 500) for n in range(20_000))
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.socket.sendall(data)
        service.wait_for(lambda: the(service).is_full)
    eventually(lambda: work(service).ENDED == ["running"])
    service.wait_for(lambda: not service.service.live["websocket"].executor.busy)
    assert work(service).CALLS == ["running"]


def test_a_goodbye_behind_a_full_queue_is_heard(tmp_path):
    """Close frames are acted on at once; what came before, and goes on without its client, is done."""
    with served(tmp_path, FILES | limits(queue=10)) as running:
        with opened(running) as client:
            client.send(text("gate", "running") + b"".join(text("going", n) for n in range(100)))
            running.wait_for(lambda: the(running).is_full)
            client.send_frame(CLOSE, struct.pack("!H", 1000))
            client.expect_close(1000)
        eventually(lambda: work(running).ENDED == ["running"])
        let_go(running)
        eventually(lambda: work(running).ENDED == ["running", *range(100)])


def test_p10_2_a_drain_answers_what_a_full_queue_kept_unread(tmp_path):
    """Who is held back when the server is told to stop gets an answer to everything it sent."""
    with served(tmp_path, FILES | limits(queue=10)) as running:
        with opened(running) as client:
            client.send(text("gate", id="first") + b"".join(text("echo", n, id=n) for n in range(100)))
            running.wait_for(lambda: the(running).is_full)
            stopping = threading.Thread(target=running.stop)
            stopping.start()
            refused = answers(client, 50)
            assert {frame["payload"]["error"] for frame in refused} == {"draining"}
            let_go(running)
            assert {frame["id"] for frame in refused + answers(client, 51)} == {"first", *range(100)}
            client.send_frame(CLOSE, struct.pack("!H", 1001))
            client.expect_close(1001)
        stopping.join(5)
        assert not stopping.is_alive()


def test_p8_3_a_session_resumes_with_a_full_queue(tmp_path):
    """The bound is the session's: its next connection is held back too, and each request is answered once."""
    with served(tmp_path, FILES | limits(queue=10)) as running:
        with opened(running, *SESSION) as client:
            hello = answers(client, 1)[0]["payload"]
            client.send(text("gate", id="first") + b"".join(text("echo", n, id=n) for n in range(9)))
            client.send(text("echo", 9, id=9))
            running.wait_for(lambda: the(running).is_full)
        running.wait_for(lambda: not running.service.live["websocket"].router.connections)
        with opened(running, *SESSION) as client:
            assert answers(client, 1)[0]["eventtype"] == "gsws.hello"
            streams = {"first": -1} | {str(n): -1 for n in range(10)}
            payload = {"session": hello["session"], "secret": hello["secret"], "streams": streams}
            client.send(frame(TEXT, json.dumps({"eventtype": "gsws.resume", "payload": payload}).encode()))
            assert answers(client, 1)[0]["payload"]["streams"].keys() == streams.keys()
            client.send(b"".join(text("echo", n, id=n) for n in range(10, 60)))
            time.sleep(0.1)
            assert running.call(lambda: the(running).queued) <= 11
            let_go(running)
            assert [frame["id"] for frame in answers(client, 61)] == ["first", *range(60)]


# Streams and parallel requests.


@pytest.mark.parametrize("event", ["wait", "stream", "alternating"])
def test_p9_2_so_many_run_as_many_wait_and_more_are_told_when(tmp_path, event):
    """Beyond that nothing is lost: each is refused with a time to come back, and the connection stays open."""
    with served(tmp_path, FILES | limits(in_flight=4)) as running, opened(running) as client:
        events = ("wait", "stream", "other") if event == "alternating" else (event,)
        client.send(b"".join(text(events[n % len(events)], n, id=n) for n in range(600)))
        refused = []
        while len(refused) < 600 - (5 if event == "stream" else 8):
            one = answers(client, 1)[0]
            if one["eventtype"] == "stream.error":
                refused.append(one)
        assert {one["payload"]["error"] for one in refused} == {"too_many_requests"}
        assert all(one["payload"]["retry_after_ms"] > 0 and one["payload"]["retryable"] for one in refused)
        let_go(running)
        taken = {*range(600)} - {one["id"] for one in refused}
        assert len(taken) == (5 if event == "stream" else 8)
        ended = set()
        while ended != taken:
            one = answers(client, 1)[0]
            if one["eventtype"] in ("reply", "stream.end"):
                ended.add(one["id"])


def test_no_more_than_may_run_do_and_a_place_goes_to_the_first_who_waits(tmp_path):
    """Also if the one that ends was cancelled."""
    with served(tmp_path, FILES | limits(in_flight=2)) as running, running.client() as client:
        for n in range(4):
            client.send("websocket.wait", n, id=n)
        running.wait_for(lambda: work(running).CALLS == [0, 1])
        client.send("gsws.cancel", {"id": 2})
        assert client.receive()["id"] == 2
        client.send("gsws.cancel", {"id": 0})
        assert client.receive()["id"] == 0
        running.wait_for(lambda: work(running).CALLS == [0, 1, 3])
        client.send("websocket.wait", 4, id=4)
        client.send("websocket.echo", "beside", id="e")
        assert client.receive()["id"] == "e"
        let_go(running)
        assert {client.receive()["id"] for _ in range(3)} == {1, 3, 4}
        assert work(running).CALLS == [0, 1, 3, 4]


def test_plain_messages_have_their_own_bound(tmp_path):
    """Where streams are refused a plain message is taken, and the other way round."""
    with served(tmp_path, FILES | limits(in_flight=1, queue=5)) as running, running.client() as client:
        for n in range(3):
            client.send("websocket.wait", n, id=f"w{n}")
        assert client.receive()["payload"]["error"] == "too_many_requests"
        assert client.ask("websocket.echo", 1)["eventtype"] == "reply"


def test_p9_1_what_interrupts_waits_for_a_place_and_for_nothing_else(tmp_path):
    """A newer one supersedes the one that waits, too."""
    with served(tmp_path, FILES | limits(in_flight=1)) as running, running.client() as client:
        client.send("websocket.wait", "other", id="other")
        running.wait_for(lambda: work(running).CALLS == ["other"])
        client.send("websocket.latest", 1, id=1)
        running.wait_for(lambda: the(running).in_flight == 2)
        client.send("gsws.cancel", {"id": "other"})
        assert client.receive()["id"] == "other"
        running.wait_for(lambda: work(running).CALLS == ["other", 1])
        client.send("websocket.latest", 2, id=2)
        assert client.receive()["payload"]["reason"] == "superseded"
        running.wait_for(lambda: work(running).CALLS == ["other", 1, 2])


def test_p8_1_hello_tells_the_bounds(tmp_path):
    """A client that keeps within them is neither slowed nor refused."""
    with served(tmp_path, FILES | limits(in_flight=3, queue=70)) as running, opened(running, *SESSION) as client:
        hello = answers(client, 1)[0]["payload"]
        assert (hello["max_in_flight"], hello["max_queued"]) == (3, 70)
