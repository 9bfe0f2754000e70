"""Following another client's stream, and compact resumes, with the Python client behind a proxy that cuts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

import gsws.client
from gsws.client import Backoff, Interrupted, RemoteError, ResumeLost, Share
from gsws.client.flow import Flow
from gsws.client.frames import Incoming
from gsws.client.pending import Pending
from tests.client.support import SEED, Proxy, service
from tests.client.test_client import run
from tests.e2e.serving import Served

QUICK = Backoff(base=0.02, cap=0.2, patience=20)
WHOLE = "".join(f"é{n} " for n in range(150))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with service(tmp_path_factory.mktemp("served")) as running:
        yield running


def connect(port: int, **options: Any) -> gsws.client.Client:
    return gsws.client.connect(f"ws://127.0.0.1:{port}/", **{"backoff": QUICK, **options})


def ask(client: gsws.client.Client, **more: Any) -> gsws.client.Stream:
    return client.stream("websocket.count", {"to": 150, "tag": "é", "s": 0.01, **more}, idempotent=True)


class Reading:
    """Reads a stream beside the test."""

    def __init__(self, stream: gsws.client.Stream) -> None:
        self.frames: list[gsws.client.Frame] = []
        self.stream = stream
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> list[gsws.client.Frame]:
        async for frame in self.stream.frames():
            self.frames.append(frame)
        return self.frames

    async def until(self, count: int) -> None:
        """Wait for so many frames."""
        async with asyncio.timeout(20):
            while len(self.frames) < count and not self.task.done():
                await asyncio.sleep(0.005)


def text_of(frames: list[gsws.client.Frame]) -> str:
    """All text, whichever way it came."""
    text = ""
    for frame in frames:
        if frame.eventtype == "stream.chunk":
            text += frame.payload["message"]
        elif frame.eventtype == "stream.snapshot":
            assert frame.payload["message"].startswith(text)
            text = frame.payload["message"]
    return text


def test_two_clients_read_one_stream(served: Served) -> None:
    """P8.8: one from the beginning, one from a number on."""

    async def main() -> None:
        async with connect(served.port) as owner, connect(served.port) as one, connect(served.port) as two:
            own = Reading(ask(owner))
            await own.until(15)
            followed = one.follow(owner.share(), own.stream.id)
            late = Reading(two.follow(owner.share(), own.stream.id, after=10))
            assert await followed.text() == WHOLE
            frames = await own.task
            assert [frame.seq for frame in frames] == list(range(152))
            assert text_of(await late.task) in WHOLE
            assert late.frames[-1] == frames[-1]
            assert (followed.reason, late.stream.reason, own.stream.reason) == ("complete", "complete", "complete")
            assert await one.call("websocket.echo", 1) == 1
            again = Reading(two.follow(owner.share(), own.stream.id, after=10, compact=False))
            assert await again.task == frames[11:]

    run(main())


def test_followers_survive_random_cuts(served: Served) -> None:
    """P8.8, P8.3: the text of each is the whole text, whoever is cut when, joined by snapshots or not."""
    print(f"seed {SEED}")

    async def main() -> None:
        async with Proxy(served.port, random.Random(SEED)).running() as proxy:
            clients = [connect(proxy.port, compact=bool(n % 2)) for n in range(6)]
            for client in clients:
                await client.__aenter__()
            owner, *others = clients
            proxy.mean = 5000
            proxy.cut()
            for _ in range(4):
                async with asyncio.timeout(60):
                    own = Reading(ask(owner))
                    await own.until(2)
                    share = owner.share()
                    texts = (other.follow(share, own.stream.id, compact=n < 3).text() for n, other in enumerate(others))
                    assert await asyncio.gather(*texts) == [WHOLE] * 5
                    assert text_of(await own.task) == WHOLE
            print(f"{proxy.cuts} cuts")
            assert proxy.cuts > 10
            proxy.mean = None
            for client in clients:
                await client.aclose()

    run(main())


def test_a_compact_resume_gives_the_missed_text_in_one_piece(served: Served) -> None:
    """P8.3: `frames()` has the snapshot, and chunks are what is to be appended."""

    async def main() -> None:
        async with Proxy(served.port).running() as proxy, connect(proxy.port, compact=True) as client:
            own = Reading(ask(client))
            chunks: list[str] = []

            async def listen() -> None:
                chunks.extend([chunk.text async for chunk in ask(client)])

            listening = asyncio.create_task(listen())
            await own.until(10)
            proxy.is_up = False
            proxy.cut()
            seen = len(own.frames)
            await asyncio.sleep(0.4)
            proxy.is_up = True
            frames = await own.task
            assert [frame.seq for frame in frames[:seen]] == list(range(seen))
            (snapshot,) = [frame for frame in frames if frame.eventtype == "stream.snapshot"]
            assert snapshot.seq is not None
            assert snapshot.seq > seen + 5
            assert snapshot.payload["message"] == "".join(f"é{n} " for n in range(snapshot.seq))
            assert [frame.seq for frame in frames[frames.index(snapshot) + 1 :]] == list(range(snapshot.seq + 1, 152))
            await listening
            assert "".join(chunks) == WHOLE
            assert len(chunks) < 150

    run(main())


def test_following_ends_with_the_stream_and_says_how(served: Served) -> None:
    """P8.8: cancelled by its own client; stopped by the follower; not there; not allowed."""

    async def main() -> None:
        async with connect(served.port) as owner, connect(served.port) as other:
            own = Reading(ask(owner, to=10_000))
            await own.until(2)
            followed = Reading(other.follow(owner.share(), own.stream.id))
            await followed.until(3)
            with pytest.raises(ValueError, match="still running"):
                await other.follow(owner.share(), own.stream.id).text()
            await own.stream.cancel()
            with pytest.raises(Interrupted, match="cancelled"):
                await followed.task
            await own.task

            own = Reading(ask(owner))
            await own.until(2)
            followed = Reading(other.follow(owner.share(), own.stream.id))
            await followed.until(3)
            await followed.stream.cancel()
            await followed.task
            assert followed.stream.reason == "cancelled"
            for _ in range(5):
                async with other.follow(owner.share(), own.stream.id) as again:
                    frames = again.frames()
                    assert (await anext(frames)).seq == 0
                    await frames.aclose()
            left = other.follow(owner.share(), own.stream.id)
            async with left:
                await left.cancel()
                assert (await left.text(), left.reason) == ("", "cancelled")
            text = await other.follow(owner.share(), own.stream.id).text()
            assert text == WHOLE
            assert text_of(await own.task) == WHOLE
            with pytest.raises(ResumeLost):
                await other.follow(owner.share(), "never").text()
            with pytest.raises(RemoteError) as refused:
                await other.follow(Share(owner.share().session, "wrong"), "x").text()
            assert refused.value.name == "forbidden"
            assert owner.share().secret not in repr(owner.share())
        async with connect(served.port, resume=False) as plain:
            with pytest.raises(RuntimeError, match="plain profile"):
                plain.share()
            with pytest.raises(RuntimeError, match="session profile"):
                plain.follow(Share("a", "b"), "c")

    run(main())


def test_a_gap_is_a_gap_unless_a_snapshot_is_to_come() -> None:
    """P6.3, P8.3: after a compact resume text may be left out, and nothing else."""

    def frame(eventtype: str, seq: int, **payload: Any) -> Incoming:
        return Incoming(eventtype, "s", seq, payload or {"message": "x"}, 1)

    pending = Pending("s", {"eventtype": "e"}, Flow(0), is_idempotent=False)
    assert pending.place(frame("tool.call", 1)) == "gap"
    pending.is_compact = True
    assert pending.place(frame("tool.call", 2)) == "next"
    assert pending.place(frame("stream.chunk", 2)) == "gap"
    assert pending.place(frame("stream.chunk", 2, message="", data=1)) == "next"
    assert pending.place(frame("stream.end", 2)) == "gap"
    pending.put(frame("stream.snapshot", 5))
    assert pending.place(frame("tool.call", 7)) == "gap"
    assert pending.place(frame("stream.snapshot", 5)) == "seen"
