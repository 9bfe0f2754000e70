"""The Python client against a real `gsws serve`: calls, streams, pushes, and what ends them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

import gsws.client
from gsws.client import (
    AnswerTimeout,
    Backoff,
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    Interrupted,
    RemoteError,
)
from gsws.protocol.codec import Unserialisable
from tests.client.support import service
from tests.e2e.serving import Served

DEADLINE = 30.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with service(tmp_path_factory.mktemp("served")) as running:
        yield running


def run(work: Coroutine[Any, Any, Any]) -> None:
    """Run a test's coroutine; it must end in time and leave no task behind."""

    async def watched() -> None:
        async with asyncio.timeout(DEADLINE):
            await work
        gc.collect()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    asyncio.run(watched())


def connect(served: Served, **options: Any) -> gsws.client.Client:
    return gsws.client.connect(f"ws://127.0.0.1:{served.port}/", **options)


def test_a_call_gives_the_data(served: Served) -> None:
    """P5.3, with both profiles, and integers of any size."""

    async def main() -> None:
        for resume in (True, False):
            async with connect(served, client_id="me & you", resume=resume) as client:
                assert (client.session is not None) == resume
                payload = {"n": 2**70, "text": 'é🙂"\u0000'}
                assert await client.call("websocket.echo", payload) == payload
                assert await client.call("websocket.join") is None
                assert await client.call("websocket.count", {"to": 4, "s": 0}) == "0 1 2 3 "

    run(main())


def test_an_error_has_its_facts(served: Served) -> None:
    """P7.1."""

    async def main() -> None:
        async with connect(served) as client:
            with pytest.raises(RemoteError) as refused:
                await client.call("websocket.refuse")
            error = refused.value
            assert (error.name, error.code, error.message, error.data) == ("failed", 409, "not now", {"why": "because"})
            assert str(error) == "not now (failed 409)"
            with pytest.raises(RemoteError) as violated:
                await client.call("websocket.strict", {})
            assert (violated.value.name, violated.value.errors[0]["keyword"]) == ("schema_violation", "required")
            with pytest.raises(RemoteError, match="Unknown or unconfigured event type: nope"):
                await client.stream("nope").text()
            with pytest.raises(Unserialisable):
                client.stream("websocket.echo", {1, 2})
            for id in ("", "x" * 65, "\ud800", "a\udfffb", 7):
                with pytest.raises(ValueError, match="1 to 64 characters"):
                    client.stream("websocket.echo", id=id)
                with pytest.raises(ValueError, match="1 to 64 characters"):
                    client.follow(client.share(), id)
            assert await client.call("websocket.echo", 1, id="\U0001f600" * 64) == 1

    run(main())


def test_a_stream_is_read_as_it_comes(served: Served) -> None:
    """P6.1, P6.3, P6.4."""

    async def main() -> None:
        async with connect(served) as client:
            async with client.stream("websocket.tools") as stream:
                frames = [frame async for frame in stream.frames()]
            assert [(frame.seq, frame.eventtype) for frame in frames] == [
                (0, "stream.start"),
                (1, "stream.chunk"),
                (2, "tool.call"),
                (3, "stream.chunk"),
                (4, "stream.end"),
            ]
            assert (stream.reason, stream.result["usage"]) == ("complete", 3)
            async with client.stream("websocket.tools") as stream:
                chunks = [chunk async for chunk in stream]
            assert [(chunk.text, chunk.seq, str(chunk)) for chunk in chunks] == [("a", 1, "a"), ("b", 3, "b")]
            async with client.stream("websocket.echo", 1) as stream:
                assert [chunk async for chunk in stream] == []
            assert (stream.reason, stream.result["data"]) == (None, 1)

    run(main())


def test_stop_means_stop(served: Served) -> None:
    """P6.6: by `cancel` while iterating, before sending, and by leaving the block."""

    async def main() -> None:
        async with connect(served) as client:
            async with client.stream("websocket.count", {"to": 10_000}) as stream:
                async for chunk in stream:
                    if chunk.text == "3 ":
                        await stream.cancel()
            assert (stream.reason, stream.result["reason"]) == ("cancelled", "cancelled")
            stream = client.stream("websocket.count", {"to": 10_000})
            await stream.cancel()
            assert await stream.text() == ""
            async with client.stream("websocket.count", {"to": 10_000}) as stream:
                async for _ in stream:
                    break
            with pytest.raises(ClientClosed):
                await stream.text()
            async for _ in client.stream("websocket.count", {"to": 10_000}):
                break
            gc.collect()
            async with asyncio.timeout(5):
                while (await client.call("websocket.log")).count("cut short") < 3:
                    await asyncio.sleep(0.02)

    run(main())


