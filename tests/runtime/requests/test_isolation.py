"""What a handler sets in a context variable is gone with its request, however requests share tasks."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from gsws.runtime.requests.isolation import Isolated, is_changed
from tests.runtime.support import served

FILES = {
    "eventsources/websocket.yaml": "type: websocket\nport: 0\nlimits: {in_flight: 2}\n",
    "events/all.yaml": """
        websocket.plain: {fn: work.plain, payload: {}}
        websocket.waits: {fn: work.waits, payload: {}}
        websocket.clean: {fn: work.clean, payload: {}}
        websocket.fails: {fn: work.fails, payload: {}}
        websocket.sleeps: {fn: work.sleeps, payload: {}}
        websocket.spawns: {fn: work.spawns, payload: {}}
        websocket.thread: {fn: work.thread, payload: {}}
        websocket.asked: {fn: work.clean, payload: {}, authz: work.may}
        websocket.stream: {fn: work.stream, payload: {}}
        websocket.parallel: {fn: work.waits, payload: {}, concurrency: parallel}
        websocket.rounds: {fn: work.rounds, payload: {}}
        """,
    "functions/work.py": """
        import asyncio, contextvars, decimal
        USER = contextvars.ContextVar("user", default=None)
        def note(value):
            before = USER.get()
            USER.set(value)
            return before
        async def plain(payload): return note(payload)
        async def waits(payload):
            before = note(payload)
            await asyncio.sleep(0)
            assert USER.get() == payload
            return before
        async def clean(payload): return USER.get()
        async def fails(payload):
            note(payload)
            raise ValueError
        async def sleeps(payload):
            note(payload)
            await asyncio.sleep(60)
        async def spawns(payload):
            note(payload)
            async def child(): return USER.get()
            return [USER.get(), await asyncio.create_task(child()), await asyncio.to_thread(USER.get)]
        def thread(payload): return note(payload)
        def may(ctx):
            USER.set("asked")
            return True
        async def stream(payload): yield str(note(payload))
        async def rounds(payload):
            before = decimal.getcontext().prec
            decimal.getcontext().prec = 5
            return before
        """,
}


@pytest.fixture
def service(tmp_path):
    with served(tmp_path, FILES) as running:
        yield running


@pytest.mark.parametrize("event", ["plain", "waits", "thread", "rounds"])
@pytest.mark.parametrize("profile", [{}, {"subprotocols": ["gsws.v1"]}], ids=["plain", "session"])
def test_requests_queued_on_one_connection_share_nothing(service, event, profile):
    """Each finds what the first one found."""
    with service.client(**profile) as client:
        for n in range(200):
            client.send(f"websocket.{event}", n, id=n)
        found = {client.answer(n)[-1]["payload"].get("data") for n in range(200)}
    assert found == {28 if event == "rounds" else None}


def test_nothing_is_left_by_whoever_fails_is_cancelled_or_asked(service):
    """The kinds mixed, in one queue."""
    with service.client() as client:
        client.send("websocket.clean", id="0")
        client.send("websocket.plain", 1, id="1")
        client.send("websocket.fails", 2, id="2")
        client.send("websocket.clean", id="3")
        client.send("websocket.sleeps", 4, id="4")
        client.send("websocket.clean", id="5")
        client.send("websocket.asked", id="6")
        client.send("websocket.clean", id="7")
        ends = [client.answer(id)[-1]["payload"] for id in "0123"]
        busy = service.service.live["websocket"].executor.busy
        service.wait_for(lambda: any(one.requests["4"].is_running for one in busy))
        client.send("gsws.cancel", {"id": "4"})
        ends += [client.answer(id)[-1]["payload"] for id in "4567"]
    assert [ends[n].get("data") for n in (0, 1, 3, 5, 7)] == [None] * 5
    assert ends[2]["error"] == "handler_error"
    assert ends[4]["reason"] == "cancelled"


@pytest.mark.parametrize("event", ["stream", "parallel"])
def test_who_waits_for_another_to_end_inherits_nothing_of_it(service, event):
    """Streams of one event, and parallel requests that wait for a place, begin when another has ended."""
    with service.client() as client:
        for n in range(3 if event == "stream" else 4):
            client.send(f"websocket.{event}", n, id=n)
        for n in range(3 if event == "stream" else 4):
            frames = client.answer(n)
            assert frames[-1]["payload"].get("data") is None
            assert event == "parallel" or frames[1]["payload"]["message"] == "None"


def test_what_a_handler_starts_inherits_what_it_set(service):
    """Also after another one has set something before it."""
    with service.client() as client:
        client.send("websocket.plain", "other", id=0)
        for n in range(1, 4):
            client.send("websocket.spawns", n, id=n)
        for n in range(1, 4):
            assert client.answer(n)[-1]["payload"]["data"] == [n, n, n]


# The parts.

ONE: contextvars.ContextVar[object] = contextvars.ContextVar("one")


class Odd:
    def __eq__(self, other):
        raise ArithmeticError

    __hash__ = None


@pytest.mark.parametrize(("before", "after"), [([], [1]), ([], []), (Odd(), Odd()), (1, 2)])
def test_another_value_is_a_change(before, after):
    """Also one that is equal, or cannot be compared."""

    def run():
        ONE.set(before)
        other = contextvars.ContextVar("other")
        other.set(1)
        known = contextvars.copy_context()
        assert not is_changed(known)
        ONE.set(after)
        assert is_changed(known)

    contextvars.Context().run(run)


def test_a_new_variable_is_a_change_and_one_that_was_reset_is_none():
    def run():
        known = contextvars.copy_context()
        token = ONE.set(1)
        assert is_changed(known)
        ONE.reset(token)
        assert not is_changed(known)

    contextvars.Context().run(run)


def test_an_isolated_coroutine_is_awaited_as_any_other():
    """It waits, is cancelled, raises and is thrown away; what it sets stays inside."""
    seen = []

    async def inner():
        ONE.set("inner")
        await asyncio.sleep(0)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append(ONE.get())
        await asyncio.sleep(0)
        raise ValueError("said")

    async def outer():
        await Isolated(inner(), contextvars.copy_context())

    async def main():
        task = asyncio.ensure_future(outer())
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(ValueError, match="said"):
            await task
        assert ONE.get("nothing") == "nothing"

    asyncio.run(main())
    assert seen == ["inner"]


def test_an_isolated_coroutine_that_is_thrown_away_is_closed_where_it_ran():
    closed = []

    async def inner():
        ONE.set("inner")
        try:
            await asyncio.sleep(60)
        finally:
            closed.append(ONE.get())

    async def outer():
        await Isolated(inner(), contextvars.copy_context())

    async def main():
        coroutine = outer()
        coroutine.send(None)
        coroutine.close()

    asyncio.run(main())
    assert closed == ["inner"]
