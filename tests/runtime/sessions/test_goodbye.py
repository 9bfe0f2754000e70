"""Who says goodbye has left for good, and who is cut may come back (protocol P6.7)."""

from __future__ import annotations

import asyncio
import gc

import pytest

from gsws.client import ClientClosed, connect
from gsws.runtime.sessions.client import Client
from tests.client.test_client import run
from tests.client.test_javascript import node
from tests.runtime.support import served
from tests.runtime.virtual import VirtualLoop, make_source, open_connection, route

GOODBYES = [1000, 1005, 3000, 3999, 4001, 4408, 4450, 4999]
STAYS = [1001, 1006, 4000]


async def forever(ctx, payload):
    await ctx.join("tea")
    while True:
        yield "x"
        await asyncio.sleep(0.5)


@pytest.fixture
def loop():
    loop = VirtualLoop()
    yield loop
    loop.advance(200.0)
    assert not asyncio.all_tasks(loop)
    loop.close()


@pytest.fixture
def source(loop):
    routes = [
        route("forever", forever, presence=True),
        route("graced", forever, on_disconnect=60.0, concurrency="parallel"),
        route("continues", forever, on_disconnect="continue", concurrency="parallel", timeout=100.0),
    ]
    return make_source(loop, routes, window=20.0, heartbeat=10.0)


@pytest.fixture
def gone(monkeypatch):
    """Who went for good, with which code."""
    told = []
    before = Client.gone

    def tell(self, code, reason):
        told.append((self, code))
        before(self, code, reason)

    monkeypatch.setattr(Client, "gone", tell)
    return told


def begin(loop, source, *events):
    connection = open_connection(loop, source, session=True)
    for event in events:
        connection.message(event, {}, id=event)
    loop.settle()
    return connection, connection.receiver.client


def comes_back(loop, source, before, id="forever"):
    """Whether a stream of a session goes on over another connection."""
    connection = open_connection(loop, source, session=True)
    facts = {key: before.sent[0]["payload"][key] for key in ("session", "secret")}
    connection.message("gsws.resume", {**facts, "streams": {id: -1}})
    loop.settle()
    state = connection.sent[1]["payload"]["streams"].get(id, {}).get("state")
    connection.leave()
    return state == "running"


@pytest.mark.parametrize("code", GOODBYES)
def test_a_goodbye_ends_all_at_once(loop, source, gone, code):
    """P6.7: requests as if their event said `cancel`, rooms and presence too, and nothing can be resumed."""
    watcher = open_connection(loop, source, session=False)
    source.registry.hub.join("tea", watcher.receiver.client)
    connection, session = begin(loop, source, "forever", "graced", "continues")
    loop.advance(1.0)
    assert source.registry.hub.size("tea") == 2
    connection.leave(code)
    loop.advance(0.2)
    assert source.executor.busy == set()
    assert source.registry.hub.size("tea") == 1
    assert [frame["payload"]["members"] for frame in watcher.sent] == [1, 0]
    assert gone == [(session, code)]
    assert not source.registry.sessions
    assert not comes_back(loop, source, connection)


@pytest.mark.parametrize("code", STAYS)
def test_who_may_come_back_is_waited_for(loop, source, gone, code):
    """P6.7: a cut, a page that is loaded anew, and a client that says so; presence as well."""
    watcher = open_connection(loop, source, session=False)
    source.registry.hub.join("tea", watcher.receiver.client)
    connection, session = begin(loop, source, "forever")
    loop.advance(1.0)
    connection.leave(code)
    loop.advance(2.0)
    assert gone == []
    assert [frame["payload"]["members"] for frame in watcher.sent] == [1]
    assert comes_back(loop, source, connection)
    loop.settle()
    assert gone == [(session, 1000)]


@pytest.mark.parametrize(
    ("code", "returns"),
    [
        (4408, True),
        (4429, True),
        (4430, True),
        (4450, True),
        (4501, True),  # with a new credential
        (4504, False),
        (4509, False),
        (4600, False),
        (1000, False),
        (1001, True),
        (3000, False),
        (1009, True),
    ],
)
def test_whom_the_server_closes_comes_back_if_the_code_says_so(loop, source, gone, code, returns):
    """P7.4: 4000 to 4499 do, whom it forbids does not; a handler that closes with 1000 or 3000 means the end."""
    connection, session = begin(loop, source, "forever")
    session.close(code, "")
    loop.settle()
    assert bool(gone) is not returns
    assert comes_back(loop, source, connection) is returns


