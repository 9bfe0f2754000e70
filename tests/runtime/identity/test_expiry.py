"""A credential on the live socket: 4501 at its end, renewed in band by `gsws.auth` (P4.3, P7.4)."""

from __future__ import annotations

import time

import pytest

from tests.runtime.identity.support import bearer, source, token
from tests.runtime.support import served

FILES = source("{jwt: {secret: '${JWT_SECRET}', leeway: 0s}, anonymous: true}")


def test_a_connection_ends_with_its_token(tmp_path):
    """At `exp`, not before, with 4501, which tells the client not to come back with it (P7.4)."""
    with served(tmp_path, FILES) as running:
        end = int(time.time()) + 2
        with running.client(additional_headers=bearer(token(exp=end))) as client:
            assert client.ask("websocket.who")["eventtype"] == "reply"
            assert client.closed() == (4501, "token expired")
            assert end <= time.time() < end + 1
        running.wait_for(lambda: not running.service.live["websocket"].router.connections)


def test_leeway_counts_on_the_live_socket(tmp_path):
    with served(tmp_path, source("{jwt: {secret: '${JWT_SECRET}', leeway: 2s}}")) as running:
        end = int(time.time())
        with running.client(additional_headers=bearer(token(exp=end))) as client:
            assert client.closed() == (4501, "token expired")
            assert end + 2 <= time.time()


def test_a_renewed_token_keeps_it_open(tmp_path):
    """`gsws.authenticated` tells how long it is good; scopes are the new token's."""
    with served(tmp_path, FILES) as running:
        with running.client(additional_headers=bearer(token(lasts=1.5))) as client:
            client.send("gsws.auth", {"token": token(lasts=60, scope="chat:write")}, id=5)
            answer = client.receive()
            assert (answer["eventtype"], answer["id"]) == ("gsws.authenticated", 5)
            assert 50_000 < answer["payload"]["expires_in_ms"] <= 60_000
            time.sleep(2)
            assert client.ask("websocket.write")["eventtype"] == "reply"
            client.send("gsws.auth", {"token": token(lasts=None)})
            assert client.receive() == {"eventtype": "gsws.authenticated", "payload": {"expires_in_ms": None}}
            assert client.ask("websocket.write")["payload"]["error"] == "forbidden"


def test_a_renewal_may_shorten(tmp_path):
    with served(tmp_path, FILES) as running:
        with running.client(additional_headers=bearer(token())) as client:
            client.send("gsws.auth", {"token": token(lasts=1.2)})
            assert client.receive()["eventtype"] == "gsws.authenticated"
            assert client.closed() == (4501, "token expired")


@pytest.mark.parametrize("case", range(13))
def test_a_bad_renewal_changes_nothing(tmp_path, case):
    """Another subject's token neither; the connection goes on and ends with the credential before (P4.3)."""
    payload, error = [
        ({"token": token("bob")}, "unauthorized"),
        ({"token": token(lasts=-60)}, "unauthorized"),
        ({"token": token(secret="x" * 40)}, "unauthorized"),
        ({"token": "x"}, "unauthorized"),
        ({"token": ""}, "unauthorized"),
        ({"token": "\u00e4.\u00e4.\u00e4"}, "unauthorized"),
        ({"token": "x" * 100_000}, "unauthorized"),
        ({"token": "a." * 4000}, "unauthorized"),
        ({"token": 7}, "invalid_message"),
        ({"token": None}, "invalid_message"),
        ({}, "invalid_message"),
        ([], "invalid_message"),
        (None, "invalid_message"),
    ][case]
    with served(tmp_path, FILES) as running:
        with running.client(additional_headers=bearer(token(exp=int(time.time()) + 2))) as client:
            client.send("gsws.auth", payload, id="r")
            answer = client.receive()
            assert (answer["id"], answer["payload"]["error"]) == ("r", error)
            assert client.ask("websocket.who")["payload"]["data"]["subject"] == "ann"
            if case in (0, 12):
                assert client.closed() == (4501, "token expired")


def test_an_anonymous_client_stays_so(tmp_path):
    """The subject may not change on a live connection, and a label is not one that was proved (P4.2)."""
    with served(tmp_path, FILES) as running:
        with running.client(query="?clientId=ann") as client:
            client.send("gsws.auth", {"token": token("ann")})
            assert client.receive()["payload"]["error"] == "unauthorized"
            assert client.ask("websocket.who")["payload"]["error"] == "unauthorized"


def test_many_renewals_at_once(tmp_path):
    """One is checked at a time; each gets an answer, and no task is left."""
    with served(tmp_path, FILES) as running:
        with running.client(additional_headers=bearer(token())) as client:
            for number in range(50):
                client.send("gsws.auth", {"token": token()}, id=number)
            answers = [client.receive() for _ in range(50)]
            assert sorted(answer["id"] for answer in answers) == list(range(50))
            assert "gsws.authenticated" in {answer["eventtype"] for answer in answers}
            assert {answer["payload"].get("error") for answer in answers} <= {None, "too_many_requests"}


def test_a_running_stream_ends_with_the_credential(tmp_path):
    """Its handler is closed like at any disconnect (P6.7), and nothing of the connection stays."""
    files = {
        **FILES,
        "events/endless.yaml": "websocket.endless: {fn: endless, payload: {}, on_disconnect: cancel}\n",
        "functions/endless.py": """
            import asyncio
            CLOSED = []
            async def endless(payload):
                try:
                    while True:
                        yield "x"
                        await asyncio.sleep(0.05)
                finally:
                    CLOSED.append(1)
        """,
    }
    with served(tmp_path, files) as running:
        with running.client(additional_headers=bearer(token(exp=int(time.time()) + 2))) as client:
            client.send("websocket.endless", {}, id=1)
            assert client.closed() == (4501, "token expired")
        running.wait_for(lambda: not running.service.is_busy())
        import sys

        assert sys.modules["functions.endless"].CLOSED == [1]


def test_no_timer_outlives_its_connection(tmp_path):
    with served(tmp_path, FILES) as running:
        for _ in range(20):
            with running.client(additional_headers=bearer(token())) as client:
                assert client.ask("websocket.who")["eventtype"] == "reply"
        running.wait_for(lambda: not running.service.live["websocket"].router.connections)
        running.wait_for(lambda: len(running.service.live["websocket"].executor.wheel) == 0, "timers left")


def test_a_session_goes_on_with_another_token_of_its_subject(tmp_path):
    """Its connection ends with the token; who resumes must be the same subject, and brings a new end (P4.2, P8.7)."""
    with served(tmp_path, FILES) as running:
        end = int(time.time()) + 2
        with running.client(additional_headers=bearer(token(exp=end)), subprotocols=["gsws.v1"]) as client:
            hello = client.receive()["payload"]
            assert client.ask("websocket.who")["eventtype"] == "reply"
            assert client.closed() == (4501, "token expired")
        resume = {"session": hello["session"], "secret": hello["secret"], "streams": {"ask": -1}}
        for subject, found in (("bob", False), (None, False), ("ann", True)):
            headers = bearer(token(subject, lasts=2)) if subject else {}
            options = {"additional_headers": headers, "subprotocols": ["gsws.v1"], "query": "?clientId=ann"}
            with running.client(**options) as client:
                assert client.receive()["eventtype"] == "gsws.hello"
                client.send("gsws.resume", resume)
                streams = client.receive()["payload"]["streams"]
                assert bool(streams) is found, subject
                if found:
                    assert client.closed() == (4501, "token expired")
