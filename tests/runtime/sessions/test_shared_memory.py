"""What users share is bounded by user first: nobody takes the room of others, and what counts is what is held."""

from __future__ import annotations

import gc
import json
import tracemalloc
from types import SimpleNamespace

import pytest

from gsws.protocol.answer import Answer
from gsws.runtime.dispatch.admission import PATIENCE
from gsws.runtime.sessions.waiting import WaitingSessions
from gsws.runtime.streams.memory import MemorySessionLog
from gsws.types import GSActor
from tests.runtime.sessions.test_details import begin, resume
from tests.runtime.virtual import VirtualLoop, make_source, open_connection, route


async def words(payload):
    for _ in range(payload["n"]):
        yield "x" * 1000


async def nothing(payload):
    return None


@pytest.fixture
def loop():
    loop = VirtualLoop()
    yield loop
    loop.advance(200.0)
    loop.close()


def source_with(loop, **options):
    routes = [route("words", words, concurrency="parallel"), route("nothing", nothing, concurrency="parallel")]
    return make_source(loop, routes, window=60.0, heartbeat=10.0, **options)


def arrive(loop, source, subject=None):
    """A session of somebody; without a subject of nobody who proves it."""
    actor = None if subject is None else GSActor(subject, authenticated=True)
    return open_connection(loop, source, session=True, actor=actor, label=subject or "nobody")


def leave(loop, source, subject=None, n=3):
    """A session that gets something and is cut before it has seen it."""
    connection = arrive(loop, source, subject)
    connection.message("words", {"n": n}, id="w")
    loop.settle()
    connection.cut()
    return connection.sent[0]["payload"]


def is_held(loop, source, session, subject=None):
    connection = arrive(loop, source, subject)
    connection.message("gsws.resume", {**session, "streams": {"w": -1}})
    loop.settle()
    streams = connection.sent[1]["payload"]["streams"]
    connection.leave()
    return bool(streams)


def test_a_subject_with_many_sessions_loses_its_own(loop):
    """P8.5: the oldest of them; everybody else's are there."""
    source = source_with(loop, waiting=WaitingSessions(limit=1000))
    victim = leave(loop, source, "victim")
    own = [leave(loop, source, "mallory", n=1) for _ in range(150)]
    assert len(source.registry.waiting) == 101
    assert is_held(loop, source, victim, "victim")
    assert not is_held(loop, source, own[0], "mallory")
    assert is_held(loop, source, own[-1], "mallory")


def test_a_subject_that_holds_many_bytes_loses_its_own(loop):
    """P8.5: an eighth of the total is what one may have, connected or not."""
    source = source_with(loop, waiting=WaitingSessions(total=400_000), bytes=40_000)
    victim = leave(loop, source, "victim", n=10)
    for _ in range(5):
        leave(loop, source, "mallory", n=10)
    connection = arrive(loop, source, "mallory")
    for number in range(10):
        connection.message("words", {"n": 10}, id=number)
    loop.settle()
    assert source.registry.waiting.pool.shares.of("mallory") <= 50_000
    assert is_held(loop, source, victim, "victim")


def test_of_many_the_one_with_most_gives_way(loop):
    """P8.5: where the total is reached, and not by one alone."""
    source = source_with(loop, waiting=WaitingSessions(limit=40))
    victim = leave(loop, source, "victim")
    for name in "abcdefghi":
        for _ in range(5):
            leave(loop, source, name, n=1)
    assert len(source.registry.waiting) == 40
    assert is_held(loop, source, victim, "victim")


def test_a_name_that_costs_nothing_is_no_user(loop):
    """P4.2, P8.5: who stays anonymous where others have credentials makes room for those, whatever it calls itself."""
    source = source_with(loop, waiting=WaitingSessions(limit=20))
    source.router.authenticator = SimpleNamespace()
    victim = leave(loop, source, "victim")
    for _ in range(60):
        leave(loop, source)
    assert is_held(loop, source, victim, "victim")


def test_labels_are_told_apart_where_nobody_proves_anything(loop):
    """P4.2: development, in which one page reloads and another does not."""
    source = source_with(loop, waiting=WaitingSessions(limit=20))
    quiet = open_connection(loop, source, session=True)
    quiet.message("words", {"n": 3}, id="w")
    loop.settle()
    quiet.cut()
    for _ in range(60):
        leave(loop, source)
    assert is_held(loop, source, quiet.sent[0]["payload"])


@pytest.mark.parametrize("frames", ["many short answers", "one long stream", "acknowledged text", "other frames"])
def test_what_is_counted_is_what_is_held(frames):
    """P8.5: the memory of a log is what its bound says, of short answers too."""
    limit = 2**20
    gc.collect()
    tracemalloc.start()
    log = MemorySessionLog(limit)
    if frames == "many short answers":
        for number in range(20_000):
            log.append(number, 0, Answer(number).result(None), 1.0)
    elif frames == "one long stream":
        answer = Answer("s")
        for number in range(10_000):
            log.append("s", number, answer.chunk({"message": "word "}), None)
    elif frames == "acknowledged text":
        answer = Answer("s")
        for number in range(4000):
            log.append("s", number, answer.chunk({"message": "wörter 🙂 " * 8}), None)
            log.acknowledge("s", number)
    else:
        answer = Answer("s")
        for number in range(20_000):
            log.append("s", number, answer.emit("note", {}), None)
            if number % 100 == 99:
                log.acknowledge("s", number)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(log) > 0
    assert held < 1.3 * limit


