"""Flow control over real sockets: who does not read is not read from, holds no memory, and delays nobody (P9.3)."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from gsws.errors import ConnectionClosed
from gsws.runtime.transport import encode_frame
from tests.runtime.transport.harness import PING, TEXT, Client, eventually, frame


@contextlib.contextmanager
def small_client(server):
    """A client with a small receive buffer, so that the kernel does not hide back-pressure."""
    with Client(server.port, receive_buffer=4096) as client:
        client.send(server.upgrade_request())
        assert client.response().status == 101
        yield client


def flood(client, data, seconds):
    """Send as much as is taken; returns the bytes sent."""
    client.socket.settimeout(0.2)
    sent = 0
    end = time.monotonic() + seconds
    view = memoryview(data)
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                sent += client.socket.send(view[sent % len(data) :])
    client.socket.settimeout(10)
    return sent


def test_p9_3_ping_flood(serve):
    """T7: A client that floods pings and never reads is read no further, and cut at the stall deadline."""
    server = serve(stall_timeout=2.0)
    with small_client(server) as client:
        connection = eventually(lambda: server.app.connections)[0]
        sent = flood(client, frame(PING, b"x" * 125) * 4000, 1.2)
        assert connection.paused
        assert server.call(lambda: connection.buffered) < 2**20
        assert sent < 2**25
        assert server.app.next() == ("closed", (1006, ""))
    eventually(lambda: not server.shared.connections)
    assert server.shared.counters.read() == {"closes.1006": 1, "limits.stall": 1}


def test_small_requests_with_large_replies(serve):
    """Requests that are answered with much more than they hold cannot pile up replies either."""
    server = serve(stall_timeout=1.0)
    server.app.on_message = lambda connection, data: connection.send_text(b"y" * 100_000)
    with small_client(server) as client:
        connection = eventually(lambda: server.app.connections)[0]
        flood(client, frame(TEXT, b"x") * 30_000, 0.5)
        assert server.call(lambda: connection.buffered) < 2**20
        assert server.app.events.qsize() < 200
        eventually(lambda: not server.shared.connections)


def test_slow_reader_that_reads_is_kept(serve):
    """Who reads slowly but reads gets everything, in order, however long it takes."""
    server = serve(stall_timeout=1.5)
    server.app.echo = False
    with small_client(server) as client:
        connection = eventually(lambda: server.app.connections)[0]

        async def send():
            for n in range(400):
                await connection.drain()
                connection.send_text(b"%03d" % n + b"z" * 20_000)

        future = asyncio.run_coroutine_threadsafe(send(), server.loop)
        time.sleep(0.3)
        assert not future.done()
        for n in range(400):
            time.sleep(0.005)
            assert client.read_frame() == (TEXT, b"%03d" % n + b"z" * 20_000)
        future.result(10)
        client.shake_close()


def test_reading_goes_on_after_a_pause(serve):
    """Everything that was sent during a pause is answered after it."""
    server = serve()
    with small_client(server) as client:
        message = b"m" * 5000
        import threading

        sender = threading.Thread(target=lambda: [client.send(frame(TEXT, message)) for _ in range(2000)])
        sender.start()
        time.sleep(0.5)
        for _ in range(2000):
            client.expect(TEXT, message)
        sender.join(10)
        assert not sender.is_alive()


def test_drain(serve):
    """`drain` returns at once when there is room, waits when there is none, and ends with the connection."""
    server = serve(stall_timeout=60.0)
    server.app.echo = False
    with small_client(server) as client:
        connection = eventually(lambda: server.app.connections)[0]
        server.run(connection.drain())
        server.call(lambda: [connection.send_text(b"x" * 100_000) for _ in range(80)])
        assert connection.paused
        waiting = [asyncio.run_coroutine_threadsafe(connection.drain(), server.loop) for _ in range(3)]
        time.sleep(0.1)
        assert not any(future.done() for future in waiting)
        waiting[0].cancel()
        client.socket.close()
        for future in waiting[1:]:
            future.result(10)
        with pytest.raises(ConnectionClosed) as caught:
            server.call(lambda: connection.send_text(b"late"))
        assert caught.value.code == 1006


def test_p9_3_push_to_a_slow_consumer(serve):
    """P9.3, P7.4: a push to a connection over `send_buffer` closes it with 4430, and nobody else is delayed."""
    server = serve(send_buffer=200_000, close_timeout=0.5)
    push = encode_frame(b"p" * 10_000)
    with small_client(server) as slow, server.connect() as fast:
        eventually(lambda: len(server.app.connections) == 2)
        connections = list(server.app.connections)

        def publish():
            for connection in connections:
                if connection.is_open:
                    connection.push(push)

        for _ in range(600):
            server.call(publish)
            fast.expect(TEXT, b"p" * 10_000)
        assert [connection.is_open for connection in connections] == [False, True]
        assert server.app.next()[1][0] == 4430
        fast.shake_close()
        assert slow.read(1)


def test_slow_consumer_that_reads_on_sees_why(serve):
    """The close frame with 4430 follows what was sent before."""
    server = serve(send_buffer=200_000)
    with small_client(server) as client:
        connection = eventually(lambda: server.app.connections)[0]

        def publish():
            while connection.is_open:
                connection.push(encode_frame(b"p" * 10_000))

        server.call(publish)
        while (got := client.read_frame())[0] == TEXT:
            assert got[1] == b"p" * 10_000
        assert got == (8, b"\x11\x4eslow consumer")


def test_p9_3_what_was_asked_for_and_a_long_frame_are_not_held_against_a_slow_reader(serve):
    """Pushes count what waits before them, without a replay; who is over it is told by `keeps_up` too."""
    server = serve(send_buffer=200_000)
    with small_client(server):
        connection = eventually(lambda: server.app.connections)[0]

        def replay():
            connection.send_prepared(encode_frame(b"r" * 2**23))
            connection.mark_replay()
            return connection.paused, connection.buffered > 2**20, connection.push(encode_frame(b"p" * 2**20))

        assert server.call(replay) == (True, True, True)
        assert server.call(lambda: connection.keeps_up(2**21))
        assert server.call(lambda: (connection.push(encode_frame(b"p")), connection.is_open)) == (False, False)
    assert server.app.next() == ("closed", (4430, "slow consumer"))


def test_replies_of_one_read_leave_in_one_write(serve):
    """What one turn of the loop sends is one write: replies of one read, and pushes of one task."""
    server = serve()
    with server.connect() as client:
        connection = eventually(lambda: server.app.connections)[0]
        writes = []
        transport = connection._outbox.transport

        class Counting:
            def __getattr__(self, name):
                return getattr(transport, name)

            def write(self, data):
                writes.append(len(data))
                transport.write(data)

        connection._outbox.transport = Counting()
        client.send(frame(TEXT, b"x" * 10) * 20)
        for _ in range(20):
            client.expect(TEXT, b"x" * 10)
        assert len(writes) <= 2
        writes.clear()
        server.call(lambda: [connection.send_text(b"y") for _ in range(50)])
        for _ in range(50):
            client.expect(TEXT, b"y")
        assert len(writes) == 1


def test_flood_delays_nobody(serve):
    """While one client floods tiny messages, another's are answered without waiting for all of them."""
    server = serve()
    server.app.on_message = lambda connection, data: connection.send_text(data) if data == b"me" else None
    import threading

    stop = threading.Event()
    with server.connect() as noisy, server.connect() as calm:
        chunk = frame(TEXT, b"") * 20_000

        def shout():
            with contextlib.suppress(OSError):
                while not stop.is_set():
                    noisy.send(chunk)

        thread = threading.Thread(target=shout, daemon=True)
        thread.start()
        try:
            time.sleep(0.2)
            for _ in range(20):
                calm.send_frame(TEXT, b"me")
                calm.expect(TEXT, b"me")
        finally:
            stop.set()
            thread.join(10)
