"""What ended without a result leaves its key to the next one: state by state, without sockets (P5.4)."""

from __future__ import annotations

import asyncio
import json

import pytest

from gsws.routing.table import Authz
from gsws.runtime.requests.idempotency import IdempotencyCache
from gsws.runtime.shares import Shares
from gsws.types import GSStatus
from tests.runtime.virtual import VirtualLoop, make_source, open_connection, route

RUNS: list[object] = []


async def work(payload):
    """The first run does what the test asks for; each later one is quick."""
    RUNS.append(payload)
    number = len(RUNS)
    if number == 1:
        await asyncio.sleep(payload.get("s", 0))
        if "code" in payload:
            return GSStatus(False, payload["code"], "not now")
    return {"run": number}


async def stream(payload):
    RUNS.append(payload)
    if len(RUNS) == 1:
        await asyncio.sleep(payload["s"])
    yield str(len(RUNS))


async def sends(payload, ws):
    RUNS.append(payload)
    if len(RUNS) == 1:
        await asyncio.sleep(payload["s"])
        await ws.send("hello")
    return {"run": len(RUNS)}


async def hold(payload):
    await asyncio.sleep(payload["s"])


async def fails():
    RUNS.append("fails")
    raise ValueError("no")


ROUTES = [
    route("work", work, concurrency="parallel"),
    route("timed", work, concurrency="parallel", timeout=1.0),
    route("cancels", work, concurrency="parallel", on_disconnect="cancel"),
    route("queued", work),
    route("stream", stream, concurrency="parallel"),
    route("interrupt", work, concurrency="interrupt"),
    route("reject", work, concurrency="reject"),
    route("sends", sends, concurrency="parallel"),
    route("fails", fails),
    route("hold", hold, concurrency="parallel"),
]


@pytest.fixture
def loop():
    RUNS.clear()
    loop = VirtualLoop()
    yield loop
    loop.advance(200.0)
    assert not asyncio.all_tasks(loop)
    loop.close()


@pytest.fixture
def source(loop):
    return make_source(loop, ROUTES, window=5.0, heartbeat=10.0)


def ask(connection, event, id, payload, key="k"):
    connection.message(event, payload, id=id, meta={"idempotency_key": key})


def end_of(connection, id):
    """The terminal frames that a request has."""
    return [
        frame
        for frame in connection.sent
        if frame.get("id") == id and frame["eventtype"] in ("reply", "stream.end", "stream.error")
    ]


def ended(connection, id):
    (frame,) = end_of(connection, id)
    return frame["payload"].get("data") or frame["payload"].get("reason") or frame["payload"].get("error")


def cancel(loop, source, connection):
    connection.message("gsws.cancel", {"id": 1})


def cut(loop, source, connection):
    connection.cut()


def leave(loop, source, connection):
    connection.leave()


def supersede(loop, source, connection):
    connection.message("interrupt", {}, id="newer")


def wait(loop, source, connection):
    loop.advance(2.0)


ENDINGS = [
    ("work", False, cancel),
    ("work", True, cancel),
    ("work", False, cut),
    ("work", False, leave),
    ("work", True, leave),
    ("cancels", True, cut),
    ("stream", False, cancel),
    ("stream", False, cut),
    ("interrupt", False, supersede),
    ("timed", False, wait),
    ("timed", True, wait),
]


@pytest.mark.parametrize(("event", "session", "ending"), ENDINGS)
@pytest.mark.parametrize("other", [False, True])
def test_a_repetition_that_waits_runs_when_the_first_ends_without_a_result(loop, source, event, session, ending, other):
    """P5.4: on another connection, plain or with a session; and who waits behind it gets its result."""
    first = open_connection(loop, source, session=session)
    second, third = (open_connection(loop, source, session=other) for _ in range(2))
    ask(first, event, 1, {"s": 60})
    loop.settle()
    ask(second, event, 2, {"s": 60})
    ask(third, event, 3, {"s": 60})
    loop.settle()
    assert len(RUNS) == 1
    ending(loop, source, first)
    loop.advance(0.2)
    runs = [payload for payload in RUNS if payload]
    assert len(runs) == 2
    assert end_of(second, 2)[0]["payload"] == end_of(third, 3)[0]["payload"]
    assert end_of(second, 2)[0]["eventtype"] == ("stream.end" if event == "stream" else "reply")
    ask(second, event, 4, {"s": 60})
    loop.settle()
    assert end_of(second, 4)[0]["payload"] == end_of(second, 2)[0]["payload"]


@pytest.mark.parametrize(("event", "session", "ending"), ENDINGS)
def test_nothing_is_remembered_of_it(loop, source, event, session, ending):
    """P5.4: what comes later runs, with another payload too."""
    first = open_connection(loop, source, session=session)
    ask(first, event, 1, {"s": 60})
    loop.settle()
    ending(loop, source, first)
    loop.settle()
    later = open_connection(loop, source, session=session)
    ask(later, event, 2, {"s": 0})
    loop.settle()
    assert ended(later, 2) in ({"run": 2}, {"run": 3}, "complete")


