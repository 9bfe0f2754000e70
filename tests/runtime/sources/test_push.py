"""Pushes from anywhere: who gets them, who is counted, what is refused, and how clients are closed from outside."""

from __future__ import annotations

import gc

import pytest

from gsws.runtime.sessions.kept import Kept
from gsws.runtime.sessions.reachable import Reachable
from gsws.runtime.streams.pool import Pool
from tests.runtime.support import served

FILES = {
    "eventsources/websocket.yaml": "type: websocket\nport: 0\nlimits: {send_buffer: 64KiB}\n",
    "eventsources/admin.yaml": "type: websocket\nport: 0\n",
    "events/all.yaml": """
        websocket.enter: {fn: rooms.enter, payload: {}}
        websocket.push: {fn: rooms.push, payload: {}, broadcasts: {said: {required: [text]}}}
        websocket.threaded: {fn: rooms.threaded, payload: {}}
        websocket.room: {fn: rooms.room, payload: {}}
        websocket.close: {fn: rooms.close, payload: {}}
        websocket.connection: {fn: rooms.connection, payload: {}}
        websocket.count: {fn: rooms.count, payload: {}}
        admin.push: {fn: rooms.push, payload: {}}
    """,
    "functions/rooms.py": """
        import asyncio

        async def enter(ctx, payload):
            await ctx.join(payload["room"])

        async def push(ctx, payload):
            try:
                return await ctx.push(payload["type"], payload.get("data"), **payload["to"])
            except (ValueError, TypeError) as error:
                return f"{type(error).__name__}: {error}"

        def threaded(ctx, payload):
            return ctx.push("threaded", {"n": 1}, **payload["to"])

        async def room(ctx, payload):
            return await ctx.broadcast("tea", payload["type"], payload["data"])

        async def close(ctx, payload):
            try:
                return await ctx.disconnect(**payload)
            except ValueError as error:
                return str(error)

        async def connection(ctx):
            return ctx.inputs.metadata.connection

        async def count(payload):
            for n in range(payload["n"]):
                yield str(n)
                await asyncio.sleep(0.01)
    """,
}


@pytest.fixture
def service(tmp_path):
    with served(tmp_path, FILES) as running:
        yield running


def push(client, type, data=None, **to):
    return client.ask("websocket.push", {"type": type, "data": data, "to": to})["payload"]


def session(service, name="ann", **options):
    return service.client(query=f"?clientId={name}", subprotocols=["gsws.v1"], **options)


def resume(client, hello, streams=None):
    assert client.receive()["eventtype"] == "gsws.hello"
    payload = {"session": hello["session"], "secret": hello["secret"], "streams": streams or {}}
    client.send("gsws.resume", payload)
    return client.receive()


def test_each_target_gets_what_is_meant_for_it(service):
    """P11.2a: a room, a subject, a label and a connection are each reached, and nobody else."""
    with (
        service.client(query="?clientId=ann") as ann,
        service.client(query="?clientId=ann") as tab,
        service.client(query="?clientId=bob") as bob,
    ):
        ann.ask("websocket.enter", {"room": "tea"})
        bob.ask("websocket.enter", {"room": "tea"})
        id = tab.ask("websocket.connection")["payload"]["data"]

        assert push(bob, "one", {"a": 1}, client_id="ann")["data"] == 2
        assert push(bob, "two", {"a": 2}, subject="ann")["data"] == 2
        assert push(bob, "three", {"a": 3}, connection=id)["data"] == 1
        assert [tab.receive()["eventtype"] for _ in range(3)] == ["one", "two", "three"]
        assert push(tab, "four", {"a": 4}, room="tea")["data"] == 2
        assert push(tab, "five", "text", client_id="nobody")["data"] == 0

        assert [ann.receive() for _ in range(3)] == [
            {"eventtype": "one", "payload": {"a": 1}},
            {"eventtype": "two", "payload": {"a": 2}},
            {"eventtype": "four", "payload": {"a": 4}},
        ]
        assert bob.receive()["eventtype"] == "four"
        ann.silence()


def test_whoever_comes_later_is_found_and_whoever_left_is_not(service):
    """The directory that the first push makes follows connections that open and close."""
    with service.client(query="?clientId=bob") as bob:
        assert push(bob, "x", client_id="ann")["data"] == 0
        with service.client(query="?clientId=ann"):
            assert push(bob, "x", client_id="ann")["data"] == 1
        live = service.service.live["websocket"]
        service.wait_for(lambda: len(live.router.connections) == 1)
        assert push(bob, "x", client_id="ann")["data"] == 0
        assert len(live.registry.reachable()) == 1


def test_a_service_that_looks_nobody_up_keeps_no_books(service):
    """Rooms and ordinary requests make no directory of clients."""
    with service.client() as client:
        client.ask("websocket.enter", {"room": "tea"})
        push(client, "x", room="tea")
        assert service.service.live["websocket"].registry.keeps_all is False


