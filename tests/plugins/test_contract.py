"""A source that knows the plugin contract and nothing else has all that the built-in has, with a port and without."""

from __future__ import annotations

import sys

import pytest

from gsws.plugins.registry import registry
from tests.cli.support import install_plugin
from tests.plugins.test_ticker import block
from tests.runtime.support import served

RESTART = "change takes effect after a restart"

GATE = {
    "eventsources/gate.yaml": "type: gate\nat: 0\non_connect: hooks.come\non_disconnect: hooks.go\n",
    "events/gate.yaml": """
        gate.echo: {fn: work.echo, payload: {type: object}}
        gate.slow: {fn: work.slow, payload: {}}
    """,
    "functions/work.py": """
        import asyncio
        async def echo(payload): return payload
        async def slow():
            await asyncio.sleep(0.4)
            return "finished"
    """,
    "functions/hooks.py": """
        from gsws import GSStatus
        GONE = []
        async def come(ctx): return ctx.inputs.data.clientId != "mallory" or GSStatus(False, 403)
        async def go(ctx): GONE.append(ctx.inputs.data.clientId)
    """,
}

BELL = {
    "eventsources/bell.yaml": "type: bell\n",
    "events/bell.yaml": """
        bell.rung: {fn: ring.rung, payload: {type: object, required: [times]}}
        bell.mended: {fn: ring.rung, payload: {type: string}, on_request_validation_error: ring.mend}
        bell.rare: {fn: ring.rung, payload: {type: object}, rate: {messages: 1, per: 1m}}
        bell.slow: {fn: ring.slow, payload: {}}
        bell.endless: {fn: ring.endless, payload: {}}
        bell.deaf: {fn: ring.deaf, payload: {}, timeout: 100ms}
        bell.chatty: {fn: ring.chatty, payload: {}}
        websocket.here: {fn: ring.here, payload: {}}
    """,
    "functions/ring.py": """
        import asyncio
        async def rung(ctx, payload): return {"who": ctx.inputs.data.clientId, "times": payload["times"]}
        async def mend(ctx): return "mended"
        async def slow():
            await asyncio.sleep(0.4)
            return "finished"
        async def endless():
            await asyncio.sleep(60)
        AWAKE = asyncio.Event()
        async def deaf():
            while not AWAKE.is_set():
                try: await AWAKE.wait()
                except asyncio.CancelledError: pass
        async def chatty(ctx, ws):
            for data in ("no JSON", b"bytes", [1], {"eventtype": "reply", "payload": {"data": "wrong"}}):
                await ws.send(data)
            await ctx.emit("chat", {"n": 1})
            await ws.close()
            return "answer"
        async def here(): return "here"
    """,
}


KEEPING = """
class Keeping(GatePlugin):
    def create(self, config, context):
        source = super().create(config, context)
        source.context = context
        return source

plugin = Keeping()
"""
"""The context is where the tests reach it."""


@pytest.fixture(autouse=True)
def _installed(tmp_path_factory, monkeypatch):
    """Both plugins are found as any other: by their entry points. The one with a port is that of the how-to."""
    site = tmp_path_factory.mktemp("site")
    install_plugin(site, "gate", block("gsws_plugin_gate.py") + KEEPING)
    install_plugin(site, "bell", "from tests.plugins.bell import plugin\n")
    monkeypatch.syspath_prepend(site)
    registry.refresh()
    yield
    monkeypatch.undo()
    registry.refresh()
    for type in ("gate", "bell"):
        sys.modules.pop(f"gsws_plugin_{type}", None)


def test_a_port_is_served_as_the_built_in_s(tmp_path):
    """Messages, hooks, pushes, health and counters."""
    with served(tmp_path, GATE) as running:
        service = running.service
        source = service.sources["gate"]
        with running.client("gate", "?clientId=ann") as client:
            assert client.ask("gate.echo", {"a": 1})["payload"]["data"] == {"a": 1}
            assert client.ask("gate.echo", 7)["payload"]["error"] == "schema_violation"
            assert service.counters()["gate"]["errors.schema_violation"] == 1
            assert service.health()["gate"].facts["connections"] == 1
            running.call(lambda: source.context.push("news", {"n": 1}, client_id="ann"))
            assert client.receive() == {"eventtype": "news", "payload": {"n": 1}}
            running.call(lambda: source.context.disconnect(client_id="ann"))
            assert client.closed()[0] == 4504
        with running.client("gate", "?clientId=mallory") as client:
            assert client.closed()[0] == 4504
        running.wait_for(lambda: sys.modules["functions.hooks"].GONE == ["ann"])
        assert service.health()["gate"].ok


