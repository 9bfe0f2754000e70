"""Several connections of one subject follow one stream (P8.8), over real sockets."""

from __future__ import annotations

import json
import socket as sockets
import time
from contextlib import ExitStack

import pytest

from gsws.runtime.dispatch import following
from gsws.runtime.dispatch.following import FOLLOWERS
from gsws.runtime.streams import followers as relaying
from gsws.runtime.transport import encode_frame
from tests.runtime.support import served

EVENTS = """
websocket.count: {fn: s.count, payload: {}, concurrency: parallel}
websocket.tools: {fn: s.tools, payload: {}, concurrency: parallel}
websocket.flood: {fn: s.flood, payload: {}}
websocket.echo: {fn: s.echo, payload: {}}
websocket.tail: {fn: s.tail, payload: {}}
"""
CODE = """
import asyncio
from gsws import Frame
async def count(payload):
    for n in range(payload["to"]):
        yield str(n)
        await asyncio.sleep(payload.get("s", 0.005))
async def tools(payload):
    yield "a"
    yield Frame("tool.call", {"n": 1})
    for _ in range(payload["to"]):
        yield "é"
        await asyncio.sleep(0.005)
    yield Frame("tool.result", {"n": 1})
    yield "z"
    await asyncio.sleep(payload.get("s", 0))
async def flood(payload):
    for n in range(payload["to"]):
        yield "x" * 5000
        await asyncio.sleep(0.001)
async def tail(payload):
    yield "x" * payload["n"]
    while True:
        await asyncio.sleep(0.5 if payload["n"] < 10**6 else 0.01)
        yield {"message": "tick", "n": 1}
async def echo(payload): return payload
def check(handshake): return handshake.query.get("as")
"""
FILES = {
    "events/all.yaml": EVENTS,
    "functions/s.py": CODE,
    "gsws.yaml": "resume: {window: 5s, bytes: 256KiB}\ndrain_timeout: 5s\n",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("following"), FILES) as running:
        yield running


def connect(service, **options):
    return service.client(subprotocols=["gsws.v1"], **options)


def hello(client):
    frame = client.receive()
    assert frame["eventtype"] == "gsws.hello"
    return {key: frame["payload"][key] for key in ("session", "secret")}


def follow(client, session, streams, **more):
    """Ask to follow and return what is followed."""
    client.send("gsws.follow", {**session, "streams": streams, **more})
    frame = client.receive()
    assert frame["eventtype"] == "gsws.following", frame
    assert frame["payload"]["session"] == session["session"]
    return frame["payload"]["streams"]


def test_a_follower_gets_what_was_and_what_comes_exactly_once(service):
    """P8.8: the same frames in the same order as the session's own client, which goes on undisturbed."""
    with connect(service) as owner, connect(service) as early, connect(service) as late:
        session = hello(owner)
        hello(early), hello(late)
        owner.send("websocket.count", {"to": 100}, id="s")
        seen = [owner.receive() for _ in range(5)]
        assert follow(early, session, {"s": -1}) == {"s": {"from": 0, "state": "running"}}
        seen += [owner.receive() for _ in range(40)]
        assert follow(late, session, {"s": 20}) == {"s": {"from": 21, "state": "running"}}
        seen += owner.answer("s")

        assert [frame["seq"] for frame in seen] == list(range(102))
        assert early.answer("s") == seen
        assert late.answer("s") == seen[21:]
        for client in (owner, early, late):
            assert client.ask("websocket.echo", 1)["payload"]["data"] == 1


def test_a_stream_that_ended_is_replayed_to_its_end(service):
    """P8.8: with its terminal frame, as often as somebody asks while it is held."""
    with connect(service) as owner, connect(service) as follower:
        session = hello(owner)
        hello(follower)
        owner.send("websocket.count", {"to": 3, "s": 0}, id=7)
        seen = owner.answer(7)
        for _ in range(2):
            assert follow(follower, session, {"7": -1}) == {"7": {"from": 0, "state": "ended"}}
            assert follower.answer(7) == seen
        follower.silence(0.1)