@pytest.mark.parametrize(
    ("type", "to", "expected"),
    [
        ("reply", {"room": "tea"}, "belongs to the protocol"),
        ("stream.chunk", {"room": "tea"}, "belongs to the protocol"),
        ("gsws.hello", {"room": "tea"}, "belongs to the protocol"),
        ("", {"room": "tea"}, "1 to 255 characters"),
        ("x" * 256, {"room": "tea"}, "1 to 255 characters"),
        ("x", {}, "exactly one of"),
        ("x", {"room": "tea", "subject": "ann"}, "exactly one of"),
        ("x", {"room": ""}, "not empty"),
        ("x", {"subject": 5}, "not empty"),
        ("x", {"room": "tea", "source": "websockt"}, "did you mean `websocket`?"),
    ],
)
def test_what_cannot_be_meant_is_refused(service, type, to, expected):
    """A protocol name, no target or two of them, an unknown source: a ValueError that says what is wrong."""
    with service.client() as client:
        answer = push(client, type, {}, **to)["data"]

    assert answer.startswith("ValueError: ")
    assert expected in answer


def test_a_payload_must_fit_what_an_event_declares(service):
    """``broadcasts`` of one event holds for every push and broadcast of its source, and for no other source."""
    with service.client() as client:
        client.ask("websocket.enter", {"room": "tea"})
        refused = client.ask("websocket.push", {"type": "said", "data": {"no": 1}, "to": {"room": "tea"}})
        assert (refused["eventtype"], refused["payload"]["error"]) == ("stream.error", "reply_violation")
        refused = client.ask("websocket.room", {"type": "said", "data": {"no": 1}})
        assert refused["payload"]["error"] == "reply_violation"
        assert push(client, "said", {"no": 1}, room="tea", source="admin")["data"] == 0

        assert push(client, "said", {"text": "hi"}, room="tea")["data"] == 1
    assert {entry["error"] for entry in service.log("handler failed")} == {
        "ReplyViolation: `said` does not fit its schema in `broadcasts`"
    }


def test_a_stream_frame_has_a_text(service):
    """P2.3: a pushed frame under ``stream.`` always has a string ``message``."""
    with service.client() as client, service.client(query="?clientId=ann") as ann:
        push(client, "stream.note", {"message": 5, "n": 1}, client_id="ann")
        assert ann.receive()["payload"] == {"message": "5", "n": 1}


def test_a_plain_function_in_a_thread_pushes_and_is_told_the_number(service):
    """Without ``await``, where nothing can be awaited; the number is an integer like any other."""
    with service.client(query="?clientId=ann") as ann, service.client(query="?clientId=bob") as bob:
        assert bob.ask("websocket.threaded", {"to": {"client_id": "ann"}})["payload"]["data"] == 1
        assert ann.receive() == {"eventtype": "threaded", "payload": {"n": 1}}


def test_another_source_is_named(service):
    """An event means the clients of its own source; with ``source`` it reaches another one's."""
    with service.client("admin", query="?clientId=ann") as admin, service.client(query="?clientId=ann") as ann:
        payload = {"type": "x", "to": {"client_id": "ann", "source": "websocket"}}
        assert admin.ask("admin.push", payload)["payload"]["data"] == 1
        assert ann.receive()["eventtype"] == "x"
        admin.silence()


def test_a_frame_that_is_no_json_or_too_large_reaches_nobody(service):
    """What cannot be encoded raises before anybody is sent anything."""
    pushes = service.service.pushes
    with service.client(query="?clientId=ann") as ann:
        for payload in ({"a": {1, 2}}, {"a": float("nan")}, {"a": "x" * (17 * 2**20)}):
            with pytest.raises(Exception, match=r"JSON|limit"):
                pushes.push("x", payload, client_id="ann", source="websocket")
        ann.silence()


def test_a_slow_consumer_is_closed_and_holds_up_nobody(service):
    """P9.3: who does not read is closed with 4430; the others get every frame."""
    pushes = service.service.pushes
    with session(service, "slow", max_queue=1), service.client(query="?clientId=slow") as fast:
        received = 0
        for _ in range(400):
            pushes.push("big", {"data": "x" * 50_000}, client_id="slow", source="websocket")
            received += len(fast.receive()["payload"]["data"])
        assert received == 400 * 50_000
        live = service.service.live["websocket"]
        service.wait_for(lambda: live.counters.read().get("closes.4430"))


