"""Requests over a real socket: errors, ids, replies, order, limits, cancellation."""

from __future__ import annotations

import json

import pytest

from tests.runtime.support import served

EVENTS = """
websocket.echo: {fn: things.echo, payload: {}}
websocket.checked:
  fn: things.echo
  payload: {type: object, required: [n], properties: {n: {type: integer, minimum: 1}}, additionalProperties: false}
websocket.strict:
  fn: things.echo
  schema:
    type: object
    required: [eventtype, payload]
    additionalProperties: false
    properties: {eventtype: {type: string}, payload: {type: object}}
websocket.default: {fn: things.echo}
websocket.nothing: {fn: things.nothing, payload: {}}
websocket.fails: {fn: things.fails, payload: {}}
websocket.raises: {fn: things.raises, payload: {}}
websocket.exits: {fn: things.exits, payload: {}}
websocket.nan: {fn: things.nan, payload: {}}
websocket.huge: {fn: things.huge, payload: {}}
websocket.own_cancel: {fn: things.own_cancel, payload: {}}
websocket.slow: {fn: things.slow, payload: {}}
websocket.timed: {fn: things.slow, payload: {}, timeout: 200ms}
websocket.stubborn: {fn: things.stubborn, payload: {}, timeout: 100ms}
websocket.thread: {fn: things.thread, payload: {}}
websocket.parallel: {fn: things.slow, payload: {}, concurrency: parallel}
websocket.reject: {fn: things.slow, payload: {}, concurrency: reject}
websocket.interrupt: {fn: things.slow, payload: {}, concurrency: interrupt}
websocket.replies: {fn: things.echo, payload: {}, reply: {type: object, required: [ok]}}
websocket.emits: {fn: things.emits, payload: {}, emits: {mine: {type: object, required: [n]}}}
websocket.limited: {fn: things.echo, payload: {}, rate: {messages: 2, per: 1h}}
websocket.mutates: {fn: things.mutates, payload: {}}
websocket.raw: {fn: things.raw, payload: {}}
websocket.context: {fn: things.context, payload: {}}
websocket.spawns: {fn: things.spawns, payload: {}}
websocket.threaded: {fn: things.threaded, payload: {}}
"""
THINGS = """
import asyncio, time

async def echo(payload): return payload
async def nothing(): ...
async def fails(ctx):
    from gsws import GSStatus
    return GSStatus(False, 418, "short and stout", {"kind": "teapot"})
async def raises(): raise ValueError("the secret is 42")
async def exits(): raise SystemExit(3)
async def nan(): return {"x": float("nan")}
async def huge(): return "x" * (17 * 2**20)
async def own_cancel(): raise asyncio.CancelledError
async def slow(payload):
    await asyncio.sleep(payload.get("s", 0.2))
    return payload
async def stubborn():
    while True:
        try: await asyncio.sleep(60)
        except asyncio.CancelledError: await asyncio.sleep(0.5); return
def thread(payload):
    time.sleep(payload.get("s", 0)); return payload
async def emits(ctx, payload):
    await ctx.emit("mine", payload)
    return "done"
async def mutates(payload):
    payload["list"].append(1); return payload
async def raw(ws, payload):
    for item in payload["items"]: await ws.send(item)
    ws.send_json("text")
def threaded(ws, payload):
    for n in range(payload): ws.send({"n": n})
async def context(ctx):
    inputs, data = ctx.inputs, ctx.inputs.data
    return {
        "same": [data.payload is data["payload"], data.body is data.payload, inputs.data.clientId == data["clientId"]],
        "client": data.clientId, "type": inputs.type, "source": inputs.source, "channel": inputs.channel,
        "specversion": inputs.specversion, "id": inputs.id == ctx.request_id, "time": inputs.time,
        "open": data.ws.readyState == data.ws.OPEN, "subject": ctx.actor.subject, "config": ctx.config.greeting,
        "mapping": ctx.mappings.gender["m"], "meta": inputs.metadata.get("traceparent"), "cancelled": ctx.cancelled,
        "function": await ctx.functions["things.echo"]("hi"), "session": ctx.session,
    }
async def spawns():
    async def forever():
        await asyncio.sleep(3600)
    asyncio.create_task(forever())
"""
FILES = {
    "events/all.yaml": EVENTS,
    "functions/things.py": THINGS,
    "config/default.yaml": "greeting: hello\n",
    "mappings/gender.yaml": "m: male\n",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("requests"), FILES) as running:
        yield running


