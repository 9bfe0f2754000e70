"""The short cut past the library gives what the library gives, on any stream at any cut."""

from __future__ import annotations

import random
import struct

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from gsws.runtime.transport.websocket.framing import Framing, encode_frame
from tests.runtime.transport.harness import BINARY, CLOSE, CONT, PING, PONG, TEXT, frame

LIMIT = 20_000


class Log:
    """Sink that writes down what it gets, in order."""

    def __init__(self) -> None:
        self.halted = False
        self.lines: list[object] = []

    def text(self, data: bytes) -> None:
        self.lines.append(("text", data))

    def binary(self, data: bytes) -> None:
        self.lines.append(("binary", data))

    def control(self, frames: list[bytes]) -> None:
        self.lines.extend(("sent", data) for data in frames)

    def too_large(self) -> bytes:
        return b"too large"


class LibraryOnly(Framing):
    """The same without the short cut: every byte goes to the library, one frame's worth at a time or less."""

    def feed(self, data: bytes, burst: int = 0) -> bool:
        for byte in range(len(data)):
            if self.eof_sent:
                return False
            self._pass_on(data[byte : byte + 1])
        return False


def outcome(framing: Framing, log: Log) -> tuple[object, ...]:
    log.control(framing.data_to_send())
    return log.lines, framing.state, framing.close_rcvd, framing.close_sent and framing.close_sent.code


def run(kind: type[Framing], pieces: list[bytes], extensions: bool) -> tuple[object, ...]:
    log = Log()
    framing = kind(log, LIMIT, [PerMessageDeflate(True, True, 15, 15)] if extensions else [])
    for piece in pieces:
        while framing.feed(piece):
            piece = b""
    return outcome(framing, log)


def stream(generator: random.Random, extensions: bool) -> bytes:
    """A plausible stream: mostly proper messages, sometimes something broken."""
    parts: list[bytes] = []
    for _ in range(generator.randrange(1, 25)):
        size = generator.choice([0, 1, 5, 60, 125, 126, 127, 300, 5000, 17_000])
        text = ("aé€😀"[: generator.randrange(5)] * size).encode()[:size]
        text = text.decode("utf-8", "ignore").encode()
        mask = generator.randbytes(4)
        kind = generator.random()
        if kind < 0.5:
            parts.append(frame(TEXT, text, mask=mask))
        elif kind < 0.6:
            parts.append(frame(BINARY, generator.randbytes(size), mask=mask))
        elif kind < 0.7:
            cut = generator.randrange(len(text) + 1)
            parts.append(frame(TEXT, text[:cut], fin=False, mask=mask))
            if generator.random() < 0.5:
                parts.append(frame(PING, b"between", mask=mask))
            parts.append(frame(CONT, text[cut:], mask=mask))
        elif kind < 0.8:
            parts.append(
                frame(generator.choice([PING, PONG]), text[:125].decode("utf-8", "ignore").encode(), mask=mask)
            )
        elif kind < 0.85 and extensions:
            compressor = PerMessageDeflate(True, True, 15, 15)
            parts.append(Frame(Opcode.TEXT, text).serialize(mask=True, extensions=[compressor]))
        elif kind < 0.93:
            parts.append(
                generator.choice([
                    frame(TEXT, b"\xff\xfe", mask=mask),
                    frame(TEXT, text + b"\xff" + text, mask=mask),
                    frame(TEXT, text, mask=None),
                    frame(TEXT, text, rsv=generator.randrange(1, 8), mask=mask),
                    frame(generator.randrange(3, 8), text, mask=mask),
                    frame(CONT, text, mask=mask),
                    frame(TEXT, text, fin=False, mask=mask),
                    frame(PING, b"x", fin=False, mask=mask),
                    frame(PING, b"x" * 200, mask=mask),
                    frame(TEXT, length=LIMIT + 1, mask=mask),
                    frame(BINARY, length=2**63, mask=mask),
                    # No text: bad UTF-8 in a frame that never ends is seen by the short cut alone.
                    bytes((generator.choice([0x00, 0x80, 0x82, 0x88, 0x8B, 0xF1]),)) + generator.randbytes(19),
                ])
            )  # fmt: skip
        elif kind < 0.96:
            parts.append(frame(CLOSE, struct.pack("!H", generator.choice([1000, 1001, 3000, 999])) + b"bye", mask=mask))
    return b"".join(parts)


def cut(generator: random.Random, data: bytes) -> list[bytes]:
    pieces = []
    position = 0
    size = generator.choice([1, 3, 40, 2000, 100_000])
    while position < len(data):
        step = generator.randrange(1, size + 1)
        pieces.append(data[position : position + step])
        position += step
    return pieces


def comparable(result: tuple[object, ...]) -> tuple[object, ...]:
    """Leave out the wording of close frames: bad UTF-8 may be seen before its frame is whole."""
    lines = [(line[0], line[1][:4]) if line[0] == "sent" and line[1][:1] == b"\x88" else line for line in result[0]]
    return (lines, *result[1:])


@pytest.mark.parametrize("extensions", [False, True])
def test_same_as_the_library(extensions):
    """Random streams cut at random places: the same messages and answers in the same order, and the same end."""
    seed = random.randrange(2**32)
    print("seed", seed)
    generator = random.Random(seed)
    ends = set()
    for _ in range(200):
        data = stream(generator, extensions)
        fast = comparable(run(Framing, cut(generator, data), extensions))
        slow = comparable(run(LibraryOnly, [data], extensions))
        assert fast == slow
        ends.add(slow[3])
    assert {None, 1002, 1007, 1009} <= ends


def test_pauses_lose_nothing():
    """A sink that pauses at any moment gets the same messages in the same order later."""
    generator = random.Random(3)
    for _ in range(50):
        data = b"".join(frame(TEXT, b"%d" % n * generator.randrange(60)) for n in range(300))
        log = Log()
        framing = Framing(log, LIMIT, [])
        plain = run(Framing, [data], False)[0]
        take = log.text

        def text(payload: bytes, log: Log = log, take: object = take) -> None:
            take(payload)
            log.halted = generator.random() < 0.1

        log.text = text
        for piece in cut(generator, data):
            framing.feed(piece)
        while framing.held:
            log.halted = False
            framing.feed(b"")
        assert log.lines == plain


def test_paused_sink_gets_nothing_more():
    """Nothing is delivered between a pause and its end, however much is fed."""
    log = Log()
    framing = Framing(log, LIMIT, [])

    def text(payload: bytes) -> None:
        log.lines.append(payload)
        log.halted = True

    log.text = text
    for _ in range(5):
        framing.feed(frame(TEXT, b"x") * 5)
    assert log.lines == [b"x"]
    assert framing.held == frame(TEXT, b"x") * 24


def test_burst():
    """One connection's flood is taken in portions, so that others get their turn."""
    log = Log()
    framing = Framing(log, LIMIT, [])
    assert framing.feed(frame(PING) * 1000 + frame(TEXT, b"x") * 1000, 256) is True
    assert len(log.lines) == 256
    turns = 0
    while framing.feed(b"", 256):
        turns += 1
    assert turns == 6
    assert len(log.lines) == 2000


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70_000])
@pytest.mark.parametrize("binary", [False, True])
def test_encode_frame(size, binary):
    """Frames are the library's, byte for byte (P11.2 sends one to many)."""
    data = b"x" * size
    opcode = Opcode.BINARY if binary else Opcode.TEXT
    assert encode_frame(data, binary=binary) == Frame(opcode, data).serialize(mask=False)
