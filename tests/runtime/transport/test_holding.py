"""Connections that are held back (P9.2): what waits is lost to nobody, and who is there is not given up."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time

import pytest

from gsws.runtime.transport.websocket import outbox
from gsws.runtime.transport.websocket.framing import BURST, Framing
from gsws.runtime.transport.websocket.holding import READ_AHEAD
from tests.runtime.transport.harness import BINARY, CLOSE, CONT, PING, PONG, TEXT, eventually, frame
from tests.runtime.transport.test_framing import LIMIT, Log

MUCH = frame(TEXT, b"y" * 1000) * 3000


def hold_after(server, count=1):
    """The application takes so many messages and then wants no more."""
    taken = []

    def on_message(connection, data):
        taken.append(data)
        if len(taken) == count:
            connection.hold()

    server.app.on_message = on_message
    server.app.echo = False
    return taken


def the(server):
    eventually(lambda: server.app.connections)
    return server.app.connections[-1]


def send_away(client, data):
    """Send more than anybody reads, as far as the kernels take it."""
    client.socket.settimeout(0.5)
    try:
        client.socket.sendall(data)
    except TimeoutError:
        return
    finally:
        client.socket.settimeout(10)


def ending(server):
    """What the receiver was told last."""
    while (event := server.app.next())[0] != "closed":
        pass
    return event[1]


def test_nothing_is_delivered_between_hold_and_release(serve):
    """In one write or in many, everything comes in order and once."""
    server = serve()
    taken = hold_after(server, 3)
    with server.connect() as client:
        client.send(b"".join(frame(TEXT, b"%d" % n) for n in range(500)))
        for n in range(500, 520):
            client.send_frame(TEXT, b"%d" % n)
        eventually(lambda: len(taken) == 3)
        time.sleep(0.1)
        assert len(taken) == 3
        server.call(the(server).release)
        eventually(lambda: len(taken) == 520)
        assert taken == [b"%d" % n for n in range(520)]


def test_holds_are_counted(serve):
    """Who holds for a second reason is not let go by the end of the first; a release too many does nothing."""
    server = serve()
    taken = hold_after(server, 1)
    with server.connect() as client:
        client.send(frame(TEXT, b"x") * 2)
        eventually(lambda: taken)
        connection = the(server)
        server.call(connection.hold)
        server.call(connection.release)
        time.sleep(0.1)
        assert len(taken) == 1
        server.call(connection.release)
        server.call(connection.release)
        eventually(lambda: len(taken) == 2)
        server.call(connection.hold)
        client.send_frame(TEXT, b"last")
        time.sleep(0.1)
        assert len(taken) == 2


@pytest.mark.parametrize("fragments", [False, True])
def test_a_ping_is_answered_whatever_is_held(serve, fragments):
    """RFC 6455 section 5.5.2; also one between the fragments of a message that waits."""
    server = serve()
    taken = hold_after(server, 1)
    with server.connect() as client:
        client.send_frame(TEXT, b"first")
        eventually(lambda: taken)
        pieces = (frame(TEXT, b"a", fin=False), frame(CONT, b"b")) if fragments else (frame(BINARY, b"ab" * 200),) * 2
        client.send(pieces[0] + frame(PING, b"there?") + pieces[1])
        client.expect(PONG, b"there?")
        assert len(taken) == 1
        server.call(the(server).release)
        assert server.app.next() == ("text", b"first")
        assert server.app.next()[1] in (b"ab", b"ab" * 200)
        client.shake_close()


def test_a_goodbye_is_heard_and_what_came_before_it_is_taken(serve):
    """A close frame behind messages that wait is acted on at once; none of them is lost."""
    server = serve()
    taken = hold_after(server, 1)
    with server.connect() as client:
        client.send(frame(TEXT, b"x") * 100 + frame(CLOSE, struct.pack("!H", 3000)))
        client.expect_close(3000)
    assert len(taken) == 100
    assert ending(server) == (3000, "")


def test_the_end_of_the_stream_is_heard(serve):
    """A client that leaves without a word is gone at once, and what it had sent is taken."""
    server = serve()
    taken = hold_after(server, 1)
    with server.connect() as client:
        client.send(frame(TEXT, b"x") * 100)
        eventually(lambda: taken)
        client.socket.shutdown(socket.SHUT_WR)
        assert ending(server)[0] == 1006
    assert len(taken) == 100


@pytest.mark.parametrize("reset", [False, True])
def test_who_leaves_behind_much_that_is_not_read_is_noticed(serve, reset):
    """Even when its last bytes cannot reach us for want of room; what was not read by then is not delivered."""
    server = serve(heartbeat_interval=0)
    taken = hold_after(server, 1)
    with server.connect() as client:
        send_away(client, MUCH)
        eventually(lambda: taken)
        if reset:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()
        assert ending(server)[0] == 1006
        assert len(taken) == 1


def test_a_goodbye_that_is_not_read_is_found_when_its_sender_has_left(serve):
    """Beyond what is read ahead: the code is the client's, and the messages before it are not delivered any more."""
    server = serve(heartbeat_interval=0)
    taken = hold_after(server, 1)
    with server.connect() as client:
        client.send(MUCH[: 1008 * 70])
        eventually(lambda: len(the(server)._framing.held) >= READ_AHEAD)
        client.send(MUCH[: 1008 * 20] + frame(CLOSE, struct.pack("!H", 3001)))
        client.socket.close()
        assert ending(server)[0] == 3001
        assert len(taken) == 1


