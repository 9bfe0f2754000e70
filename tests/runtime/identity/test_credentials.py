"""Where a credential may travel, and what happens with two of them (P3.2, P4.3)."""

from __future__ import annotations

import json
import socket

import pytest

from tests.runtime.identity.support import SECRET, bearer, encoded, refused, source, token, who
from tests.runtime.support import served

JWT = "jwt: {secret: '${JWT_SECRET}'}"


def offered(value):
    return f"gsws.token.{encoded(value)}"


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory):
    """A source that takes tokens by every way there is."""
    files = source(f"{{{JWT}, cookie: sid, query: access, anonymous: true}}", "origins: ['https://app.example']\n")
    with served(tmp_path_factory.mktemp("everywhere"), files) as running:
        yield running


def test_each_way_works(everywhere):
    """`Authorization`, the token subprotocol and, where configured, cookie and query (P4.3)."""
    for options in (
        {"additional_headers": bearer(token())},
        {"additional_headers": {"authorization": f"bEaReR  {token()}"}},
        {"subprotocols": [offered(token())]},
        {"subprotocols": ["other", offered(token()), "gsws.v0"]},
        {"additional_headers": {"Cookie": f"a=b; sid={token()}; c=d"}},
        {"additional_headers": {"Cookie": f'sid="{token()}"'}},
        {"query": f"?access={token()}"},
    ):
        assert who(everywhere, **options)["subject"] == "ann", options


def test_the_same_credential_twice_is_one(everywhere):
    value = token()
    options = {"additional_headers": bearer(value), "subprotocols": [offered(value)], "query": f"?access={value}"}
    assert who(everywhere, **options)["subject"] == "ann"


def test_two_credentials_are_refused(everywhere):
    """Nobody should have to guess whose connection it is: two different ones are 401 (P4.3)."""
    ann, bob = token("ann"), token("bob")
    for options in (
        {"additional_headers": bearer(ann), "subprotocols": [offered(bob)]},
        {"additional_headers": bearer(ann), "query": f"?access={bob}"},
        {"query": f"?access={ann}&access={bob}"},
        {"additional_headers": {"Cookie": f"sid={ann}; sid={bob}"}},
        {"additional_headers": {**bearer(ann), "Cookie": f"sid={bob}"}},
        {"additional_headers": {**bearer(ann), "X-API-Key": "opaque"}},
        {"subprotocols": [offered(ann), offered(bob)]},
        {"additional_headers": [("Authorization", f"Bearer {ann}"), ("Authorization", f"Bearer {bob}")]},
        {"additional_headers": [("Authorization", f"Bearer {ann}"), ("authorization", f"Bearer {ann}")]},
        {"additional_headers": [("X-API-Key", ann), ("X-Api-Key", ann)]},
        {"additional_headers": {"Authorization": "Basic YTpi", "Cookie": f"sid={ann}"}},
    ):
        assert refused(everywhere, **options) == 401, options


def test_a_bad_credential_is_refused_by_every_way(everywhere):
    """Also where anonymous clients may connect (P4.3)."""
    expired = token(lasts=-60)
    for options in (
        {"subprotocols": [offered(expired)]},
        {"subprotocols": ["gsws.token."]},
        {"subprotocols": ["gsws.token.!!!"]},
        {"subprotocols": [f"gsws.token.{encoded(token())}x"]},
        {"subprotocols": ["gsws.token." + encoded("\u00e4")]},
        {"subprotocols": ["gsws.token." + encoded("a b")]},
        {"subprotocols": ["gsws.token." + encoded(token())[:-1] + "~"]},
        {"query": "?access="},
        {"query": f"?access={expired}"},
        {"query": "?access=%00"},
        {"query": f"?access={token()}%0a"},
        {"query": "?" + "&".join(["x=1"] * 70) + "&access=x"},
        {"additional_headers": {"Cookie": "sid="}},
        {"additional_headers": {"Cookie": f"sid={expired}"}},
        {"additional_headers": {"X-API-Key": ""}},
        {"additional_headers": {"X-API-Key": "opaque"}},
        {"additional_headers": {"X-API-Key": token()}},
    ):
        assert refused(everywhere, **options) == 401, options
    assert who(everywhere, "websocket.open")["authenticated"] is False