def test_a_port_takes_over_a_changed_file(tmp_path):
    """What its source gives to `ListenerHandle.reconfigure` counts at once; keys that it leaves are named."""
    with served(tmp_path, GATE) as running, running.client("gate") as client:
        assert client.ask("gate.echo", {"a": {"b": {"c": 1}}})["eventtype"] == "reply"
        running.write("eventsources/gate.yaml", "type: gate\nat: 1\ndepth: 3\non_disconnect: hooks.go\n")
        running.reload("eventsources/gate.yaml")
        client.send("gate.echo", {"a": {"b": {"c": 1}}})
        assert client.receive()["payload"]["error"] == "invalid_json"
        assert [(entry["source"], entry["keys"]) for entry in running.log(RESTART)] == [("gate", ["at"])]
        running.write("functions/work.py", "async def echo(): return 'new'\nasync def slow(): pass\n")
        running.reload("functions/work.py")
        assert client.ask("gate.echo", {})["payload"]["data"] == "new"


def test_a_port_drains(tmp_path):
    """P10.2."""
    with served(tmp_path, GATE) as running:
        with running.client("gate", "?clientId=idle") as idle, running.client("gate", "?clientId=busy") as busy:
            busy.send("gate.slow", id=1)
            running.wait_for(running.service.is_busy)
            gone = sys.modules["functions.hooks"].GONE
            running.end()
            assert idle.closed() == (1001, "server shutdown")
            assert busy.receive()["payload"]["data"] == "finished"
            assert busy.closed() == (1001, "server shutdown")
    assert sorted(gone) == ["busy", "idle"]


def test_a_source_without_a_port_runs_handlers(tmp_path):
    """With their checks, pushes to others' clients, health and counters."""
    with served(tmp_path, BELL) as running:
        service = running.service
        bell = service.sources["bell"]

        def ring(event, payload, **facts):
            return running.call(lambda: bell.handles[event](payload, **facts))

        status = ring("bell.rung", {"times": 2}, client_id="tower")
        assert (status.success, status.data) == (True, {"who": "tower", "times": 2})
        status = ring("bell.rung", {})
        assert (status.success, status.code) == (False, 400)
        assert ring("bell.mended", {}).data == "mended"
        assert [ring("bell.rare", {"times": 1}).code for _ in range(3)] == [200, 429, 429]
        counters = service.counters()["bell"]
        assert (counters["errors.schema_violation"], counters["limits.event_rate"]) == (1, 2)
        assert service.health()["bell"].ok
        with running.client() as client:
            assert client.ask("websocket.here")["eventtype"] == "reply"
            running.call(lambda: bell.context.push("rang", {"times": 1}, client_id="test"))
            assert client.receive() == {"eventtype": "rang", "payload": {"times": 1}}
            running.call(lambda: bell.context.disconnect(client_id="test"))
            assert client.closed()[0] == 4504


def test_what_a_handler_sends_besides_is_no_part_of_what_a_handle_returns(tmp_path):
    """Nobody reads it, whatever it is."""
    with served(tmp_path, BELL) as running:
        status = running.call(lambda: running.service.sources["bell"].handles["bell.chatty"]({}))
    assert (status.success, status.data) == (True, "answer")


def test_a_handle_does_not_wait_for_a_handler_that_ignores_its_cancellation(tmp_path):
    with served(tmp_path, BELL) as running:
        assert running.call(lambda: running.service.sources["bell"].handles["bell.deaf"]({})).code == 504
        running.call(lambda: sys.modules["functions.ring"].AWAKE.set())


