"""The Python client behind a proxy that cuts: transcripts are whole, in order, and without a frame twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gsws.client
from gsws.client import Backoff, ConnectionLost, ResumeLost
from tests.client.support import SEED, Proxy, service
from tests.client.test_client import run
from tests.e2e.serving import GSWS, Served, serve

QUICK = Backoff(base=0.02, cap=0.2, patience=20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with service(tmp_path_factory.mktemp("served")) as running:
        yield running


def connect(proxy: Proxy, **options: Any) -> gsws.client.Client:
    return gsws.client.connect(f"ws://127.0.0.1:{proxy.port}/", **{"backoff": QUICK, **options})


def test_two_hundred_streams_survive_random_cuts(served: Served) -> None:
    """P8.3: at any byte and again and again; each transcript is what an undisturbed client gets."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)

    async def stream(client: gsws.client.Client, tag: str) -> list[tuple[int | None, str, str]]:
        async with client.stream("websocket.count", {"to": 60, "tag": tag, "s": 0.03}, idempotent=True) as one:
            return [(f.seq, f.eventtype, f.payload["message"]) async for f in one.frames()]

    async def main() -> None:
        async with Proxy(served.port, rng).running() as proxy:
            clients = [connect(proxy) for _ in range(8)]
            begun = time.monotonic()
            for client in clients:
                await client.__aenter__()
            proxy.mean = 30_000
            proxy.cut()
            async with asyncio.timeout(60):
                tags = [f"{n}é-" for n in range(200)]
                got = await asyncio.gather(*(stream(clients[n % 8], tag) for n, tag in enumerate(tags)))
            print(f"{proxy.cuts} cuts, {time.monotonic() - begun:.1f} s")
            for tag, frames in zip(tags, got, strict=True):
                expected = [
                    (0, "stream.start", "[STREAM_START]"),
                    *((n + 1, "stream.chunk", f"{tag}{n} ") for n in range(60)),
                    (61, "stream.end", "[STREAM_END]"),
                ]
                assert frames == expected
            assert proxy.cuts > 20
            proxy.mean = None
            for client in clients:
                assert not client._session.requests.pending
                assert client._session.flow._buffered == 0
                await client.aclose()

    run(main())


def test_calls_survive_random_cuts(served: Served) -> None:
    """P8.2: a reply that was on its way is had again; a request that may run twice is sent again."""
    rng = random.Random(SEED + 1)

    async def main() -> None:
        async with Proxy(served.port, rng).running() as proxy:
            async with connect(proxy) as client:
                proxy.mean = 4000
                proxy.cut()
                for n in range(300):
                    assert await client.call("websocket.echo", n, idempotent=True, timeout=20) == n
                assert client.connections > 10
                proxy.mean = None

    run(main())


def test_requests_wait_for_a_connection_and_cancels_too(served: Served) -> None:
    """P6.6 across a cut: what was cancelled while away ends, and does not come back."""

    async def main() -> None:
        async with Proxy(served.port).running() as proxy, connect(proxy) as client:
            async with client.stream("websocket.count", {"to": 10_000}) as stream:
                frames = stream.frames()
                for _ in range(5):
                    await anext(frames)
                proxy.is_up = False
                proxy.cut()
                async with asyncio.timeout(5):
                    while client.is_connected:
                        await asyncio.sleep(0.01)
                waiting = asyncio.create_task(client.call("websocket.echo", "later"))
                await asyncio.sleep(0.1)
                await stream.cancel()
                proxy.is_up = True
                assert await waiting == "later"
                rest = [frame async for frame in frames]
            assert stream.reason == "cancelled"
            assert [frame.seq for frame in rest] == list(range(5, 5 + len(rest)))

    run(main())


def test_a_half_open_connection_is_noticed(served: Served) -> None:
    """P10.1, P8.7: the ping goes unanswered, the client comes back, and does not fight with its own past."""

    async def main() -> None:
        async with Proxy(served.port).running() as proxy, connect(proxy, heartbeat=0.3) as client:
            async with client.stream("websocket.count", {"to": 150, "s": 0.01}) as stream:
                frames = stream.frames()
                got = [await anext(frames)]
                proxy.freeze()
                got += [frame async for frame in frames]
            assert [frame.seq for frame in got] == list(range(152))
            assert client.connections == 2

    run(main())