def test_a_way_that_is_not_configured_is_none(tmp_path):
    """Cookie and query count only where the source says so (P4.3)."""
    with served(tmp_path, source(f"{{{JWT}}}")) as running:
        assert refused(running, query=f"?access={token()}&token={token()}&access_token={token()}") == 401
        assert refused(running, additional_headers={"Cookie": f"sid={token()}; token={token()}"}) == 401
        told = who(running, additional_headers={**bearer(token()), "Cookie": "sid=x"}, query="?access=y")
        assert told["subject"] == "ann"


def test_a_credential_in_the_query_is_taken_out_of_it(everywhere):
    """Handlers, logs and the label never see it."""
    value = token()
    for query in (f"?a=1&access={value}&clientId=me", f"?clientId=me&acc%65ss={value}&a=1"):
        told = who(everywhere, query=query)
        assert told["query"] == {"a": "1", "clientId": "me"}
    assert value not in json.dumps(everywhere.logs, default=str)


def test_the_token_subprotocol_is_never_selected_or_echoed(everywhere):
    """P3.2, looked at on the wire; a plain client may use it too."""
    value = offered(token())
    with socket.create_connection(("127.0.0.1", everywhere.ports["websocket"]), timeout=5) as raw:
        raw.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {value}\r\nSec-WebSocket-Protocol: chat\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += raw.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"gsws.token" not in answer
    assert b"Sec-WebSocket-Protocol" not in answer
    with everywhere.client(subprotocols=[value, "gsws.v1"]) as client:
        assert client.socket.subprotocol in (None, "gsws.v1")


def test_a_cookie_needs_a_page_of_ours(everywhere, tmp_path):
    """T5: A browser sends cookies for any page: other origins are refused with 403, listed ones are not (P4.3)."""
    cookie = {"Cookie": f"sid={token()}"}
    assert who(everywhere, additional_headers=cookie, origin="https://app.example")["subject"] == "ann"
    for origin in ("https://evil.example", "http://app.example", "https://app.example.evil", "null"):
        assert refused(everywhere, additional_headers=cookie, origin=origin) == 403
    with served(tmp_path, source(f"{{{JWT}, cookie: sid}}")) as running:
        port = running.ports["websocket"]
        assert who(running, additional_headers=cookie, origin=f"http://127.0.0.1:{port}")["subject"] == "ann"
        # Another program's page on this machine may connect in development, but not with the cookie alone.
        for origin in (f"http://localhost:{port}", "http://localhost:3000", "http://127.0.0.1:3000"):
            assert refused(running, additional_headers=cookie, origin=origin) == 403
            told = who(running, additional_headers=bearer(token()), origin=origin)
            assert told["subject"] == "ann"


def test_without_authn_credentials_mean_nothing(tmp_path):
    """The label is the subject: development only (P4.2)."""
    from tests.runtime.identity.support import ECHO

    with served(tmp_path, dict(ECHO)) as running:
        told = who(running, query="?clientId=me", additional_headers=bearer("rubbish"), subprotocols=["gsws.token.!"])
        assert (told["subject"], told["authenticated"]) == ("me", False)
        with running.client() as client:
            client.send("gsws.auth", {"token": SECRET}, id=1)
            assert client.receive()["payload"]["error"] == "unauthorized"


def test_anonymous_clients(tmp_path):
    """They may connect and send `authn: false` events; the label is their subject, and no proof (P4.1, P4.2)."""
    with served(tmp_path, source(f"{{{JWT}, anonymous: true}}")) as running:
        with running.client(query="?clientId=ann") as client:
            told = client.ask("websocket.open")["payload"]["data"]
            assert (told["subject"], told["authenticated"], told["scopes"]) == ("ann", False, [])
            answer = client.ask("websocket.who")
            assert (answer["payload"]["error"], answer["payload"]["code"]) == ("unauthorized", 401)
            client.send("websocket.who", 7)
            assert client.receive()["payload"]["error"] == "unauthorized"
            assert client.ask("websocket.open")["eventtype"] == "reply"
        assert who(running, additional_headers=bearer(token()))["authenticated"] is True


def test_without_anonymous_nobody_comes_in_for_an_open_event(tmp_path):
    with served(tmp_path, source(f"{{{JWT}}}")) as running:
        assert refused(running) == 401
        assert who(running, "websocket.open", additional_headers=bearer(token()))["authenticated"] is True
