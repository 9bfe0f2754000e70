"""Streams over a real socket: generators, the seed's explicit shape, cancel, order, disconnect."""

from __future__ import annotations

import json

import pytest

from tests.runtime.support import served

EVENTS = """
websocket.count: {fn: streams.count, payload: {}}
websocket.other: {fn: streams.count, payload: {}}
websocket.parallel: {fn: streams.count, payload: {}, concurrency: parallel}
websocket.interrupt: {fn: streams.count, payload: {}, concurrency: interrupt}
websocket.reject: {fn: streams.count, payload: {}, concurrency: reject}
websocket.timed: {fn: streams.count, payload: {}, timeout: 150ms}
websocket.plain: {fn: streams.plain, payload: {}}
websocket.thread: {fn: streams.thread, payload: {}}
websocket.empty: {fn: streams.empty, payload: {}}
websocket.breaks: {fn: streams.breaks, payload: {}}
websocket.early: {fn: streams.early, payload: {}}
websocket.frames: {fn: streams.frames, payload: {}}
websocket.status: {fn: streams.status, payload: {}}
websocket.seed: {fn: streams.seed, payload: {}}
websocket.explicit: {fn: streams.explicit, payload: {}}
websocket.tight: {fn: streams.tight, payload: {}}
websocket.returned: {fn: streams.returned, payload: {}}
websocket.continues: {fn: streams.count, payload: {}, on_disconnect: continue}
websocket.grace: {fn: streams.count, payload: {}, on_disconnect: {grace: 300ms}}
websocket.declared: {fn: streams.count, payload: {}, emits: {stream.chunk: {properties: {message: {maxLength: 1}}}}}
"""
STREAMS = """
import asyncio, json
from gsws import Frame, GSStatus

LOG = []

async def count(payload):
    try:
        for n in range(payload["to"]):
            yield str(n)
            await asyncio.sleep(payload.get("s", 0))
        LOG.append("complete")
    finally:
        LOG.append("closed")
async def plain(): return 1
def thread(payload):
    for n in range(payload["to"]): yield {"message": str(n), "n": n}
async def empty():
    if False: yield
async def breaks():
    yield "one"
    raise ValueError("secret")
async def early():
    raise ValueError("secret")
    yield
async def frames():
    yield Frame("tool.call", {"name": "search"})
    yield "text"
    yield Frame("usage", {"tokens": 3})
    yield Frame("stream.end", {"usage": {"tokens": 3}})
    yield "never"
async def status(payload):
    yield "a"
    yield GSStatus(payload["ok"], 200 if payload["ok"] else 402, "said", {"k": 1})
async def seed(ctx):
    ws, payload = ctx.inputs.data.ws, ctx.inputs.data.payload
    if ws.readyState != ws.OPEN:
        return GSStatus(False, 400, "WebSocket disconnected")
    ws.send(json.dumps({"eventtype": "stream.start", "payload": {"message": "[STREAM_START]"}}))
    await ws.send(json.dumps({"eventtype": "stream.chunk", "payload": {"message": payload["message"]}}))
    await ws.send({"eventtype": "stream.end", "payload": {"message": "[STREAM_END]"}})
    return GSStatus(True, 200, "Streaming completed")
async def explicit(ctx):
    for _ in range(2):
        await ctx.emit("stream.start")
        await ctx.emit("stream.chunk", "a")
    await ctx.emit("stream.end", {"usage": 1})
    await ctx.emit("stream.end", {})
    return GSStatus(True, 200, "Streaming completed")
async def tight(payload):
    for n in range(payload["to"]): yield str(n)
async def returned(payload):
    return count(payload)
"""
FILES = {"events/all.yaml": EVENTS, "functions/streams.py": STREAMS}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("streams"), FILES) as running:
        yield running


@pytest.fixture
def client(service):
    with service.client() as client:
        yield client


def log(service):
    import sys

    return sys.modules["functions.streams"].LOG


def kinds(frames):
    return [frame["eventtype"] for frame in frames]


