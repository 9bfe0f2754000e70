"""Cuts, reloads, restarts and several processes behind a real nginx: what the deployment page says is lost, and not."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as asyncio_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect as plain

from gsws.client import ClientError, ResumeLost
from gsws.testing import FaultProxy
from tests.client.test_client import run
from tests.deploy.nginx import Nginx, documented, nginx, site
from tests.deploy.services import behind, connect, held, numbers, receive, send
from tests.e2e.serving import Served, serve


def test_a_stream_is_resumed_through_nginx(tmp_path: Path) -> None:
    """P8.3: the way to nginx is cut again and again, by FIN and by RST; nothing is missing and nothing comes twice."""

    async def main(port: int, cut: FaultProxy) -> None:
        async with connect(port) as client, client.stream("websocket.count", {"to": 150}) as stream:
            frames = []
            async for frame in stream.frames():
                frames.append(frame)
                if len(frames) in (20, 80):
                    await asyncio.to_thread(cut.cut)
                if len(frames) == 50:
                    await asyncio.to_thread(cut.reset)
            assert [frame.seq for frame in frames] == list(range(152))
            assert "".join(frame.payload["message"] for frame in frames[1:-1]) == numbers(150)
            assert client.connections > 1

    with behind(tmp_path) as (proxy, _), FaultProxy(proxy.port) as cut:
        run(main(cut.address[1], cut))


def test_a_stream_goes_on_when_nginx_itself_is_started_anew(tmp_path: Path) -> None:
    """P8.3: nginx is killed under a stream; whoever comes back through the next one finds it where it was."""

    async def main(proxy: Nginx, stack: ExitStack) -> None:
        async with connect(proxy.port) as client:
            async with held(client) as rest:
                await asyncio.to_thread(again, proxy, stack)
                await rest
            assert client.connections == 2

    def again(proxy: Nginx, stack: ExitStack) -> None:
        text = (tmp_path / "nginx" / "nginx.conf").read_text()
        text = text[text.index("    scgi_temp_path") :].partition("\n")[2].rpartition("}")[0]
        proxy.process.terminate()
        proxy.process.wait(10)
        stack.enter_context(nginx(tmp_path / "again", text, proxy.port))

    with behind(tmp_path) as (proxy, _), ExitStack() as stack:
        run(main(proxy, stack))


def test_a_reload_of_nginx_leaves_open_connections_alone(tmp_path: Path) -> None:
    """An old worker serves what it has to the end, and then ends."""

    async def main(proxy: Nginx) -> None:
        async with connect(proxy.port) as client:
            async with client.stream("websocket.count", {"to": 100}) as stream:
                frames = stream.frames()
                first = [await anext(frames) for _ in range(10)]
                await asyncio.to_thread(proxy.reload)
                async with connect(proxy.port, client_id="tab-2") as other:
                    assert (await other.call("websocket.who"))["subject"] == "tab-2"
                assert proxy.ended() == 0
                seqs = [frame.seq for frame in [*first, *[frame async for frame in frames]]]
            assert seqs == list(range(102))
            assert client.connections == 1

    with behind(tmp_path) as (proxy, _):
        run(main(proxy))
        proxy.wait(lambda: proxy.ended() == 1)


def test_what_old_workers_hold_may_be_cut_and_is_resumed(tmp_path: Path) -> None:
    """P8.3: `worker_shutdown_timeout` ends an old worker's connections, and sessions go on through the new one."""

    async def main(proxy: Nginx) -> None:
        async with connect(proxy.port) as client:
            async with held(client) as rest:
                await asyncio.to_thread(proxy.reload)
                while client.connections == 1:
                    await asyncio.sleep(0.02)
                await rest
            assert client.connections == 2

    with behind(tmp_path, top="worker_shutdown_timeout 1s;\nevents {}") as (proxy, _):
        run(main(proxy))
        proxy.wait(lambda: proxy.ended() == 1)


def test_a_restart_behind_nginx_loses_no_running_stream(tmp_path: Path) -> None:
    """P10.2: SIGTERM with one process: streams end `complete`, plain clients see 1001, sessions come back."""
    said: list[Any] = []

    async def main(proxy: Nginx, served: Served, stack: ExitStack) -> None:
        async with connect(proxy.port, on_frame=said.append) as client:
            with plain(f"ws://127.0.0.1:{proxy.port}/") as connection:
                send(connection, "websocket.count", {"to": 60}, id="p")
                async with client.stream("websocket.count", {"to": 60}) as stream:
                    frames = stream.frames()
                    first = [await anext(frames) for _ in range(10)]
                    served.process.send_signal(signal.SIGTERM)
                    rest = [frame async for frame in frames]
                assert stream.reason == "complete"
                assert [frame.seq for frame in [*first, *rest]] == list(range(62))
                plain_frames = await asyncio.to_thread(lambda: [receive(connection) for _ in range(62)])
                assert plain_frames[-1]["payload"]["reason"] == "complete"
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.to_thread(connection.recv, 15)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
            assert any(frame["eventtype"] == "gsws.draining" for frame in said)
            later = asyncio.create_task(client.call("websocket.who", idempotent=True))
            assert await asyncio.to_thread(served.process.wait, 15) == 0
            with pytest.raises(InvalidStatus) as refused:
                plain(f"ws://127.0.0.1:{proxy.port}/")
            assert refused.value.response.status_code == 502
            root = tmp_path / "app"
            arguments = ("--env", "production", "--port", str(served.port))
            fresh = await asyncio.to_thread(stack.enter_context, serve(root, *arguments))
            assert (await later)["pid"] == fresh.process.pid

    with behind(tmp_path) as (proxy, (served,)), ExitStack() as stack:
        run(main(proxy, served, stack))


