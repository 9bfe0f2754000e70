"""Handlers and clients that do what nobody should: one terminal frame each, and the service goes on."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import pytest

from gsws.errors import ConnectionClosed
from gsws.runtime.requests.handlersocket import HandlerSocket
from tests.runtime.support import served

EVENTS = """
websocket.echo: {fn: hostile.echo, payload: {}}
websocket.raises: {fn: hostile.raises, payload: {}}
websocket.stream: {fn: hostile.stream, payload: {}}
websocket.thread: {fn: hostile.thread, payload: {}}
websocket.cancels: {fn: hostile.cancels, payload: {}}
websocket.spawns: {fn: hostile.spawns, payload: {}}
websocket.slow: {fn: hostile.slow, payload: {}}
websocket.tool_first: {fn: hostile.tool_first, payload: {}}
websocket.left_open: {fn: hostile.left_open, payload: {}}
websocket.own_error: {fn: hostile.own_error, payload: {}}
websocket.odd_status: {fn: hostile.odd_status, payload: {}}
websocket.metadata: {fn: hostile.metadata, payload: {}}
websocket.logs: {fn: hostile.logs, payload: {}, log: {attributes: {request: x, event_key: y, team: z}}}
websocket.flood: {fn: hostile.flood, payload: {}}
websocket.forgetful: {fn: hostile.forgetful, payload: {}}
websocket.from_thread: {fn: hostile.from_thread, payload: {}}
websocket.thread_flood: {fn: hostile.thread_flood, payload: {}, timeout: 300ms}
websocket.close: {fn: hostile.close, payload: {}}
"""
HOSTILE = """
import asyncio, dataclasses, time
from gsws import GSStatus

class Mute(Exception):
    def __str__(self): raise ValueError("no words")

RAISED = {cls.__name__: cls for cls in (
    Mute, GeneratorExit, SystemExit, KeyboardInterrupt, asyncio.CancelledError, StopIteration, StopAsyncIteration,
)}
SENT = []

@dataclasses.dataclass
class Point:
    x: float

async def echo(payload): return payload
async def raises(payload): raise RAISED[payload["name"]]()
async def stream(payload):
    yield "one"
    raise RAISED[payload["name"]]()
def thread(payload): raise RAISED[payload["name"]]()
async def cancels(payload):
    asyncio.current_task().cancel()
    if payload["waits"]: await asyncio.sleep(0)
    return 1
async def spawns(payload):
    async def child(): raise RAISED[payload["name"]]()
    task = asyncio.create_task(child())
    if payload["waits"]: await task
    await asyncio.sleep(0.01)
    return 1
async def slow(payload): await asyncio.sleep(payload["s"])
async def tool_first(ctx):
    await ctx.emit("tool.call", {"name": "search"})
    yield "text"
async def left_open(ctx):
    await ctx.emit("stream.chunk", "a")
    return {"usage": 1}
async def own_error(ctx): await ctx.emit("stream.error", {"message": "mine"})
async def odd_status(payload):
    return {
        "message": GSStatus(True, 200, 5),
        "code": GSStatus(False, "teapot", "x"),
        "nan": GSStatus(True, 200, None, Point(float("nan"))),
    }[payload["what"]]
async def metadata(ctx): return ctx.inputs.metadata
async def logs(ctx):
    ctx.logger.info("said by the handler")
    raise ValueError
async def flood(ctx, payload):
    for n in range(payload["n"]): await ctx.emit("tick", {"n": n})
async def forgetful(payload, ws):
    for _ in range(payload["mb"]): ws.send("x" * 2**20)
async def from_thread(ws):
    def work():
        for n in range(3): ws.send({"eventtype": "tick", "payload": {"n": n}})
    await asyncio.to_thread(work)
    return "done"
def thread_flood(payload, ws):
    SENT.clear()
    end = time.monotonic() + payload.get("s", 30)
    while time.monotonic() < end:
        ws.send("x" * 65536)
        SENT.append(65536)
        time.sleep(payload.get("rest", 0))
