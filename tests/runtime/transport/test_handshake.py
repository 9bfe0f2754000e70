"""Opening handshakes over real sockets: what is upgraded, and how everything else is refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time

import pytest

from gsws.plugins.listening import RateLimit
from gsws.runtime.transport import HTTPRefusal
from gsws.runtime.transport.limits import SPARE_SOCKETS
from tests.runtime.transport.harness import ACCEPT, TEXT, Client, eventually, frame


def test_p1_1_upgrade(serve):
    """P1.1: a handshake by RFC 6455 is answered by its section 4.2.2."""
    server = serve()
    response = server.upgrade("/any/path?clientId=ann%20b&x")

    assert response.status == 101
    assert response.headers["sec-websocket-accept"] == ACCEPT
    assert response.headers["upgrade"] == "websocket"
    assert "sec-websocket-protocol" not in response.headers
    assert "sec-websocket-extensions" not in response.headers
    handshake = server.app.handshakes[0]
    assert (handshake.path, handshake.query) == ("/any/path", "clientId=ann%20b&x")
    assert handshake.host == "127.0.0.1"


@pytest.mark.parametrize(
    "line",
    ["Connection: keep-alive, Upgrade", "connection: UPGRADE", "Upgrade: WebSocket", "Connection: upgrade,keep-alive"],
)
def test_upgrade_of_other_spellings(serve, line):
    """Firefox sends `Connection: keep-alive, Upgrade`; tokens have no case."""
    assert serve().upgrade(extra=[line]).status == 101


def test_request_in_single_bytes(serve):
    """A request may arrive in pieces of any size, and a frame in the same segment as its end."""
    server = serve()
    with Client(server.port) as client:
        for byte in server.upgrade_request() + frame(TEXT, b"early"):
            client.send(bytes((byte,)))
        assert client.response().status == 101
        client.expect(TEXT, b"early")
    with Client(server.port) as client:
        client.send(b"\r\n" + server.upgrade_request() + frame(TEXT, b"a") + frame(TEXT, b"b"))
        assert client.response().status == 101
        client.expect(TEXT, b"a")
        client.expect(TEXT, b"b")


def test_p1_3_wrong_path(serve):
    """P1.3: a WebSocket request on a wrong path is 404 before the upgrade."""
    server = serve(path="/ws")
    assert server.upgrade("/").status == 404
    assert server.upgrade("/ws/../x").status == 404
    assert server.upgrade("/ws?a=b").status == 101
    assert server.upgrade("/%77s").status == 101
    assert server.upgrade(f"http://127.0.0.1:{server.port}/ws").status == 101


@pytest.mark.parametrize("version", ["12", "8", "13, 8", "x", ""])
def test_other_versions(serve, version):
    """RFC 6455 section 4.4: another version is 426 and told which is spoken."""
    response = serve().upgrade(extra=[f"Sec-WebSocket-Version: {version}"])
    assert response.status == 426
    assert response.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize(
    ("origin", "development", "status"),
    [
        ("http://127.0.0.1:{port}", False, 101),
        ("HTTP://127.0.0.1:{port}", False, 101),
        ("http://127.0.0.1:1", False, 403),
        ("http://127.0.0.1:1", True, 101),
        ("http://localhost", True, 101),
        ("https://localhost:3000", True, 101),
        ("http://[::1]:5173", True, 101),
        ("http://localhost:3000", False, 403),
        ("null", True, 403),
        ("", True, 403),
        ("http://localhost.evil.com", True, 403),
        ("http://evil.com#localhost", True, 403),
        ("http://evil.com/localhost", True, 403),
        ("http://localhost@evil.com", True, 403),
        ("http://evil.com?://localhost", True, 403),
        ("http://localhost:3000.evil.com", True, 403),
        ("http://localhost:", True, 403),
        ("http://localhost/", True, 403),
        ("http://127.0.0.1.nip.io", True, 403),
        ("http://127.0.0.2", True, 403),
        ("http://[::1].evil.com", True, 403),
        ("http://localhost\\.evil.com", True, 403),
        ("file://localhost", True, 403),
        ("http://evil.com, http://localhost", True, 403),
        ("http://\xe9vil.com", True, 403),
        ("chrome-extension://localhost", True, 403),
    ],
)
def test_origins(serve, origin, development, status):
    """By default a page of the same origin may connect, and in development any page on this machine."""
    server = serve(development=development)
    assert server.upgrade(extra=[f"Origin: {origin.format(port=server.port)}"]).status == status


def test_configured_origins(serve):
    """T5: Configured origins are the only ones; default ports and case do not matter; programs send none."""
    server = serve(origins=("https://App.example.com",), development=True)
    assert server.upgrade(extra=["Origin: https://app.example.com"]).status == 101
    assert server.upgrade(extra=["Origin: https://app.example.com:443"]).status == 101
    assert server.upgrade().status == 101
    for refused in ("http://app.example.com", "https://app.example.com:444", "https://app.example.com.evil.com",
                    "https://evilapp.example.com", "http://localhost", "null"):  # fmt: skip
        assert server.upgrade(extra=[f"Origin: {refused}"]).status == 403
    assert server.upgrade(extra=["Origin: https://app.example.com", "Origin: https://evil.com"]).status == 400
    assert serve(origins=("*",)).upgrade(extra=["Origin: http://anywhere.example"]).status == 101


def test_same_origin_behind_a_proxy(serve):
    """The Host header says where the page is from; a port that is the scheme's own may be left out."""
    server = serve()
    assert server.upgrade(extra=["Host: app.example.com", "Origin: https://app.example.com"]).status == 101
    assert server.upgrade(extra=["Host: app.example.com:443", "Origin: https://APP.example.com"]).status == 101
    assert server.upgrade(extra=["Host: app.example.com", "Origin: https://app.example.com:8443"]).status == 403