def test_clients_come_back_to_their_process_by_client_id(tmp_path: Path) -> None:
    """P8.3: the page's `hash` line spreads tabs over two processes, and each finds its session again after a cut."""

    async def main(port: int, cut: FaultProxy, pids: set[int]) -> None:
        async def tab(number: int) -> int:
            async with connect(port, client_id=f"tab-{number}") as client:
                before: int = (await client.call("websocket.who"))["pid"]
                async with held(client) as rest:
                    begun.release()
                    await was_cut.wait()
                    await rest
                assert client.connections > 1
                assert (await client.call("websocket.who"))["pid"] == before
                return before

        begun, was_cut = asyncio.Semaphore(0), asyncio.Event()
        tabs = [asyncio.create_task(tab(number)) for number in range(12)]
        for _ in tabs:
            await begun.acquire()
        await asyncio.to_thread(cut.cut)
        was_cut.set()
        assert set(await asyncio.gather(*tabs)) == pids

    with behind(tmp_path, processes=2, config=documented("hash")) as (proxy, served), FaultProxy(proxy.port) as cut:
        run(main(cut.address[1], cut, {one.process.pid for one in served}))


def test_without_that_line_a_cut_stream_is_lost_and_said_so(tmp_path: Path) -> None:
    """P8.4: taken in turn, the next connection reaches the other process, which knows nothing."""

    async def main(port: int, cut: FaultProxy) -> None:
        async with connect(port) as client:
            before = (await client.call("websocket.who"))["pid"]
            async with client.stream("websocket.count", {"to": 1000}) as stream:
                chunks = aiter(stream)
                await anext(chunks)
                await asyncio.to_thread(cut.cut)
                with pytest.raises(ResumeLost):
                    await _exhaust(chunks)
            assert (await client.call("websocket.who"))["pid"] != before

    config = site(documented("hash"), {"    hash $arg_clientId consistent;\n": ""})
    with behind(tmp_path, processes=2, config=config) as (proxy, _), FaultProxy(proxy.port) as cut:
        run(main(cut.address[1], cut))


def test_a_process_that_drains_hands_new_clients_to_the_other(tmp_path: Path) -> None:
    """P10.2: its streams end `complete`, and whoever connects meanwhile is served by the other, without an error."""

    async def main(proxy: Nginx, served: list[Served]) -> None:
        async with connect(proxy.port) as client:
            pid = (await client.call("websocket.who"))["pid"]
            (old,) = (one for one in served if one.process.pid == pid)
            async with client.stream("websocket.count", {"to": 100}) as stream:
                frames = stream.frames()
                seqs = [(await anext(frames)).seq for _ in range(5)]
                old.process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(_until_draining, old.port)
                for number in range(5):
                    async with connect(proxy.port, client_id=f"new-{number}") as other:
                        assert (await other.call("websocket.who"))["pid"] != pid
                seqs += [frame.seq async for frame in frames]
            assert seqs == list(range(102))
            assert stream.reason == "complete"
            assert (await client.call("websocket.who"))["pid"] != pid

    with behind(tmp_path, processes=2, config=documented("hash")) as (proxy, served):
        run(main(proxy, served))


async def _exhaust(items: AsyncIterator[Any]) -> None:
    async for _ in items:
        pass


def test_a_rolling_deploy_under_load_fails_no_handshake_and_loses_no_call(tmp_path: Path) -> None:
    """P10.2: the page's two processes are restarted one after the other while clients connect and call all the time."""
    pids: set[int] = set()
    failed: list[str] = []
    counts = {"handshakes": 0, "calls": 0}

    async def caller(port: int, number: int, over: asyncio.Event) -> None:
        async with connect(port, client_id=f"tab-{number}") as client:
            while not over.is_set():
                try:
                    pids.add((await client.call("websocket.who"))["pid"])
                    counts["calls"] += 1
                except ClientError as error:
                    failed.append(f"call: {error!r}")
                await asyncio.sleep(0.002)

    async def visitor(port: int, number: int, over: asyncio.Event) -> None:
        while not over.is_set():
            counts["handshakes"] += 1
            try:
                url = f"ws://127.0.0.1:{port}/?clientId=visitor-{number}-{counts['handshakes']}"
                async with asyncio_connect(url, open_timeout=15):
                    pass
            except (OSError, InvalidHandshake, TimeoutError) as error:
                failed.append(f"handshake: {error!r}")

    async def main(proxy: Nginx, served: list[Served], stack: ExitStack) -> None:
        over = asyncio.Event()
        load = [asyncio.create_task(caller(proxy.port, number, over)) for number in range(8)]
        load += [asyncio.create_task(visitor(proxy.port, number, over)) for number in range(2)]
        try:
            await _until(lambda: len(pids) == 2)
            for one in served:
                one.process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(one.process.wait, 15) == 0
                before = counts["calls"]
                await _until(lambda before=before: counts["calls"] > before + 50)
                arguments = ("--env", "production", "--port", str(one.port))
                await asyncio.to_thread(stack.enter_context, serve(tmp_path / "app", *arguments))
        finally:
            over.set()
            await asyncio.gather(*load)
        assert failed == []
        assert counts["calls"] > 200
        assert counts["handshakes"] > 50

    with behind(tmp_path, processes=2, config=documented("hash")) as (proxy, served), ExitStack() as stack:
        run(main(proxy, served, stack))
        assert len(pids) == 3, "both of before, and the first of them again when the second was restarted"


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def _until_draining(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            plain(f"ws://127.0.0.1:{port}/").close()
        except InvalidStatus as refused:
            if refused.response.status_code == 503:
                return
    raise AssertionError("handshakes are not refused")
