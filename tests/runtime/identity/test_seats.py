"""How many connections one subject may have: with each of them bounded, so is what it holds."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

from tests.runtime.identity.support import bearer, source, token
from tests.runtime.support import served

FILES = source("{jwt: {secret: '${JWT_SECRET}'}, anonymous: true}")
LIMITED = {
    **FILES,
    "eventsources/websocket.yaml": FILES["eventsources/websocket.yaml"] + "\nlimits: {connections_per_subject: 2}\n",
}


def refused(running, **options):
    with pytest.raises(InvalidStatus) as refusal, running.client(**options):
        pass
    return refusal.value.response


def mine(subject="ann", *, session=False):
    return {"additional_headers": bearer(token(subject)), "subprotocols": ["gsws.v1"] if session else None}


@pytest.mark.parametrize("session", [False, True])
def test_a_subject_has_so_many_connections_and_others_have_theirs(tmp_path, session):
    """429, counted by its name; a connection that ended gives its place back, however it ended."""
    with served(tmp_path, LIMITED) as running:
        live = running.service.live["websocket"]
        for _ in range(3):
            with running.client(**mine(session=session)), running.client(**mine(session=not session)) as second:
                response = refused(running, **mine(session=session))
                assert (response.status_code, response.headers["Retry-After"]) == (429, "5")
                with running.client(**mine("ben")), running.client(), running.client(), running.client():
                    second.socket.socket.shutdown(2)
                    running.wait_for(lambda: live.router.seats._taken.get("ann") == 1)
                with running.client(**mine(session=session)):
                    pass
            running.wait_for(lambda: not live.router.seats._taken)
        assert live.counters.read()["limits.connections_per_subject"] == 3


def test_a_session_that_is_resumed_has_one_place(tmp_path):
    """Its older connection gives its own back, also if it is closed because the newer one came."""
    with served(tmp_path, LIMITED) as running:
        live = running.service.live["websocket"]
        with running.client(**mine(session=True)) as before, running.client(**mine(session=True)) as client:
            session = before.receive()["payload"]
            client.receive()
            client.send("gsws.resume", {**session, "streams": {}})
            assert client.receive()["payload"]["session"] == session["session"]
            assert before.closed()[0] == 4409
            running.wait_for(lambda: live.router.seats._taken == {"ann": 1})
            with running.client(**mine(session=True)):
                assert refused(running, **mine()).status_code == 429
        running.wait_for(lambda: not live.router.seats._taken)


def test_the_limit_can_be_changed_while_serving(tmp_path):
    """Connections from before count; 0 is no limit."""
    with served(tmp_path, FILES) as running:
        path = "eventsources/websocket.yaml"
        with running.client(**mine()), running.client(**mine()):
            running.write(path, LIMITED[path])
            running.reload(path)
            assert refused(running, **mine()).status_code == 429
            running.write(path, LIMITED[path].replace("subject: 2", "subject: 0"))
            running.reload(path)
            with running.client(**mine()):
                pass
