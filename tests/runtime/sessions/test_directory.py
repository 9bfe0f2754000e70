"""On which process a session is: one holds it at a time, and no longer than its lease."""

from __future__ import annotations

import asyncio

import pytest

from gsws.runtime.sessions.directory import MemoryDirectory
from tests.runtime.virtual import VirtualLoop, make_source, open_connection


class Time:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def views(time):
    """Those of two processes."""
    held = {}
    return [MemoryDirectory(node, held, time, lease=10.0) for node in ("here", "there")]


def find(directory, key):
    return asyncio.run(directory.find(key))


def test_who_claims_first_holds_a_key_until_it_releases_it(views):
    here, there = views
    here.claim("s")
    there.claim("s")
    assert find(there, "s") == find(here, "s") == "here"
    there.release("s")
    assert find(there, "s") == "here"
    here.release("s")
    assert find(there, "s") is None
    there.claim("s")
    assert find(here, "s") == "there"


def test_a_process_that_no_longer_says_that_it_is_there_holds_nothing(views, time):
    here, there = views
    here.claim("s")
    time.now = 9.0
    here.renew()
    time.now = 18.0
    there.renew()
    assert find(there, "s") == "here"
    time.now = 20.0
    assert find(there, "s") is None
    there.claim("s")
    here.renew()
    assert find(here, "s") == "there"


def test_a_registry_claims_its_sessions_and_releases_them_at_their_end(views):
    """Also one that was opened only to resume another."""
    loop = VirtualLoop()
    source = make_source(loop, [], window=5.0)
    source.registry.directory = views[0]
    first, second = (open_connection(loop, source, session=True) for _ in range(2))
    ids = [connection.sent[0]["payload"]["session"] for connection in (first, second)]
    assert [find(views[1], id) for id in ids] == ["here", "here"]
    second.message("gsws.resume", {**first.sent[0]["payload"], "streams": {}})
    assert [find(views[1], id) for id in ids] == ["here", None]
    second.leave()
    loop.advance(1.0)
    assert [find(views[1], id) for id in ids] == [None, None]
    loop.close()
