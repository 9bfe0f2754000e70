"""Who may send how much: rates by connection and by subject, the end of patience, and what is never asked twice."""

from __future__ import annotations

import contextlib
import threading

import pytest
from websockets.exceptions import ConnectionClosed

from gsws.runtime.dispatch import admission
from gsws.runtime.dispatch.admission import PATIENCE
from tests.runtime.support import served

FILES = {
    "events/all.yaml": """
        websocket.echo: {fn: work.echo, payload: {}}
        websocket.open: {fn: work.echo, payload: {}, authn: false}
        websocket.wait: {fn: work.wait, payload: {}, concurrency: parallel}
        """,
    "functions/work.py": """
        import asyncio
        from gsws import GSActor
        async def echo(payload): return payload
        async def wait(payload): await asyncio.sleep(60)
        async def who(handshake):
            return GSActor(handshake.token, authenticated=True) if handshake.token else None
        """,
}


def source(**lines):
    return "type: websocket\nport: 0\n" + "".join(f"{key}: {value}\n" for key, value in lines.items())


def bearer(name):
    return {"additional_headers": {"Authorization": f"Bearer {name}"}}


AUTHN = "{fn: work.who, anonymous: true}"


def error(frame):
    return frame["payload"].get("error")


def test_a_rate_by_subject_counts_all_connections_of_a_user(tmp_path):
    """``limits.rate.by: subject``: another connection of the same user has nothing left, another user has."""
    files = {"eventsources/websocket.yaml": source(authn=AUTHN, limits="{rate: {messages: 2, per: 1h, by: subject}}")}
    with (
        served(tmp_path, FILES | files) as running,
        running.client(**bearer("ann")) as one,
        running.client(**bearer("ann")) as two,
        running.client(**bearer("bob")) as other,
    ):
        assert error(one.ask("websocket.echo", 1)) is None
        assert error(two.ask("websocket.echo", 1)) is None
        assert error(one.ask("websocket.echo", 1)) == error(two.ask("websocket.echo", 1)) == "too_many_requests"
        assert error(other.ask("websocket.echo", 1)) is None


def test_a_client_without_a_subject_is_counted_by_connection(tmp_path):
    """A label proves nothing: two anonymous connections of one name do not share a rate by subject."""
    files = {"eventsources/websocket.yaml": source(authn=AUTHN, limits="{rate: {messages: 1, per: 1h, by: subject}}")}
    with served(tmp_path, FILES | files) as running, running.client() as one, running.client() as two:
        assert error(one.ask("websocket.open", 1)) is None
        assert error(two.ask("websocket.open", 1)) is None
        assert error(two.ask("websocket.open", 1)) == "too_many_requests"


@pytest.mark.parametrize(
    "flood",
    [
        b"{",
        b"[]",
        b'{"eventtype":"websocket.nowhere","payload":{}}',
        b'{"eventtype":"websocket.echo","payload":1}',
        b'{"eventtype":"gsws.ping"}',
        b'{"eventtype":"gsws.cancel","payload":{"id":"nobody"}}',
        b'{"eventtype":"gsws.auth","payload":{"token":"x"}}',
    ],
)
def test_every_kind_of_message_counts(tmp_path, flood):
    """Bad JSON, unknown events and control frames are no way around the rate."""
    files = {"eventsources/websocket.yaml": source(limits="{rate: {messages: 3, per: 1h}}")}
    with served(tmp_path, FILES | files) as running, running.client() as client:
        for _ in range(3):
            client.raw(flood)
        for _ in range(3 if b"websocket.echo" not in flood else 0):
            assert error(client.receive()) != "too_many_requests"
        client.raw(flood)
        assert error(client.receive()) == "too_many_requests"


def test_control_frames_have_a_rate_of_their_own(tmp_path):
    """A client that is over its rate can still cancel."""
    files = {"eventsources/websocket.yaml": source(limits="{rate: {messages: 1, per: 1h}}")}
    with served(tmp_path, FILES | files) as running, running.client() as client:
        client.send("websocket.wait", {}, id="w")
        assert error(client.ask("websocket.echo", 1)) == "too_many_requests"
        client.send("gsws.cancel", {"id": "w"})
        assert client.answer("w")[-1]["payload"]["reason"] == "cancelled"


