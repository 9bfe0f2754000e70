"""
A session client that is cut again and again, and checks every frame that reaches it.

Deliberately not `gsws.client`: what is under test should not judge itself. It knows the protocol's section 8 and
nothing of either implementation.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

__all__ = ["Follower", "Report", "Telling", "Violation"]

SILENCE = 0.3
"""Seconds without a frame after which a connection is taken for dead."""

STUCK = 60.0
"""Seconds that a round may take."""

_LOST = (OSError, TimeoutError, EOFError, WebSocketException)


class Violation(AssertionError):
    """The server broke the protocol; the text says how."""


@dataclass(slots=True)
class Report:
    """What happened to all followers."""

    streams: int = 0
    frames: int = 0
    resumes: int = 0
    resent: int = 0
    lost: int = 0
    returned: int = 0
    unclear: int = 0


@dataclass(slots=True)
class Telling:
    """One stream: what came of it, as it was on the wire."""

    id: str
    name: str
    run: str
    raw: list[bytes] = field(default_factory=list)
    seq: int = -1
    sent: bool = False
    done: bool = False
    lost: bool = False
    missing: bool = False
    excuse: str = ""
    compact: bool = False
    ahead: dict[int, bytes] = field(default_factory=dict)

    def add(self, raw: bytes) -> None:
        """Take the next frame, and those after it that came before."""
        self.raw.append(raw)
        self.seq += 1
        while (raw := self.ahead.pop(self.seq + 1, b"")) != b"":
            self.raw.append(raw)
            self.seq += 1


class Follower:
    """
    One session client.

    Args:
        number: Which one.
        proxied: Where connections break.
        direct: Where they do not.
        window: Seconds that the server holds a session.
        held: Tells what the server knows of a stream, for the text of a violation.
        expected: The frames of each stream by its id, as a connection without faults got them, which named them so.
    """

    def __init__(
        self,
        number: int,
        *,
        seed: int,
        proxied: int,
        direct: int,
        window: float,
        expected: Mapping[str, list[bytes]],
        report: Report,
        held: Callable[[Mapping[str, str], str], str],
    ) -> None:
        self.number = number
        self.draw = random.Random(f"{seed}/follower/{number}")
        self.tellings: dict[str, Telling] = {}
        self._proxied, self._direct, self._window = proxied, direct, window
        self._expected = expected
        self._report = report
        self._held = held
        self._session: dict[str, str] | None = None
        self._begun = 0.0
        self._must_be = self._was_to_be = ""
        self._away = 0.0

    async def round(self, names: list[str], turn: int) -> list[Telling]:
        """Ask for some streams at once and follow them to their ends, through whatever happens."""
        # An id that is used again in a session would mean the stream before if the second request is cut.
        made = [Telling(f"{name}.{turn}", name, f"{turn}/{self.number}/{name}") for name in names]
        self.tellings = {telling.id: telling for telling in made}
        run = f"round {turn}"
        deadline = time.monotonic() + STUCK
        while not all(telling.done for telling in self.tellings.values()):
            if time.monotonic() > deadline:
                raise Violation(f"{run}: stuck: {[t for t in self.tellings.values() if not t.done]}")
            try:
                await self._connection()
            except _LOST:
                await asyncio.sleep(self.draw.uniform(0.0, 0.02))
        for telling in self.tellings.values():
            self._judge(telling)
        return list(self.tellings.values())

    async def _connection(self) -> None:
        """Live through one connection."""
        fate = self.draw.random()
        # Now and then it goes by itself, over a connection without faults, so that the server knows at once.
        leaves = self._session is not None and fate < 0.04
        port = self._direct if leaves else self._proxied
        socket = await connect(
            f"ws://127.0.0.1:{port}/?clientId=f{self.number}",
            subprotocols=["gsws.v1"],  # type: ignore[list-item]  # a plain string will do
            open_timeout=1.0,
            ping_interval=None,
            compression=None,
            max_queue=None,
            max_size=None,
            proxy=None,
        )
        try:
            await self._begin(socket)
            if leaves:
                for _ in range(self.draw.randint(0, 20)):
                    await self._frame(socket)
                await self._leave(socket, for_good=fate < 0.01)
                return
            while not all(telling.done for telling in self.tellings.values()):
                await self._frame(socket)
        finally:
            socket.transport.abort()

    async def _leave(self, socket: ClientConnection, *, for_good: bool) -> None:
        """Go by itself and stay away: well within the window, or certainly past it."""
        if all(telling.done for telling in self.tellings.values()):
            return
        socket.transport.abort()
        await asyncio.sleep(self._window + 0.5 if for_good else self._window * self.draw.uniform(0.0, 0.6))
        self._must_be = "lost" if for_good else "held"

    async def _begin(self, socket: ClientConnection) -> None:
        hello = json.loads(await _receive(socket))
        _check(hello["eventtype"] == "gsws.hello", hello)
        fresh = {key: hello["payload"][key] for key in ("session", "secret")}
        if self._session is None:
            self._session = fresh
        else:
            await self._resume(socket, fresh)
        self._begun = time.monotonic()
        await self._ask(socket)

    async def _ask(self, socket: ClientConnection) -> None:
        """Send the requests that were not sent yet, or did not arrive."""
        for telling in self.tellings.values():
            if not telling.sent and not telling.done:
                telling.sent = True
                payload = {"name": telling.name, "run": telling.run}
                await socket.send(json.dumps({"eventtype": "websocket.tell", "id": telling.id, "payload": payload}))

    async def _resume(self, socket: ClientConnection, fresh: dict[str, str]) -> None:
        assert self._session is not None
        running = {telling.id: telling for telling in self.tellings.values() if telling.sent and not telling.done}
        compact = self.draw.random() < 0.2
        streams = {telling.id: telling.seq for telling in running.values()}
        payload = {**self._session, "streams": streams, "compact": compact}
        await socket.send(json.dumps({"eventtype": "gsws.resume", "payload": payload}))
        resumed = json.loads(await _receive(socket))
        _check(resumed["eventtype"] == "gsws.resumed", resumed)
        self._report.resumes += 1
        found = resumed["payload"]["streams"]
        self._away = time.monotonic() - self._begun
        self._was_to_be, self._must_be = self._must_be, ""
        for id, telling in running.items():
            telling.compact = compact
            telling.ahead.clear()
            telling.missing = id not in found
            if telling.missing and not telling.excuse:
                is_unclear = self._away > self._window * 0.8
                telling.excuse = "left" if self._was_to_be == "lost" else "unclear" if is_unclear else ""
            if id in found:
                _check(found[id]["from"] == telling.seq + 1, found, telling.seq)
                _check(self._was_to_be != "lost", "held beyond the window", telling.run)
        if self._was_to_be == "held" and running:
            self._report.returned += 1
        if resumed["payload"]["session"] != self._session["session"]:
            _check(resumed["payload"]["session"] == fresh["session"], resumed)
            _check(not found, "streams of a session that is not held", found)
            self._session = fresh

    def _missed(self, telling: Telling) -> None:
        """Judge a `resume_lost`."""
        telling.missing = False
        if telling.excuse == "left":
            telling.lost = telling.done = True
            self._report.lost += 1
        elif telling.excuse:
            # So many attempts failed, or so much was under way when the server saw the end, that whether it is still
            # held is anybody's guess.
            telling.lost = telling.done = True
            self._report.unclear += 1
        else:
            facts = (telling.run, telling.seq, f"away {self._away:.3f}", self._held(self._session or {}, telling.id))
            _check(telling.seq == -1, "lost within the window", *facts)
            # The request itself was cut. If it was not, it now runs a second time, and is found out at the end.
            telling.sent = False
            self._report.resent += 1

    async def _frame(self, socket: ClientConnection) -> None:
        self._take(await _receive(socket))
        await self._ask(socket)
        if self.draw.random() < 0.05:
            telling = self.draw.choice(list(self.tellings.values()))
            if telling.seq >= 0 and not telling.done:
                payload = {"id": telling.id, "seq": telling.seq}
                await socket.send(json.dumps({"eventtype": "gsws.ack", "payload": payload}))

    def _take(self, raw: bytes) -> None:
        frame = json.loads(raw)
        self._report.frames += 1
        telling = self.tellings.get(frame.get("id", ""))
        _check(telling is not None and telling.sent and not telling.done, "a frame of nothing that runs", frame)
        assert telling is not None
        if telling.missing:
            _check(frame["payload"].get("error") == "resume_lost" and "seq" not in frame, "more than an error", frame)
            self._missed(telling)
            return
        seq = frame["seq"]
        if frame["eventtype"] == "stream.snapshot":
            self._snapshot(telling, frame)
        elif telling.compact and seq > telling.seq + 1:
            telling.ahead[seq] = raw
        else:
            _check(seq == telling.seq + 1, "a duplicate or a gap", telling.run, telling.seq, frame)
            telling.add(raw)
        last = json.loads(telling.raw[-1]) if telling.raw else {}
        if last.get("eventtype") in ("stream.end", "reply", "stream.error"):
            telling.done = True
            self._report.streams += 1

    def _snapshot(self, telling: Telling, frame: dict[str, Any]) -> None:
        """A snapshot is what the frames that it stands for say; those take its place."""
        whole = self._whole(telling)[: frame["seq"] + 1]
        messages = [json.loads(raw) for raw in whole]
        text = "".join(one["payload"]["message"] for one in messages if one["eventtype"] == "stream.chunk")
        _check(telling.compact, "a snapshot that nobody asked for", frame)
        _check(frame["payload"] == {"message": text}, "a snapshot of something else", telling.run, frame["seq"])
        while telling.seq < frame["seq"]:
            seq = telling.seq + 1
            _check(messages[seq]["eventtype"] == "stream.chunk", "a frame is missing", telling.run, seq)
            telling.add(whole[seq])

    def _whole(self, telling: Telling) -> list[bytes]:
        """The frames without faults, under this id."""
        before, now = (f'"id":"{id}"'.encode() for id in (telling.name, telling.id))
        return [raw.replace(before, now, 1) for raw in self._expected[telling.name]]

    def _judge(self, telling: Telling) -> None:
        whole = self._whole(telling)
        expected = whole[: len(telling.raw)] if telling.lost else whole
        _check(telling.raw == expected, "another transcript", telling.run)


async def _receive(socket: ClientConnection) -> bytes:
    async with asyncio.timeout(SILENCE):
        return await socket.recv(decode=False)


def _check(holds: bool, *facts: object) -> None:
    if not holds:
        raise Violation(" | ".join(str(fact)[:400] for fact in facts))
