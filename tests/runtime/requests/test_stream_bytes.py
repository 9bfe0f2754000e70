"""What a stream costs on the wire, and what happens to it when nobody reads (P6.5)."""

from __future__ import annotations

import json

import pytest

from tests.runtime.support import served

FILES = {
    "events/all.yaml": """
        websocket.tell: {fn: s.tell, payload: {}}
        websocket.emit: {fn: s.emit, payload: {}}
        """,
    "functions/s.py": """
        async def tell(payload):
            for n in range(payload["to"]):
                yield f"{n:06}" + "x" * payload["size"]
        async def emit(ctx, payload):
            for n in range(payload["to"]):
                await ctx.emit("stream.chunk", {"message": f"{n:06}" + "x" * payload["size"]})
        """,
}
ENVELOPE = 100
"""Bytes of a chunk's frame beside its text: keys, a short id, a number."""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("bytes"), FILES) as running:
        yield running


def connect(service, profile, **options):
    return service.client(subprotocols=["gsws.v1"] if profile == "session" else None, **options)


def read(client):
    """Every message of one answer, as it is on the wire."""
    raw = []
    while True:
        raw.append(client.socket.recv(5.0))
        if json.loads(raw[-1])["eventtype"] == "gsws.hello":
            raw.pop()
        elif json.loads(raw[-1])["eventtype"] == "stream.end":
            return raw


@pytest.mark.parametrize("event", ["tell", "emit"])
@pytest.mark.parametrize("profile", ["plain", "session"])
def test_the_bytes_of_a_stream_grow_linearly_with_its_text(service, profile, event):
    """P6.5: deltas only; a frame costs its own text and an envelope, wherever in the stream it stands."""
    with connect(service, profile) as client:
        for to in (10, 1000):
            client.send(f"websocket.{event}", {"to": to, "size": 20}, id="s")
            raw = read(client)
            assert len(raw) == to + 2
            assert all(len(frame) <= 26 + ENVELOPE for frame in raw[1:-1])
            assert sum(len(frame) for frame in raw) <= to * (26 + ENVELOPE) + 400


@pytest.mark.parametrize("event", ["tell", "emit"])
@pytest.mark.parametrize("profile", ["plain", "session"])
def test_chunks_are_neither_dropped_nor_reordered_when_the_reader_is_slow(service, profile, event):
    """P6.5: the handler waits while the send buffer is full, and goes on where it was."""
    live = service.service.live["websocket"]
    with connect(service, profile, max_queue=1) as client:
        client.send(f"websocket.{event}", {"to": 3000, "size": 4000}, id="s")
        service.wait_for(lambda: any(one.connection.paused for one in live.router.connections), "the buffer is full")
        raw = read(client)

    frames = [json.loads(frame) for frame in raw]
    assert [frame["seq"] for frame in frames] == list(range(3002))
    assert [frame["payload"]["message"][:6] for frame in frames[1:-1]] == [f"{n:06}" for n in range(3000)]
    assert frames[-1]["payload"]["chunks"] == 3000
