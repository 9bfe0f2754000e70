"""Both clients keep within what the server says it takes: bursts wait, and one large message fails alone."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import deque
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import serve as websockets_serve

import gsws.client
from gsws.client import Backoff, ConnectFailed, RemoteError
from gsws.client.flow import Flow
from gsws.client.pending import Pending
from gsws.client.window import Window
from tests.client.support import service
from tests.client.test_client import run
from tests.e2e.available import node_modules
from tests.e2e.serving import Served

SMALL = "type: websocket\nport: 8000\nlimits: {in_flight: 4, queue: 20, message_bytes: 64KiB}\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    files: Any = {"eventsources/websocket.yaml": SMALL}
    with service(tmp_path_factory.mktemp("served"), **files) as running:
        yield running


@pytest.mark.parametrize("resume", [True, False])
def test_five_hundred_calls_at_once_succeed(served: Served, resume: bool) -> None:
    """Plain calls, streams and both together; in the plain profile, too, where no hello tells a bound."""

    async def main() -> None:
        async with gsws.client.connect(f"ws://127.0.0.1:{served.port}/", resume=resume) as client:
            numbers = await asyncio.gather(*(client.call("websocket.echo", n) for n in range(500)))
            assert numbers == list(range(500))
            work = [client.call("websocket.count", {"to": 2, "s": 0, "tag": f"{n}."}) for n in range(60)]
            work += [client.call("websocket.echo", n) for n in range(60)]
            answers = await asyncio.gather(*work)
            assert answers == [f"{n}.0 {n}.1 " for n in range(60)] + list(range(60))
            assert client.connections == 1

    run(main())


def test_calls_go_on_beside_streams_that_take_all_places(served: Served) -> None:
    """A plain call waits in another queue than streams, also if nobody knows yet that it is one."""

    async def main() -> None:
        async with gsws.client.connect(f"ws://127.0.0.1:{served.port}/") as client:
            streams = [client.stream("websocket.count", {"to": 1000, "s": 0.05}) for _ in range(20)]
            for stream in streams:
                await stream.__aenter__()
            first = await anext(aiter(streams[0]))
            assert first.text == "0 "
            assert await client.call("websocket.echo", "through", timeout=10) == "through"
            assert await client.call("websocket.log", timeout=10) is not None
            for stream in streams:
                await stream.__aexit__(None, None, None)

    run(main())


def test_a_call_that_waits_here_can_be_cancelled(served: Served) -> None:
    async def main() -> None:
        async with gsws.client.connect(f"ws://127.0.0.1:{served.port}/") as client:
            tasks = [asyncio.create_task(client.call("websocket.count", {"to": 1000, "s": 0.05})) for _ in range(30)]
            await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert await client.call("websocket.count", {"to": 1, "s": 0}, timeout=10) == "0 "

    run(main())


def test_one_message_over_the_limit_fails_alone(served: Served) -> None:
    """What runs goes on over the same connection, and so does the next call."""

    async def main() -> None:
        async with gsws.client.connect(f"ws://127.0.0.1:{served.port}/") as client:
            running = asyncio.create_task(client.call("websocket.count", {"to": 20, "s": 0.02}))
            for text in ("x" * 70_000, "é" * 40_000):
                with pytest.raises(RemoteError) as caught:
                    await client.call("websocket.echo", text)
                assert (caught.value.name, caught.value.code, caught.value.retryable) == ("too_large", 413, False)
            assert await client.call("websocket.echo", "x" * 60_000) == "x" * 60_000
            assert await running == "".join(f"{n} " for n in range(20))
            assert client.connections == 1

    run(main())


def test_a_server_that_closes_for_a_large_message_ends_no_client() -> None:
    """The client comes back after 1009, knows the limit by then, and the message fails alone."""
    limits = [100_000, 1_000]

    async def main() -> None:
        async def server(connection: Any) -> None:
            limit = limits.pop(0)
            session = {"session": str(limit), "secret": "s", "heartbeat_ms": 20000, "max_message_bytes": limit}
            await connection.send(json.dumps({"eventtype": "gsws.hello", "payload": session}))
            async for text in connection:
                message = json.loads(text)
                if message["eventtype"] == "gsws.resume":
                    resumed = {"session": "100000", "streams": {}}
                    await connection.send(json.dumps({"eventtype": "gsws.resumed", "payload": resumed}))
                    for id in message["payload"]["streams"]:
                        payload = {"message": "", "error": "resume_lost", "code": 410, "retryable": True}
                        await connection.send(json.dumps({"eventtype": "stream.error", "id": id, "payload": payload}))
                elif len(text) > 1_000:
                    await connection.close(1009, "too big")
                else:
                    payload = {"success": True, "code": 200, "data": message["payload"]}
                    reply = {"eventtype": "reply", "id": message["id"], "seq": 0, "payload": payload}
                    await connection.send(json.dumps(reply))

        subprotocols: Any = ["gsws.v1"]
        async with websockets_serve(server, "127.0.0.1", 0, subprotocols=subprotocols, max_size=None) as listening:
            url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
            async with gsws.client.connect(url, backoff=Backoff(base=0.01)) as client:
                with pytest.raises(RemoteError) as caught:
                    await client.call("websocket.echo", "x" * 5_000)
                assert caught.value.name == "too_large"
                assert await client.call("websocket.echo", "small") == "small"
                assert client.connections == 2

    run(main())


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_no_redirect_to_another_origin_is_followed(header: str) -> None:
    """Credentials reach no server but the one that was named."""
    seen: list[Any] = []

    async def main() -> None:
        def note(connection: Any, request: Any) -> None:
            seen.append(request.headers.get(header))

        async def nothing(connection: Any) -> None:
            await connection.wait_closed()

        async with websockets_serve(nothing, "127.0.0.1", 0, process_request=note) as elsewhere:
            port = elsewhere.sockets[0].getsockname()[1]

            def lead_away(connection: Any, request: Any) -> Any:
                response = connection.respond(HTTPStatus.TEMPORARY_REDIRECT, "there\n")
                response.headers["Location"] = f"ws://127.0.0.1:{port}/"
                return response

            async with websockets_serve(nothing, "127.0.0.1", 0, process_request=lead_away) as first:
                url = f"ws://127.0.0.1:{first.sockets[0].getsockname()[1]}/"
                with pytest.raises(ConnectFailed) as caught:
                    async with gsws.client.connect(url, headers={header: "secret"}):
                        pass
                assert caught.value.status == 307

    run(main())
    assert seen == []


SCRIPT = """\
const { connect } = await import(process.argv[2]);
const { default: WebSocket } = await import(process.argv[3]);
const client = await connect(process.argv[4], { WebSocket });
setTimeout(() => { console.error("no end in time"); process.exit(1); }, 40000).unref();
const many = (n, make) => Promise.all(Array.from({ length: n }, (_, i) => make(i)));
const numbers = await many(500, (n) => client.call("websocket.echo", n));
console.log("calls", numbers.every((value, n) => value === n));
const texts = await many(60, (n) => client.call("websocket.count", { to: 2, s: 0, tag: `${n}.` }));
console.log("streams", texts.every((text, n) => text === `${n}.0 ${n}.1 `));
const open = Array.from({ length: 20 }, () => client.stream("websocket.count", { to: 1000, s: 0.05 }));
const reading = open.map((stream) => stream.text().catch((error) => error.name));
await new Promise((resolve) => setTimeout(resolve, 300));
const log = await client.call("websocket.log", null, { timeout: 10000 });
console.log("beside", await client.call("websocket.echo", "through", { timeout: 10000 }), Array.isArray(log));
for (const text of ["x".repeat(70000), "é".repeat(40000)]) {
  const failed = await client.call("websocket.echo", text).catch((error) => error);
  console.log("large", failed.name, failed.error, failed.code);
}
console.log("next", (await client.call("websocket.echo", "x".repeat(60000))).length);
for (const stream of open) stream.cancel();
await Promise.all(reading);
console.log("after", await client.call("websocket.count", { to: 1, s: 0 }, { timeout: 10000 }), client.connections);
client.close();
"""


@pytest.mark.node
def test_the_javascript_client_does_the_same(served: Served, tmp_path: Path) -> None:
    wrapper = node_modules() / "ws" / "wrapper.mjs"
    script = tmp_path / "client.mjs"
    script.write_text(SCRIPT)
    client = tmp_path / "gsws.mjs"
    client.write_bytes((Path(gsws.client.__file__).parent / "javascript" / "gsws.js").read_bytes())
    done = subprocess.run(
        ["node", script, client, wrapper, f"ws://127.0.0.1:{served.port}/"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.splitlines() == [
        "calls true",
        "streams true",
        "beside through true",
        "large RemoteError too_large 413",
        "large RemoteError too_large 413",
        "next 60000",
        "after 0  1",
    ], done.stderr


# The window by itself.


def request(event: str, number: int) -> Pending:
    return Pending(f"{event}-{number}", {"eventtype": event, "payload": {}}, Flow(0), is_idempotent=False)


def sent(window: Window) -> list[str]:
    ids = []
    while (pending := window.next()) is not None:
        ids.append(pending.id)
    return ids


def test_events_that_nobody_knows_share_the_smaller_bound() -> None:
    window = Window()
    window.hello({"max_in_flight": 2, "max_queued": 10})
    requests = [request("a", n) for n in range(6)]
    for one in requests:
        window.append(one)

    assert sent(window) == ["a-0", "a-1", "a-2", "a-3"]
    window.learn(requests[0], "stream.start")
    assert sent(window) == []
    window.done("a-1")
    window.done("a-1")
    assert sent(window) == ["a-4"]


def test_an_event_that_replies_has_the_larger_one_and_keeps_its_order() -> None:
    window = Window()
    window.hello({"max_in_flight": 1, "max_queued": 5})
    requests = [request("a", n) for n in range(9)]
    for one in requests:
        window.append(one)
    assert sent(window) == ["a-0", "a-1"]
    window.learn(requests[0], "reply")
    window.done("a-0")
    window.append(request("a", 9))

    # One is still there.
    assert sent(window) == ["a-2", "a-3", "a-4", "a-5"]
    window.keep({"a-5"})
    assert sent(window) == ["a-6", "a-7", "a-8", "a-9"]


def test_one_of_an_unknown_event_is_tried_when_streams_take_all_places() -> None:
    window = Window()
    window.hello({"max_in_flight": 1, "max_queued": 5})
    known = request("stream", 0)
    window.learn(known, "stream.start")
    for one in [known, request("stream", 1), request("stream", 2), request("new", 0), request("new", 1)]:
        window.append(one)

    assert sent(window) == ["stream-0", "stream-1", "new-0"]
    window.learn(request("new", 0), "too_many_requests")
    window.done("new-0")
    assert sent(window) == []
    window.done("stream-0")
    assert sent(window) == ["stream-2"]


@pytest.mark.parametrize("hello", [{}, {"max_in_flight": -1, "max_queued": "many", "max_message_bytes": True}])
def test_a_hello_without_bounds_leaves_the_defaults(hello: dict[str, Any]) -> None:
    window = Window()
    window.hello(hello)
    waiting = deque(request("a", n) for n in range(100))
    for one in waiting:
        window.append(one)

    assert window.largest is None
    assert len(sent(window)) == 64