def test_every_wait_has_a_deadline(served: Served) -> None:
    """Of a call as a whole, of a stream between two frames; the request is cancelled."""

    async def main() -> None:
        async with connect(served, timeout=0.2) as client:
            with pytest.raises(AnswerTimeout) as late:
                await client.call("websocket.slow", {"s": 20})
            assert isinstance(late.value, TimeoutError)
            assert str(late.value) == "no answer to `websocket.slow` within 0.2 s"
            with pytest.raises(AnswerTimeout):
                await client.call("websocket.count", {"to": 10_000}, timeout=0.3)
            assert await client.stream("websocket.count", {"to": 30, "s": 0.02}).text()
            with pytest.raises(AnswerTimeout):
                await client.stream("websocket.count", {"to": 2, "s": 5}).text()
            assert await client.call("websocket.slow", {"s": 0.4}, timeout=None) == "finished"
            with pytest.raises(TimeoutError):
                await client.pushes().get(0.05)

    run(main())


def test_a_cancelled_task_cancels_its_request(served: Served) -> None:
    async def main() -> None:
        async with connect(served) as client:
            task = asyncio.create_task(client.call("websocket.slow", {"s": 20}))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # Plain handlers wait for one another: this one would wait 20 seconds.
            assert await client.call("websocket.echo", 1, timeout=5) == 1

    run(main())


def test_an_end_that_nobody_asked_for_is_no_end(served: Served) -> None:
    """P6.4: a superseded stream must not look complete."""

    async def main() -> None:
        async with connect(served) as client:
            first = asyncio.create_task(client.call("websocket.once", {"to": 10_000}))
            await asyncio.sleep(0.1)
            assert await client.call("websocket.once", {"to": 2}) == "0 1 "
            with pytest.raises(Interrupted) as ended:
                await first
            assert ended.value.reason == "superseded"

    run(main())


def test_pushes_reach_every_iterator(served: Served) -> None:
    """P11.1, in order."""

    async def main() -> None:
        async with connect(served) as member, connect(served) as other:
            await member.call("websocket.join")
            pushes, second, closed = member.pushes(), member.pushes(), member.pushes()
            await closed.aclose()
            for n in range(50):
                await other.call("websocket.shout", {"n": n})
            for one in (pushes, second):
                got = [await one.get(5) for _ in range(50)]
                assert [push.payload["n"] for push in got] == list(range(50))
                assert got[0].eventtype == "room.said"
            with pytest.raises(ClientClosed):
                await closed.get()
            reading = asyncio.create_task(_all(pushes))
            await asyncio.sleep(0)
        assert await reading == []

    run(main())


async def _all(pushes: Any) -> list[Any]:
    return [push async for push in pushes]


def test_a_slow_consumer_slows_the_server_and_nobody_else(served: Served) -> None:
    """P9.3: no more than the buffer is held, unless somebody else waits; nothing is lost."""

    async def main() -> None:
        async with connect(served, buffer=50_000) as client:
            session = client._session
            async with client.stream("websocket.flood", {"to": 5000}) as stream:
                iterator = aiter(stream)
                await anext(iterator)
                await asyncio.sleep(0.3)
                held = session.flow._buffered
                assert held < 50_000 + 2000
                assert await client.call("websocket.echo", 1, timeout=5) == 1
                rest = [chunk async for chunk in iterator]
            assert len(rest) == 4999
            assert session.flow._buffered == 0

    run(main())


@pytest.mark.parametrize(("code", "again"), [(4000, True), (4499, True), (1000, False), (4409, False), (4500, False)])
def test_close_codes_are_obeyed(served: Served, code: int, again: bool) -> None:
    """P7.4; another connection's 4409 is not fought."""

    async def main() -> None:
        async with connect(served, backoff=gsws.client.Backoff(base=0.01)) as client:
            if again:
                assert await client.call("websocket.closed", {"code": code}) is None
                assert await client.call("websocket.echo", 1) == 1
                assert client.connections == 2
                return
            pushes = client.pushes()
            with pytest.raises(ConnectionLost) as lost:  # noqa: PT012  # whichever meets it
                await client.call("websocket.closed", {"code": code})
                await client.call("websocket.slow", {"s": 5})
            assert (lost.value.code, lost.value.reason) == (code, "as asked")
            with pytest.raises(ConnectionLost):
                await client.call("websocket.echo", 1)
            with pytest.raises(ConnectionLost):
                await pushes.get(1)

    run(main())