def test_a_generator_is_a_stream(client):
    """P6.1, P6.3, P6.4."""
    client.send("websocket.count", {"to": 2}, id="s")

    assert client.answer() == [
        {"eventtype": "stream.start", "id": "s", "seq": 0, "payload": {"message": "[STREAM_START]"}},
        {"eventtype": "stream.chunk", "id": "s", "seq": 1, "payload": {"message": "0"}},
        {"eventtype": "stream.chunk", "id": "s", "seq": 2, "payload": {"message": "1"}},
        {
            "eventtype": "stream.end",
            "id": "s",
            "seq": 3,
            "payload": {"message": "[STREAM_END]", "reason": "complete", "chunks": 2},
        },
    ]


def test_a_stream_without_an_id_has_neither_id_nor_seq(client):
    """P3.1."""
    client.send("websocket.count", {"to": 1})
    frames = client.answer()

    assert kinds(frames) == ["stream.start", "stream.chunk", "stream.end"]
    assert all(frame.keys() == {"eventtype", "payload"} for frame in frames)


def test_a_plain_generator_runs_in_a_thread(client):
    """P6.1: a yielded object is the payload."""
    client.send("websocket.thread", {"to": 2}, id="t")

    assert [frame["payload"] for frame in client.answer()[1:3]] == [{"message": "0", "n": 0}, {"message": "1", "n": 1}]


def test_a_coroutine_that_returns_a_generator_streams_it(client):
    client.send("websocket.returned", {"to": 1}, id="r")

    assert kinds(client.answer()) == ["stream.start", "stream.chunk", "stream.end"]


def test_an_empty_stream_starts_and_ends(client):
    client.send("websocket.empty", id="e")
    frames = client.answer()

    assert kinds(frames) == ["stream.start", "stream.end"]
    assert frames[1]["payload"]["chunks"] == 0


def test_a_generator_that_raises_ends_in_an_error(client):
    """P6.4: instead of an end, and exactly one terminal frame."""
    client.send("websocket.breaks", id="b")
    frames = client.answer()
    assert kinds(frames) == ["stream.start", "stream.chunk", "stream.error"]
    assert [frame["seq"] for frame in frames] == [0, 1, 2]
    frames[-1]["payload"].pop("data")  # of development alone; see test_told
    assert "secret" not in json.dumps(frames)

    client.send("websocket.early", id="b")
    assert kinds(client.answer()) == ["stream.error"]