@pytest.mark.parametrize(("code", "runs"), [(429, 2), (502, 2), (503, 2), (504, 2), (500, 1), (409, 1), (403, 1)])
def test_a_failure_that_may_pass_is_not_remembered(loop, source, code, runs):
    """P5.4, P7.1: one that is `retryable`; any other is the handler's result."""
    client = open_connection(loop, source, session=False)
    ask(client, "work", 1, {"code": code})
    loop.settle()
    ask(client, "work", 2, {"code": code})
    loop.settle()
    assert len(RUNS) == runs
    assert (end_of(client, 2)[0]["payload"] == end_of(client, 1)[0]["payload"]) is (runs == 1)


def test_an_answer_that_its_own_cut_made_impossible_is_no_result(loop, source):
    """P5.4: the handler failed because nobody was there to be sent something."""
    first = open_connection(loop, source, session=True)
    ask(first, "sends", 1, {"s": 1})
    loop.settle()
    first.cut()
    loop.advance(2.0)
    second = open_connection(loop, source, session=True)
    ask(second, "sends", 2, {"s": 1})
    loop.settle()
    assert ended(second, 2) == {"run": 2}


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("how", [cut, leave, "cancel"])
def test_one_that_waits_may_go_before_its_turn(loop, source, session, how):
    """P6.6, P6.7: the turn is the next one's, also if it goes when its turn has just come."""
    first, second, third = (open_connection(loop, source, session=session) for _ in range(3))
    for id, client in enumerate((first, second, third), 1):
        ask(client, "cancels", id, {"s": 60})
    loop.settle()
    first.message("gsws.cancel", {"id": 1})
    if how == "cancel":
        second.message("gsws.cancel", {"id": 2})
        assert ended(second, 2) == "cancelled"
    else:
        how(loop, source, second)
    loop.advance(0.2)
    assert ended(third, 3) == {"run": 2}
    third.leave()
    loop.advance(10.0)
    assert source.executor.busy == set()


def test_waiting_is_not_running(loop, source):
    """P7.2: the `timeout` of an event counts from when its own handler is called."""
    first, second = (open_connection(loop, source, session=False) for _ in range(2))
    ask(first, "timed", 1, {"s": 60})
    loop.advance(0.9)
    ask(second, "timed", 2, {"s": 60})
    loop.advance(0.3)
    assert ended(first, 1) == "timeout"
    assert ended(second, 2) == {"run": 2}


def test_a_repetition_is_no_second_request(loop, source):
    """P9.1: it is neither rejected because it runs, nor does it take its own place."""
    client = open_connection(loop, source, session=False)
    for event in ("reject", "interrupt"):
        RUNS.clear()
        ask(client, event, f"{event}-1", {"s": 1})
        loop.settle()
        ask(client, event, f"{event}-2", {"s": 1})
        loop.advance(1.2)
        assert [ended(client, f"{event}-{n}") for n in (1, 2)] == [{"run": 1}, {"run": 1}]


def test_shutdown_answers_who_waits(loop, source):
    """P5.2, P10.2: both get their one terminal frame."""
    first, second = (open_connection(loop, source, session=False) for _ in range(2))
    ask(first, "work", 1, {"s": 60})
    ask(second, "work", 2, {"s": 60})
    loop.settle()
    source.executor.is_stopped = True
    for client in tuple(source.executor.busy):
        client.abort_all("draining")
    loop.settle()
    assert (ended(first, 1), ended(second, 2)) == ("draining", "draining")


@pytest.mark.parametrize("raw", ['{"b":[1,2],"a":{"x":1.5,"s":0}}', '{ "a" : {"s":0.0,"x":15e-1}, "b":[1.0, 2] }'])
def test_the_same_content_is_the_same_payload(loop, source, raw):
    """P5.4: however it was written."""
    client = open_connection(loop, source, session=False)
    ask(client, "work", 1, {"a": {"s": 0, "x": 1.5}, "b": [1, 2]})
    loop.settle()
    client.receiver.message(b'{"eventtype":"work","id":2,"meta":{"idempotency_key":"k"},"payload":%b}' % raw.encode())
    loop.settle()
    assert ended(client, 2) == {"run": 1}


@pytest.mark.parametrize("is_running", [False, True])
@pytest.mark.parametrize("other", [{}, {"s": 2}, {"s": 1, "t": None}, [{"s": 1}], None])
def test_another_payload_is_refused(loop, source, is_running, other):
    """P5.4: `schema_violation` 422, while the first one runs and after."""
    client = open_connection(loop, source, session=False)
    ask(client, "work", 1, {"s": 1})
    loop.advance(0.1 if is_running else 1.2)
    ask(client, "work", 2, other)
    loop.settle()
    payload = end_of(client, 2)[0]["payload"]
    assert (payload["error"], payload["code"], payload["retryable"]) == ("schema_violation", 422, False)
    assert payload["errors"][0]["pointer"] == "/meta/idempotency_key"
    loop.advance(1.2)
    assert ended(client, 1) == {"run": 1}
    ask(client, "stream", 3, {"s": 0})  # another event's keys are others
    loop.settle()
    assert ended(client, 3) == "complete"


