"""Repeated requests get the first one's terminal frame."""

from __future__ import annotations

import json

import pytest

from tests.runtime.support import served

FILES = {
    "events/all.yaml": """
        websocket.count: {fn: work.count, payload: {}, concurrency: parallel}
        websocket.other: {fn: work.count, payload: {}}
        websocket.fails: {fn: work.fails, payload: {}}
        websocket.stream: {fn: work.stream, payload: {}}
        websocket.busy: {fn: work.count, payload: {}, concurrency: reject}
        """,
    "functions/work.py": """
        import asyncio
        CALLS = []
        async def count(payload):
            CALLS.append(payload)
            await asyncio.sleep(payload.get("s", 0))
            return {"call": len(CALLS)}
        async def fails():
            CALLS.append("fails")
            raise ValueError
        async def stream(payload):
            CALLS.append(payload)
            for n in range(3): yield str(n)
        """,
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("idempotency"), FILES) as running:
        yield running


def ask(client, event, key, id, payload=None):
    client.send(f"websocket.{event}", payload or {}, id=id, meta={"idempotency_key": key})
    return client.answer(id)[-1]


def test_a_repetition_does_not_run(service):
    """P5.4: after the end, while running, on another connection of the subject."""
    with service.client() as client:
        first = ask(client, "count", "k1", 1)
        again = ask(client, "count", "k1", 2)
        assert again["payload"] == first["payload"]
        assert (again["id"], again["seq"]) == (2, 0)

        client.send("websocket.count", {"s": 0.2}, id="a", meta={"idempotency_key": "k2"})
        client.send("websocket.count", {"s": 0.2}, id="b", meta={"idempotency_key": "k2"})
        frames = [client.receive(), client.receive()]
        assert {frame["id"] for frame in frames} == {"a", "b"}
        assert frames[0]["payload"] == frames[1]["payload"]
    with service.client() as other:
        assert ask(other, "count", "k1", 1)["payload"] == first["payload"]


def test_keys_belong_to_a_subject_and_an_event(service):
    """P5.4."""
    with service.client() as client, service.client(query="?clientId=somebody") as other:
        first = ask(client, "count", "k3", 1)
        assert ask(other, "count", "k3", 1)["payload"] != first["payload"]
        assert ask(client, "other", "k3", 2)["payload"] != first["payload"]


def test_errors_and_streams_are_repeated_by_their_last_frame(service):
    """P5.4, P5.2."""
    with service.client() as client:
        first = ask(client, "fails", "k4", 1)
        assert ask(client, "fails", "k4", 2)["payload"] == first["payload"]
        ask(client, "stream", "k5", 1)
        client.send("websocket.stream", {}, id=2, meta={"idempotency_key": "k5"})
        frames = client.answer(2)
        assert [(frame["eventtype"], frame["seq"]) for frame in frames] == [("stream.end", 0)]


def test_what_was_refused_or_left_by_its_client_runs_again(service):
    with service.client() as client:
        client.send("websocket.busy", {"s": 0.3}, id=1)
        assert ask(client, "busy", "k6", 2)["payload"]["error"] == "busy"
        client.answer(1)
        assert ask(client, "busy", "k6", 3)["eventtype"] == "reply"
    with service.client() as client:
        client.send("websocket.count", {"s": 30}, id=1, meta={"idempotency_key": "k7"})
        service.wait_for(service.service.is_busy)
    service.wait_for(lambda: not service.service.is_busy())
    with service.client() as client:
        assert ask(client, "count", "k7", 1)["eventtype"] == "reply"


def test_a_waiting_repetition_can_be_cancelled(service):
    """P6.6."""
    with service.client() as client:
        client.send("websocket.count", {"s": 0.3}, id=1, meta={"idempotency_key": "k8"})
        client.send("websocket.count", {"s": 0.3}, id=2, meta={"idempotency_key": "k8"})
        client.send("gsws.cancel", {"id": 2})
        assert client.answer(2)[-1]["payload"]["reason"] == "cancelled"
        assert client.answer(1)[-1]["eventtype"] == "reply"
        client.silence(0.05)
    service.wait_for(lambda: not service.service.is_busy())


@pytest.mark.parametrize("key", ["", "x" * 256, 5, []])
def test_a_key_is_a_short_string(service, key):
    with service.client() as client:
        assert ask(client, "count", key, 1)["payload"]["error"] == "invalid_message"
        assert ask(client, "count", "good", 1)["eventtype"] == "reply"


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("1" + "0" * 40, "1e40", True),
        ("1e40", "0.1E+41", True),
        ("1152921504606846976", "1152921504606846976.0", True),
        ("-2.50", "-25e-1", True),
        ("0", "-0.0e7", True),
        ("0", "0e99999999999999999999", True),
        ("1152921504606846976", "1152921504606847000", False),
        ("9007199254740993", "9007199254740992.0", False),
        ("1e40", "10000000000000000303786028427003666890752", False),
        ("1", "true", False),
        ("1", '"n1e0"', False),
        ("12", '"12"', False),
        ("0", "null", False),
    ],
)
def test_numbers_are_compared_by_their_value(service, request, first, second, is_same):
    """P5.4: whatever way they are written, wherever they stand."""

    def say(id, number):
        client.raw(
            f'{{"eventtype": "websocket.count", "id": {id}, "payload": {{"deep": [{{"n": {number}}}]}},'
            f' "meta": {{"idempotency_key": {json.dumps(request.node.name)}}}}}'
        )
        return client.answer(id)[-1]["payload"]

    with service.client() as client:
        done, again = say(1, first), say(2, second)
    assert done["success"] is True
    assert again == done if is_same else again["code"] == 422