async def close(payload, ws): await ws.close(payload["code"])
"""
FILES = {"events/all.yaml": EVENTS, "functions/hostile.py": HOSTILE}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("hostile"), FILES) as running:
        yield running


@pytest.fixture
def client(service):
    with service.client() as client:
        yield client


def module():
    import sys

    return sys.modules["functions.hostile"]


def kinds(frames):
    return [frame["eventtype"] for frame in frames]


@pytest.mark.parametrize("event", ["raises", "stream", "thread"])
@pytest.mark.parametrize(
    "name",
    [
        "Mute",
        "GeneratorExit",
        "SystemExit",
        "KeyboardInterrupt",
        "CancelledError",
        "StopIteration",
        "StopAsyncIteration",
    ],
)
def test_whatever_is_raised_is_one_handler_error(client, event, name):
    """P5.2, P7.2: also exceptions that cannot say what they are, and those that mean something to Python."""
    answer = client.ask(f"websocket.{event}", {"name": name})

    assert answer["payload"]["error"] == "handler_error"
    assert client.ask("websocket.echo", {"a": 1})["payload"]["data"] == {"a": 1}


@pytest.mark.parametrize("waits", [True, False])
def test_a_handler_that_cancels_itself_harms_no_other(client, waits):
    """P5.2, P9.1."""
    client.send("websocket.cancels", {"waits": waits}, id="c")
    client.send("websocket.echo", {"a": 1}, id="e")

    assert client.answer("c")[-1]["eventtype"] == ("stream.error" if waits else "reply")
    assert client.answer("e")[-1]["eventtype"] == "reply"


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt"])
@pytest.mark.parametrize("waits", [True, False])
def test_a_spawned_task_does_not_end_the_service(service, client, name, waits):
    answer = client.ask("websocket.spawns", {"name": name, "waits": waits})

    assert answer["eventtype"] == ("stream.error" if waits else "reply")
    assert client.ask("websocket.echo", {})["eventtype"] == "reply"
    if not waits:
        service.wait_for(lambda: service.log("unhandled error in a background task"))


def test_stream_start_is_the_first_frame_of_a_stream(client):
    """P6.3: of a generator that emits before it yields, and of a handler that emits chunks by itself."""
    client.send("websocket.tool_first", id="t")
    frames = client.answer()
    assert kinds(frames) == ["stream.start", "tool.call", "stream.chunk", "stream.end"]
    assert [frame["seq"] for frame in frames] == [0, 1, 2, 3]

    client.send("websocket.left_open", id="l")
    assert kinds(client.answer()) == ["stream.start", "stream.chunk", "stream.end"]


@pytest.mark.parametrize("id", [{}, {"id": "l"}])
def test_a_stream_that_a_handler_leaves_open_is_ended(client, id):
    """P6.2."""
    client.send("websocket.left_open", **id)

    end = client.answer()[-1]
    assert end["payload"] == {"message": "[STREAM_END]", "reason": "complete", "chunks": 1, "usage": 1}


def test_an_emitted_error_has_what_every_error_has(client):
    """P7.1."""
    assert client.ask("websocket.own_error")["payload"] == {
        "message": "mine",
        "error": "failed",
        "code": 500,
        "retryable": False,
    }


def test_odd_statuses_keep_the_types_of_the_protocol(client):
    """P5.3, P7.1."""
    assert client.ask("websocket.odd_status", {"what": "message"})["payload"]["message"] == "5"
    assert client.ask("websocket.odd_status", {"what": "code"})["payload"]["code"] == 500
    assert client.ask("websocket.odd_status", {"what": "nan"})["payload"]["error"] == "handler_error"


def test_meta_does_not_replace_what_the_server_knows(client):
    """P2.2."""
    client.send("websocket.metadata", id="m", meta={"host": "elsewhere", "connection": "mine", "traceparent": "t"})

    facts = client.answer()[-1]["payload"]["data"]
    assert (facts["host"], facts["traceparent"]) == ("127.0.0.1", "t")
    assert facts["connection"] != "mine"


def test_log_attributes_may_have_any_name(service, client):
    assert client.ask("websocket.logs")["payload"]["error"] == "handler_error"
    entry = service.log("said by the handler")[-1]
    assert (entry["team"], entry["event_key"]) == ("z", "websocket.logs")


def test_a_query_of_many_fields_is_taken(service):
    """P4.1."""
    query = "?" + "&".join(f"k{n}={n}" for n in range(200)) + "&clientId=late"
    with service.client(query=query) as client:
        assert client.ask("websocket.metadata")["payload"]["data"]["query"]["clientId"] == "late"


def test_an_event_name_longer_than_a_frame_is_answered(tmp_path):
    """P5.2."""
    files = {**FILES, "eventsources/websocket.yaml": "type: websocket\nport: 0\nlimits: {message_bytes: 32MiB}\n"}
    with served(tmp_path, files) as running, running.client(max_size=None) as client:
        assert client.ask("x" * 17_000_000)["payload"]["error"] == "unknown_event"


def test_a_handler_that_emits_without_end_holds_up_nobody(service, client):
    """P9.3: awaiting a send gives others their turn, also while the client reads fast."""
    client.send("websocket.flood", {"n": 10**9}, id="flood")

    def read() -> None:
        while client.receive()["eventtype"] == "tick":
            continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with service.client() as other:
            for _ in range(20):
                assert other.ask("websocket.echo", {})["eventtype"] == "reply"
        assert reader.is_alive(), "it is still emitting"
    finally:
        client.send("gsws.cancel", {"id": "flood"})
        reader.join(5)


def test_a_handler_that_forgets_to_await_is_bounded(service):
    """P9.3."""
    with service.client(max_queue=1) as client:
        client.send("websocket.forgetful", {"mb": 500})
        time.sleep(0.2)
        with service.client() as other:
            assert other.ask("websocket.echo", {})["eventtype"] == "reply"
        service.wait_for(lambda: service.service.counters()["websocket"].get("closes.4430"))


def test_a_thread_of_a_coroutine_may_send(client):
    client.send("websocket.from_thread", id="t")

    frames = client.answer()
    assert kinds(frames) == ["tick", "tick", "tick", "reply"]


def test_a_thread_waits_for_a_client_that_does_not_read(service):
    """P9.3: what a plain function sends does not pile up."""
    with service.client(max_queue=1) as client:
        client.send("websocket.thread_flood", {"s": 0.25})
        time.sleep(0.4)
        assert sum(module().SENT) < 32 * 2**20
        client.socket.socket.close()


def test_after_its_terminal_frame_nothing_of_a_thread_is_sent(client):
    """P6.6."""
    client.send("websocket.thread_flood", {"s": 0.8, "rest": 0.02}, id="t")
    while True:
        data = client.socket.recv(5)
        if data[0] == "{":
            break
    assert json.loads(data)["payload"]["error"] == "timeout"
    client.silence(0.6)


def test_a_close_code_is_an_integer(client):
    assert client.ask("websocket.close", {"code": 1000.0})["payload"]["error"] == "handler_error"
    client.send("websocket.close", {"code": 4001})
    assert client.closed()[0] == 4001


def test_cancelling_a_source_s_call_cancels_its_request(service):
    """The plugin contract: an event source that gives up is told so, and the handler ends."""
    import asyncio

    from gsws.runtime.sources.detached import make_handle

    live = service.service.live["websocket"]

    async def give_up() -> str:
        handle = make_handle(live, "websocket.slow")
        call = asyncio.ensure_future(handle({"s": 30}))
        await asyncio.sleep(0.05)
        call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            return "cancelled"
        return "went on"

    assert service.call(give_up) == "cancelled"
    service.wait_for(lambda: not service.service.is_busy())


def test_sending_to_a_client_that_left_is_a_clear_error(service):
    with service.client() as client:
        client.ask("websocket.echo", {})
        held = service.call(lambda: next(iter(service.service.live["websocket"].router.connections)))
    service.wait_for(lambda: not held.is_open)
    with pytest.raises(ConnectionClosed):
        service.call(lambda: HandlerSocket(SimpleNamespace(outlet=held.client, aborted=None, sent=0)).send("late"))