def test_a_stream_is_followed_while_its_client_is_away_and_after_it_came_back(service):
    """P8.8, P6.7: a follower does not depend on the session's own connection."""
    with connect(service) as follower:
        hello(follower)
        with connect(service) as owner:
            session = hello(owner)
            owner.send("websocket.count", {"to": 120}, id="s")
            first = owner.receive()
            follow(follower, session, {"s": -1})
            owner.socket.socket.shutdown(2)
        time.sleep(0.1)
        with connect(service) as owner:
            hello(owner)
            owner.send("gsws.resume", {**session, "streams": {"s": 0}})
            assert owner.receive()["eventtype"] == "gsws.resumed"
            own = [first, *owner.answer("s")]
        assert follower.answer("s") == own
        assert [frame["seq"] for frame in own] == list(range(122))


def test_a_cancel_ends_a_stream_for_followers_too_and_is_not_theirs_to_ask_for(service):
    """P8.8, P6.6."""
    with connect(service) as owner, connect(service) as follower:
        session = hello(owner)
        hello(follower)
        owner.send("websocket.count", {"to": 10_000}, id="s")
        owner.receive()
        follow(follower, session, {"s": -1})
        follower.send("gsws.cancel", {"id": "s"})
        while (frame := follower.receive())["eventtype"] != "stream.error":
            assert frame["id"] == "s"
        assert frame["payload"]["error"] == "unknown_id"
        owner.send("gsws.cancel", {"id": "s"})
        assert follower.answer("s")[-1]["payload"]["reason"] == "cancelled"


def test_following_stops_when_asked(service):
    """P8.8: after `gsws.unfollowed` nothing of the stream comes, and its id is free."""
    with connect(service) as owner, connect(service) as follower:
        session = hello(owner)
        hello(follower)
        owner.send("websocket.count", {"to": 10_000}, id="s")
        owner.receive()
        follow(follower, session, {"s": -1})
        follower.send("gsws.unfollow", {"id": "s"})
        while (frame := follower.receive())["eventtype"] != "gsws.unfollowed":
            assert frame["id"] == "s"
        assert frame["payload"] == {"id": "s"}
        follower.silence(0.1)
        assert follower.ask("websocket.echo", 1, id="s")["payload"]["data"] == 1
        follower.send("gsws.unfollow", {"id": "never"})
        assert follower.receive()["payload"] == {"id": "never"}
        owner.send("gsws.cancel", {"id": "s"})
        owner.answer("s")


def test_ids_that_are_in_use_are_refused(service):
    """P8.8, P5.4: on one connection a frame's id says which answer it belongs to."""
    with connect(service) as owner, connect(service) as other, connect(service) as follower:
        session, second = hello(owner), hello(other)
        hello(follower)
        for client, id in [(owner, "s"), (owner, "mine"), (other, "s"), (follower, "mine")]:
            client.send("websocket.count", {"to": 10_000, "s": 0.05}, id=id)
            client.receive()
        follower.send("gsws.follow", {**session, "streams": {"s": 10**6, "mine": -1}})
        follower.send("gsws.follow", {**session, "streams": {"s": -1}})
        follower.send("gsws.follow", {**second, "streams": {"s": -1}})
        follower.send("websocket.echo", 1, id="s")
        refused = []
        while len(refused) < 4:
            frame = follower.receive()
            if frame["eventtype"] == "stream.error":
                assert "seq" not in frame
                refused.append((frame["id"], frame["payload"]["error"]))
        # Nothing is known of a number that never was; the second time it is followed.
        assert refused == [
            ("s", "resume_lost"), ("mine", "duplicate_id"), ("s", "duplicate_id"), ("s", "duplicate_id")
        ]  # fmt: skip
        for client, id in [(owner, "s"), (owner, "mine"), (other, "s"), (follower, "mine")]:
            client.send("gsws.cancel", {"id": id})
            client.answer(id)


