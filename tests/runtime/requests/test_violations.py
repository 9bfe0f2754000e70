"""What a `reply_violation` says: where the answer does not fit, and why; to strangers nothing (P7.1)."""

from __future__ import annotations

import pytest

from tests.runtime.support import served

FILES = {
    "events/all.yaml": """
        websocket.replies: {fn: work.replies, payload: {}, reply: &one {properties: {n: {type: integer}}}}
        websocket.coded:
          fn: work.coded
          payload: {}
          responses: {201: {description: made, content: {application/json: {schema: *one}}}}
        websocket.emits: {fn: work.emits, payload: {}, emits: {told: *one}}
        websocket.streams: {fn: work.streams, payload: {}, emits: {stream.chunk: *one}}
        websocket.shouts: {fn: work.shouts, payload: {}, broadcasts: {said: *one}}
        """,
    "functions/work.py": """
        from gsws import GSStatus
        async def replies(): return {"n": "x"}
        async def coded(): return GSStatus(code=201, data={"n": "x"})
        async def emits(ctx): await ctx.emit("told", {"n": "x"})
        async def streams(): yield {"n": "x"}
        async def shouts(ctx): await ctx.broadcast("tea", "said", {"n": "x"})
        """,
}
EVENTS = ["replies", "coded", "emits", "streams", "shouts"]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("violations"), FILES) as running:
        yield running


@pytest.mark.parametrize("development", [True, False])
@pytest.mark.parametrize("event", EVENTS)
def test_what_does_not_fit_is_told(service, monkeypatch, event, development):
    """In the log always, to the client in development."""
    monkeypatch.setattr(service.service.live["websocket"].executor, "development", development)
    before = len(service.log("handler failed"))
    with service.client() as client:
        refused = client.ask(f"websocket.{event}")["payload"]
    assert refused["error"] == "reply_violation"
    (line,) = service.log("handler failed")[before:]
    (why,) = line["errors"]
    assert (why["pointer"], why["keyword"]) == ("/n", "type")
    assert "integer" in why["message"]
    assert refused.get("errors") == ([why] if development else None)
    assert ("data" in refused) is development