@pytest.mark.parametrize(
    "host",
    ["", " ", "a b", "a,b", "a:b", "a:99999", "a:-1", "http://a", "a/b", "a@b", "[::1", "::1", "a..b", "-", "\x01",
     "a:1:2", "%zz", "\xff\xfe", "[::1]x", "{}", "a" * 9000],
)  # fmt: skip
def test_malformed_host(serve, host):
    """A malformed Host is 400 (it crashed the original); other requests are served on."""
    server = serve()
    assert server.upgrade(extra=[f"Host: {host}"]).status == 400
    assert server.request("/healthz", [f"Host: {host}"]).status == 400
    assert server.upgrade().status == 101


@pytest.mark.parametrize(
    "host", ["localhost", "a_b:80", "[::1]:8000", "xn--bcher-kva.example.", "10.0.0.1:65535", "a:"]
)
def test_proper_hosts(serve, host):
    """Names, addresses and ports of RFC 3986."""
    assert serve().upgrade(extra=[f"Host: {host}"]).status == 101


def test_missing_and_repeated_host(serve):
    """RFC 9112 section 3.2: exactly one Host."""
    server = serve()
    assert server.upgrade(drop=("host",)).status == 400
    assert server.upgrade(extra=[server.host, server.host]).status == 400


def test_huge_requests(serve):
    """A long request line is 414, many or large fields 431; neither is read to its end first."""
    server = serve()
    assert server.upgrade("/" + "a" * 9000).status == 414
    assert server.upgrade(extra=[f"X-Big: {'a' * 40000}"]).status == 431
    assert server.upgrade(extra=[f"X-{n}: {n}" for n in range(200)]).status == 431
    assert server.upgrade(extra=[f"Cookie: {'a' * 16000}"]).status == 101
    with Client(server.port) as client:
        client.send(b"GET /" + b"a" * 10000)
        assert client.response().status == 414
    with Client(server.port) as client:
        client.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 40000)
        assert client.response().status == 431
    with Client(server.port) as client, contextlib.suppress(ConnectionError):
        for _ in range(3000):
            client.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 40000)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), 400),
        (b"\x00" * 100, 400),
        (b"\xff\xf4\xff\xfd\x06", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/9\r\nHost: a\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        (b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_no_http(serve, data, status):
    """TLS on the plain port, binary noise and malformed requests are refused at once, not at the deadline."""
    server = serve()
    with Client(server.port) as client:
        client.send(data)
        assert client.response().status == status


@pytest.mark.parametrize(
    ("extra", "drop", "status"),
    [
        (["Sec-WebSocket-Key: short"], (), 400),
        (["Sec-WebSocket-Key: \xff\xff"], (), 400),
        ([], ("sec-websocket-key",), 400),
        (["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], (), 400),
        ([], ("sec-websocket-version",), 400),
        ([], ("connection",), 426),
        (["Connection: close"], (), 426),
        (["Upgrade: websocket, h2c"], (), 426),
        (["Connection: \x01@@"], (), 400),
        (["Connection: @@"], (), 400),
        (["Content-Length: 5"], (), 400),
        (["Transfer-Encoding: chunked"], (), 400),
    ],
)
def test_incomplete_handshakes(serve, extra, drop, status):
    """RFC 6455 section 4.2.1, point by point."""
    assert serve().upgrade(extra=extra, drop=drop).status == status


def test_http_1_0(serve):
    """HTTP/1.0 cannot be upgraded; its plain requests need no Host."""
    server = serve()
    with Client(server.port) as client:
        client.send(server.upgrade_request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert client.response().status == 505
    assert server.request("/healthz", [], http="1.0").status == 200


def test_silent_and_slow_handshakes(serve):
    """A peer that says nothing is cut at the deadline, one that is slow is told 408, trickling does not help."""
    server = serve(handshake_timeout=0.4)
    with Client(server.port) as silent, Client(server.port) as slow, Client(server.port) as trickling:
        slow.send(b"GET / HTTP/1.1\r\n")
        for byte in b"GET /abcdef":
            trickling.send(bytes((byte,)))
            time.sleep(0.05)
        assert silent.read_to_end() == b""
        assert slow.response().status == 408
        assert trickling.response().status == 408


def test_immediate_disconnects(serve):
    """Peers that leave at any moment of the handshake leave nothing behind, in the log or in memory."""
    server = serve()
    request = server.upgrade_request()
    for size in range(0, len(request) + 1, 7):
        client = Client(server.port)
        client.send(request[:size])
        if size % 2:  # a reset instead of an end
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()
    eventually(lambda: not server.shared.connections and not server.shared.sockets)
    eventually(lambda: len(server.shared.wheel) == 0)
    assert server.upgrade().status == 101


def test_connection_limit(serve):
    """Above the limit an upgrade is 503; health is still answered; a place that becomes free can be had."""
    server = serve(connections=2)
    with server.connect() as first, server.connect():
        response = server.upgrade()
        assert response.status == 503
        assert "retry-after" in response.headers
        assert server.request("/healthz").status == 200
        first.shake_close()
        first.socket.close()
        eventually(lambda: server.upgrade().status == 101)


def test_address_limit(serve):
    """Above the limit of one address an upgrade is 429; a refused or failed one takes no place."""
    server = serve(connections_per_ip=2)
    server.app.authorize = lambda handshake: HTTPRefusal(401) if handshake.path == "/no" else None
    for _ in range(5):
        assert server.upgrade("/no").status == 401
    eventually(lambda: not server.shared.limits.by_address)
    with server.connect() as first, server.connect():
        assert server.upgrade().status == 429
        first.socket.close()
        eventually(lambda: server.upgrade().status == 101)
    eventually(lambda: not server.shared.limits.by_address)


def test_handshakes_of_an_address_have_a_rate(serve):
    """Over ``connect_rate`` an upgrade is 429 before the application is asked; files and health are not limited."""
    server = serve(connect_rate=RateLimit(2, 3600.0, 2))
    server.app.authorize = lambda handshake: HTTPRefusal(401)
    assert [server.upgrade().status for _ in range(4)] == [401, 401, 429, 429]
    assert 0 < int(server.upgrade().headers["retry-after"]) <= 1800
    assert server.request("/healthz").status == 200


def test_idle_sockets_of_one_address_are_limited(serve):
    """Sockets that never ask for anything cannot take the place of everybody else's."""
    server = serve(connections_per_ip=1)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Client(server.port)) for _ in range(1 + SPARE_SOCKETS)]
        eventually(lambda: len(server.shared.sockets) == len(idle))
        with Client(server.port) as more:
            assert more.response().status == 429
    eventually(lambda: not server.shared.sockets)
    assert server.upgrade().status == 101


def test_p4_3_refusal(serve):
    """P4.3: the application's refusal is the HTTP answer, before the upgrade."""
    server = serve()
    server.app.authorize = lambda handshake: HTTPRefusal(401, "no token\n", {"WWW-Authenticate": "Bearer"})
    response = server.upgrade()
    assert (response.status, response.body) == (401, b"no token\n")
    assert response.headers["www-authenticate"] == "Bearer"
    assert not server.app.handshakes


def test_refusal_cannot_split_the_response(serve):
    """Line ends in a refusal's header values do not reach the wire."""
    server = serve()
    server.app.authorize = lambda handshake: HTTPRefusal(403, "x", {"X-Why": "a\r\nSet-Cookie: b=c"})
    assert "set-cookie" not in server.upgrade().headers


def test_waiting_authorization(serve):
    """A coroutine may decide; what the client sends meanwhile is kept and in order."""
    server = serve()

    async def authorize(handshake):
        await asyncio.sleep(0.2)
        handshake.state["actor"] = "ann"

    server.app.authorize = authorize
    with Client(server.port) as client:
        client.send(server.upgrade_request())
        for n in range(10):
            client.send(frame(TEXT, b"%d" % n))
            time.sleep(0.005)
        assert client.response().status == 101
        for n in range(10):
            client.expect(TEXT, b"%d" % n)
    assert server.app.handshakes[0].state == {"actor": "ann"}


def test_flood_during_authorization(serve):
    """What is kept for an undecided client is bounded: it is read no further."""
    server = serve(handshake_timeout=1.0)

    async def authorize(handshake):
        await asyncio.sleep(60)

    server.app.authorize = authorize
    with Client(server.port) as client:
        client.send(server.upgrade_request())
        client.socket.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            for _ in range(2000):
                client.send(frame(TEXT, b"x" * 60000))
        assert max(len(request._buffer) for request in server.shared.sockets) < 2**20
        client.socket.settimeout(10)
        assert client.response().status == 503


def test_authorization_out_of_time(serve):
    """A check that takes longer than the handshake may is given up, and the client told to come again."""
    server = serve(handshake_timeout=0.3)
    cancelled = []

    async def authorize(handshake):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    server.app.authorize = authorize
    assert server.upgrade().status == 503
    eventually(lambda: cancelled)


def test_client_leaves_during_authorization(serve):
    """The check for a client that has gone is cancelled."""
    server = serve()
    cancelled = []

    async def authorize(handshake):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    server.app.authorize = authorize
    with Client(server.port) as client:
        client.send(server.upgrade_request())
        eventually(lambda: server.shared.limits.taken == 1)
    eventually(lambda: cancelled)
    eventually(lambda: server.shared.limits.taken == 0)


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_failing_authorization(serve, kind):
    """A check that raises refuses: it fails closed, with 500 and nothing of the exception."""
    server = serve(errors=["the check of a handshake failed"])

    def fail(handshake):
        raise RuntimeError("secret")

    async def fail_later(handshake):
        fail(handshake)

    server.app.authorize = fail if kind == "plain" else fail_later
    response = server.upgrade()
    assert response.status == 500
    assert b"secret" not in response.body
    assert not server.app.handshakes
    eventually(lambda: server.shared.limits.taken == 0)


def test_failing_application(serve):
    """An application that cannot take a connection costs that client a 500 and nobody else anything."""
    server = serve(errors=["a connection could not be taken"])

    def fail(connection):
        server.app.on_connected = None
        connection.send_text(b"never seen")
        raise RuntimeError("secret")

    server.app.on_connected = fail
    assert server.upgrade().status == 500
    eventually(lambda: server.shared.limits.taken == 0)
    assert server.upgrade().status == 101


def test_greeting_follows_the_response(serve):
    """What the application sends when it gets the connection comes after the 101, before any reply."""
    server = serve()
    server.app.on_connected = lambda connection: connection.send_text(b"hello")
    with server.connect() as client:
        client.send_frame(TEXT, b"x")
        client.expect(TEXT, b"hello")
        client.expect(TEXT, b"x")


def test_p3_1_subprotocols(serve):
    """P3.1, P3.2: the server's first among those offered, else none; nobody is refused for it."""
    server = serve(subprotocols=("gsws.v1",))
    offered = server.upgrade(extra=["Sec-WebSocket-Protocol: other, gsws.v1, gsws.token.QQ"])
    assert offered.headers["sec-websocket-protocol"] == "gsws.v1"
    assert server.app.handshakes[-1].subprotocols == ("other", "gsws.v1", "gsws.token.QQ")
    split = server.upgrade(extra=["Sec-WebSocket-Protocol: other", "Sec-WebSocket-Protocol: gsws.v1"])
    assert split.headers["sec-websocket-protocol"] == "gsws.v1"
    for none in ("other", "GSWS.V1", "", ",,", '"@', "gsws.v1;x"):
        response = server.upgrade(extra=[f"Sec-WebSocket-Protocol: {none}"])
        assert response.status == 101
        assert "sec-websocket-protocol" not in response.headers
    assert server.app.handshakes[-1].subprotocol is None


def test_p1_2_compression_is_negotiated_only_when_configured(serve):
    """P1.2: permessage-deflate is off unless configured, and then without context takeover."""
    offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]
    assert "sec-websocket-extensions" not in serve().upgrade(extra=offer).headers
    server = serve(compression=True)
    agreed = server.upgrade(extra=offer).headers["sec-websocket-extensions"]
    assert "server_no_context_takeover" in agreed
    assert "client_no_context_takeover" in agreed
    assert "sec-websocket-extensions" not in server.upgrade().headers
    assert server.upgrade(extra=["Sec-WebSocket-Extensions: @@@"]).status == 400
    unknown = server.upgrade(extra=["Sec-WebSocket-Extensions: x-webkit-deflate-frame"])
    assert unknown.status == 101
    assert "sec-websocket-extensions" not in unknown.headers
