"""`gsws.testing.FaultProxy`: each fault at its byte, the same again for the same seed."""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import closing, contextmanager

import pytest

from gsws.testing import Fault, FaultProxy, random_faults, serve
from tests.testing.support import make_project

DATA = bytes(range(256)) * 40


@contextmanager
def target():
    """Sends `DATA` to whoever connects, then says what it got."""
    listening = socket.create_server(("127.0.0.1", 0))
    got = []

    def one(peer):
        received = bytearray()
        peer.settimeout(5)
        try:
            peer.sendall(DATA)
            while chunk := peer.recv(65536):
                received += chunk
            got.append((bytes(received), "end"))
        except TimeoutError:
            got.append((bytes(received), "silence"))
        except OSError:
            got.append((bytes(received), "reset"))
        peer.close()

    def main():
        while True:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(peer,), daemon=True).start()

    threading.Thread(target=main, daemon=True).start()
    try:
        yield listening.getsockname()[1], got
    finally:
        listening.close()


def read(address, timeout=5.0, say=b"", until=None):
    """Everything that comes, and how it ends."""
    received = bytearray()
    try:
        peer = socket.create_connection(address, 5)
    except ConnectionResetError:  # a reset right after the handshake may come before `connect` has returned
        return b"", "reset"
    with closing(peer):
        peer.settimeout(timeout)
        try:
            peer.sendall(say)
            while chunk := peer.recv(65536):
                received += chunk
                if until is not None and len(received) >= until:
                    return bytes(received), "enough"
        except TimeoutError:
            return bytes(received), "silence"
        except ConnectionResetError:
            return bytes(received), "reset"
        return bytes(received), "end"


@pytest.mark.parametrize("count", [0, 1, 255, 9999])
def test_a_cut_lets_exactly_so_many_bytes_pass(count):
    with target() as (port, _), FaultProxy(port) as proxy:
        proxy.cut_after(count)
        assert read(proxy.address) == (DATA[:count], "end")
        assert proxy.struck == [Fault("cut", count)]
        assert read(proxy.address, until=len(DATA)) == (DATA, "enough"), "the next connection has none"


def test_a_truncated_direction_ends_and_the_other_goes_on():
    with target() as (port, got), FaultProxy(port) as proxy:
        proxy.truncate_after(10)
        with closing(socket.create_connection(proxy.address, 5)) as peer:
            peer.settimeout(5)
            assert peer.recv(100) == DATA[:10]
            assert peer.recv(100) == b""
            peer.sendall(b"still here")
            peer.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + 5
            while not got and time.monotonic() < deadline:
                time.sleep(0.01)
    assert got[0][0] == b"still here"


def test_a_reset_is_a_reset():
    with target() as (port, _), FaultProxy(port) as proxy:
        proxy.reset_after(5)
        data, how = read(proxy.address)
        assert how == "reset"
        assert DATA.startswith(data)
        proxy.refuses = True
        assert read(proxy.address) == (b"", "reset")


def test_half_open_is_silence():
    """Neither side is told, whatever the other does; at last it is cut."""
    with target() as (port, got), FaultProxy(port) as proxy:
        proxy.half_open_after(7, seconds=0.6)
        assert read(proxy.address, 0.2) == (DATA[:7], "silence")
        assert got == []
        deadline = time.monotonic() + 5
        while not got:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert got[0][1] == "reset"


def test_the_other_direction_has_faults_too():
    with target() as (port, got), FaultProxy(port) as proxy:
        proxy.cut_after(4, "up")
        read(proxy.address, say=b"abcdefgh")
        deadline = time.monotonic() + 5
        while not got:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert got[0][0] == b"abcd"


def test_a_delay_and_a_throttle_lose_nothing():
    with target() as (port, _), FaultProxy(port) as proxy:
        proxy.delay(0.2, after=100)
        began = time.monotonic()
        assert read(proxy.address, until=len(DATA))[0] == DATA
        assert time.monotonic() - began >= 0.2
        proxy.throttle(30_000)
        began = time.monotonic()
        assert read(proxy.address, until=len(DATA))[0] == DATA
        assert time.monotonic() - began > 0.2


def test_everything_at_once():
    """Cut, reset or silence what is open now."""
    with target() as (port, _), FaultProxy(port) as proxy:
        for act in (proxy.cut, proxy.reset):
            with closing(socket.create_connection(proxy.address, 5)) as peer:
                peer.settimeout(5)
                received = b""
                while len(received) < len(DATA):
                    received += peer.recv(65536)
                act()
                try:
                    assert peer.recv(1) == b""
                except ConnectionResetError:
                    assert act == proxy.reset
        proxy.half_open()


def test_the_same_seed_is_the_same_faults():
    assert random_faults(random.Random(5)) == random_faults(random.Random(5))
    drawn = [fault for n in range(2000) for fault in random_faults(random.Random(n))]
    assert {fault.kind for fault in drawn} == {"cut", "reset", "truncate", "half-open", "delay", "throttle"}
    assert {fault.direction for fault in drawn} == {"up", "down"}
    assert min(fault.after for fault in drawn) == 0

    struck = []
    for _ in range(2):
        with target() as (port, _), FaultProxy(port, seed=3, plan=lambda draw: [Fault("cut", draw.randrange(99))]) as p:
            struck.append([len(read(p.address)[0]) for _ in range(5)])
    assert struck[0] == struck[1]
    assert len(set(struck[0])) > 1


def test_nobody_behind_it_is_a_reset():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with FaultProxy(port) as proxy:
        assert read(proxy.address) == (b"", "reset")


def test_a_stream_goes_on_through_it(tmp_path):
    """As the how-to shows it."""
    with serve(make_project(tmp_path)) as project, FaultProxy(project.port) as proxy:
        proxy.cut_after(900)
        client = project.client(session=True, address=proxy.address)
        stream = client.stream("websocket.count", {"to": 50, "s": 0.002})
        with pytest.raises(Exception, match="1006"):
            stream.answer()
        client.reconnect()
        assert stream.answer().text == "".join(f"{n} " for n in range(50))
