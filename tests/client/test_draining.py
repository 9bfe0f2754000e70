"""A server that shuts down under the clients: what it never took is sent again, what it took is not (P10.2)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gsws.client import Backoff, Interrupted, RemoteError, ResumeLost, connect
from tests.client.test_client import run
from tests.client.test_javascript import node

BACKOFF = Backoff(base=0.02, cap=0.1, patience=10)


class Server:
    """A server whose first session does as the test says; every later one answers."""

    def __init__(self, first: Callable[[Server, ServerConnection], Any]) -> None:
        self.first = first
        self.asked: list[list[str]] = []
        self.codes: list[int | None] = []
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        async with serve(self._serve, "127.0.0.1", 0, subprotocols=["gsws.v1"]) as server:  # type: ignore[list-item]
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    async def _serve(self, connection: ServerConnection) -> None:
        number = len(self.asked)
        self.asked.append([])
        await say(connection, "gsws.hello", session=f"s{number}", secret="x", heartbeat_ms=20000)
        with contextlib.suppress(ConnectionClosed):
            if number:
                resume = json.loads(await connection.recv())["payload"]
                await say(connection, "gsws.resumed", session=f"s{number}", streams={})
                for id in resume["streams"]:
                    await error(connection, id, "resume_lost")
                while True:
                    await self.answer(connection, await self.take(connection))
            await self.first(self, connection)
        await connection.wait_closed()
        self.codes.append(connection.close_code)

    async def take(self, connection: ServerConnection) -> dict[str, Any]:
        """The next request."""
        while True:
            message: dict[str, Any] = json.loads(await connection.recv())
            if not message["eventtype"].startswith("gsws."):
                self.asked[-1].append(message["eventtype"])
                return message

    async def answer(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        payload = {"success": True, "code": 200, "data": message["eventtype"]}
        await connection.send(json.dumps({"eventtype": "reply", "id": message["id"], "seq": 0, "payload": payload}))


async def say(connection: ServerConnection, eventtype: str, **payload: Any) -> None:
    await connection.send(json.dumps({"eventtype": eventtype, "payload": payload}))


async def error(connection: ServerConnection, id: str, name: str, *, seq: int | None = None, **more: Any) -> None:
    payload = {"message": name, "error": name, "code": 503, "retryable": True, **more}
    if name == "resume_lost":
        payload["retryable"] = False
    frame = {"eventtype": "stream.error", "id": id, "payload": payload} | ({} if seq is None else {"seq": seq})
    await connection.send(json.dumps(frame))


def ask_in_python(port: int, events: list[str]) -> list[str]:
    """What becomes of calls that are made at once."""
    results: list[str] = []

    async def main() -> None:
        async with connect(f"ws://127.0.0.1:{port}/", backoff=BACKOFF, timeout=20) as client:

            async def call(event: str) -> str:
                try:
                    return str(await client.call(event))
                except (RemoteError, ResumeLost, Interrupted) as failed:
                    return type(failed).__name__

            results.extend(await asyncio.gather(*map(call, events)))

    asyncio.run(main())
    return results


def ask_in_node(port: int, events: list[str], folder: Path) -> list[str]:
    script = f"""
        const client = await connect();
        const asked = {json.dumps(events)}.map((event) => client.call(event).catch((error) => error.name));
        console.log(JSON.stringify(await Promise.all(asked)));
        client.close();
        """
    results: list[str] = json.loads(node(port, folder, script))
    return results


def asked(language: str, folder: Path, first: Callable[[Server, ServerConnection], Any], events: list[str]) -> Any:
    """Results, and what each session was asked, with the codes that sessions were closed with."""
    seen: list[Any] = []

    async def main() -> None:
        async with Server(first).running() as server:
            ask = (ask_in_python, (server.port, events))
            if language == "javascript":
                ask = (ask_in_node, (server.port, events, folder))  # type: ignore[assignment]
            results = await asyncio.to_thread(ask[0], *ask[1])
            seen.extend([results, server.asked])

    run(main())
    return seen


LANGUAGES = pytest.mark.parametrize("language", ["python", "javascript"])


@LANGUAGES
def test_what_the_server_says_it_did_not_take_is_sent_again(language: str, tmp_path: Path) -> None:
    """P10.2: by number; what it took and did not answer is lost, for it may have been done."""

    async def first(server: Server, connection: ServerConnection) -> None:
        for _ in range(4):
            message = await server.take(connection)
        await server.answer(connection, message)
        await say(connection, "gsws.draining", reconnect_in_ms=0, taken=2)
        await connection.close(4450)

    results, sessions = asked(language, tmp_path, first, ["a", "b", "c", "d"])
    assert results == ["ResumeLost", "ResumeLost", "c", "d"]
    assert sessions == [["a", "b", "c", "d"], ["c"]]


@LANGUAGES
def test_what_a_server_refuses_without_taking_it_is_sent_again(language: str, tmp_path: Path) -> None:
    """P7.1, P10.2: `taken: false`; what was running when the time was over is the caller's to repeat."""

    async def first(server: Server, connection: ServerConnection) -> None:
        ids = [(await server.take(connection))["id"] for _ in range(3)]
        await say(connection, "gsws.draining", reconnect_in_ms=50)
        await error(connection, ids[0], "draining", seq=0, taken=False)
        await error(connection, ids[1], "draining", seq=0)
        end = {"message": "", "reason": "draining", "chunks": 0, "taken": False}
        await connection.send(json.dumps({"eventtype": "stream.end", "id": ids[2], "seq": 0, "payload": end}))
        await connection.recv()
        raise AssertionError("nothing is asked of a server that drains")

    results, sessions = asked(language, tmp_path, first, ["a", "b", "c"])
    assert results == ["a", "RemoteError", "c"]
    assert sessions == [["a", "b", "c"], ["a", "c"]]


@LANGUAGES
def test_what_a_server_never_takes_is_not_sent_for_ever(language: str, tmp_path: Path) -> None:
    """P10.2: six times in all; then the caller hears why."""

    async def first(server: Server, connection: ServerConnection) -> None:
        for _ in range(6):
            await error(connection, (await server.take(connection))["id"], "draining", seq=0, taken=False)

    results, sessions = asked(language, tmp_path, first, ["a"])
    assert results == ["ResumeLost"]
    assert sessions == [["a"] * 6]


def test_a_client_that_is_told_to_leave_says_that_it_comes_back() -> None:
    """P6.7: 4000 is no goodbye."""

    async def first(server: Server, connection: ServerConnection) -> None:
        await say(connection, "gsws.draining", reconnect_in_ms=50)

    async def main() -> None:
        async with Server(first).running() as server:
            async with connect(f"ws://127.0.0.1:{server.port}/", backoff=BACKOFF) as client:
                async with asyncio.timeout(10):
                    while client.connections < 2:
                        await asyncio.sleep(0.01)
                assert server.codes == [4000]

    run(main())
