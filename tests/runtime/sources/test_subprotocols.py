"""Subprotocols that a project offers itself, beside the session profile."""

from __future__ import annotations

import pytest

from tests.runtime.support import served

FILES = {
    "eventsources/websocket.yaml": "type: websocket\nport: 0\nsubprotocols: [chat.v2, chat.v1]\n",
    "events/all.yaml": "websocket.which: {fn: which, payload: {}}\n",
    "functions/which.py": "async def which(ctx): return [ctx.inputs.metadata.subprotocol, ctx.session is not None]\n",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("own"), FILES) as running:
        yield running


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (["chat.v2"], "chat.v2"),
        (["chat.v1", "chat.v2"], "chat.v2"),
        (["chat.v3", "chat.v1"], "chat.v1"),
        (["chat.v3"], None),
        (None, None),
    ],
)
def test_an_own_subprotocol_is_selected_and_stays_plain(service, offered, selected):
    """P3.1: no hello and nothing else that was not asked for; the handler sees which one it is."""
    with service.client(subprotocols=offered) as client:
        assert client.socket.subprotocol == selected
        client.silence()
        assert client.ask("websocket.which")["payload"]["data"] == [selected, False]


def test_the_session_profile_comes_first(service):
    """P3.2: who offers both wants what a session gives."""
    with service.client(subprotocols=["chat.v2", "gsws.v1"]) as client:
        assert client.socket.subprotocol == "gsws.v1"
        assert client.receive()["eventtype"] == "gsws.hello"
        assert client.ask("websocket.which")["payload"]["data"] == ["gsws.v1", True]