def test_what_is_held_has_a_bound(serve):
    """However much a client sends, little more than one read of the event loop is kept."""
    server = serve()
    taken = hold_after(server, 1)
    with server.connect() as client:
        send_away(client, MUCH)
        eventually(lambda: taken)
        assert len(the(server)._framing.held) <= READ_AHEAD + 2**18
        small = frame(TEXT, b"z")
    with server.connect() as client:
        connection = the(server)
        eventually(lambda: connection is not server.app.connections[0])
        server.call(connection.hold)
        for _ in range(100):
            send_away(client, small * 300)
        assert len(connection._framing.held) <= READ_AHEAD + 2**18


def test_our_close_is_not_stuck_behind_what_is_held(serve):
    """The peer's close frame is behind everything it sent; it is found, and the rest thrown away."""
    server = serve(close_timeout=60.0)
    taken = hold_after(server, 1)
    with server.connect() as client:
        writing = threading.Thread(target=client.send, args=(MUCH + frame(CLOSE, struct.pack("!H", 1001)),))
        writing.start()
        eventually(lambda: taken)
        server.call(lambda: the(server).close(1001, "enough"))
        writing.join(30)
        assert not writing.is_alive()
        client.expect_close(1001)
    assert len(taken) == 1


def test_p10_1_a_pong_behind_what_is_not_read_is_no_reason_to_give_up(serve):
    """The peer answers every ping behind megabytes that nobody reads: it stays, and goes on when it is let."""
    server = serve(heartbeat_interval=0.2, heartbeat_timeout=0.2)
    taken = hold_after(server, 1)
    with server.connect() as client:
        client.send(MUCH[:1008])
        eventually(lambda: taken)
        writing = threading.Thread(target=client.send, args=(MUCH[1008:],))
        writing.start()
        for _ in range(8):
            client.expect(PING, b"")
        assert the(server).is_open
        server.call(the(server).release)
        writing.join(5)
        eventually(lambda: len(taken) == 3000)


@pytest.mark.parametrize("answers", [True, False])
def test_p10_1_with_room_to_read_ahead_silence_counts(serve, answers):
    """Held with little behind it: whoever answers pings stays, whoever does not is closed with 4408."""
    server = serve(heartbeat_interval=0.2, heartbeat_timeout=0.2)
    taken = hold_after(server, 1)
    with server.connect() as client:
        client.send(frame(TEXT, b"x") * 50)
        eventually(lambda: taken)
        for _ in range(8 if answers else 0):
            client.expect(PING, b"")
            client.send_frame(PONG)
        if answers:
            assert the(server).is_open
            server.call(the(server).release)
            eventually(lambda: len(taken) == 50)
        else:
            assert ending(server)[0] == 4408
            assert len(taken) == 1