def test_the_first_one_may_have_had_no_id(loop, source):
    """P5.1, P5.4: what it was not sent is there for a repetition with one."""
    client = open_connection(loop, source, session=False)
    client.message("work", {}, meta={"idempotency_key": "k"})
    loop.settle()
    assert client.sent == []
    ask(client, "work", 1, {})
    client.message("work", {}, meta={"idempotency_key": "k"})
    loop.settle()
    assert client.sent == [
        {"eventtype": "reply", "id": 1, "seq": 0, "payload": {"success": True, "code": 200, "data": {"run": 1}}}
    ]
    client.message("fails", {}, meta={"idempotency_key": "k"})
    ask(client, "fails", 2**70, {})
    loop.settle()
    assert [frame.get("id") for frame in client.sent[1:]] == [None, 2**70]
    assert client.sent[1]["payload"] == client.sent[2]["payload"]


def test_who_repeats_is_authorised_first(loop):
    """P5.4: each one, before it hears what another was told; and a refusal is not remembered."""
    allowed = []

    async def may(request):
        return bool(allowed)

    source = make_source(loop, [route("work", work, authz=Authz("async", may))])
    client = open_connection(loop, source, session=False)
    for expected in ("forbidden", {"run": 1}, "forbidden", {"run": 1}):
        if expected != "forbidden":
            allowed.append(1)
        for _ in range(2):
            ask(client, "work", f"{len(client.sent)}", {})
            loop.settle()
            assert ended(client, client.sent[-1]["id"]) == expected
        allowed.clear()


# The bounds.


def test_one_subject_makes_room_for_itself_only(loop):
    """P5.4: whoever fills the memory forgets its own keys, oldest first."""
    source = make_source(loop, ROUTES, idempotency=IdempotencyCache(loop.time, of_one=20_000, total=100_000))
    ann, ben = open_connection(loop, source, session=False), open_connection(loop, source, session=False)
    ben.receiver.client.label = "ben"
    ask(ben, "work", 0, {})
    loop.settle()
    for number in range(200):
        ask(ann, "work", number, {}, key=str(number))
        loop.settle()
    before = len(RUNS)
    ask(ben, "work", "again", {})
    ask(ann, "work", "newest", {}, key="199")
    loop.settle()
    assert len(RUNS) == before
    ask(ann, "work", "oldest", {}, key="0")
    loop.settle()
    assert len(RUNS) == before + 1


def test_of_many_subjects_the_one_with_most_gives_way(loop):
    """P5.4: the total is nobody's to take."""
    replies = IdempotencyCache(loop.time, of_one=20_000, total=40_000)
    source = make_source(loop, ROUTES, idempotency=replies)
    ben = open_connection(loop, source, session=False)
    ben.receiver.client.label = "ben"
    ask(ben, "work", 0, {})
    loop.settle()
    for name in "abcdef":
        client = open_connection(loop, source, session=False)
        client.receiver.client.label = name
        for number in range(12):
            ask(client, "work", number, {}, key=str(number))
            loop.settle()
    assert replies._shares.total <= 40_000
    before = len(RUNS)
    ask(ben, "work", 1, {})
    loop.settle()
    assert len(RUNS) == before


def test_what_runs_and_what_waits_has_its_bound_too(loop):
    """P5.4: one more is told to come later; nothing is left of those that ended."""
    replies = IdempotencyCache(loop.time, of_one=5000)
    source = make_source(loop, ROUTES, idempotency=replies, max_in_flight=1000)
    client = open_connection(loop, source, session=False)
    for number in range(6):
        ask(client, "hold", number, {"s": 5}, key=str(number))
        loop.settle()
    assert [(frame["id"], frame["payload"]["error"]) for frame in client.sent] == [
        (4, "too_many_requests"),
        (5, "too_many_requests"),
    ]
    for number in range(300):
        ask(client, "hold", f"w{number}", {"s": 5}, key="0")
    loop.settle()
    refused = [frame for frame in client.sent if str(frame["id"]).startswith("w")]
    assert len(refused) == 300 - 256
    assert {frame["payload"]["error"] for frame in refused} == {"too_many_requests"}
    client.cut()
    loop.advance(10.0)
    assert (replies._shares.total, replies._waiting.total, len(replies._running)) == (0, 0, 0)


def test_shares_tell_who_holds_most():
    shares = Shares()
    for owner, amount in [("a", 3), ("b", 5), ("a", 3), ("c", 6)]:
        shares.add(owner, amount)
    assert (shares.largest(), shares.total) == ("a", 17)
    shares.add("a", -4)
    assert shares.largest() == "c"
    shares.add("c", -6)
    assert (shares.largest(), shares.of("c")) == ("b", 0)
    for _ in range(1000):
        shares.add("d", 1)
        shares.add("e", 1)
        shares.add("e", -1)
    assert shares.largest() == "d"
    assert len(shares._heap) < 200
    for owner, amount in [("a", -2), ("b", -5), ("d", -1000)]:
        shares.add(owner, amount)
    assert shares.largest() is None
    assert shares.total == 0
    assert json.dumps(shares._held) == "{}"
