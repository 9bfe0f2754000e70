"""Frames and messages over real sockets: what is delivered, and with which code everything else ends (P1, P7.3)."""

from __future__ import annotations

import os
import struct
import time
import zlib

import pytest

from tests.runtime.transport.harness import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    TOO_LARGE,
    Client,
    eventually,
    frame,
)

DEFLATE = ["Sec-WebSocket-Extensions: permessage-deflate"]


def deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000, 2**20])
def test_p1_1_sizes(serve, size):
    """P1.1: text and binary messages of every length encoding come back whole."""
    server = serve()
    with server.connect() as client:
        for opcode, data in ((TEXT, b"a" * size), (BINARY, os.urandom(size))):
            client.send_frame(opcode, data)
            client.expect(opcode, data)
        client.shake_close()


def test_messages_in_order_at_any_cut(serve):
    """Messages arrive in the order sent, wherever TCP cuts them."""
    server = serve()
    server.app.echo = False
    messages = [b"%d " % n * (n * 37 % 500) for n in range(200)]
    stream = b"".join(frame(TEXT, message) for message in messages)
    with server.connect() as client:
        position, step = 0, 1
        while position < len(stream):
            client.send(stream[position : position + step])
            position += step
            step = step * 7 % 1013 + 1
            if step < 20:
                time.sleep(0.001)
        for message in messages:
            assert server.app.next() == ("text", message)


def test_fragments(serve):
    """A message in fragments is one message; pings between them are answered at once, before it."""
    server = serve()
    with server.connect() as client:
        client.send_frame(TEXT, "grü".encode()[:-1], fin=False)
        client.send_frame(PING, b"between")
        client.expect(PONG, b"between")
        client.send_frame(CONT, "grü".encode()[-1:], fin=False)
        client.send_frame(CONT, b"", fin=False)
        client.send_frame(CONT, "ße".encode())
        client.expect(TEXT, "grüße".encode())
        client.send(frame(BINARY, b"\xff", fin=False) + frame(PING, b"p") + frame(CONT, b"\xfe"))
        client.expect(PONG, b"p")
        client.expect(BINARY, b"\xff\xfe")


def test_control_frames(serve):
    """A ping is answered with its payload; a pong that nobody asked for is ignored."""
    server = serve()
    with server.connect() as client:
        for payload in (b"", b"x", b"\x00\xff" * 62, b"a" * 125):
            client.send_frame(PONG, payload)
            client.send_frame(PING, payload)
            client.expect(PONG, payload)


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x", mask=None),
        b"\x81\x00",
        frame(TEXT, b"x", rsv=4),
        frame(TEXT, b"x", rsv=2),
        frame(PING, b"x", rsv=1),
        frame(CLOSE, b"\x03\xe8", rsv=4),
        frame(0x3, b"x"),
        frame(0x7, b"x"),
        frame(0xB, b""),
        frame(0xF, b""),
        frame(PING, b"x", fin=False),
        frame(CLOSE, b"", fin=False),
        frame(PING, b"x" * 126),
        frame(PONG, b"x" * 1000),
        frame(CLOSE, b"\x03\xe8" + b"x" * 124),
        frame(CONT, b"x"),
        frame(CONT, b"x", fin=False),
        frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"),
        frame(TEXT, b"x", fin=False) + frame(BINARY, b"y", fin=False),
        frame(CLOSE, b"\x03"),
        frame(CLOSE, struct.pack("!H", 999)),
        frame(CLOSE, struct.pack("!H", 1004)),
        frame(CLOSE, struct.pack("!H", 1005)),
        frame(CLOSE, struct.pack("!H", 1006)),
        frame(CLOSE, struct.pack("!H", 1015)),
        frame(CLOSE, struct.pack("!H", 2999)),
        frame(CLOSE, struct.pack("!H", 5000)),
        frame(CLOSE, struct.pack("!H", 65535)),
    ],
    ids=lambda data: data[:8].hex(),
)
def test_p7_3_protocol_errors(serve, data):
    """P7.3: what breaks the framing is 1002; what came before was delivered, what comes after is not."""
    server = serve()
    with server.connect() as client:
        client.send(frame(TEXT, b"before") + data + frame(TEXT, b"after"))
        client.expect(TEXT, b"before")
        client.expect_close(1002)
    assert server.app.next() == ("text", b"before")
    assert server.app.next()[1][0] == 1002
    assert server.app.events.empty()