def test_what_cannot_be_resumed_says_so(served: Served, tmp_path: Path) -> None:
    """P8.4: the window was left; a plain client has none; the next request works."""
    short = "name: clients\nresume: {window: 200ms, bytes: 64KiB}\n"

    async def main(port: int) -> None:
        async with Proxy(port).running() as proxy:
            async with connect(proxy, backoff=Backoff(base=1.5, patience=20)) as client:
                client._session._rng = random.Random(3)  # waits 0.36 s at first
                session = client.session
                async with client.stream("websocket.count", {"to": 10_000}, idempotent=True) as stream:
                    frames = stream.frames()
                    await anext(frames)
                    proxy.is_up = False
                    proxy.cut()
                    await asyncio.sleep(0.5)
                    proxy.is_up = True
                    with pytest.raises(ResumeLost) as lost:  # noqa: PT012  # what came before it is read
                        while True:
                            await anext(frames)
                assert lost.value.seen > 0
                assert client.session != session
                assert await client.call("websocket.echo", 1) == 1
            async with connect(proxy, resume=False) as client:
                task = asyncio.create_task(client.call("websocket.slow", {"s": 5}))
                await asyncio.sleep(0.1)
                proxy.cut()
                with pytest.raises(ConnectionLost):
                    await task

    with service(tmp_path, **{"gsws.yaml": short}) as running:
        run(main(running.port))


def test_a_client_gives_up_at_last(served: Served) -> None:
    """Every wait has a deadline: this one is `patience`."""

    async def main() -> None:
        patience = Backoff(base=0.02, cap=0.1, patience=0.5)
        async with Proxy(served.port).running() as proxy, connect(proxy, backoff=patience) as client:
            proxy.is_up = False
            proxy.cut()
            begun = time.monotonic()
            with pytest.raises(gsws.client.ClientError):
                await client.call("websocket.echo", 1)
            assert time.monotonic() - begun > 0.3
            assert 1 < proxy.accepted < 60, "back-off"

    run(main())


def test_a_deploy_loses_nothing(tmp_path: Path) -> None:
    """P10.2: what runs ends on the old server, what is asked meanwhile waits for the new one."""

    async def main(first: Served) -> None:
        async with Proxy(first.port).running() as proxy, connect(proxy) as client:
            running = client.stream("websocket.count", {"to": 40, "s": 0.02})
            async with running:
                frames = running.frames()
                await anext(frames)
                first.process.terminate()
                async with asyncio.timeout(5):
                    while client._session._draining.until is None:
                        await anext(frames)
                waiting = asyncio.create_task(client.call("websocket.echo", "for the new one"))
                rest = [frame async for frame in frames]
                assert rest[-1].eventtype == "stream.end"
                assert not waiting.done()
            with serve(tmp_path) as second:
                proxy.target = second.port
                assert await waiting == "for the new one"
                assert client.connections == 2
                await client.aclose()

    with service(tmp_path) as first:
        run(main(first))


def test_a_killed_server_loses_only_what_ran(tmp_path: Path) -> None:
    """A new process has no log: `ResumeLost` for what ran, a new session for the rest."""

    async def main(first: Served, new: Any) -> None:
        async with Proxy(first.port).running() as proxy, connect(proxy) as client:
            async with client.stream("websocket.count", {"to": 1000}) as stream:
                frames = stream.frames()
                await anext(frames)
                first.process.kill()
                with new() as second:
                    proxy.target = second.port
                    with pytest.raises(ResumeLost):  # noqa: PT012  # what came before it is read
                        while True:
                            await anext(frames)
                    assert await client.call("websocket.echo", 1) == 1
                    await client.aclose()

    with pytest.raises(AssertionError), service(tmp_path) as first:
        run(main(first, lambda: serve(tmp_path)))
    assert first.process.returncode == -9
    assert GSWS.exists()