@pytest.fixture
def client(service):
    with service.client() as client:
        yield client


def test_success_without_an_id_is_silent_and_failure_is_not(client):
    """P5.1."""
    client.send("websocket.echo", {"a": 1})
    client.silence()
    client.send("websocket.fails")

    assert client.receive() == {
        "eventtype": "stream.error",
        "payload": {
            "message": "short and stout",
            "error": "failed",
            "code": 418,
            "retryable": False,
            "data": {"kind": "teapot"},
        },
    }


def test_with_an_id_there_is_one_terminal_frame(client):
    """P5.2, P5.3."""
    assert client.ask("websocket.echo", {"a": 1}, id=7) == {
        "eventtype": "reply",
        "id": 7,
        "seq": 0,
        "payload": {"success": True, "code": 200, "data": {"a": 1}},
    }
    assert client.ask("websocket.nothing")["payload"] == {"success": True, "code": 200}
    client.silence(0.05)


def test_a_binary_frame_is_taken_as_text(client):
    """P1.1."""
    client.raw(b'{"eventtype":"websocket.echo","payload":1,"id":"b"}')

    assert client.receive()["payload"]["data"] == 1


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ("{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        ('{"a":NaN}', "invalid_json"),
        ("[" * 50_000, "invalid_json"),
        ('{"eventtype":"websocket.echo","payload":' + "[" * 70 + "]" * 70 + "}", "invalid_json"),
        ('"\\ud800"', "invalid_json"),
        ("[]", "invalid_message"),
        ("{}", "invalid_message"),
        ('{"eventtype":3}', "invalid_message"),
        ('{"eventtype":"websocket.echo","id":{}}', "invalid_message"),
        ('{"eventtype":"websocket.echo","meta":1}', "invalid_message"),
        ('{"eventtype":"nope"}', "unknown_event"),
        ('{"eventtype":"__proto__"}', "unknown_event"),
        ('{"eventtype":"__class__"}', "unknown_event"),
        ('{"eventtype":"reply"}', "unknown_event"),
        ('{"eventtype":"stream.start"}', "unknown_event"),
    ],
)
def test_a_bad_message_is_answered_and_closes_nothing(client, raw, error):
    """P2.1, P7.2, P7.3."""
    client.raw(raw)
    payload = client.receive()["payload"]

    assert payload["error"] == error
    assert isinstance(payload["message"], str)
    assert client.ask("websocket.echo", 1)["payload"]["data"] == 1


def test_an_unknown_event_is_named(client):
    """P7.2."""
    assert client.ask("nope.x")["payload"] == {
        "message": "Unknown or unconfigured event type: nope.x",
        "error": "unknown_event",
        "code": 404,
        "retryable": False,
    }


def test_a_violation_points_into_the_message_that_was_sent(client):
    """P7.1."""
    answer = client.ask("websocket.checked", {"n": 0, "x": 1})

    assert answer["payload"]["error"] == "schema_violation"
    assert {(error["pointer"], error["keyword"]) for error in answer["payload"]["errors"]} == {
        ("/payload/n", "minimum"),
        ("/payload", "additionalProperties"),
    }


def test_reserved_keys_do_not_meet_the_user_s_schema(client):
    """P2.2."""
    client.raw('{"eventtype":"websocket.strict","payload":{},"id":"i","seq":4,"meta":{}}')

    assert client.receive()["eventtype"] == "reply"


def test_the_default_schema_is_the_seed_s(client):
    assert client.ask("websocket.default", {"message": "hi"})["eventtype"] == "reply"
    assert client.ask("websocket.default", {"message": 1})["payload"]["error"] == "schema_violation"
    assert client.ask("websocket.default", {})["payload"]["error"] == "schema_violation"


