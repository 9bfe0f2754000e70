"""
One stream as somebody has it: which frames came, byte for byte, and whether the next one may be this.

Followers and watchers share it; it knows the protocol's sections 6.3 and 8.3, and neither implementation.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

__all__ = ["BROKEN", "SILENCE", "Report", "Telling", "Violation", "check", "open_session", "receive"]

SILENCE = 0.3
"""Seconds without a frame after which a connection is taken for dead."""

BROKEN = (OSError, TimeoutError, EOFError, WebSocketException)
"""What a connection that breaks raises."""


class Violation(AssertionError):
    """The server broke the protocol; the text says how."""


@dataclass(slots=True)
class Report:
    """What happened to all followers and watchers."""

    streams: int = 0
    frames: int = 0
    resumes: int = 0
    resent: int = 0
    lost: int = 0
    returned: int = 0
    unclear: int = 0
    watched: int = 0
    rejoined: int = 0
    refused: int = 0


@dataclass(slots=True)
class Telling:
    """One stream: what came of it, as it was on the wire; ``whole`` is what it is without faults."""

    id: str
    name: str
    run: str
    whole: list[bytes] = field(default_factory=list, repr=False)
    raw: list[bytes] = field(default_factory=list, repr=False)
    seq: int = -1
    sent: bool = False
    done: bool = False
    lost: bool = False
    missing: bool = False
    excuse: str = ""
    compact: bool = False
    ahead: dict[int, bytes] = field(default_factory=dict, repr=False)

    def take(self, raw: bytes, frame: dict[str, Any]) -> None:
        """Take a numbered frame: the next one, a snapshot, or one that a snapshot will make the next."""
        seq = frame["seq"]
        if frame["eventtype"] == "stream.snapshot":
            self._snapshot(frame)
        elif self.compact and seq > self.seq + 1:
            self.ahead[seq] = raw
        else:
            check(seq == self.seq + 1, "a duplicate or a gap", self.run, self.seq, frame)
            self._add(raw)
        last = json.loads(self.raw[-1]) if self.raw else {}
        self.done = last.get("eventtype") in ("stream.end", "reply", "stream.error")

    def judge(self) -> None:
        """What came is what comes without faults, as far as it came."""
        expected = self.whole[: len(self.raw)] if self.lost else self.whole
        check(self.raw == expected, "another transcript", self.run)

    def _snapshot(self, frame: dict[str, Any]) -> None:
        """A snapshot is what the frames that it stands for say; those take its place."""
        messages = [json.loads(raw) for raw in self.whole[: frame["seq"] + 1]]
        text = "".join(one["payload"]["message"] for one in messages if one["eventtype"] == "stream.chunk")
        check(self.compact, "a snapshot that nobody asked for", frame)
        check(frame["payload"] == {"message": text}, "a snapshot of something else", self.run, frame["seq"])
        while self.seq < frame["seq"]:
            seq = self.seq + 1
            check(messages[seq]["eventtype"] == "stream.chunk", "a frame is missing", self.run, seq)
            self._add(self.whole[seq])

    def _add(self, raw: bytes) -> None:
        """Take the next frame, and those after it that came before."""
        self.raw.append(raw)
        self.seq += 1
        while (raw := self.ahead.pop(self.seq + 1, b"")) != b"":
            self.raw.append(raw)
            self.seq += 1


async def receive(socket: ClientConnection) -> bytes:
    """The next message, or a connection that is as good as dead."""
    async with asyncio.timeout(SILENCE):
        return await socket.recv(decode=False)


def check(holds: bool, *facts: object) -> None:
    """
    Hold the server to the protocol.

    Raises:
        Violation: If it does not hold.
    """
    if not holds:
        raise Violation(" | ".join(str(fact)[:400] for fact in facts))


async def open_session(port: int, label: str) -> ClientConnection:
    """Connect with the session profile and bare settings: no pings of its own, no bound, no compression."""
    return await connect(
        f"ws://127.0.0.1:{port}/?clientId={label}",
        subprotocols=["gsws.v1"],  # type: ignore[list-item]  # a plain string will do
        open_timeout=1.0,
        ping_interval=None,
        compression=None,
        max_queue=None,
        max_size=None,
        proxy=None,
    )