@pytest.mark.parametrize("limits", ["{rate: {messages: 1, per: 1h}}", "{in_flight: 1}"])
def test_who_does_not_listen_is_closed_with_4429(tmp_path, limits):
    """P7.4: each message too many is answered, and after so many answers the connection ends."""
    files = {"eventsources/websocket.yaml": source(limits=limits)}
    with served(tmp_path, FILES | files) as running, running.client() as client:
        client.send("websocket.wait", {}, id="w")
        client.send("websocket.wait", {}, id="x")
        if "in_flight" not in limits:
            assert error(client.receive()) == "too_many_requests"
        refusals = 0
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  # each answer is read
            for _ in range(10 * PATIENCE):
                client.send("websocket.wait", {}, id="more")
                assert error(client.receive()) == "too_many_requests"
                refusals += 1
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4429, "too many requests")
        assert refusals >= PATIENCE
        running.wait_for(lambda: running.service.counters()["websocket"].get("closes.4429") == 1)


def test_who_waits_as_told_is_never_closed(tmp_path, monkeypatch):
    """Refusals that are spread are forgiven: a client that tries again after a while goes on for ever."""
    monkeypatch.setattr(admission, "PATIENCE_SECONDS", 1e-6)
    files = {"eventsources/websocket.yaml": source(limits="{rate: {messages: 1, per: 1h}}")}
    with served(tmp_path, FILES | files) as running, running.client() as client:
        client.ask("websocket.echo", 1)
        for _ in range(PATIENCE + 50):
            assert error(client.ask("websocket.echo", 1)) == "too_many_requests"


def test_a_checked_credential_is_not_asked_for_again(tmp_path):
    """Where nobody is anonymous, a message passes no guard at all; where somebody may be, it does."""
    files = {"eventsources/websocket.yaml": source(authn="{fn: work.who}")}
    with served(tmp_path, FILES | files) as running:
        live = running.service.live["websocket"]
        with running.client(**bearer("ann")) as client:
            assert error(client.ask("websocket.echo", 1)) is None
            assert not live.router.is_guarded
        running.write("eventsources/websocket.yaml", source(authn=AUTHN))
        running.reload("eventsources/websocket.yaml")
        with running.client() as client:
            assert live.router.is_guarded
            assert error(client.ask("websocket.echo", 1)) == "unauthorized"
            assert error(client.ask("websocket.open", 1)) is None


def test_a_handshake_across_a_reload_stays_anonymous(tmp_path):
    """Who was let in by the old ``authn``, and arrives under the new one, is nobody, and asked for a credential."""
    slow = FILES["functions/work.py"].replace(
        "            return GSActor", "            await asyncio.sleep(0.3)\n            return GSActor"
    )
    files = {"eventsources/websocket.yaml": source(authn=AUTHN), "functions/work.py": slow}
    with served(tmp_path, FILES | files) as running, contextlib.ExitStack() as stack:
        live = running.service.live["websocket"]
        clients = []
        connecting = threading.Thread(target=lambda: clients.append(stack.enter_context(running.client())))
        connecting.start()
        places = running.service._listeners["websocket"]._port.limits
        running.wait_for(lambda: places.taken == 1)
        running.write("eventsources/websocket.yaml", source(authn="{fn: work.who}"))
        running.reload("eventsources/websocket.yaml")
        assert not live.router.is_guarded
        connecting.join(5)
        assert error(clients[0].ask("websocket.echo", 1)) == "unauthorized"


def test_who_was_connected_before_there_was_authn_is_still_asked(tmp_path):
    """A reload that adds ``authn`` does not make an earlier anonymous client somebody."""
    with served(tmp_path, FILES | {"eventsources/websocket.yaml": source()}) as running, running.client() as client:
        assert error(client.ask("websocket.echo", 1)) is None
        running.write("eventsources/websocket.yaml", source(authn=AUTHN))
        assert not [one for one in running.reload("eventsources/websocket.yaml") if one.severity.name == "ERROR"]
        assert error(client.ask("websocket.echo", 1, id="b")) == "unauthorized"