@pytest.mark.parametrize("change", [{"secret": "wrong"}, {"secret": 5}, {"session": "other"}])
def test_nobody_follows_without_the_secret(service, change):
    """P8.8, P8.7: a wrong secret cannot be told from a session that is not there."""
    with connect(service) as owner, connect(service) as thief:
        session = hello(owner)
        hello(thief)
        owner.send("websocket.count", {"to": 20}, id="s")
        thief.send("gsws.follow", {**session, **change, "streams": {"s": -1}})
        frame = thief.receive()
        assert (frame["id"], frame["payload"]["error"], frame["payload"]["code"]) == ("s", "forbidden", 403)
        thief.silence(0.1)
        assert owner.answer("s")[-1]["payload"]["reason"] == "complete"


@pytest.mark.parametrize("ask", ["gsws.follow", "gsws.resume"])
def test_a_refusal_does_not_tell_which_ids_a_session_has(service, ask):
    """P8.7, P8.8: an integer id is its text to whoever has no right to know better."""
    with connect(service) as owner, connect(service) as thief:
        session = hello(owner)
        hello(thief)
        owner.send("websocket.count", {"to": 20}, id=7)
        owner.receive()
        thief.send(ask, {**session, "secret": "wrong", "streams": {"7": -1, "8": -1}})
        refused = [thief.receive() for _ in range(2 if ask == "gsws.follow" else 3)][-2:]
        assert [frame["id"] for frame in refused] == ["7", "8"]
        owner.answer(7)


def test_who_tries_secrets_is_closed(service):
    """P7.4: 4504, and the session goes on."""
    with connect(service) as owner, connect(service) as thief:
        session = hello(owner)
        hello(thief)
        for n in range(8):
            thief.send("gsws.follow", {**session, "secret": f"guess {n}", "streams": {"s": -1}})
        assert thief.closed() == (4504, "too many wrong secrets")
        assert owner.ask("websocket.echo", 1)["payload"]["data"] == 1


def test_another_subject_does_not_follow_even_with_the_secret(tmp_path):
    """P8.8, P4.2."""
    files = {
        **FILES,
        "eventsources/websocket.yaml": "type: websocket\nport: 0\nauthn: {fn: s.check}\n",
    }
    with served(tmp_path, files) as running:
        with connect(running, query="?as=ann") as owner, connect(running, query="?as=bob") as thief:
            session = hello(owner)
            hello(thief)
            owner.send("websocket.count", {"to": 20}, id="s")
            thief.send("gsws.follow", {**session, "streams": {"s": -1}})
            assert thief.receive()["payload"]["error"] == "forbidden"
            with connect(running, query="?as=ann") as second:
                hello(second)
                follow(second, session, {"s": -1})
                assert second.answer("s") == owner.answer("s")
            thief.silence(0.1)


def test_the_number_of_followers_is_bounded(service):
    """P8.8: one more is told to come back later, and comes in when another has left."""
    with ExitStack() as stack:
        owner = stack.enter_context(connect(service))
        session = hello(owner)
        owner.send("websocket.count", {"to": 10_000, "s": 0.05}, id="s")
        owner.receive()
        clients = [stack.enter_context(connect(service)) for _ in range(FOLLOWERS + 1)]
        for client in clients[:-1]:
            hello(client)
            follow(client, session, {"s": -1})
        hello(clients[-1])
        clients[-1].send("gsws.follow", {**session, "streams": {"s": -1}})
        refusal = clients[-1].receive()["payload"]
        assert (refusal["error"], refusal["retryable"]) == ("too_many_requests", True)
        clients[0].socket.close()
        service.wait_for(lambda: len(followers(service, session).connected()) == FOLLOWERS - 1)
        follow(clients[-1], session, {"s": -1})
        owner.send("gsws.cancel", {"id": "s"})
        for client in (owner, *clients[1:]):
            client.answer("s")
        assert not service.call(lambda: followers(service, session).streams)


def followers(service, session):
    return service.service.live["websocket"].registry.sessions[session["session"]].followers


def test_a_slow_follower_is_closed_and_delays_nobody(service):
    """P8.8, P9.3: 4430 for it alone; the session's own client and another follower get everything."""
    before = closes(service)
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", service.ports["websocket"]))
    with connect(service) as owner, connect(service) as good, connect(service, sock=raw, max_queue=1) as slow:
        session = hello(owner)
        hello(good), hello(slow)
        owner.send("websocket.flood", {"to": 3000}, id="s")
        owner.receive()
        follow(good, session, {"s": 0})
        slow.send("gsws.follow", {**session, "streams": {"s": 0}})
        seqs = []
        while not seqs or seqs[-1] < 3001:
            seqs.append(owner.receive()["seq"])
            assert good.receive()["seq"] == seqs[-1]
        assert seqs == list(range(1, 3002))
        # Not read from the socket: who is cut before it has read all that it was sent sees no close frame.
        service.wait_for(lambda: closes(service) == before + 1)


