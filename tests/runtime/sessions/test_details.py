"""Sessions without sockets: what fault injection and the state machine brought to light, one by one."""

from __future__ import annotations

import asyncio

import pytest

from gsws.runtime.streams.memory import MemorySessionLog
from tests.runtime.virtual import VirtualLoop, make_source, open_connection, route


async def wait(payload):
    await asyncio.sleep(payload["s"])
    return payload["s"]


async def words(payload):
    for n in range(payload["n"]):
        yield str(n)


async def send(payload, ws):
    await asyncio.sleep(payload["s"])
    await ws.send("hello")


async def join(ctx, payload):
    await asyncio.sleep(payload.get("s", 0))
    await ctx.join(payload["room"])


async def leave(ctx, payload):
    await asyncio.sleep(payload.get("s", 0))
    await ctx.leave(payload["room"])


async def who(ctx, payload):
    return [len(ctx.members(room)) for room in payload]


ROUTES = [route(function.__name__, function) for function in (wait, words, send, who)]
ROUTES += [route(function.__name__, function, concurrency="parallel") for function in (join, leave)]


@pytest.fixture
def loop():
    loop = VirtualLoop()
    yield loop
    loop.advance(200.0)
    assert not asyncio.all_tasks(loop)
    loop.close()


@pytest.fixture
def source(loop):
    return make_source(loop, ROUTES, window=5.0, heartbeat=10.0)


def resume(loop, source, session, streams, **more):
    """Another connection of a session; returns it with what was resumed."""
    connection = open_connection(loop, source, session=True)
    facts = {key: session[key] for key in ("session", "secret")}
    connection.message("gsws.resume", {**facts, "streams": streams, **more})
    loop.settle()
    assert connection.sent[1]["eventtype"] == "gsws.resumed"
    return connection, connection.sent[1]["payload"]["streams"]


def begin(loop, source):
    connection = open_connection(loop, source, session=True)
    return connection, connection.sent[0]["payload"]


def test_a_request_that_waits_in_the_queue_can_be_resumed(loop, source):
    """P8.3: it has no frame yet, but it will have."""
    connection, session = begin(loop, source)
    connection.message("wait", {"s": 1}, id="runs")
    connection.message("wait", {"s": 2}, id="waits")
    loop.settle()
    connection.cut()

    connection, streams = resume(loop, source, session, {"runs": -1, "waits": -1})

    assert streams == {"runs": {"from": 0, "state": "running"}, "waits": {"from": 0, "state": "running"}}
    loop.advance(4)
    assert [(frame["id"], frame["seq"], frame["eventtype"]) for frame in connection.sent[2:]] == [
        ("runs", 0, "reply"),
        ("waits", 0, "reply"),
    ]


def test_an_id_that_is_used_again_means_the_new_request(loop, source):
    """P5.4: what the first one said is not said for the second."""
    connection, session = begin(loop, source)
    connection.message("words", {"n": 3}, id="s")
    loop.settle()
    connection.message("wait", {"s": 1}, id="first")
    connection.message("wait", {"s": 1}, id="s")
    loop.settle()
    connection.cut()

    _, streams = resume(loop, source, session, {"s": -1})

    assert streams == {"s": {"from": 0, "state": "running"}}


def test_a_handler_that_sends_while_nobody_is_connected_is_answered_for(loop, source):
    """P5.2: exactly one terminal frame, for whoever comes back."""
    connection, session = begin(loop, source)
    connection.message("send", {"s": 1}, id="s")
    loop.settle()
    connection.cut()
    loop.advance(2)

    connection, streams = resume(loop, source, session, {"s": -1})

    assert streams == {"s": {"from": 0, "state": "ended"}}
    assert connection.sent[2]["payload"]["error"] == "handler_error"


def test_rooms_change_while_nobody_is_connected(loop, source):
    """P11.1: what handlers said meanwhile counts, and nothing else."""
    connection, session = begin(loop, source)
    for room in ("stays", "left later", "left away"):
        connection.message("join", {"room": room}, id=room)
    loop.settle()
    connection.message("leave", {"room": "left away", "s": 1}, id="l")
    connection.message("join", {"room": "joined away", "s": 1}, id="j")
    loop.settle()
    connection.cut()
    loop.advance(2)
    rooms = ["stays", "left later", "left away", "joined away"]
    connection, _ = resume(loop, source, session, {})
    connection.message("who", rooms, id="who")
    loop.settle()
    assert connection.sent[-1]["payload"]["data"] == [1, 1, 0, 1]

    connection.message("leave", {"room": "left later"}, id="l2")
    loop.settle()
    connection, _ = resume(loop, source, session, {})  # beside the older connection, which is open
    connection.message("who", rooms, id="who")
    loop.settle()
    assert connection.sent[-1]["payload"]["data"] == [1, 0, 0, 1]