@pytest.mark.parametrize("event", ["raises", "exits", "nan", "huge", "own_cancel"])
def test_whatever_a_handler_does_is_one_handler_error(service, client, event):
    """P7.1: the log has the details with the same request id, the client has not, but for development's `data`."""
    answer = client.ask(f"websocket.{event}")["payload"]
    answer.pop("data")

    assert answer["error"] == "handler_error"
    assert answer["message"] == f"Error in executing handler things.{event} for the event websocket.{event}"
    assert "secret" not in json.dumps(answer)
    logged = [entry for entry in service.log("handler failed") if entry["request"] == answer["request"]]
    assert len(logged) == 1
    assert client.ask("websocket.echo", 1)["payload"]["data"] == 1


def test_an_id_in_use_is_refused_and_the_running_request_is_left_alone(client):
    """P5.4."""
    client.send("websocket.slow", {"s": 0.2, "first": True}, id="x")
    client.send("websocket.echo", 2, id="x")
    refusal, answer = client.receive(), client.receive()

    assert (refusal["payload"]["error"], refusal["id"]) == ("duplicate_id", "x")
    assert "seq" not in refusal
    assert answer["payload"]["data"]["first"]
    assert client.ask("websocket.echo", 3, id="x")["payload"]["data"] == 3


def test_an_integer_and_a_string_are_different_ids(client):
    """P5.4."""
    client.send("websocket.slow", {"s": 0.1, "n": 1}, id=1)
    client.send("websocket.slow", {"s": 0, "n": 2}, id="1")

    assert [client.receive()["id"] for _ in range(2)] == [1, "1"]


def test_plain_handlers_run_in_the_order_sent(client):
    """P9.1: ``enqueue``, across events and kinds of handler."""
    client.send("websocket.slow", {"s": 0.1}, id=1)
    client.send("websocket.thread", {"s": 0.05}, id=2)
    client.send("websocket.echo", 0, id=3)

    assert [client.receive()["id"] for _ in range(3)] == [1, 2, 3]


def test_parallel_requests_overtake(client):
    """P9.1."""
    client.send("websocket.parallel", {"s": 0.3}, id=1)
    client.send("websocket.parallel", {"s": 0}, id=2)

    assert [client.receive()["id"] for _ in range(2)] == [2, 1]


def test_reject_and_interrupt(client):
    """P9.1."""
    client.send("websocket.reject", {"s": 0.2}, id=1)
    client.send("websocket.reject", {"s": 0}, id=2)
    frames = [client.receive() for _ in range(2)]
    assert [(frame["id"], frame["payload"].get("error")) for frame in frames] == [(2, "busy"), (1, None)]

    client.send("websocket.interrupt", {"s": 5}, id=3)
    client.send("websocket.interrupt", {"s": 0}, id=4)
    frames = [client.receive() for _ in range(2)]
    assert [(frame["id"], frame["payload"].get("reason")) for frame in frames] == [(3, "superseded"), (4, None)]


def test_rate_of_an_event(client):
    """P7.2."""
    answers = [client.ask("websocket.limited", n) for n in range(3)]

    assert [answer["eventtype"] for answer in answers] == ["reply", "reply", "stream.error"]
    assert answers[2]["payload"]["error"] == "too_many_requests"
    assert 0 < answers[2]["payload"]["retry_after_ms"] <= 1_800_000


def test_timeouts(client):
    """P7.2."""
    answer = client.ask("websocket.timed", {"s": 60})

    assert (answer["payload"]["error"], answer["payload"]["code"]) == ("timeout", 504)


def test_a_handler_that_swallows_its_cancellation_is_answered_all_the_same(client):
    """P5.2: once, and the connection goes on."""
    assert client.ask("websocket.stubborn", id="s")["payload"]["error"] == "timeout"
    assert client.ask("websocket.echo", 1, id="s")["payload"]["data"] == 1


def test_cancel_a_running_and_a_queued_request(client):
    """P6.6."""
    client.send("websocket.slow", {"s": 30}, id="running")
    client.send("websocket.slow", {"s": 30}, id="queued")
    client.send("gsws.cancel", {"id": "queued"})
    client.send("gsws.cancel", {"id": "running"})
    frames = [client.receive() for _ in range(2)]

    assert [(frame["id"], frame["eventtype"], frame["payload"]["reason"]) for frame in frames] == [
        ("queued", "stream.end", "cancelled"),
        ("running", "stream.end", "cancelled"),
    ]
    assert client.ask("websocket.echo", 1)["payload"]["data"] == 1