def closes(service):
    """How many connections were closed as too slow."""
    return service.service.counters()["websocket"].get("closes.4430", 0)


def test_compact_following_has_all_text_even_what_was_acknowledged(service):
    """P8.8, P8.3: the frames that are no text come as they were, and the text before them as one snapshot."""
    with connect(service) as owner, connect(service) as strict, connect(service) as compact:
        session = hello(owner)
        hello(strict), hello(compact)
        owner.send("websocket.tools", {"to": 40}, id="s")
        seen = [owner.receive() for _ in range(20)]
        owner.send("gsws.ack", {"id": "s", "seq": 15})
        sessions = service.service.live["websocket"].registry.sessions
        service.wait_for(lambda: sessions[session["session"]].log.read("s", 14) is None)
        assert follow(strict, session, {"s": -1}) == {}
        assert strict.receive()["payload"]["error"] == "resume_lost"
        assert follow(compact, session, {"s": -1}, compact=True) == {"s": {"from": 0, "state": "running"}}
        frames = compact.answer("s")
        kinds = [frame["eventtype"] for frame in frames]
        assert kinds[:3] == ["stream.start", "tool.call", "stream.snapshot"]
        snapshot = frames[2]
        assert snapshot["seq"] >= 15
        assert snapshot["payload"]["message"] == "a" + "é" * (snapshot["seq"] - 2)
        assert [frame["seq"] for frame in frames[3:]] == list(range(snapshot["seq"] + 1, 46))
        assert [frame["seq"] for frame in (*seen, *owner.answer("s"))] == list(range(46))


def test_what_was_followed_is_held_though_its_client_acknowledged_it(service):
    """P8.6, P8.8: a follower that is cut goes on exactly."""
    with connect(service) as owner:
        session = hello(owner)
        owner.send("websocket.count", {"to": 30}, id="s")
        with connect(service) as follower:
            hello(follower)
            follow(follower, session, {"s": -1})
            seen = [follower.receive() for _ in range(4)]
            follower.socket.socket.shutdown(2)
        own = owner.answer("s")
        owner.send("gsws.ack", {"id": "s", "seq": own[-1]["seq"]})
        owner.ask("websocket.echo", 1)
        with connect(service) as follower:
            hello(follower)
            assert follow(follower, session, {"s": 3}) == {"s": {"from": 4, "state": "ended"}}
            assert [*seen, *follower.answer("s")] == own


def test_a_frame_is_encoded_once_for_all_followers(service, monkeypatch):
    """P8.8, P11.2."""
    made = []

    def count(data):
        made.append(data)
        return encode_frame(data)

    monkeypatch.setattr(relaying, "encode_frame", count)
    with connect(service) as owner, connect(service) as one, connect(service) as two:
        session = hello(owner)
        hello(one), hello(two)
        owner.send("websocket.count", {"to": 30}, id="s")
        owner.receive()
        follow(one, session, {"s": -1}), follow(two, session, {"s": -1})
        assert one.answer("s") == two.answer("s")
        owner.answer("s")
    assert 0 < len(made) == len(set(made)) <= 32


def test_at_shutdown_followers_stay_until_the_stream_has_ended(tmp_path):
    """P10.2, P8.8."""
    with served(tmp_path, FILES) as running, connect(running) as owner, connect(running) as follower:
        session = hello(owner)
        hello(follower)
        owner.send("websocket.count", {"to": 60}, id="s")
        owner.receive()
        follow(follower, session, {"s": 0})
        running.end()
        frames = [frame for frame in follower.answer("s") if frame["eventtype"] != "gsws.draining"]
        assert frames[-1]["payload"]["reason"] == "complete"
        assert follower.closed()[0] == 4450
        owner.answer("s")


