"""Everything that is refused, fails or closes is counted by name, told in the log, and costs nothing else."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import replace

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gsws.protocol.answer import Answer
from gsws.protocol.errors import error_name
from gsws.runtime.counters import INTERVAL, Counters, Reporter
from gsws.runtime.wheel import Wheel
from tests.runtime.support import DEADLINE, served

FILES = {
    "events/all.yaml": """
        websocket.echo: {fn: work.echo, payload: {type: object}, authn: false}
        websocket.rated: {fn: work.echo, payload: {}, rate: {messages: 1, per: 1h}, authn: false}
        websocket.wait: {fn: work.wait, payload: {}, concurrency: parallel, authn: false}
        websocket.alone: {fn: work.wait, payload: {}, concurrency: reject, authn: false}
        websocket.raises: {fn: work.raises, payload: {}, authn: false}
        websocket.fails: {fn: work.fails, payload: {}, authn: false}
        websocket.own: {fn: work.own, payload: {}, authn: false}
        websocket.reply: {fn: work.echo, payload: {}, reply: {type: string}, authn: false}
        websocket.late: {fn: work.wait, payload: {}, timeout: 50ms, authn: false}
        websocket.never: {fn: work.echo, payload: {}, authz: work.never, authn: false}
        websocket.known: {fn: work.echo, payload: {}}
        websocket.close: {fn: work.close, payload: {}, authn: false}
        websocket.thread: {fn: work.thread, payload: {}, authn: false}
        """,
    "functions/work.py": """
        import asyncio, time
        from gsws import GSStatus
        async def echo(payload): return payload
        async def wait(payload): await asyncio.sleep(60)
        async def raises(payload): raise ValueError
        async def fails(payload): return GSStatus(False, 422, "no")
        async def own(ctx): await ctx.emit("stream.error", {"error": "model_timeout"})
        async def never(ctx): return False
        async def close(payload, ws): await ws.close(payload["code"], "")
        def thread(ctx):
            ctx.logger.info("begun")
            time.sleep(0.5)
        async def nobody(handshake): return None
        """,
}


def bad_json(client):
    client.raw("{")
    assert client.receive()["payload"]["error"] == "invalid_json"


def too_deep(client):
    client.raw('{"eventtype":"websocket.echo","payload":' + "[" * 70 + "]" * 70 + "}")
    assert client.receive()["payload"]["error"] == "invalid_json"


def far_too_deep(client):
    client.raw('{"eventtype":"websocket.echo","payload":' + "[" * 5000 + "]" * 5000 + "}")
    assert client.receive()["payload"]["error"] == "invalid_json"


def no_object(client):
    client.raw("1")
    client.receive()


def too_large(client):
    client.send("websocket.echo", {"text": "x" * 3000})
    assert client.receive()["payload"]["error"] == "too_large"
    assert client.closed()[0] == 1009


def asks(event, payload=None):
    return lambda client: client.ask(event, payload)


def twice(event):
    def run(client):
        client.send(event, {}, id="first")
        assert client.ask(event, {}, id="second")["eventtype"] in ("stream.error", "reply")

    return run


def thrice(event):
    def run(client):
        client.send(event, {}, id="first")
        client.send(event, {}, id="waits")
        assert client.ask(event, {}, id="third")["eventtype"] == "stream.error"

    return run


def same_id(client):
    client.send("websocket.wait", {}, id="one")
    client.send("websocket.wait", {}, id="one")
    client.receive()


def cancel_unknown(client):
    client.send("gsws.cancel", {"id": "nobody"})
    client.receive()


def resume_unknown(client):
    client.receive()
    client.send("gsws.resume", {"session": "x", "secret": "y", "streams": {"a": 1}})
    assert [client.receive()["eventtype"] for _ in range(2)] == ["gsws.resumed", "stream.error"]


def closes(code):
    def run(client):
        client.send("websocket.close", {"code": code})
        assert client.closed()[0] == code

    return run


def bad_utf8(client):
    client.socket.socket.sendall(b"\x81\x81\x00\x00\x00\x00\xff")
    assert client.closed()[0] == 1007


def unmasked(client):
    client.socket.socket.sendall(b"\x81\x01a")
    assert client.closed()[0] == 1002


MESSAGES = [
    ("", bad_json, {"errors.invalid_json"}),
    ("", too_deep, {"errors.invalid_json", "limits.json_depth"}),
    ("", far_too_deep, {"errors.invalid_json", "limits.json_depth"}),
    ("", no_object, {"errors.invalid_message"}),
    ("message_bytes: 2KiB", too_large, {"errors.too_large", "limits.message_bytes", "closes.1009"}),
    ("", asks("websocket.nowhere"), {"errors.unknown_event"}),
    ("", asks("websocket.echo", 1), {"errors.schema_violation"}),
    ("in_flight: 1", thrice("websocket.wait"), {"errors.too_many_requests", "limits.in_flight"}),
    ("rate: {messages: 1, per: 1h}", twice("websocket.echo"), {"errors.too_many_requests", "limits.rate"}),
    ("", twice("websocket.rated"), {"errors.too_many_requests", "limits.event_rate"}),
    ("", twice("websocket.alone"), {"errors.busy"}),
    ("", same_id, {"errors.duplicate_id"}),
    ("", cancel_unknown, {"errors.unknown_id"}),
    ("", resume_unknown, {"errors.resume_lost"}),
    ("", asks("websocket.raises"), {"errors.handler_error"}),
    ("", asks("websocket.fails"), {"errors.failed"}),
    ("", asks("websocket.own"), {"errors.model_timeout"}),
    ("", asks("websocket.reply", {}), {"errors.reply_violation"}),
    ("", asks("websocket.late"), {"errors.timeout"}),
    ("", asks("websocket.never"), {"errors.forbidden"}),
    ("", closes(4504), {"closes.4504"}),
    ("", closes(3999), {"closes.other"}),
    ("", bad_utf8, {"closes.1007"}),
    ("", unmasked, {"closes.1002"}),
]


def counted(running, *, without=("closes.1000", "closes.1001", "closes.1005", "closes.1006")):
    counts = running.service.counters()["websocket"]
    return {name for name in counts if name not in without}


@pytest.mark.parametrize(
    ("limits", "provoke", "expected"), MESSAGES, ids=["+".join(sorted(expected)) for *_, expected in MESSAGES]
)
def test_each_refusal_on_an_open_connection_is_counted(tmp_path, limits, provoke, expected):
    """A refusal is counted under the error that the client reads, and under the limit that it was over."""
    source = f"type: websocket\nport: 0\nlimits: {{{limits}}}\n"
    options = {"subprotocols": ["gsws.v1"]} if provoke is resume_unknown else {}
    with served(tmp_path, {**FILES, "eventsources/websocket.yaml": source}) as running:
        with running.client(**options) as client:
            with contextlib.suppress(ConnectionClosed):
                provoke(client)
            if provoke in (same_id,) or "in_flight" in limits or expected == {"errors.busy"}:
                client.send("gsws.cancel", {"id": "first" if provoke is not same_id else "one"})
        running.wait_for(lambda: not running.service.live["websocket"].router.connections)
        running.wait_for(lambda: expected <= counted(running), f"{expected} in {counted(running)}")
        assert counted(running) == expected


def raw(running, data, *, finish=True):
    with socket.create_connection(("127.0.0.1", running.ports["websocket"]), DEADLINE) as one:
        one.sendall(data)
        if finish:
            received = b""
            while piece := one.recv(4096):
                received += piece
            return received
        return b""


def refused(running, status, **options):
    with pytest.raises(InvalidStatus) as refusal, running.client(**options):
        pass
    assert refusal.value.response.status_code == status
    return refusal.value.response


def no_credential(running):
    refused(running, 401)


def wrong_origin(running):
    refused(running, 403, origin="https://evil.example")


def one_too_many(running):
    with running.client():
        assert refused(running, 503).headers["Retry-After"]


def one_address_too_many(running):
    with running.client():
        assert refused(running, 429).headers["Retry-After"]


def too_fast(running):
    for _ in range(2):
        with running.client():
            pass
    wait = int(refused(running, 429).headers["Retry-After"])
    assert 1000 < wait <= 1800


def too_slow(running):
    assert raw(running, b"GET / HTTP/1.1\r\nHost: x\r\n").startswith(b"HTTP/1.1 408 ")


def no_request(running):
    assert raw(running, b"\x16\x03\x01 \r\n").startswith(b"HTTP/1.1 400 ")


def no_file(running):
    assert raw(running, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 404 ")


HANDSHAKES = [
    ("authn: {fn: work.nobody}", no_credential, {"http.401"}),
    ("origins: ['https://app.example']", wrong_origin, {"http.403"}),
    ("limits: {connections: 1}", one_too_many, {"http.503", "limits.connections"}),
    ("limits: {connections_per_ip: 1}", one_address_too_many, {"http.429", "limits.connections_per_ip"}),
    ("limits: {connect_rate: {connections: 2, per: 1h}}", too_fast, {"http.429", "limits.connect_rate"}),
    ("limits: {handshake_timeout: 100ms}", too_slow, {"http.408", "limits.handshake_timeout"}),
    ("", no_request, {"http.400"}),
    ("", no_file, {"http.404"}),
]


@pytest.mark.parametrize(
    ("more", "provoke", "expected"), HANDSHAKES, ids=["+".join(sorted(expected)) for *_, expected in HANDSHAKES]
)
def test_each_refusal_before_a_connection_is_counted(tmp_path, more, provoke, expected):
    """A handshake or request that is refused is counted under its status, and under the limit that it was over."""
    source = f"type: websocket\nport: 0\n{more}\n"
    with served(tmp_path, {**FILES, "eventsources/websocket.yaml": source}) as running:
        provoke(running)
        running.wait_for(lambda: expected <= counted(running), f"{expected} in {counted(running)}")
        assert counted(running) == expected


def test_a_peer_that_is_not_there_any_more_is_counted(tmp_path):
    """A missed heartbeat (4408) is counted."""
    source = "type: websocket\nport: 0\nheartbeat: {interval: 100ms, timeout: 100ms}\n"
    handshake = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with served(tmp_path, {**FILES, "eventsources/websocket.yaml": source}) as running:
        with socket.create_connection(("127.0.0.1", running.ports["websocket"]), DEADLINE) as one:
            one.sendall(handshake)
            running.wait_for(lambda: "closes.4408" in counted(running))


def test_a_thread_that_outlives_its_request_is_said_and_counted(tmp_path):
    """A plain function cannot be stopped: cancelled, it goes on, and the log names it."""
    with served(tmp_path, FILES) as running, running.client() as client:
        client.send("websocket.thread", {}, id="t")
        running.wait_for(lambda: "begun" in [entry["event"] for entry in running.logs])
        client.send("gsws.cancel", {"id": "t"})
        client.answer("t")
        running.wait_for(lambda: "threads.abandoned" in counted(running))
        (line,) = running.log("handler goes on in its thread, which cannot be stopped")
        assert (line["fn"], line["event_key"]) == ("work.thread", "websocket.thread")


def test_nothing_is_counted_for_what_is_taken(tmp_path):
    """Messages that are answered leave no trace."""
    with served(tmp_path, FILES) as running:
        with running.client() as client:
            for number in range(20):
                assert client.ask("websocket.echo", {"n": number}, id=number)["eventtype"] == "reply"
        assert counted(running) == set()


def test_a_handlers_names_cannot_fill_the_memory():
    """Of too many names the last ones are counted together."""
    counters = Counters()
    for number in range(10_000):
        counters.add(f"errors.{number}")

    assert len(counters.read()) == 257
    assert counters.read()["errors.other"] == 10_000 - 256
    for name in ("errors.forbidden", "limits.rate", "closes.4430"):
        counters.add(name)
        assert counters.read()[name] == 1, "a name of ours is never pushed out"


def test_a_name_that_a_handler_repeats_is_cut():
    """What a client may choose can be as long as a message; a counter's name is not."""
    frame = Answer("1").emit("stream.error", {"error": "x" * 500_000, "message": "m"})
    assert error_name(frame) == "x" * 64