HOOKS = {
    "events/all.yaml": """
        websocket.fn: {fn: work.echo, payload: {type: object}, authz: work.may, on_request_validation_error: work.hook}
        websocket.scopes:
          fn: work.echo
          payload: {type: object}
          authz: {scopes: [chat]}
          on_request_validation_error: work.hook
        websocket.raises:
          fn: work.echo
          payload: {type: object}
          authz: work.breaks
          on_request_validation_error: work.hook
        websocket.authn: {fn: work.echo, payload: {type: object}, on_request_validation_error: work.hook}
        """,
    "functions/work.py": """
        from gsws import GSActor, GSStatus
        RAN = []
        async def echo(payload): return payload
        async def may(ctx): return ctx.actor.subject == "ann"
        async def breaks(ctx): return ctx.inputs.data.payload["item"] == 1
        async def hook(ctx):
            RAN.append(ctx.actor.subject)
            return GSStatus(False, 422, "mine")
        async def who(handshake):
            name, scopes = handshake.token, frozenset(["chat"] if handshake.token == "ann" else [])
            return GSActor(name, authenticated=True, scopes=scopes) if name else None
        """,
    "eventsources/websocket.yaml": source(authn=AUTHN),
}


@pytest.mark.parametrize("event", ["fn", "scopes"])
def test_a_hook_runs_for_those_alone_who_may_send_the_event(tmp_path, event):
    """``on_request_validation_error`` is the project's code too: ``authz`` comes before it."""
    with (
        served(tmp_path, HOOKS) as running,
        running.client(**bearer("ann")) as ann,
        running.client(**bearer("bob")) as bob,
    ):
        assert ann.ask(f"websocket.{event}", 5)["payload"]["code"] == 422
        assert error(bob.ask(f"websocket.{event}", 5)) == "forbidden"


def test_a_hook_fails_closed(tmp_path):
    """An ``authz`` function that cannot cope with what does not fit refuses; an anonymous client gets no hook."""
    with served(tmp_path, HOOKS) as running, running.client(**bearer("ann")) as ann, running.client() as nobody:
        assert error(ann.ask("websocket.raises", 5)) == "forbidden"
        assert error(nobody.ask("websocket.authn", 5)) == "unauthorized"
        assert ann.ask("websocket.authn", 5)["payload"]["code"] == 422


def test_limits_per_address_can_be_switched_on_while_serving(tmp_path):
    """Connections from before count, and leave without a trace of trouble."""
    with served(tmp_path, FILES | {"eventsources/websocket.yaml": source()}) as running:
        with running.client() as client:
            running.write("eventsources/websocket.yaml", source(limits="{connections_per_ip: 2}"))
            running.reload("eventsources/websocket.yaml")
            with running.client(), contextlib.suppress(Exception), running.client():
                raise AssertionError("a third connection")
            assert error(client.ask("websocket.echo", 1)) is None
        running.wait_for(lambda: not running.service._listeners["websocket"]._port.limits.taken)
        assert [entry for entry in running.logs if entry["level"] in ("error", "exception")] == []


@pytest.mark.parametrize("refusal", ["rate", "json", "control"])
def test_a_refusal_is_no_end_of_the_request_that_has_the_id(tmp_path, refusal):
    """P5.2, P5.4: a message with an id in use is refused without ``seq``; the running request is left alone."""
    limits = "{rate: {messages: 2, per: 1h}}" if refusal == "rate" else "{json_depth: 8}"
    files = FILES | {"eventsources/websocket.yaml": source(limits=limits)}
    with served(tmp_path, files) as running, running.client() as client:
        client.send("websocket.wait", {}, id="a")
        if refusal == "rate":
            client.send("websocket.echo", {}, id="b")
            assert client.answer("b")[-1]["eventtype"] == "reply"
            client.send("websocket.echo", {}, id="a")
        elif refusal == "json":
            client.raw('{"eventtype": "websocket.echo", "id": "a", "payload": ' + "[" * 20 + "]" * 20 + "}")
        else:
            client.send("gsws.cancel", {"id": None}, id="a")
        refused = client.receive()
        assert (refused["eventtype"], refused["id"]) == ("stream.error", "a")
        assert "seq" not in refused
        client.send("gsws.cancel", {"id": "a"})
        last = client.receive()
        assert (last["eventtype"], last["id"], last["seq"]) == ("stream.end", "a", 0)
