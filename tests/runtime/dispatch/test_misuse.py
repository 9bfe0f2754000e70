"""Close codes that say "do not come back": 4504 and 4509 (P7.4), on the wire."""

from __future__ import annotations

import pytest

from tests.runtime.support import served

FILES = {
    "events/all.yaml": "websocket.echo: {fn: s.echo, payload: {}}\n",
    "functions/s.py": """
        from gsws import GSActor, GSStatus
        async def echo(payload): return payload
        def check(handshake):
            if handshake.token == "banned":
                return GSStatus(False, 403)
            return GSActor("ann", frozenset(), True) if handshake.token == "good" else None
        """,
}
SENSELESS = [("gsws.cancel", {}), ("gsws.cancel", None), ("gsws.auth", {"token": 5})]
SENSELESS_IN_SESSIONS = [*SENSELESS, ("gsws.ack", {"id": "x"}), ("gsws.follow", {}), ("gsws.unfollow", []),
                         ("gsws.resume", {})]  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("misuse"), FILES) as running:
        yield running


@pytest.mark.parametrize("profile", ["plain", "session"])
def test_who_goes_on_misusing_control_frames_is_closed(service, profile):
    """P7.4, P7.3: 4509 after sixteen; each of them was answered, and the connection worked until then."""
    frames = SENSELESS if profile == "plain" else SENSELESS_IN_SESSIONS
    with service.client(subprotocols=None if profile == "plain" else ["gsws.v1"]) as client:
        if profile == "session":
            client.receive()
        assert client.ask("websocket.echo", 0)["payload"]["data"] == 0
        for n in range(15):
            client.send(*frames[n % len(frames)])
            assert client.receive()["payload"]["error"] == "invalid_message"
        assert client.ask("websocket.echo", 1)["payload"]["data"] == 1
        client.send(*frames[0])
        assert client.receive()["payload"]["error"] == "invalid_message"
        assert client.closed() == (4509, "misuse of gsws frames")


@pytest.mark.parametrize(
    ("eventtype", "payload"),
    [
        ("gsws.auth", {}),
        ("gsws.auth", {"token": 5}),
        ("gsws.auth", {"token": "one"}),
        ("gsws.cancel", {"id": []}),
        ("gsws.ack", {"id": "x"}),
        ("gsws.follow", {}),
        ("gsws.unfollow", {"id": 1.5}),
        ("gsws.resume", {}),
    ],
)
def test_what_is_said_about_a_control_frame_is_no_part_of_an_answer(service, eventtype, payload):
    """P2.4: its id, but no `seq`."""
    with service.client(subprotocols=["gsws.v1"]) as client:
        client.receive()
        assert client.ask("websocket.echo", 0)["payload"]["data"] == 0
        client.send(eventtype, payload, id="m")
        refusal = client.receive()
        assert (refusal["eventtype"], refusal["id"]) == ("stream.error", "m")
        assert "seq" not in refusal


def test_what_is_unknown_or_too_late_is_no_misuse(service):
    """P2.4, P6.6: unknown frames are ignored, and a cancel may come when all is over."""
    with service.client() as client:
        for n in range(40):
            client.send("gsws.tomorrow", {"n": n})
            client.send("gsws.cancel", {"id": f"over-{n}"})
            assert client.receive()["payload"]["error"] == "unknown_id"
        assert client.ask("websocket.echo", 1)["payload"]["data"] == 1


def test_a_right_that_was_withdrawn_ends_the_connection_on_renewal(tmp_path):
    """P4.3, P7.4: 4504, and 403 for a handshake; a token that is merely bad changes nothing."""
    files = {**FILES, "eventsources/websocket.yaml": "type: websocket\nport: 0\nauthn: {fn: s.check}\n"}
    with served(tmp_path, files) as running:
        with running.client(additional_headers={"Authorization": "Bearer good"}) as client:
            client.send("gsws.auth", {"token": "nonsense"}, id=1)
            assert client.receive()["payload"]["error"] == "unauthorized"
            client.send("gsws.auth", {"token": "good"}, id=2)
            assert client.receive()["eventtype"] == "gsws.authenticated"
            client.send("gsws.auth", {"token": "banned"}, id=3)
            frame = client.receive()
            assert (frame["id"], frame["payload"]["error"]) == (3, "forbidden")
            assert client.closed() == (4504, "forbidden")
        with pytest.raises(Exception, match="HTTP 403"):
            with running.client(additional_headers={"Authorization": "Bearer banned"}):
                pass
