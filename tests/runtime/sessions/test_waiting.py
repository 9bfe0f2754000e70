"""The bound over all sessions together: who has been away for longest gives way first."""

from __future__ import annotations

import pytest

from gsws.runtime.sessions.waiting import WaitingSessions
from tests.runtime.sessions.test_details import begin, resume
from tests.runtime.support import logged
from tests.runtime.virtual import VirtualLoop, make_source, route


async def words(payload):
    for _ in range(payload["n"]):
        yield "x" * 1000


async def wait(payload):
    import asyncio

    await asyncio.sleep(payload["s"])


@pytest.fixture
def loop():
    loop = VirtualLoop()
    yield loop
    loop.advance(200.0)
    loop.close()


def source_with(loop, **bounds):
    routes = [route("words", words, concurrency="parallel"), route("wait", wait)]
    return make_source(loop, routes, window=60.0, heartbeat=10.0, waiting=WaitingSessions(**bounds))


def leave(loop, source, n=10):
    """A session that gets something, loses its connection, and has seen nothing."""
    connection, session = begin(loop, source)
    connection.message("words", {"n": n}, id="w")
    loop.settle()
    connection.cut()
    return session


def seen(loop, source, session):
    connection, streams = resume(loop, source, session, {"w": -1})
    loop.settle()
    connection.cut()
    errors = [frame["payload"]["error"] for frame in connection.sent if frame["eventtype"] == "stream.error"]
    return list(streams), errors


def test_the_oldest_of_those_that_are_away_are_lost_when_room_is_short(loop):
    """P8.5, P8.4: as `resume_lost`, and whole; younger ones are held."""
    with logged() as logs:
        source = source_with(loop, total=50_000)
        sessions = [leave(loop, source) for _ in range(6)]
    assert source.registry.waiting.pool.size <= 50_000
    assert source.registry.waiting.evicted == 2
    assert source.counters.read()["limits.resume"] == 2
    assert [entry["level"] for entry in logs if "resume.total" in entry["event"]] == ["warning"]
    for number, session in enumerate(sessions):
        assert seen(loop, source, session) == ((["w"], []) if number >= 2 else ([], ["resume_lost"]))


def test_only_so_many_sessions_wait(loop):
    """P8.5."""
    source = source_with(loop, limit=2)
    sessions = [leave(loop, source) for _ in range(3)]
    assert len(source.registry.waiting) == len(source.registry.sessions) == 2
    assert [seen(loop, source, session)[0] for session in sessions] == [[], ["w"], ["w"]]


def test_who_is_connected_is_not_lost_for_those_who_are_away_but_may_lose_its_own_log(loop):
    """P8.5: with nobody to take from, what grows loses its own frames, and goes on live."""
    source = source_with(loop, total=20_000)
    connection, session = begin(loop, source)
    connection.message("words", {"n": 100}, id="w")
    loop.settle()
    assert [frame["seq"] for frame in connection.sent[1:]] == list(range(102))
    assert source.registry.waiting.pool.size <= 20_000
    connection.cut()
    assert seen(loop, source, session) == ([], ["resume_lost"])


def test_a_session_that_gave_way_keeps_nothing_more_and_its_request_goes_on(loop):
    """P6.7, P8.5: also one that is growing itself when room is short."""
    source = source_with(loop, total=20_000)
    connection, _ = begin(loop, source)
    connection.message("words", {"n": 200}, id="w")
    connection.cut()
    loop.advance(1.0)
    assert source.registry.waiting.evicted == 1
    assert source.registry.waiting.pool.size == 0
    assert not source.executor.busy
    assert not source.registry.sessions


def test_all_that_was_reserved_is_given_back(loop):
    """No session, nothing reserved: after an end, an expiry and an acknowledgement."""
    source = source_with(loop)
    leave(loop, source)
    assert source.registry.waiting.pool.size > 0
    connection, _ = begin(loop, source)
    connection.message("words", {"n": 10}, id="w")
    loop.settle()
    connection.message("gsws.ack", {"id": "w", "seq": 11})
    connection.cut()
    loop.advance(61.0)
    assert source.registry.waiting.pool.size == len(source.registry.waiting) == len(source.registry.sessions) == 0