def test_who_is_dismissed_does_not_come_back(loop, source, gone):
    """P4.3: a revoked credential, which has the code of one that is over."""
    connection, session = begin(loop, source, "forever")
    session.dismiss(4501, "credential revoked")
    loop.settle()
    assert gone == [(session, 4501)]
    assert not comes_back(loop, source, connection)


def test_each_client_goes_once(loop, source, gone):
    """Plain: with its connection. Session: after its window, for want of room, at a shutdown; not one that resumes."""
    plain = open_connection(loop, source, session=False)
    client = plain.receiver.client
    plain.cut()
    assert gone == [(client, 1006)]

    connection, waits = begin(loop, source, "forever")
    connection.cut()
    loop.advance(10.0)
    again = open_connection(loop, source, session=True)
    again.message("gsws.resume", {**connection.sent[0]["payload"], "streams": {"forever": -1}})
    again.cut()
    assert gone[1:] == []
    loop.advance(21.0)
    assert gone[1:] == [(waits, 1006)]

    connection, evicted = begin(loop, source, "forever")
    connection.cut()
    evicted.drop()
    evicted.drop()
    assert gone[2:] == [(evicted, 1006)]


@pytest.mark.parametrize("code", [1000, 1005, 4321])
def test_over_a_real_connection(tmp_path, code):
    """P6.7: what the client says first counts, also as the answer to nothing."""
    with served(tmp_path, FILES) as service:
        log = tmp_path / "log"
        with service.client(subprotocols=["gsws.v1"]) as client:
            client.receive()
            client.send("websocket.forever", {"log": str(log)}, id="s")
            client.receive()
            if code == 1005:
                with client.socket.protocol_mutex:
                    client.socket.protocol.send_close()
                    client.socket.send_data()
            else:
                client.socket.close(code)
            service.wait_for(lambda: not service.service.is_busy())
        assert log.read_text() == "closed"


FILES = {
    "events/all.yaml": "websocket.forever: {fn: work.forever, payload: {}}\n",
    "functions/work.py": """
        import asyncio, pathlib
        async def forever(payload):
            try:
                while True:
                    yield "x"
                    await asyncio.sleep(0.02)
            finally:
                pathlib.Path(payload["log"]).write_text("closed")
        """,
}


def test_closing_the_javascript_client_is_a_goodbye(tmp_path):
    """P6.7: what it asked ends with it."""
    script = """
        const client = await connect();
        const chunks = client.stream("websocket.forever", { log: process.cwd() + "/log" })[Symbol.asyncIterator]();
        await chunks.next();
        client.close();
        """
    with served(tmp_path / "app", FILES) as service:
        node(service.ports["websocket"], tmp_path, script)
        service.wait_for(lambda: not service.service.is_busy())
        assert (tmp_path / "log").read_text() == "closed"
        assert not service.call(lambda: service.service.live["websocket"].registry.sessions)


def test_closing_the_python_client_is_a_goodbye(tmp_path):
    """P6.7: what it asked ends with it."""

    async def main(port, log):
        async with connect(f"ws://127.0.0.1:{port}/") as client:
            chunks = aiter(client.stream("websocket.forever", {"log": str(log)}))
            await anext(chunks)
            await client.aclose()
            with pytest.raises(ClientClosed):
                await anext(chunks)

    with served(tmp_path, FILES) as service:
        log = tmp_path / "log"
        run(main(service.ports["websocket"], log))
        service.wait_for(lambda: not service.service.is_busy())
        assert log.read_text() == "closed"
        assert not service.call(lambda: service.service.live["websocket"].registry.sessions)


@pytest.mark.parametrize("is_session", [False, True])
def test_who_has_left_is_freed_at_once(is_session):
    """Nothing of a client that had requests and rooms waits for a garbage collection."""

    async def enter(ctx):
        await ctx.join("tea")

    loop = VirtualLoop()
    source = make_source(loop, [route("enter", enter, presence=True)], window=1.0)

    def visit():
        connection = open_connection(loop, source, session=is_session)
        connection.message("enter", {}, id=1)
        loop.settle()
        connection.leave(1000)
        connection.receiver = None  # as the transport forgets it
        loop.advance(1.0)

    visit()
    gc.collect()
    gc.disable()
    try:
        visit()
        assert gc.collect() == 0
    finally:
        gc.enable()
        loop.close()