def test_replaying_again_and_again_is_bounded(service):
    """P8.8: whoever asks for more than comes back is told to wait, and may go on then."""
    with connect(service) as owner, connect(service) as follower:
        session = hello(owner)
        hello(follower)
        owner.send("websocket.flood", {"to": 30}, id="s")
        own = owner.answer("s")
        for _ in range(1000):
            follower.send("gsws.follow", {**session, "streams": {"s": -1}})
            frame = follower.receive()
            if frame["eventtype"] == "stream.error":
                break
            assert follower.answer("s") == own
        assert frame["payload"]["error"] == "too_many_requests"
        time.sleep(frame["payload"]["retry_after_ms"] / 1000)
        follow(follower, session, {"s": -1})
        assert follower.answer("s") == own


def test_text_of_a_snapshot_counts_as_replayed(service, monkeypatch):
    """P8.8: what was acknowledged costs as much when it comes as one text."""
    monkeypatch.setattr(following, "_CREDIT", 200_000)
    monkeypatch.setattr(following, "_REFILL", 1)
    with connect(service) as owner, connect(service) as follower:
        session = hello(owner)
        hello(follower)
        owner.send("websocket.tail", {"n": 90_000}, id="s")
        owner.receive(), owner.receive()
        owner.send("gsws.ack", {"id": "s", "seq": 1})
        owner.send("gsws.ping", {})
        owner.receive()
        for _ in range(3):
            follow(follower, session, {"s": -1}, compact=True)
            assert [follower.receive()["eventtype"] for _ in range(2)] == ["stream.start", "stream.snapshot"]
            follower.send("gsws.unfollow", {"id": "s"})
            assert follower.receive()["eventtype"] == "gsws.unfollowed"
        follower.send("gsws.follow", {**session, "streams": {"s": -1}, "compact": True})
        assert follower.receive()["payload"]["error"] == "too_many_requests"
        owner.send("gsws.cancel", {"id": "s"})


def test_a_follower_is_not_closed_for_what_it_asked_to_have_again(tmp_path):
    """P8.8, P9.3: a replay larger than `send_buffer` is no slow reader; what is pushed behind it counts."""
    files = FILES | {"gsws.yaml": "resume: {window: 5s, bytes: 16MiB}\n"}
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    with served(tmp_path, files) as service:
        raw.connect(("127.0.0.1", service.ports["websocket"]))
        with connect(service, max_size=None) as owner, connect(service, sock=raw, max_queue=1, max_size=None) as late:
            session = hello(owner)
            hello(late)
            owner.send("websocket.tail", {"n": 12 * 2**20}, id="s")
            owner.receive(), owner.receive()
            late.send("gsws.follow", {**session, "streams": {"s": -1}})
            (live,) = service.service.live.values()
            service.wait_for(lambda: any(client.lingers for client in live.router.connections), "it follows")
            pushed = [owner.receive() for _ in range(20)]  # while it reads nothing
            assert late.receive()["eventtype"] == "gsws.following"
            frames = [late.receive() for _ in range(22)]
            assert [frame["seq"] for frame in frames] == list(range(22))
            assert frames[2:] == pushed
            owner.send("gsws.cancel", {"id": "s"})


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"session": "x", "secret": "y"},
        {"session": 5, "streams": {"s": 1}},
        {"streams": {}},
        {"session": "x", "secret": "y", "streams": {"": 1, "s" * 65: 1}},
        {"session": "x", "secret": "y", "streams": [1, [None, 1], ["s"], [True, 1]]},
    ],
)
def test_what_is_no_request_to_follow_is_refused(service, payload):
    """P8.8, P7.1."""
    with connect(service) as client:
        own = hello(client)
        client.raw(json.dumps({"eventtype": "gsws.follow", "payload": payload, "id": "f"}))
        assert client.receive()["payload"]["error"] == "invalid_message"
        client.send("gsws.follow", {**own, "streams": {"s": -1}})
        assert client.receive()["payload"]["error"] == "invalid_message"
        client.send("gsws.unfollow", {"id": []})
        assert client.receive()["payload"]["error"] == "invalid_message"
