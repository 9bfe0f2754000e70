"""Shutdown: requests finish or end as draining, sockets close with 1001, nothing is left."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request

import pytest

from tests.runtime.support import served, write

FILES = {
    "events/all.yaml": """
        websocket.echo: {fn: work.echo, payload: {}}
        websocket.slow: {fn: work.slow, payload: {}}
        websocket.count: {fn: work.count, payload: {}}
        websocket.stubborn: {fn: work.stubborn, payload: {}}
        """,
    "functions/work.py": """
        import asyncio, time
        async def echo(payload): return payload
        async def slow(payload):
            await asyncio.sleep(payload["s"]); return "finished"
        async def count(payload):
            for n in range(payload["to"]):
                yield str(n); await asyncio.sleep(0.01)
        async def stubborn():
            while True:
                try: await asyncio.sleep(60)
                except asyncio.CancelledError: pass
        """,
}


def stop_later(running):
    thread = threading.Thread(target=running.end)
    thread.start()
    return thread


def test_what_runs_is_finished_and_what_is_idle_is_closed(tmp_path):
    """P10.2."""
    write(tmp_path, "gsws.yaml", "drain_timeout: 5s\n")
    with served(tmp_path, FILES) as running:
        with running.client() as idle, running.client() as busy:
            busy.send("websocket.slow", {"s": 0.4}, id="s")
            running.wait_for(running.service.is_busy)
            stop_later(running).join()

            assert idle.closed() == (1001, "server shutdown")
            busy.send("websocket.echo", 1, id="late")
            frames = [busy.receive(), busy.receive()]
            assert [(frame["id"], frame["payload"].get("error")) for frame in frames] == [
                ("late", "draining"),
                ("s", None),
            ]
            assert busy.closed()[0] == 1001


def test_what_outlives_the_drain_time_ends_as_draining(tmp_path):
    """P10.2, P6.4: plain handlers as errors, streams as ends, exactly one terminal frame each."""
    write(tmp_path, "gsws.yaml", "drain_timeout: 200ms\n")
    with served(tmp_path, FILES) as running:
        with running.client() as client:
            client.send("websocket.slow", {"s": 60}, id="plain")
            client.send("websocket.slow", {"s": 60}, id="queued")
            client.send("websocket.count", {"to": 100_000}, id="stream")
            client.send("websocket.stubborn", {}, id="never")
            running.wait_for(running.service.is_busy)
            stop_later(running).join()
            ends = {}
            while len(ends) < 4:
                frame = client.receive()
                if frame["eventtype"] in ("reply", "stream.end", "stream.error"):
                    assert frame["id"] not in ends
                    ends[frame["id"]] = frame["payload"].get("reason") or frame["payload"].get("error")
            assert ends == {"plain": "draining", "queued": "draining", "stream": "draining", "never": "draining"}
            assert client.closed()[0] == 1001


def test_readiness_turns_red_and_liveness_stays_green(tmp_path):
    """P1.3, P10.2."""
    write(tmp_path, "gsws.yaml", "drain_timeout: 5s\n")
    with served(tmp_path, FILES) as running:
        url = f"http://127.0.0.1:{running.ports['websocket']}"
        assert urllib.request.urlopen(f"{url}/readyz", timeout=2).status == 200
        assert urllib.request.urlopen(f"{url}/healthz", timeout=2).status == 200
        running.call(lambda: running.service.live["websocket"].router.drain())
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            urllib.request.urlopen(f"{url}/readyz", timeout=2)
        refused.value.close()
        assert urllib.request.urlopen(f"{url}/healthz", timeout=2).status == 200


@pytest.mark.parametrize("profile", ["plain", "session"])
def test_what_runs_for_clients_that_are_away_gets_its_time_too(tmp_path, profile):
    """P10.2, P6.7: `on_disconnect: continue`, and the grace of a session."""
    files = {
        "events/all.yaml": "websocket.note: {fn: work.note, payload: {}, on_disconnect: continue}\n",
        "functions/work.py": NOTE,
        "gsws.yaml": "drain_timeout: 5s\n",
    }
    if profile == "session":
        files["events/all.yaml"] = "websocket.note: {fn: work.note, payload: {}}\n"
    place = tmp_path / "noted"
    with served(tmp_path, files) as running:
        leave(running, profile, {"s": 0.4, "place": str(place)})
    assert place.read_text() == "finished"


def test_what_runs_for_clients_that_are_away_ends_with_the_drain_time(tmp_path):
    """P10.2: as draining, and its handler winds up."""
    files = {
        "events/all.yaml": "websocket.note: {fn: work.note, payload: {}}\n",
        "functions/work.py": NOTE,
        "gsws.yaml": "drain_timeout: 200ms\n",
    }
    place = tmp_path / "noted"
    with served(tmp_path, files) as running:
        leave(running, "session", {"s": 60, "place": str(place)})
        log = next(iter(running.service.live["websocket"].registry.sessions.values())).log
        kept = []
        append = log.append
        running.call(lambda: setattr(type(log), "append", lambda self, *frame: (kept.append(frame), append(*frame))[1]))
        try:
            stop_later(running).join()
            running.stop()
        finally:
            type(log).append = append.__func__
    assert place.read_text() == "cut short"
    assert [json.loads(frame[2])["payload"]["error"] for frame in kept] == ["draining"]


NOTE = """
import asyncio, pathlib
async def note(payload):
    said = "cut short"
    try:
        await asyncio.sleep(payload["s"])
        said = "finished"
    finally:
        pathlib.Path(payload["place"]).write_text(said)
"""


def leave(running, profile, payload):
    """Ask for something, and be cut off."""
    with running.client(subprotocols=["gsws.v1"] if profile == "session" else None) as client:
        client.send("websocket.note", payload, id="n")
        running.wait_for(running.service.is_busy)
        client.socket.socket.shutdown(2)
    running.wait_for(lambda: not running.service.live["websocket"].router.connections)
    assert running.call(running.service.is_busy)