@pytest.mark.parametrize(
    "data", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"abc\xe2\x82"]
)
@pytest.mark.parametrize("cut", [None, 0, 1])
def test_p7_3_bad_utf8(serve, data, cut):
    """P7.3: text that is not UTF-8 is 1007, whole or in fragments, surrogates and overlong forms included."""
    server = serve()
    with server.connect() as client:
        if cut is None:
            client.send_frame(TEXT, data)
        else:
            client.send_frame(TEXT, data[:cut], fin=False)
            client.send_frame(CONT, data[cut:])
        client.expect_close(1007)
    assert server.app.next()[0] == "closed"


def test_bad_utf8_fails_at_once(serve):
    """Bad UTF-8 is not waited out: neither to the end of the message nor to the end of its frame."""
    server = serve()
    with server.connect() as client:
        client.send_frame(TEXT, b"a\xff", fin=False)
        client.expect_close(1007)
    with server.connect() as client:
        client.send(frame(TEXT, b"a\xffb" + b"c" * 997)[:50])
        client.expect_close(1007)


def test_bad_utf8_in_binary_and_control_frames(serve):
    """Only text and close reasons must be UTF-8."""
    server = serve()
    with server.connect() as client:
        client.send_frame(BINARY, b"\xff")
        client.expect(BINARY, b"\xff")
        client.send_frame(PING, b"\xff")
        client.expect(PONG, b"\xff")
        client.send_frame(CLOSE, b"\x03\xe8\xff")
        client.expect_close(1007)


@pytest.mark.parametrize(
    "start",
    [
        frame(TEXT, length=1001),
        frame(BINARY, length=2**31),
        frame(TEXT, length=2**63 - 1),
        frame(TEXT, length=2**63),
        frame(TEXT, length=2**64 - 1),
        frame(TEXT, b"x" * 600, fin=False) + frame(CONT, length=401),
        frame(TEXT, b"x" * 1000, fin=False) + frame(CONT, length=1),
    ],
    ids=["1001", "2^31", "2^63-1", "2^63", "2^64-1", "fragments", "one more"],
)
def test_p7_3_too_large(serve, start):
    """P7.3: a message above the limit is refused by its length alone: the error frame, then 1009."""
    server = serve(message_bytes=1000)
    with server.connect() as client:
        client.send(start)
        client.expect(TEXT, TOO_LARGE)
        client.expect_close(1009)
    assert server.app.next()[1][0] == 1009


def test_limit_itself_is_accepted(serve):
    """A message of exactly the limit passes, whole or in fragments."""
    server = serve(message_bytes=1000)
    with server.connect() as client:
        client.send_frame(TEXT, b"x" * 1000)
        client.expect(TEXT, b"x" * 1000)
        client.send_frame(TEXT, b"x" * 1000, fin=False)
        client.send_frame(CONT, b"")
        client.expect(TEXT, b"x" * 1000)


def test_p7_3_what_is_still_sent_is_drained(serve):
    """P7.3: a client that sends 20 MB before it looks still reads the error frame and the close, not a reset."""
    server = serve()
    with server.connect() as client:
        client.send_frame(TEXT, b"x" * 20_000_000)
        client.expect(TEXT, TOO_LARGE)
        client.expect_close(1009)


def test_draining_is_bounded(serve):
    """A failed peer that never stops sending is cut, by bytes or by time."""
    server = serve(message_bytes=1000, close_timeout=0.5)
    with server.connect() as client:
        client.send(frame(TEXT, length=2000))
        client.send_until_cut(b"x" * 2**20)
    with server.connect() as client:
        client.send(frame(TEXT, length=2000))
        client.send_until_cut(b"x", pause=0.05)
    eventually(lambda: not server.shared.connections)


@pytest.mark.parametrize("content", [b"", b"x"])
def test_too_many_fragments(serve, content):
    """100,000 fragments of a byte, or of none, end in 1009."""
    server = serve()
    with server.connect() as client:
        client.send(frame(BINARY, content, fin=False) + frame(CONT, content, fin=False) * 100_000)
        client.expect(TEXT, TOO_LARGE)
        client.expect_close(1009)


def test_many_fragments_within_the_limit(serve):
    """A message may be cut into 1024 fragments, however small."""
    server = serve(message_bytes=2000)
    with server.connect() as client:
        client.send(frame(TEXT, b"x", fin=False) + frame(CONT, b"x", fin=False) * 1022 + frame(CONT, b"x"))
        client.expect(TEXT, b"x" * 1024)


def test_close_inside_a_fragmented_message(serve):
    """A close between fragments is a proper close (Autobahn 7.1.5)."""
    server = serve()
    with server.connect() as client:
        client.send_frame(TEXT, b"never finished", fin=False)
        client.shake_close(1001)
    assert server.app.next() == ("closed", (1001, ""))


