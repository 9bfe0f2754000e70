"""Binding, accepting and running out of descriptors."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from gsws.errors import ServeError
from gsws.runtime.transport import Listener, ListenOptions, Port
from tests.runtime.transport.harness import TEXT, App, Client, eventually, frame


def start_and_close(options: ListenOptions) -> int:
    async def run() -> int:
        listener = Listener(Port(App(), options))
        await listener.start()
        port = listener.port.number
        await listener.close()
        return port

    return asyncio.run(run())


def test_port_zero(serve):
    """Port 0 takes a free one and tells which."""
    assert serve().port > 0
    assert start_and_close(ListenOptions(port=0)) != 0


def test_all_addresses_of_a_name():
    """A name with several addresses is bound on all of them, on one port."""

    async def run():
        listener = Listener(Port(App(), ListenOptions(host="localhost", port=0)))
        await listener.start()
        found = {sock.getsockname()[1] for sock in listener._sockets}
        await listener.close()
        return found

    assert len(asyncio.run(run())) == 1


def test_port_in_use():
    """A port in use is one sentence and no trace."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=rf"^port {port} on 127\.0\.0\.1 is already in use$"):
            start_and_close(ListenOptions(port=port))


def test_port_is_free_again_at_once():
    """A port that was just given up can be bound again, although old connections linger in the kernel."""
    port = start_and_close(ListenOptions(port=0))
    for _ in range(3):
        assert start_and_close(ListenOptions(port=port)) == port


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1", "a b", "\ud800", "-", "a" * 300, "x\x00y"])
def test_unknown_hosts(host):
    """A host that does not resolve is one sentence."""
    with pytest.raises(ServeError, match=r"is not known here$"):
        start_and_close(ListenOptions(host=host, port=0))


def test_foreign_address():
    """An address of another machine is one sentence."""
    with pytest.raises(ServeError, match=r"`192\.0\.2\.1` is not an address of this machine"):
        start_and_close(ListenOptions(host="192.0.2.1", port=0))


@pytest.mark.parametrize("port", [-1, 65536])
def test_ports_that_do_not_exist(port):
    """A port outside of 0 to 65535 is one sentence."""
    with pytest.raises(ServeError, match=f"port {port} does not exist"):
        start_and_close(ListenOptions(port=port))


def test_privileged_port():
    """Without the privilege a port below 1024 is one sentence."""
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 81))
    except PermissionError:
        pass
    else:
        # Root may bind it: look at the sentence alone.
        from gsws.runtime.transport.binding import bind_error

        assert str(bind_error(PermissionError(13, "x"), "127.0.0.1", 81)).startswith("port 81 needs privileges")
        return
    with pytest.raises(ServeError, match=r"^port 81 needs privileges"):
        start_and_close(ListenOptions(port=81))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_out_of_descriptors(loop):
    """EMFILE: open connections are served on, the log says so once, and the port accepts again when there is room."""
    limit = 64
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.conformance.echo_server", "--port", "0", "--loop", loop],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )
    clients: list[Client] = []
    try:
        port = int(process.stdout.readline())
        request = (
            f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        for _ in range(limit + 30):
            client = Client(port)
            client.send(request)
            clients.append(client)
        time.sleep(1.5)
        first = clients[0]
        assert first.response().status == 101
        first.send_frame(TEXT, b"served on")
        first.expect(TEXT, b"served on")
        used = cpu_seconds(process.pid)
        time.sleep(1.0)
        assert cpu_seconds(process.pid) - used < 0.5, "it spins"
        for client in clients:
            client.socket.close()
        time.sleep(1.0)
        with Client(port) as client:
            client.send(request)
            assert client.response().status == 101
    finally:
        for client in clients:
            client.socket.close()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    lines = errors.strip().splitlines()
    assert len(lines) == 1, errors
    assert "cannot accept connections" in lines[0]


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_signal_during_a_handshake(loop):
    """SIGTERM at any moment, also inside a handshake: no trace, no hang, status 0."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.conformance.echo_server", "--port", "0", "--loop", loop],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    port = int(process.stdout.readline())
    with Client(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHo")
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


def test_tls(serve, certificate):
    """TLS carries the same: handshake, messages, close, plain requests; a failed TLS handshake harms nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = serve(ssl=context, handshake_timeout=1.0)
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE

    def connect() -> Client:
        client = Client(server.port)
        client.socket = trusting.wrap_socket(client.socket)
        return client

    with Client(server.port) as plain, Client(server.port) as silent:
        plain.send(b"GET / HTTP/1.1\r\n\r\n")
        with connect() as client:
            client.send(server.upgrade_request(extra=[f"Origin: https://127.0.0.1:{server.port}"]))
            assert client.response().status == 101
            assert server.app.handshakes[0].secure
            for size in (10, 100_000, 900_000):
                client.send_frame(TEXT, b"x" * size)
                client.expect(TEXT, b"x" * size)
            client.shake_close()
        with connect() as client:
            client.send(f"GET /healthz HTTP/1.1\r\n{server.host}\r\n\r\n".encode())
            assert client.response().status == 200
        plain.read_to_end()
        silent.read_to_end()
    with connect() as client:
        client.send(server.upgrade_request())
        assert client.response().status == 101
        client.send(frame(TEXT, length=2**40))
        assert client.read_frame()[0] == TEXT
        client.expect_close(1009)
    eventually(lambda: not server.shared.connections)


def test_tls_ping_flood(serve, certificate):
    """Flow control works through TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = serve(ssl=context, stall_timeout=1.5)
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    client = Client(server.port, receive_buffer=4096)
    client.socket = trusting.wrap_socket(client.socket)
    with client:
        client.send(server.upgrade_request())
        assert client.response().status == 101

        def flood() -> None:
            try:
                while True:
                    client.send(frame(0x9, b"x" * 125) * 500)
            except OSError:
                pass

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        connection = eventually(lambda: server.app.connections)[0]
        eventually(lambda: connection.paused)
        assert server.call(lambda: connection.buffered) < 2**22
        eventually(lambda: not server.shared.connections)
    thread.join(10)