# Acknowledgements.


class Rate:
    messages, per, burst, by = 10, 1.0, 10, "connection"


def test_acknowledgements_of_nothing_count_as_messages(loop):
    """P8.6: one that says what was said before, or of what is not there; who goes on is closed with 4429."""
    source = source_with(loop)
    source.router.rate = Rate()
    connection, _ = begin(loop, source)
    connection.message("words", {"n": 1000}, id="w")
    loop.settle()
    for seq in range(500):
        connection.message("gsws.ack", {"id": "w", "seq": seq})
    assert connection.is_open
    assert all(frame["eventtype"] != "stream.error" for frame in connection.sent)
    for _ in range(PATIENCE // 2 + 20):
        connection.message("gsws.ack", {"id": "w", "seq": 400})
        connection.message("gsws.ack", {"id": "none", "seq": 1})
    assert (connection.is_open, connection.close_code) == (False, 4429)


def test_acknowledgements_of_a_lost_stream_are_news_once(loop):
    """P8.5, P8.6: a client that cannot know that its stream outgrew the bound is not blamed for it."""
    source = source_with(loop, bytes=20_000)
    source.router.rate = Rate()
    connection, _ = begin(loop, source)
    connection.message("words", {"n": 200}, id="w")
    loop.settle()
    log = connection.receiver.client.log
    log.begin("lost")
    for seq in range(300):
        log.append("lost", seq, b"x" * 1000, None)
    assert log.read("lost", -1) is None
    for seq in range(300):
        connection.message("gsws.ack", {"id": "lost", "seq": seq})
    assert all(frame["eventtype"] != "stream.error" for frame in connection.sent)
    for seq in (10, 299, 300, 10**9):
        assert not log.acknowledge("lost", seq)


def test_a_plain_client_has_nothing_to_acknowledge(loop):
    """P8.6."""
    source = source_with(loop)
    source.router.rate = Rate()
    connection = open_connection(loop, source, session=False)
    for _ in range(PATIENCE + 20):
        connection.message("gsws.ack", {"id": "w", "seq": 1})
    assert connection.close_code == 4429


# Many ids in one message.


@pytest.mark.parametrize("reason", ["forbidden", "resume_lost", "duplicate_id", "too_many_requests"])
def test_a_refusal_to_follow_is_not_larger_than_what_asked_for_it(loop, reason):
    """P8.8: 16 streams are refused one by one, all others by one frame that names them."""
    source = source_with(loop, max_in_flight=3000)
    _, session = begin(loop, source)
    follower = open_connection(loop, source, session=True)
    facts = {key: session[key] for key in ("session", "secret")}
    ids = [str(number) for number in range(1001 if reason == "too_many_requests" else 1000)]
    if reason == "forbidden":
        facts["session"] = "nobody's"
    if reason == "duplicate_id":
        for id in ids:
            follower.message("words", {"n": 0}, id=id)
    follower.sent.clear()
    message = {**facts, "streams": dict.fromkeys(ids, 0)}
    follower.message("gsws.follow", message)
    refused = [frame for frame in follower.sent if frame["eventtype"] == "stream.error"]
    assert {frame["payload"]["error"] for frame in refused} == {reason}
    assert [frame["id"] for frame in refused[:16]] == ids[:16]
    assert len(refused) == 17
    assert refused[16].keys() == {"eventtype", "payload"}
    assert refused[16]["payload"]["streams"] == ids[16:]
    assert len(json.dumps(follower.sent)) < 1.5 * len(json.dumps(message))


@pytest.mark.parametrize("is_known", [True, False])
def test_each_id_of_a_resume_is_answered(loop, is_known):
    """P8.4: however many there are."""
    source = source_with(loop)
    before, session = begin(loop, source)
    before.message("words", {"n": 1}, id="4321")
    loop.settle()
    before.cut()
    if not is_known:
        session = {**session, "secret": "no"}
    streams = dict.fromkeys(map(str, range(12_000)), 5)
    streams["4321"] = 0
    connection, found = resume(loop, source, session, streams)
    errors = [frame for frame in connection.sent if frame["eventtype"] == "stream.error"]
    named = [frame["id"] for frame in errors if "id" in frame] + errors[-1]["payload"]["streams"]
    assert sorted(named + list(found), key=int) == list(streams)
    assert bool(found) is is_known


@pytest.mark.parametrize("as_pairs", [False, True])
def test_held_streams_are_found_behind_any_number_of_others(loop, as_pairs):
    """P8.4: what never came shares an error beyond 10,000, and the held streams, named last, are resumed."""
    source = source_with(loop)
    before, session = begin(loop, source)
    before.message("words", {"n": 1}, id="text")
    before.message("words", {"n": 1}, id=77_777)
    loop.settle()
    before.cut()
    never, lost = [f"n{number}" for number in range(11_000)], [f"l{number}" for number in range(1_000)]
    streams = {**dict.fromkeys(never, -1), **dict.fromkeys(lost, 3), "77777": 0, "text": 1}
    asked = [[int(id) if id.isdigit() else id, seq] for id, seq in streams.items()] if as_pairs else streams
    connection, found = resume(loop, source, session, asked)
    states = {"from": 1, "state": "ended"}, {"from": 2, "state": "ended"}
    assert found == (
        [[77_777, states[0]], ["text", states[1]]] if as_pairs else dict(zip(("77777", "text"), states, strict=True))
    )
    assert frames(connection) == [(77_777, 1), (77_777, 2), ("text", 2)]
    errors = [frame for frame in connection.sent if frame["eventtype"] == "stream.error"]
    assert [frame["id"] for frame in errors[:-2]] == never[:10_000]
    shared = [(frame.keys(), frame["payload"]["retryable"], frame["payload"]["streams"]) for frame in errors[-2:]]
    keys = {"eventtype", "payload"}
    assert shared == [(keys, True, never[10_000:]), (keys, False, lost)]


# Ids that look alike.


@pytest.fixture
def alike(loop):
    """A session in which `7` and `"7"` have run, and an own client that has seen a part of each."""
    source = source_with(loop)
    connection, session = begin(loop, source)
    connection.message("words", {"n": 1}, id=7)
    connection.message("words", {"n": 3}, id="7")
    connection.message("words", {"n": 1}, id="8")
    connection.message("words", {"n": 1}, id=9)
    loop.settle()
    connection.cut()
    return source, session


def frames(connection):
    return [(frame["id"], frame["seq"]) for frame in connection.sent if "seq" in frame]


def test_pairs_say_which_of_two_ids_is_meant(loop, alike):
    """P8.2, P8.3."""
    source, session = alike
    connection, streams = resume(
        loop, source, session, [[7, 1], ["7", 3], ["8", 2], [8, -1], [9, 0], ["7", 3], "x", []]
    )
    assert streams == [
        [7, {"from": 2, "state": "ended"}],
        ["7", {"from": 4, "state": "ended"}],
        ["8", {"from": 3, "state": "ended"}],
        [9, {"from": 1, "state": "ended"}],
    ]
    assert frames(connection) == [(7, 2), ("7", 4), (9, 1), (9, 2)]
    errors = [frame for frame in connection.sent if frame["eventtype"] == "stream.error"]
    assert [(frame["id"], frame["payload"]["retryable"]) for frame in errors] == [(8, True)]


def test_a_key_that_names_both_means_both(loop, alike):
    """P8.2: JSON has no integer keys, and clients that know no pairs lose nothing."""
    source, session = alike
    connection, streams = resume(loop, source, session, {"7": -1, "8": 1, "9": 1})
    assert streams.keys() == {"7", "8", "9"}
    assert frames(connection) == [
        (7, 0),
        (7, 1),
        (7, 2),
        ("7", 0),
        ("7", 1),
        ("7", 2),
        ("7", 3),
        ("7", 4),
        ("8", 2),
        (9, 2),
    ]


def test_pairs_may_be_followed_too(loop, alike):
    """P8.8."""
    source, session = alike
    follower = open_connection(loop, source, session=True)
    follower.message("gsws.follow", {**session, "streams": [[7, 1], ["7", 3]]})
    assert follower.sent[1]["payload"]["streams"] == [
        [7, {"from": 2, "state": "ended"}],
        ["7", {"from": 4, "state": "ended"}],
    ]
    assert frames(follower) == [(7, 2), ("7", 4)]


async def slow(payload):
    import asyncio

    await asyncio.sleep(payload["s"])


def test_nobody_has_requests_running_for_any_number_of_lost_sessions(loop):
    """P6.7, P8.5: what only waits for a client ends with a session that its own subject's newer ones push out."""
    routes = [route("slow", slow), route("continues", slow, on_disconnect="continue"), route("words", words)]
    source = make_source(loop, routes, window=60.0, heartbeat=10.0, waiting=WaitingSessions(limit=1000))
    for _ in range(150):
        connection = arrive(loop, source, "mallory")
        connection.message("slow", {"s": 25}, id="s")
        loop.settle()
        connection.cut()
        loop.settle()
    assert len(source.executor.busy) <= 101
    connection = arrive(loop, source, "mallory")
    connection.message("continues", {"s": 25}, id="c")
    connection.cut()
    session = connection.receiver.client
    for _ in range(150):
        leave(loop, source, "mallory", n=0)
    assert session.session_id not in source.registry.sessions
    assert session.scheduler in source.executor.busy
