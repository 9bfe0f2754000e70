"""``answers: stream`` of an event whose function does not show that it streams."""

from __future__ import annotations

import pytest

from tests.runtime.support import served

FILES = {
    "events/all.yaml": """
        websocket.made: {fn: made.made, payload: {}, answers: stream}
        websocket.threaded: {fn: made.threaded, payload: {}, answers: stream}
        websocket.plain: {fn: made.plain, payload: {}, answers: stream}
        websocket.echo: {fn: made.echo, payload: {}}
    """,
    "functions/made.py": """
        import asyncio, time

        async def numbers(to):
            for n in range(to):
                yield str(n)
                await asyncio.sleep(0.02)

        def slowly(to):
            for n in range(to):
                yield str(n)
                time.sleep(0.02)

        async def made(payload): return numbers(payload["to"])
        def threaded(payload): return slowly(payload["to"])
        async def plain(payload): return dict(payload)
        async def echo(payload): return payload
    """,
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("answers"), FILES) as running:
        yield running


@pytest.mark.parametrize("event", ["websocket.made", "websocket.threaded"])
def test_it_runs_as_a_stream_from_the_start(service, event):
    """P9.1: plain requests pass it by, and it can be cancelled; the code alone would have put it in their queue."""
    with service.client() as client:
        client.send(event, {"to": 500}, id="s")
        assert client.ask("websocket.echo", 1, id="e")["payload"]["data"] == 1
        client.send("gsws.cancel", {"id": "s"})
        frames = client.answer("s")
        assert frames[-1]["payload"]["reason"] == "cancelled"
        assert len(frames) < 100


def test_one_that_answers_by_itself_replies(service):
    """A refusal or a cache before the stream."""
    with service.client() as client:
        assert client.ask("websocket.plain", {"a": 1})["eventtype"] == "reply"
