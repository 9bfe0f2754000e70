"""What a caller learns of an exception: in development what it says, outside of it nothing (P7.1)."""

from __future__ import annotations

import asyncio

from gsws.project import load_project
from gsws.runtime.service import Service
from tests.runtime.support import served


def test_the_caller_sees_the_exception_in_development_and_never_outside(tmp_path, monkeypatch):
    """P7.1."""
    files = {
        "events/e.yaml": "websocket.bad: {fn: told.bad, payload: {}}\nwebsocket.gen: {fn: told.gen, payload: {}}\n",
        "functions/told.py": "def bad(): raise ValueError('no disk')\n"
        "async def gen():\n    yield 'a'\n    raise KeyError('k')\n",
    }
    with served(tmp_path, files) as service, service.client() as client:
        assert client.ask("websocket.bad")["payload"]["data"] == {"exception": "ValueError", "text": "no disk"}
        assert client.ask("websocket.gen")["payload"]["data"] == {"exception": "KeyError", "text": "'k'"}
        for live in service.service.live.values():
            assert live.executor.development
            live.executor.development = False
        for event in ("bad", "gen"):
            payload = client.ask(f"websocket.{event}")["payload"]
            assert "data" not in payload
            assert "ValueError" not in str(payload)
            assert "disk" not in str(payload)


def test_no_error_shows_a_secret_of_the_process(tmp_path):
    """Neither of a reply nor of a message that does not fit, in what the client is told and in the log."""
    files = {
        ".env": "SHOP_TOKEN=tok-4f9a8b7c6d5e\n",
        "config/default.yaml": "token: ${SHOP_TOKEN}\n",
        "events/e.yaml": """
            websocket.reply: {fn: leak.reply, payload: {}, reply: {enum: [ok]}}
            websocket.emit: {fn: leak.emit, payload: {}, emits: {note: {properties: {text: {enum: [ok]}}}}}
            websocket.fixed: {fn: leak.reply, payload: {enum: [tok-4f9a8b7c6d5e]}}
        """,
        "functions/leak.py": "def reply(ctx): return ctx.config.token\n"
        "async def emit(ctx): await ctx.emit('note', {'text': ctx.config.token})\n",
    }
    with served(tmp_path, files) as service, service.client() as client:
        for event, payload in (("reply", {}), ("emit", {}), ("fixed", "x")):
            answer = client.ask(f"websocket.{event}", payload)["payload"]
            assert answer["errors"], answer
            assert "${SHOP_TOKEN}" in str(answer), answer
            assert "4f9a8b" not in str(answer), answer


def test_a_service_outside_development_tells_nothing(tmp_path):
    (tmp_path / "gsws.yaml").write_text("name: a\n")
    service = Service(load_project(tmp_path), development=False)
    service._wheel = None  # type: ignore[assignment]  # it is not started

    async def main():
        return service._live("websocket").executor.development

    assert asyncio.run(main()) is False