def test_p10_1_a_machine_that_acknowledges_nothing_is_dead(serve, monkeypatch):
    """Nothing can be read of it, but what was sent to it is not acknowledged either: it is given up."""
    server = serve(heartbeat_interval=0.2, heartbeat_timeout=0.2)
    taken = hold_after(server, 1)
    with server.connect() as client:
        send_away(client, MUCH)
        eventually(lambda: taken)
        monkeypatch.setattr(outbox, "_unacknowledged", lambda transport: the(server)._outbox._written)
        assert ending(server)[0] == 4408


def test_a_hold_on_what_is_closed_does_nothing(serve):
    """The closing handshake goes on."""
    server = serve()
    with server.connect() as client:
        connection = the(server)

        def close():
            connection.close(1000)
            connection.hold()

        server.call(close)
        client.expect(CLOSE, struct.pack("!H", 1000))
        client.send_frame(CLOSE, struct.pack("!H", 1000))
        assert client.read_to_end() == b""


# Looking ahead, without sockets.


class Halting(Log):
    """A sink that halts whenever it is told to, and notes what is answered."""

    def __init__(self):
        super().__init__()
        self.answered = []

    def control(self, frames):
        self.answered += [one for one in frames if one]


def test_looking_ahead_changes_nothing_but_the_time_of_pongs():
    """Random frames, cut anywhere, held now and then: the same messages, and one pong for each ping."""
    generator = random.Random(11)
    for _ in range(60):
        pieces, pings = [], 0
        for n in range(80):
            kind = generator.random()
            if kind < 0.3:
                pieces.append(frame(PING, b"%d" % n))
                pings += 1
            elif kind < 0.4:
                pieces.append(frame(PONG, b""))
            elif kind < 0.6:
                pieces += [frame(TEXT, b"a%d" % n, fin=False), frame(PING, b"in"), frame(CONT, b"b" * n)]
                pings += 1
            else:
                pieces.append(frame(BINARY, b"%d " % n * generator.choice((1, 40, 4000))))
        data = b"".join(pieces)
        plain = Halting()
        Framing(plain, LIMIT, []).feed(data, 1 << 30)
        sink = Halting()
        framing = Framing(sink, LIMIT, [])
        position = 0
        while position < len(data):
            size = generator.choice((1, 3, 10, 200, 5000, 60_000))
            piece, position = data[position : position + size], position + size
            if sink.halted:
                framing.held += piece
                assert not framing.look_ahead()
            else:
                framing.feed(piece, 1 << 30)
            if generator.random() < 0.4:
                sink.halted = not sink.halted
                framing.begin_look()
                if not sink.halted:
                    framing.feed(b"", 1 << 30)
        sink.halted = False
        framing.feed(b"", 1 << 30)
        assert sink.lines == plain.lines
        assert len(sink.answered) == pings


@pytest.mark.parametrize(
    "odd",
    [
        frame(PING, b"x" * 126), frame(PING, b"", rsv=1), frame(PING, b"x", fin=False), frame(PING, b"x", mask=None),
        frame(CLOSE, b"x" * 126), frame(TEXT, b"", length=2**63), frame(0x3, b""), frame(0xB, b""), b"\x89",
        b"\x81\xfe\x00",
    ],
)  # fmt: skip
def test_what_is_no_good_control_frame_is_left_alone(odd):
    """Broken frames end the connection when it is their turn, not before."""
    sink = Halting()
    framing = Framing(sink, LIMIT, [])
    sink.halted = True
    framing.begin_look()
    framing.held = frame(TEXT, b"x") + odd
    assert framing.look_ahead() is False
    assert framing.held == frame(TEXT, b"x") + odd
    assert sink.answered == []


def test_a_flood_of_pings_is_answered_in_portions():
    """No more of them at once than other frames."""
    sink = Halting()
    framing = Framing(sink, LIMIT, [])
    sink.halted = True
    framing.held = frame(TEXT, b"x") + frame(PING) * 1000
    assert framing.look_ahead() is False
    assert len(sink.answered) == BURST
    assert len(framing.held) == len(frame(TEXT, b"x") + frame(PING) * (1000 - BURST))
