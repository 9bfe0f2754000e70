"""Heartbeats (P10.1): living peers are kept, dead ones dropped, and a stopped server blames nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from gsws.runtime.transport.websocket.heartbeat import Heartbeat
from tests.runtime.transport.harness import CLOSE, PING, PONG, TEXT, Client, eventually, frame


def test_heartbeat_decisions():
    """Without sockets: who is heard is pinged at the interval; who is not is given up after the timeout."""
    heartbeat = Heartbeat(0.0)
    times = {"interval": 20.0, "timeout": 5.0}
    assert heartbeat.check(20.0, heard=True, **times) == (True, 5.0)
    assert heartbeat.check(25.0, heard=True, **times) == (False, 15.0)
    assert heartbeat.check(40.0, heard=False, **times) == (True, 5.0)
    assert heartbeat.check(45.0, heard=False, **times) is None
    heartbeat = Heartbeat(0.0)
    times = {"interval": 10.0, "timeout": 25.0}
    assert [heartbeat.check(at, heard=False, **times) for at in (10.0, 20.0, 30.0, 35.0)] == [
        (True, 10.0), (True, 10.0), (True, 5.0), None,
    ]  # fmt: skip


def test_p10_1_dead_peer(serve):
    """P10.1: a peer from which nothing comes after a ping is closed with 4408, then cut."""
    server = serve(heartbeat_interval=0.3, heartbeat_timeout=0.3)
    with server.connect() as client:
        client.expect(PING, b"")
        while (got := client.read_frame()) == (PING, b""):
            pass
        assert got == (CLOSE, b"\x11\x38heartbeat missed")
        assert client.read_to_end() == b""
    assert server.app.next() == ("closed", (4408, "heartbeat missed"))
    eventually(lambda: not server.shared.connections)


@pytest.mark.parametrize("answer", ["pong", "message", "ping"])
def test_p10_1_living_peer(serve, answer):
    """P10.1: whoever sends anything is alive."""
    server = serve(heartbeat_interval=0.2, heartbeat_timeout=0.2)
    server.app.echo = False
    replies = {"pong": frame(PONG), "message": frame(TEXT, b"x"), "ping": frame(PING, b"p")}
    with server.connect() as client:
        pings = 0
        while pings < 6:
            opcode, data = client.read_frame()
            if opcode == PING:
                pings += 1
                client.send(replies[answer])
            else:
                assert (opcode, data) == (PONG, b"p")
        client.send_frame(CLOSE)
        while client.read_frame() != (CLOSE, b""):
            pass


def test_p10_1_interval_and_timeout_are_apart(serve):
    """P10.1: pings go on at their interval while a longer timeout runs; a shorter one ends before the next ping."""
    server = serve(heartbeat_interval=0.2, heartbeat_timeout=0.9)
    with server.connect() as client:
        pings = 0
        while client.read_frame()[0] == PING:
            pings += 1
        assert 2 <= pings <= 6
    server = serve(heartbeat_interval=1.0, heartbeat_timeout=0.2)
    with server.connect() as client:
        client.expect(PING, b"")
        assert client.read_frame()[0] == CLOSE


def test_no_heartbeat(serve):
    """An interval of 0 switches it off; an idle connection then has nothing on the wheel at all."""
    server = serve(heartbeat_interval=0)
    with server.connect():
        eventually(lambda: server.shared.connections)
        eventually(lambda: len(server.shared.wheel) == 0)


def test_idle_connections_own_no_task(serve):
    """However many connections idle, the loop has no task for them and one timer for all."""
    import asyncio

    server = serve()
    clients = []
    for _ in range(50):
        client = Client(server.port)
        client.send(server.upgrade_request())
        assert client.response().status == 101
        clients.append(client)

    def tasks():
        return [task for task in asyncio.all_tasks(server.loop) if "call" not in repr(task.get_coro())]

    eventually(lambda: server.call(tasks) == [])
    assert len(server.shared.wheel) == 50
    for client in clients:
        client.socket.close()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP on this system")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_stopped_server_keeps_its_peers(loop):
    """A server stopped for longer than its heartbeat, and continued, still has all of its living peers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.echo_server", "--port", "0", "--loop", loop, "--heartbeat", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(process.stdout.readline())
        request = (
            f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        lost = []
        pinged = threading.Event()

        def live():
            with Client(port) as client:
                client.send(request)
                client.response()
                end = time.monotonic() + 6
                while time.monotonic() < end:
                    opcode, _ = client.read_frame()
                    if opcode == CLOSE:
                        lost.append(1)
                        return
                    pinged.set()
                    time.sleep(0.4)  # the server is stopped before the answer comes
                    client.send_frame(PONG)

        threads = [threading.Thread(target=live, daemon=True) for _ in range(10)]
        for thread in threads:
            thread.start()
        assert pinged.wait(5)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(process.pid, signal.SIGCONT)
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        assert lost == []
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors == ""