def test_a_session_that_is_away_gets_its_pushes_on_resume(service):
    """It counts, and every frame comes once, in order, after the frames of its streams."""
    with service.client(query="?clientId=bob") as bob:
        push(bob, "warm", subject="nobody")
        with session(service) as first:
            hello = first.receive()["payload"]
            first.socket.socket.close()
        live = service.service.live["websocket"]
        service.wait_for(lambda: len(live.router.connections) == 1)

        assert [push(bob, "note", {"n": n}, subject="ann")["data"] for n in range(5)] == [1] * 5
        with session(service) as again:
            assert resume(again, hello)["payload"]["session"] == hello["session"]
            assert [again.receive()["payload"]["n"] for _ in range(5)] == [0, 1, 2, 3, 4]
            assert push(bob, "note", {"n": 5}, subject="ann")["data"] == 1
            assert again.receive()["payload"] == {"n": 5}
            again.silence()


def test_what_finds_no_room_is_not_counted_and_declared_lost():
    """Kept frames are bounded by session and by all; after the first that is missing none is kept."""
    pool = Pool(64 * 1024)
    kept = Kept(10_000, pool)

    assert [kept.add(b"x" * 3000) for _ in range(5)] == [True, True, True, False, False]
    assert not kept.add(b"small")
    assert kept.missed == 3
    assert len(list(kept.release())) == 3
    assert pool.size == 0


def test_a_session_that_must_make_room_for_its_own_push_leaves_nothing_behind():
    """The one that is evicted may be the one that asks: its push is not counted, and nothing stays reserved."""
    pool = Pool(8192, lambda: not kept.close())  # type: ignore[func-returns-value]
    kept = Kept(100_000, pool)

    assert kept.add(b"x" * 4000)
    assert not kept.add(b"x" * 9000)
    assert pool.size == 0


def test_everybody_of_a_subject_is_disconnected(service):
    """Every connection of it is closed with the code, its sessions end, also one that is away; others stay."""
    with (
        service.client(query="?clientId=bob") as bob,
        service.client(query="?clientId=ann") as plain,
        session(service) as live,
    ):
        push(bob, "warm", subject="nobody")
        live.receive()
        with session(service) as cut:
            hello = cut.receive()["payload"]
            cut.socket.socket.close()
        source = service.service.live["websocket"]
        service.wait_for(lambda: len(source.router.connections) == 3)

        answer = bob.ask("websocket.close", {"subject": "ann", "code": 4700, "reason": "bye"})

        assert answer["payload"]["data"] == 3
        assert plain.closed() == (4700, "bye")
        assert live.closed() == (4700, "bye")
        with session(service) as again:
            assert resume(again, hello)["payload"].get("session") != hello["session"]
        assert bob.ask("websocket.close", {"subject": "ann"})["payload"]["data"] in (0, 1)


def test_the_default_code_says_forbidden(service):
    with service.client(query="?clientId=bob") as bob, service.client(query="?clientId=ann") as ann:
        assert bob.ask("websocket.close", {"client_id": "ann"})["payload"]["data"] == 1
        assert ann.closed() == (4504, "")


@pytest.mark.parametrize(
    "given",
    [
        {"code": 1001},
        {"code": 1006},
        {"code": 2999},
        {"code": 5000},
        {"code": True},
        {"code": "4504"},
        {"reason": "x" * 124},
    ],
)
def test_a_code_that_an_application_may_not_send_raises(service, given):
    """Nobody is closed then."""
    with service.client(query="?clientId=ann") as ann:
        answer = ann.ask("websocket.close", {"client_id": "ann", **given})["payload"]["data"]
        assert "close code" in answer or "close reason" in answer


def test_a_subject_is_what_a_credential_proves():
    """With ``authn`` an anonymous client that calls itself ann is not ann."""

    class Someone:
        def __init__(self, label, authenticated):
            from gsws.types import GSActor

            self.label = label
            self.id = f"{label}{authenticated}"
            self.actor = GSActor(label, authenticated=authenticated)

    real, claimed = Someone("ann", True), Someone("ann", False)

    assert Reachable([real, claimed], is_proven=True).find(subject="ann") == (real,)
    assert Reachable([real, claimed], is_proven=True).find(client_id="ann") == (real, claimed)
    assert Reachable([real, claimed], is_proven=False).find(subject="ann") == (real, claimed)


def test_the_directory_holds_nothing_of_who_has_left(service):
    """After a hundred clients have come and gone, its indexes are empty again."""
    live = service.service.live["websocket"]
    service.call(live.registry.reachable)
    for n in range(100):
        with session(service, f"c{n}") if n % 2 else service.client(query=f"?clientId=c{n}"):
            pass
    service.wait_for(lambda: not live.router.connections)
    service.call(lambda: [one.drop() for one in tuple(live.registry.sessions.values())])
    gc.collect()
    directory = live.registry.reachable()

    assert len(directory) == 0
    assert [directory._subjects, directory._labels, directory._connections] == [{}, {}, {}]
