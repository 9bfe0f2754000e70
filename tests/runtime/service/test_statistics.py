"""The numbers of a service, as metrics and the control socket read them."""

from __future__ import annotations

from tests.runtime.support import served

FILES = {
    "gsws.yaml": "name: a\ndrain_timeout: 100ms\n",
    "events/e.yaml": "websocket.wait: {fn: work.wait, payload: {}}\n"
    "websocket.tell: {fn: work.tell, payload: {}, concurrency: parallel}\n"
    "websocket.enter: {fn: work.enter, payload: {}}\n",
    "functions/work.py": "import asyncio\n"
    "async def wait(): await asyncio.sleep(30)\n"
    "async def tell():\n    yield 'x' * 1000\n    await asyncio.sleep(30)\n"
    "async def enter(ctx): await ctx.join('tea')\n",
}


def test_they_say_what_is_there_now(tmp_path):
    """Connections, sessions, requests, rooms, bytes and counters; a copy that does not change."""
    with served(tmp_path, FILES) as running:
        statistics = running.service.statistics
        before = running.call(statistics)
        assert (before.connections, before.sessions, before.waiting, before.held_bytes) == (0, 0, 0, 0)
        with running.client() as plain, running.client(subprotocols=["gsws.v1"]) as session:
            session.receive()
            plain.ask("websocket.enter", {})
            session.send("websocket.tell", {}, id="t")
            for number in range(3):
                plain.send("websocket.wait", {}, id=number)
            running.wait_for(lambda: statistics().sources["websocket"].in_flight == 4)
            source = running.call(statistics).sources["websocket"]
            assert (source.connections, source.sessions, source.queued, source.rooms) == (2, 1, 2, 1)
            plain.ask("websocket.nothing", {})
            running.wait_for(lambda: statistics().held_bytes > 0)
            session.socket.socket.shutdown(2)
            running.wait_for(lambda: statistics().waiting == 1)
            now = running.call(statistics)
            assert (now.connections, now.sessions) == (1, 1)
            assert now.sources["websocket"].counters["errors.unknown_event"] == 1
        assert before.sources["websocket"].connections == 0