@pytest.mark.parametrize("name", ["compressed", "fragments"])
def test_compression_bomb(serve, name):
    """P1.2: the limit counts decompressed bytes: 100 MB in 100 KB end in 1009, without the memory for it."""
    server = serve(compression=True)
    bomb = deflate(b"\0" * 100_000_000)
    assert len(bomb) < 2**17
    with server.connect(extra=DEFLATE) as client:
        if name == "compressed":
            client.send_frame(BINARY, bomb, rsv=4)
        else:
            client.send_frame(BINARY, bomb[:1000], rsv=4, fin=False)
            for position in range(1000, len(bomb), 1000):
                client.send_frame(CONT, bomb[position : position + 1000], fin=False)
        client.expect(TEXT, TOO_LARGE)
        client.expect_close(1009)
    assert server.app.next()[0] == "closed"


def test_p1_2_compressed_messages(serve):
    """P1.2: compressed and plain messages may alternate; long replies are compressed; broken streams are 1002."""
    server = serve(compression=True)
    with server.connect(extra=DEFLATE) as client:
        client.send_frame(TEXT, deflate(b"short"), rsv=4)
        client.expect(TEXT, b"short")
        client.send_frame(TEXT, b"plain")
        client.expect(TEXT, b"plain")
        text = b"all work and no play " * 100
        compressed = deflate(text)
        client.send_frame(TEXT, compressed[:20], rsv=4, fin=False)
        client.send_frame(CONT, compressed[20:])
        first, size = client.read(2)
        assert first == 0xC1
        data = client.read(size)
        assert zlib.decompressobj(wbits=-15).decompress(data + b"\x00\x00\xff\xff") == text
        client.send_frame(TEXT, deflate(b"\xff"), rsv=4)
        client.expect_close(1007)
    with server.connect(extra=DEFLATE) as client:
        client.send_frame(TEXT, b"\xff\xff\xff no deflate", rsv=4)
        client.expect_close(1002)
    with server.connect(extra=DEFLATE) as client:
        client.send_frame(PING, b"x", rsv=4)
        client.expect_close(1002)


def test_end_of_stream_inside_a_frame(serve):
    """A peer that ends in the middle of anything is gone: 1006, and nothing of its half message is seen."""
    server = serve()
    for half in (b"\x81", b"\x81\x85", frame(TEXT, b"hello")[:-1], frame(TEXT, length=100_000) + b"x", b""):
        with server.connect() as client:
            client.send(half)
        assert server.app.next() == ("closed", (1006, ""))


def test_messages_before_the_end_are_taken(serve):
    """What was sent whole before a peer left is delivered."""
    server = serve()
    server.app.echo = False
    with server.connect() as client:
        client.send(frame(TEXT, b"x") * 1000 + frame(CLOSE, b"\x03\xe8"))
    for _ in range(1000):
        assert server.app.next() == ("text", b"x")
    assert server.app.next() == ("closed", (1000, ""))


def test_failing_receiver(serve):
    """P7.3: a receiver that raises costs that message, not the connection."""
    server = serve()
    logged = []

    def fail(connection, data):
        if data == b"bad":
            raise RuntimeError("in the receiver")
        connection.send_text(data)

    server.app.on_message = fail
    import logging

    class Swallow(logging.Filter):
        def filter(self, record):
            logged.append(record.getMessage())
            return False

    swallow = Swallow()
    logging.getLogger("gsws.transport").addFilter(swallow)
    try:
        with server.connect() as client:
            client.send(frame(TEXT, b"bad") + frame(TEXT, b"good"))
            client.expect(TEXT, b"good")
    finally:
        logging.getLogger("gsws.transport").removeFilter(swallow)
    assert len(logged) == 1


def test_garbage(serve):
    """Noise of any kind ends in a close frame or a cut, and the next client is served."""
    server = serve(close_timeout=0.5)
    generator = __import__("random").Random(7)
    for _ in range(150):
        with server.connect() as client:
            client.send(generator.randbytes(generator.randrange(1, 2000)))
            client.socket.shutdown(1)
            client.read_to_end()
    with server.connect() as client:
        client.send_frame(TEXT, b"alive")
        client.expect(TEXT, b"alive")


def test_connections_are_independent(serve):
    """Failing one connection touches no other."""
    server = serve()
    with server.connect() as first, server.connect() as second:
        first.send(b"\xff" * 100)
        first.expect_close(1002)
        second.send_frame(TEXT, b"x")
        second.expect(TEXT, b"x")
    assert isinstance(first, Client)
