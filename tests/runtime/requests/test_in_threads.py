"""What a context does, it does in a coroutine and in a plain function alike, awaited or not."""

from __future__ import annotations

import time

import pytest

from tests.runtime.support import served

BODIES = """
    {call}(ctx.join("r"))
    seen = list(ctx.members("r"))
    count = {call}(ctx.broadcast("r", "said", {{"n": 1}}))
    {call}(ctx.emit("note", {{"n": 2}}))
    {call}(ws.send_json({{"n": 3}}))
    pushed = {call}(ctx.push("pushed", {{"n": 4}}, room="r"))
    {call}(ctx.leave("r"))
    left = ctx.members("r")
    return [seen, count + 0, pushed + 0, left]
"""
CODE = (
    "import asyncio\n"
    + "def plain(ctx, ws):"
    + BODIES.format(call="")
    + "async def forgets(ctx, ws):"
    + BODIES.format(call="")
    + "async def awaits(ctx, ws):"
    + BODIES.format(call="await ")
    + "async def tasks(ctx, ws):"
    + BODIES.format(call="await asyncio.create_task")
    + """
def generator(ctx):
    ctx.join("r")
    yield "a"
    yield str(ctx.broadcast("r", "said", {}))
def closes(ws):
    ws.close(4321, "enough")
def wrong(ctx):
    try: ctx.emit("note", {"n": "text"})
    except Exception as error: return type(error).__name__
def floods(ctx):
    for _ in range(400): ctx.emit("note", {"n": 1, "x": "x" * 100_000})
"""
)
EVENTS = "".join(
    f"websocket.{name}: {{fn: t.{name}, payload: {{}}, emits: {{note: {{properties: {{n: {{type: integer}}}}}}}}}}\n"
    for name in ("plain", "forgets", "awaits", "tasks", "generator", "closes", "wrong", "floods")
)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("t"), {"events/e.yaml": EVENTS, "functions/t.py": CODE}) as service:
        yield service


@pytest.fixture
def client(service):
    with service.client() as client:
        yield client


@pytest.mark.parametrize("event", ["plain", "forgets", "awaits", "tasks"])
def test_everything_happens_in_order(client, event):
    client.send(f"websocket.{event}", id=1)
    frames = [client.receive() for _ in range(5)]

    assert [frame.get("eventtype") for frame in frames] == ["said", "note", None, "pushed", "reply"]
    assert frames[-1]["payload"]["data"] == [["test"], 1, 1, []]


def test_a_plain_generator_is_in_its_room_too(client):
    client.send("websocket.generator", id=1)
    assert [client.receive()["eventtype"] for _ in range(4)] == ["stream.start", "stream.chunk", "said", "stream.chunk"]


def test_a_plain_function_closes_the_connection(service):
    with service.client() as client:
        client.send("websocket.closes", id=1)
        assert client.closed() == (4321, "enough")


def test_an_error_is_raised_in_the_thread(client):
    assert client.ask("websocket.wrong")["payload"]["data"] == "ReplyViolation"


def test_a_plain_function_waits_for_a_client_that_does_not_read(service):
    with service.client(max_queue=1) as slow:
        slow.send("websocket.floods", id=1)
        slow.receive()
        connections = [one.connection for live in service.service.live.values() for one in live.router.connections]
        service.wait_for(lambda: any(connection.paused for connection in connections))
        time.sleep(0.1)
        assert service.call(lambda: sum(connection.buffered for connection in connections)) < 8 * 2**20