def test_frames_of_other_types_share_the_sequence(client):
    """P6.3: `stream.start` is 0, whatever comes first; a yielded end is terminal and closes the generator."""
    client.send("websocket.frames", id="f")
    frames = client.answer()

    assert kinds(frames) == ["stream.start", "tool.call", "stream.chunk", "usage", "stream.end"]
    assert [frame["seq"] for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[-1]["payload"] == {
        "message": "[STREAM_END]",
        "usage": {"tokens": 3},
        "reason": "complete",
        "chunks": 1,
    }
    client.silence(0.05)


def test_a_yielded_status_ends_the_stream(client):
    client.send("websocket.status", {"ok": True}, id="y")
    assert client.answer()[-1]["payload"] == {"message": "said", "k": 1, "reason": "complete", "chunks": 1}
    client.send("websocket.status", {"ok": False}, id="n")
    assert client.answer()[-1]["payload"] == {
        "message": "said",
        "error": "failed",
        "code": 402,
        "retryable": False,
        "data": {"k": 1},
    }


def test_the_seed_s_explicit_shape_without_an_id(client):
    """P3.1, P5.1."""
    client.send("websocket.seed", {"message": "hi"})

    assert [client.receive() for _ in range(3)] == [
        {"eventtype": "stream.start", "payload": {"message": "[STREAM_START]"}},
        {"eventtype": "stream.chunk", "payload": {"message": "hi"}},
        {"eventtype": "stream.end", "payload": {"message": "[STREAM_END]"}},
    ]
    client.silence(0.05)


def test_an_emitted_stream_has_one_start_and_one_end(client):
    """P6.2: the second start, the second end and the status are no frames."""
    client.send("websocket.explicit", id="x")
    frames = client.answer()

    assert kinds(frames) == ["stream.start", "stream.chunk", "stream.chunk", "stream.end"]
    assert [frame["seq"] for frame in frames] == [0, 1, 2, 3]
    client.silence(0.05)


def test_cancel_ends_a_stream_at_once_and_closes_its_generator(service, client):
    """P6.6: no further chunk."""
    log(service).clear()
    client.send("websocket.count", {"to": 10_000, "s": 0.01}, id="c")
    assert client.receive()["eventtype"] == "stream.start"
    client.send("gsws.cancel", {"id": "c"})
    end = client.answer()[-1]

    assert (end["eventtype"], end["payload"]["reason"]) == ("stream.end", "cancelled")
    client.silence(0.05)
    service.wait_for(lambda: log(service) == ["closed"])


def test_cancel_reaches_a_generator_that_never_waits(client):
    """P6.6: a tight generator gives others a turn."""
    client.send("websocket.tight", {"to": 10_000_000}, id="t")
    client.receive()
    client.send("gsws.cancel", {"id": "t"})

    assert client.answer()[-1]["payload"]["reason"] == "cancelled"


def test_a_stream_waits_for_a_stream_of_its_event_and_for_nothing_else(client):
    """P9.1."""
    client.send("websocket.count", {"to": 3, "s": 0.05}, id="first")
    client.send("websocket.count", {"to": 1}, id="second")
    client.send("websocket.other", {"to": 1}, id="other")
    client.send("websocket.plain", {}, id="plain")
    ends = []
    while len(ends) < 4:
        frame = client.receive()
        if frame["eventtype"] in ("stream.end", "reply"):
            ends.append(frame["id"])

    assert set(ends[:2]) == {"other", "plain"}
    assert ends[2:] == ["first", "second"]


def test_a_cancelled_waiting_stream_never_starts(client):
    """P6.6, P9.1."""
    client.send("websocket.count", {"to": 3, "s": 0.05}, id="first")
    client.send("websocket.count", {"to": 1}, id="second")
    client.send("websocket.count", {"to": 1}, id="third")
    client.send("gsws.cancel", {"id": "second"})
    frames = {"first": [], "second": [], "third": []}
    while not (frames["third"] and frames["third"][-1] == "stream.end"):
        frame = client.receive()
        frames[frame["id"]].append(frame["eventtype"])

    assert frames["second"] == ["stream.end"]
    assert frames["first"][-1] == "stream.end"


def test_interrupt_supersedes_and_parallel_interleaves(client):
    """P9.1."""
    client.send("websocket.interrupt", {"to": 1000, "s": 0.01}, id=1)
    client.receive()
    client.send("websocket.interrupt", {"to": 1}, id=2)
    assert client.answer(1)[-1]["payload"]["reason"] == "superseded"
    assert client.answer(2)[-1]["payload"]["reason"] == "complete"

    client.send("websocket.parallel", {"to": 1000, "s": 0.01}, id=1)
    client.send("websocket.parallel", {"to": 1}, id=2)
    assert client.answer(2)[-1]["payload"]["reason"] == "complete"
    client.send("gsws.cancel", {"id": 1})
    assert client.answer(1)[-1]["payload"]["reason"] == "cancelled"


def test_a_stream_times_out_as_an_end(client):
    """P6.4."""
    client.send("websocket.timed", {"to": 1000, "s": 0.01}, id="t")

    assert client.answer()[-1]["payload"]["reason"] == "timeout"


def test_a_chunk_that_breaks_the_contract_ends_the_stream(client):
    """P7.2."""
    client.send("websocket.declared", {"to": 20}, id="d")

    frames = client.answer()
    assert frames[-1]["payload"]["error"] == "reply_violation"
    assert kinds(frames).count("stream.chunk") == 10


def test_what_happens_when_the_client_leaves(service):
    """P6.7: cancel by default, continue or a grace on demand."""
    for event, outcome in [("count", "closed"), ("continues", "complete"), ("grace", "closed")]:
        log(service).clear()
        with service.client() as client:
            client.send(f"websocket.{event}", {"to": 30, "s": 0.02})
            client.receive()
        service.wait_for(lambda: log(service), event)
        assert log(service)[0] == outcome
        service.wait_for(lambda: not service.service.is_busy())