def test_a_client_that_was_closed_for_being_slow_is_in_its_rooms_again(loop, source):
    """P9.3, P11.1: 4430 means: come back."""
    connection, session = begin(loop, source)
    connection.message("join", {"room": "r"}, id="j")
    loop.settle()
    connection.buffered = 2**21
    source.registry.hub.publish("r", b"{}")
    loop.settle()
    assert connection.close_code == 4430
    assert source.registry.hub.labels("r") == []

    resume(loop, source, session, {})

    assert source.registry.hub.size("r") == 1


def test_a_closed_connection_holds_up_nobody(loop, source):
    """One that was paused when it was closed stays so; a generator that never waits must not starve the others."""
    connection, _ = begin(loop, source)
    connection.paused = True
    connection.message("words", {"n": 5000}, id="s")
    loop.settle()
    connection.cut()
    other = open_connection(loop, source, session=False)
    other.message("wait", {"s": 0}, id="o")
    for _ in range(10):
        loop.run_until_complete(asyncio.sleep(0))

    assert [frame["eventtype"] for frame in other.sent] == ["reply"]


def test_what_ended_long_ago_is_forgotten_while_the_client_stays(loop, source):
    """P8.5: bounded in time, but not before a slow network had its time to deliver."""
    loop.advance(0.013)
    connection, _ = begin(loop, source)
    connection.message("words", {"n": 3}, id="s")
    loop.settle()
    client = connection.receiver.client
    loop.advance(20)
    assert len(client.log) == 1
    loop.advance(10)
    assert len(client.log) == 0


def test_acknowledged_text_makes_room_before_frames_are_lost():
    """P8.5, P8.6: whoever acknowledges can follow a stream of any length."""
    log = MemorySessionLog(1000)
    for seq in range(100):
        data = b'{"eventtype":"stream.chunk","id":"s","seq":%d,"payload":{"message":"%s"}}' % (seq, b"x" * 30)
        log.append("s", seq, data, None)
        log.acknowledge("s", seq - 2)

    state = log.read("s", 97)
    assert state is not None
    assert len(state.frames) == 2
    assert state.text is None, "there is no room for all of it, so there is no snapshot"


@pytest.mark.parametrize("id", [10**400, 2**64, -(2**63) - 1, 0, "\u2028"])
def test_an_integer_of_any_size_is_an_id(loop, source, id):
    """P2.2, P8.3: found by fuzzing; a frame with such an id could not be read back for a snapshot."""
    connection, session = begin(loop, source)
    connection.message("words", {"n": 3}, id=id)
    loop.settle()
    connection.message("gsws.ack", {"id": id, "seq": 1})
    connection.cut()

    connection, _ = resume(loop, source, session, {str(id): 1}, compact=True)

    assert [frame["eventtype"] for frame in connection.sent[2:]] == ["stream.snapshot", "stream.end"]
    assert connection.sent[2]["id"] == id
    assert connection.sent[2]["payload"] == {"message": "012"}


def test_a_client_that_comes_and_goes_leaves_no_deadlines_behind(loop, source):
    """P6.7: the grace of what ran at a cut is over when its client is back; and one deadline is enough for all."""
    connection, session = begin(loop, source)
    for number in range(8):
        connection.message("wait", {"s": 100}, id=f"w{number}")
    loop.settle()
    before = len(source.executor.wheel)
    for _ in range(20):
        connection.cut()
        loop.settle()
        assert len(source.executor.wheel) <= before + 3
        connection, _ = resume(loop, source, session, {f"w{number}": -1 for number in range(8)})
        loop.settle()

    assert len(source.executor.wheel) <= before + 1
    loop.advance(50.0)  # longer than any grace
    assert connection.is_open
    connection.cut()
    loop.advance(6.0)
    assert source.executor.busy == set()


def test_a_session_that_is_gone_is_held_by_nothing(loop, source):
    """P8.5: what gives way to a bound gives its memory back now, and not when its streams would have been forgotten."""
    before = len(source.executor.wheel)
    for _ in range(5):
        connection, session = begin(loop, source)
        connection.message("words", {"n": 3}, id="done")
        connection.message("wait", {"s": 1}, id="late")
        loop.settle()
        connection.cut()
        loop.advance(2.0)
        loop.settle()
        source.registry.sessions[session["session"]].drop()

    assert len(source.executor.wheel) == before
