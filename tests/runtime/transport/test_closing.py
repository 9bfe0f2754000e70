"""Closing over real sockets: both sides, with deadlines, and exactly one `closed` each (P7.4)."""

from __future__ import annotations

import gc
import socket
import struct
import weakref

import pytest

from gsws.errors import ConnectionClosed
from gsws.runtime.transport.websocket import connection as connection_module
from tests.runtime.transport.harness import CLOSE, PING, TEXT, Client, eventually, frame


def closings(server):
    """What `closed` was called with so far."""
    found = []
    while not server.app.events.empty():
        event = server.app.next()
        if event[0] == "closed":
            found.append(event[1])
    return found


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1009, 1011, 1014, 3000, 4000, 4999])
def test_client_closes(serve, code):
    """A close of the peer is echoed, its code and reason are told, and the stream ends."""
    server = serve()
    with server.connect() as client:
        client.send_frame(CLOSE, struct.pack("!H", code) + "grüß".encode())
        assert client.expect_close(code) == "grüß"
    eventually(lambda: not server.shared.connections)
    assert closings(server) == [(code, "grüß")]


def test_client_closes_without_a_code(serve):
    """An empty close is echoed empty; 1005 says so."""
    server = serve()
    with server.connect() as client:
        client.send_frame(CLOSE)
        client.expect(CLOSE, b"")
        assert client.read_to_end() == b""
    assert server.app.next() == ("closed", (1005, ""))


def test_nothing_after_a_close_is_read(serve):
    """What a peer sends after its close is thrown away, and does not hold up the end."""
    server = serve()
    with server.connect() as client:
        client.send(frame(CLOSE, b"\x03\xe8") + frame(TEXT, b"late") * 100 + frame(PING) + b"\xff" * 1000)
        client.expect_close(1000)
    eventually(lambda: not server.shared.connections)
    assert closings(server) == [(1000, "")]
    assert server.app.events.empty()


def test_p7_4_server_closes(serve):
    """P7.4: a close of the server says what to do; what was sent before arrives, what comes after is dropped."""
    server = serve()
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]

        def close():
            connection.send_text(b"last")
            connection.close(4501, "unauthorized")
            connection.close(1000, "again")

        server.call(close)
        assert not connection.is_open
        client.expect(TEXT, b"last")
        client.send_frame(TEXT, b"ignored")
        client.send_frame(CLOSE, struct.pack("!H", 4501))
        client.expect_close(4501)
    eventually(lambda: not server.shared.connections)
    assert (connection.close_code, connection.close_reason) == (4501, "unauthorized")
    assert server.app.next() == ("closed", (4501, "unauthorized"))
    assert server.app.events.empty()


def test_peer_that_does_not_answer_a_close(serve):
    """The closing handshake has a deadline; then the connection is cut."""
    server = serve(close_timeout=0.3)
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        server.call(lambda: connection.close(1000))
        assert server.app.next() == ("closed", (1000, ""))
        client.expect_close(1000)
    eventually(lambda: not server.shared.connections)


def test_peer_that_closes_but_keeps_the_socket(serve):
    """A peer that has closed but holds its socket open is cut at the same deadline."""
    server = serve(close_timeout=0.3)
    with server.connect() as client:
        client.shake_close()
        assert server.app.next() == ("closed", (1000, ""))
        eventually(lambda: not server.shared.connections)


def test_ping_flood_during_the_closing_handshake(serve):
    """A peer that answers a close with pings does not prolong it."""
    server = serve(close_timeout=0.4)
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        server.call(lambda: connection.close(1000))
        client.send_until_cut(frame(PING, b"x" * 100) * 100)
    eventually(lambda: not server.shared.connections)


def test_simultaneous_close(serve):
    """Both sides close at once: each keeps its own code."""
    server = serve()
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        server.call(lambda: connection.close(1001, "mine"))
        client.send_frame(CLOSE, struct.pack("!H", 4000))
        client.expect_close(1001)
    assert server.app.next() == ("closed", (1001, "mine"))


def test_abort(serve):
    """`abort` cuts at once; the peer sees no close frame."""
    server = serve()
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        server.call(connection.abort)
        server.call(connection.abort)
        assert client.read_to_end() == b""
    assert server.app.next() == ("closed", (1006, ""))
    server.call(lambda: connection.close(1000))