def test_a_reload_leaves_handles_and_their_rates_as_they_are(tmp_path):
    """Only what is new is subscribed."""
    with served(tmp_path, BELL) as running:
        bell = running.service.sources["bell"]
        before = dict(bell.handles)
        assert running.call(lambda: bell.handles["bell.rare"]({"times": 1})).code == 200
        running.write("events/more.yaml", "bell.more: {fn: ring.here, payload: {}}\n")
        assert running.reload("events/more.yaml") == ()
        assert bell.handles == {**before, "bell.more": bell.handles["bell.more"]}
        assert running.call(lambda: bell.handles["bell.rare"]({"times": 1})).code == 429


def test_events_and_handlers_of_a_reload_are_there(tmp_path):
    """A handle runs what a reload put in place; a new event is subscribed, and one that is gone answers 404."""
    with served(tmp_path, BELL) as running:
        bell = running.service.sources["bell"]
        event = "{fn: ring.rung, payload: {}}"
        running.write("events/bell.yaml", f"bell.rung: {event}\nbell.tolled: {event}\n")
        running.write("functions/ring.py", "async def rung(): return 'new'\n")
        assert running.reload("events/bell.yaml", "functions/ring.py") == ()
        for event in ("bell.rung", "bell.tolled"):
            assert running.call(lambda event=event: bell.handles[event]({})).data == "new"
        assert running.call(lambda: bell.handles["bell.slow"]({})).code == 404


@pytest.mark.parametrize(("tunable", "tone", "restart"), [("true", "high", []), ("false", "low", [["tone"]])])
def test_a_file_without_a_port_is_taken_over_or_named(tmp_path, tunable, tone, restart):
    files = {**BELL, "eventsources/bell.yaml": f"type: bell\ntunable: {tunable}\n"}
    with served(tmp_path, files) as running:
        running.write("eventsources/bell.yaml", f"type: bell\ntunable: {tunable}\ntone: high\n")
        running.reload("eventsources/bell.yaml")
        assert running.service.health()["bell"].facts == {"tone": tone}
        assert [entry["keys"] for entry in running.log(RESTART)] == restart
        assert running.log("event source does not take over the change") == []


def test_a_source_that_cannot_take_over_a_change_goes_on(tmp_path):
    files = {**BELL, "eventsources/bell.yaml": "type: bell\ntunable: true\n"}
    with served(tmp_path, files) as running:
        running.write("eventsources/bell.yaml", "type: bell\ntunable: true\ntone: broken\n")
        running.reload("eventsources/bell.yaml")
        [entry] = running.log("event source does not take over the change")
        assert (entry["source"], str(entry["exc_info"])) == ("bell", "no such tone")
        assert running.service.health()["bell"].facts == {"tone": "low"}


def test_a_type_that_changed_is_not_handed_to_the_other_s_source(tmp_path):
    """It keeps running as what it was, and a restart is asked for."""
    files = {**BELL, "eventsources/bell.yaml": "type: bell\ntunable: true\n"}
    with served(tmp_path, files) as running:
        for depth in (3, 4):
            running.write("eventsources/bell.yaml", f"type: gate\ndepth: {depth}\n")
            running.reload("eventsources/bell.yaml")
        assert running.log("event source does not take over the change") == []
        assert running.log(RESTART)[0]["keys"] == ["at", "depth", "tone", "tunable", "type"]
        assert running.service.health()["bell"].facts == {"tone": "low"}


def test_a_source_without_a_port_drains(tmp_path):
    """What it handed in gets the drain time, then ends as draining; what it hands in meanwhile is refused."""
    with served(tmp_path, {**BELL, "gsws.yaml": "drain_timeout: 1s\n"}) as running:
        bell = running.service.sources["bell"]
        slow = running.call(lambda: [bell.ring("bell.slow", {})])[0]
        endless = running.call(lambda: [bell.ring("bell.endless", {})])[0]
        running.wait_for(running.service.is_busy)
        running.end()
        running.wait_for(lambda: running.service.is_draining)
        late = running.call(lambda: bell.handles["bell.rung"]({"times": 1}))
    assert (late.success, late.code) == (False, 503)
    assert slow.result().data == "finished"
    assert (endless.result().success, endless.result().code) == (False, 503)
