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
            assert live.development
            live.development = False
        for event in ("bad", "gen"):
            payload = client.ask(f"websocket.{event}")["payload"]
            assert "data" not in payload
            assert "ValueError" not in str(payload)
            assert "disk" not in str(payload)


def test_a_service_outside_development_tells_nothing(tmp_path):
    (tmp_path / "gsws.yaml").write_text("name: a\n")
    service = Service(load_project(tmp_path), development=False)
    service._wheel = None  # type: ignore[assignment]  # it is not started

    async def main():
        return service._live("websocket").development

    assert asyncio.run(main()) is False