def test_closing_ends_everything(served: Served) -> None:
    async def main() -> None:
        async with connect(served) as client:
            task = asyncio.create_task(client.call("websocket.slow", {"s": 20}))
            await asyncio.sleep(0.05)
        with pytest.raises(ClientClosed):
            await task
        with pytest.raises(ClientClosed):
            await client.call("websocket.echo", 1)
        with pytest.raises(RuntimeError):
            await client.__aenter__()
        await client.aclose()

    run(main())


def test_the_first_connection_is_tried_once(served: Served) -> None:
    async def main() -> None:
        with pytest.raises(ConnectFailed) as failed:
            async with gsws.client.connect("ws://127.0.0.1:9"):
                pass
        assert failed.value.retryable
        with pytest.raises(ValueError, match="is no WebSocket URL"):
            async with gsws.client.connect("http://127.0.0.1:9"):
                pass
        with pytest.raises(ConnectFailed, match="bad token") as failed:
            async with connect(served, token=lambda: _raise("bad token")):
                pass

    run(main())


def _raise(text: str) -> str:
    raise LookupError(text)


def test_ids_are_the_programs_own_or_made(served: Served) -> None:
    """P5.4."""

    async def main() -> None:
        async with connect(served) as client, client.stream("websocket.slow", {"s": 0.2}, id="mine") as stream:
            with pytest.raises(ValueError, match="still running"):
                await client.call("websocket.echo", 1, id="mine")
            assert await stream.text() == ""
            assert await client.call("websocket.echo", 1, id="mine") == 1

    run(main())


def test_a_new_session_is_told(served: Served) -> None:
    """So that rooms can be joined again."""

    async def main() -> None:
        seen: list[str | None] = []

        async def told(client: gsws.client.Client) -> None:
            seen.append(client.session)
            await client.call("websocket.join")

        frames: list[object] = []
        async with connect(served, on_session=told, on_frame=frames.append) as client:
            pushes = client.pushes()
            async with asyncio.timeout(5):
                while not await client.call("websocket.shout", {}):
                    await asyncio.sleep(0.01)
            assert (await pushes.get(5)).eventtype == "room.said"
            assert seen == [client.session]
        assert frames[0]["eventtype"] == "gsws.hello"  # type: ignore[index]

    run(main())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("backoff", (0.1, 0.5, 60)),
        ("headers", [("X-Tenant", "acme")]),
        ("headers", {"X-Tenant": 5}),
        ("headers", {b"X-Tenant": "acme"}),
        ("buffer", 1e6),
        ("buffer", True),
        ("max_bytes", "1MiB"),
        ("token", b"secret"),
        ("client_id", 7),
        ("timeout", "60"),
        ("open_timeout", None),
        ("heartbeat", "20s"),
        ("resume", "no"),
        ("compact", 1),
        ("tls", True),
        ("on_session", "greet"),
        ("on_frame", []),
    ],
)
def test_an_option_of_a_wrong_type_is_refused_at_once(option: str, value: object) -> None:
    """Not at the first cut; and what it was is not shown."""
    options: dict[str, Any] = {option: value}
    with pytest.raises(TypeError, match=f"`{option}` takes") as refused:
        gsws.client.connect("ws://127.0.0.1:1", **options)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("option", ["base", "cap", "patience"])
def test_a_backoff_is_of_numbers(option: str) -> None:
    with pytest.raises(TypeError, match=f"`{option}` takes a number"):
        Backoff(**{option: "1s"})  # type: ignore[arg-type]


def test_a_message_that_the_server_does_not_take_ends_the_plain_client(served: Served) -> None:
    """P5.2: what says so carries no id, for nobody has read one, and is the last frame before the close."""

    async def main() -> None:
        async with connect(served, resume=False) as client:
            pushes = client.pushes()
            with pytest.raises(ConnectionLost) as lost:
                await client.call("websocket.echo", "x" * (2**20 + 100), timeout=5)
            assert lost.value.code == 1009
            push = await pushes.get(5)
            assert (push.eventtype, push.payload["error"], push.payload["code"]) == ("stream.error", "too_large", 413)

    run(main())