class Clock:
    """A loop's clock that stands still until it is told."""

    def __init__(self):
        self.now = 0.0
        self.due = []

    def time(self):
        return self.now

    def call_at(self, when, callback):
        entry = [when, callback]
        self.due.append(entry)
        return type("Handle", (), {"cancel": lambda _: entry in self.due and self.due.remove(entry)})()

    def go(self, seconds):
        self.now += seconds
        for entry in [one for one in self.due if one[0] <= self.now]:
            if entry in self.due:
                self.due.remove(entry)
                entry[1]()


class Log:
    def __init__(self):
        self.lines = []

    def info(self, event, **facts):
        self.lines.append((event, facts))


def test_the_log_says_what_was_refused_once_a_minute():
    """Ten thousand refusals are one line a minute; while nothing is refused, nothing waits."""
    clock, log, counters = Clock(), Log(), Counters()
    wheel = Wheel(clock, patience=1e9)
    reporter = Reporter(counters, wheel, log)
    counters.add("closes.1000")
    assert len(wheel) == 0
    for _ in range(10_000):
        counters.add("errors.invalid_json")
    assert (len(wheel), log.lines) == (1, [])

    clock.go(INTERVAL + 1)
    assert log.lines == [("refused or failed", {"errors_invalid_json": 10_000})]
    assert len(wheel) == 0

    counters.add("limits.rate")
    counters.add("closes.1001")
    reporter.close()
    assert len(wheel) == 0
    assert log.lines[1:] == [("refused or failed", {"limits_rate": 1})]


def get(running, path, *headers, host="127.0.0.1"):
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{running.ports['websocket']}", *headers, "", ""]
    head, _, body = raw(running, "\r\n".join(lines).encode()).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def test_the_counters_are_shown_to_this_machine_in_development(tmp_path):
    """``/gsws/counters`` is JSON for who sits here; a rebound name, a proxy and production see 404."""
    with served(tmp_path, FILES) as running:
        with running.client() as client:
            bad_json(client)
            status, body = get(running, "/gsws/counters")
            assert (status, json.loads(body)) == (200, {"connections": 1, "counters": {"errors.invalid_json": 1}})
        assert get(running, "/gsws/counters", host="rebound.example")[0] == 404
        for header in ("X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https", "CF-Connecting-IP: 203.0.113.1"):
            assert get(running, "/gsws/counters", header)[0] == 404
        port = running.service._listeners["websocket"]._port
        port.options = replace(port.options, development=False)
        assert get(running, "/gsws/counters")[0] == 404