def test_cancelling_an_unknown_id(client):
    """P6.6."""
    client.send("gsws.cancel", {"id": "never"})
    frame = client.receive()

    assert (frame["id"], frame["payload"]["error"]) == ("never", "unknown_id")


@pytest.mark.parametrize("payload", [None, {}, {"id": None}, {"id": [1]}, {"id": True}, "x"])
def test_a_cancel_without_an_id_is_an_invalid_message(client, payload):
    client.send("gsws.cancel", payload)

    assert client.receive()["payload"]["error"] == "invalid_message"


def test_ping_and_unknown_control_frames(client):
    """P10.1, P2.4."""
    client.send("gsws.later", {"a": 1}, id="x")
    client.send("gsws.ping", {"t": 1})

    assert client.receive() == {"eventtype": "gsws.pong", "payload": {"t": 1}}
    client.silence(0.05)


def test_control_frames_never_wait(client):
    """P9.1."""
    client.send("websocket.slow", {"s": 0.3}, id=1)
    client.send("gsws.ping", {})

    assert client.receive()["eventtype"] == "gsws.pong"
    assert client.receive()["id"] == 1


def test_the_contract_holds_for_answers_too(client):
    """P7.2: ``reply_violation``."""
    assert client.ask("websocket.replies", {"ok": 1})["eventtype"] == "reply"
    assert client.ask("websocket.replies", {"no": 1})["payload"]["error"] == "reply_violation"
    client.send("websocket.emits", {"n": 1}, id="e")
    assert [(frame["eventtype"], frame["seq"]) for frame in client.answer("e")] == [("mine", 0), ("reply", 1)]
    assert client.ask("websocket.emits", {"m": 1})["payload"]["error"] == "reply_violation"


def test_mutating_a_payload_touches_nobody_else(client):
    for _ in range(2):
        assert client.ask("websocket.mutates", {"list": []})["payload"]["data"] == {"list": [1]}


def test_ws_sends_text_objects_and_json(client):
    client.send("websocket.raw", {"items": ["plain", {"a": 1}, [1], 5]})

    assert [client.socket.recv(2) for _ in range(5)] == ["plain", '{"a":1}', "[1]", "5", '"text"']


def test_a_plain_function_sends_from_its_thread_in_order(client):
    client.send("websocket.threaded", 200, id="t")

    assert [client.receive()["n"] for _ in range(200)] == list(range(200))
    assert client.receive()["eventtype"] == "reply"


def test_the_context(client):
    """P4.1, and what the original's handlers read."""
    client.send("websocket.context", 1, id="c", meta={"traceparent": "00-1"})
    data = client.receive()["payload"]["data"]

    assert data.pop("time").endswith("Z")
    assert data == {
        "same": [True, True, True],
        "client": "test",
        "type": "websocket.context",
        "source": "websocket",
        "channel": "websocket",
        "specversion": "1.0",
        "id": True,
        "open": True,
        "subject": "test",
        "config": "hello",
        "mapping": "male",
        "meta": "00-1",
        "cancelled": False,
        "function": "hi",
        "session": None,
    }


@pytest.mark.parametrize("query", ["", "?clientId=", "?other=1"])
def test_a_connection_without_a_label_is_anonymous(service, query):
    """P4.1."""
    with service.client(query=query) as client:
        assert client.ask("websocket.context", 1)["payload"]["data"]["client"].startswith("anon-")


def test_requests_end_when_their_client_leaves(service):
    """P6.7: plain profile defaults to cancel."""
    with service.client() as client:
        client.send("websocket.slow", {"s": 30})
        client.send("websocket.slow", {"s": 30})
        client.send("websocket.parallel", {"s": 30})
        service.wait_for(service.service.is_busy)

    service.wait_for(lambda: not service.service.is_busy(), "requests of a client that left")
    service.wait_for(lambda: not service.service.live["websocket"].router.connections)