@pytest.mark.parametrize("action", ["close", "abort"])
def test_closing_inside_a_message(serve, action):
    """A receiver may close while a batch of messages is being delivered; it gets none after."""
    server = serve()

    def on_message(connection, data):
        connection.send_text(data)
        if data == b"2":
            connection.close(4000) if action == "close" else connection.abort()

    server.app.on_message = on_message
    with server.connect() as client:
        client.send(b"".join(frame(TEXT, b"%d" % n) for n in range(100)))
        if action == "close":
            for n in range(3):
                client.expect(TEXT, b"%d" % n)
            client.send_frame(CLOSE, struct.pack("!H", 4000))
            client.expect_close(4000)
        else:
            client.read_to_end()
    assert [server.app.next() for _ in range(4)][-1] == ("closed", (4000 if action == "close" else 1006, ""))
    assert server.app.events.empty()


def test_sending_after_the_end(serve):
    """Sending on a closed connection is a clear exception, however often, and logs nothing."""
    server = serve()
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        client.shake_close(4000)
    server.app.next()
    for send in (connection.send_text, connection.send_binary, connection.send_prepared, connection.push):
        for _ in range(20):
            with pytest.raises(ConnectionClosed, match=r"the connection is closed \(4000\)"):
                server.call(lambda send=send: send(b"x"))
    server.run(connection.drain())
    assert server.call(lambda: connection.buffered) == 0


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, -1])
def test_codes_that_may_not_be_sent(serve, code):
    """A wrong close code is the caller's mistake, told before anything is sent."""
    server = serve()
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        with pytest.raises(ValueError, match=str(code)):
            server.call(lambda: connection.close(code))
        client.send_frame(TEXT, b"x")
        client.expect(TEXT, b"x")


@pytest.mark.parametrize("reason", ["x" * 200, "ü" * 100, "😀" * 40, "\ud800 lone", "x" * 122 + "ü"])
def test_reasons_are_cut(serve, reason):
    """A reason longer than 123 bytes is cut between characters; what cannot be encoded is replaced."""
    server = serve()
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        server.call(lambda: connection.close(4000, reason))
        opcode, data = client.read_frame()
        assert opcode == CLOSE
        assert len(data) <= 125
        assert reason.encode("utf-8", "replace").decode().startswith(data[2:].decode())


def test_who_goes_on_sending_after_a_close_is_cut(serve, monkeypatch):
    """A peer that was closed and floods on is not read for as long as the closing handshake may take."""
    monkeypatch.setattr(connection_module, "LINGER_BYTES", 2**20)
    server = serve(close_timeout=60.0)
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        server.call(lambda: connection.close(4429, "too many requests"))
        sent = 0
        with pytest.raises(OSError):  # noqa: PT012  # a reset or a broken pipe, whichever comes
            while sent < 2**26:
                sent += client.socket.send(frame(TEXT, b"x" * 60_000))
        eventually(lambda: not server.shared.connections)
        assert connection.close_code == 4429


def test_unclean_ends(serve):
    """Resets and half-closes at any moment leave no trace, no task and no connection (the fixture looks)."""
    server = serve()
    for n in range(60):
        with Client(server.port) as client:
            client.send(server.upgrade_request())
            if n % 3:
                client.response()
                client.send(frame(TEXT, b"x" * 3000) * 20)
            if n % 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    eventually(lambda: not server.shared.connections and not server.shared.sockets)
    eventually(lambda: len(server.shared.wheel) == 0)
    assert server.shared.limits.taken == 0
    assert len(closings(server)) == len(server.app.connections)


def test_closed_connections_are_freed(serve):
    """A closed connection is garbage at once: cycles are broken by hand, not left for the collector."""
    server = serve()
    gc.collect()
    gc.disable()
    try:
        with server.connect() as client:
            client.send_frame(TEXT, b"x", fin=False)
            connection = eventually(lambda: server.app.connections)[0]
            name, kind = connection.id, type(connection)
            framing = weakref.ref(connection._framing)
            client.shake_close()
        eventually(lambda: not server.shared.connections)
        del connection
        server.app.connections.clear()
        eventually(lambda: framing() is None)
        eventually(lambda: not any(type(one) is kind and one.id == name for one in gc.get_objects()))
    finally:
        gc.enable()


def test_p10_2_listener_closes(serve):
    """P10.2: closing the listener closes every connection with 1001, waits for the peers, and cuts those that hang."""
    server = serve(close_timeout=0.3)
    with server.connect() as polite, server.connect() as deaf, Client(server.port) as half:
        half.send(b"GET / HT")
        eventually(lambda: len(server.shared.connections) == 2)
        import threading

        answer = threading.Thread(
            target=lambda: (polite.expect(CLOSE, b"\x03\xe9bye"), polite.send_frame(CLOSE, b"\x03\xe9"))
        )
        answer.start()
        server.run(server.listener.close(1001, "bye", timeout=0.6))
        answer.join(5)
        assert not server.shared.connections
        deaf.expect(CLOSE, b"\x03\xe9bye")
        assert half.read_to_end() == b""
        with pytest.raises(OSError):
            Client(server.port)
