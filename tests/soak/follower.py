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

from websockets.asyncio.client import ClientConnection

from tests.soak.telling import BROKEN, Report, Telling, Violation, check, open_session, receive
from tests.soak.watcher import Watcher

__all__ = ["Follower"]

STUCK = 60.0
"""Seconds that a round may take."""


class Follower:
    """
    One session client.

    Args:
        number: Which one.
        proxied: Where connections break.
        direct: Where they do not.
        window: Seconds that the server holds a session.
        is_held: Tells whether the server has a session.
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
        is_held: Callable[[str], bool],
    ) -> None:
        self.number = number
        self.draw = random.Random(f"{seed}/follower/{number}")
        self.tellings: dict[str, Telling] = {}
        self._proxied, self._direct, self._window = proxied, direct, window
        self._expected = expected
        self._report = report
        self._held = held
        self._is_held = is_held
        self._watching: list[asyncio.Task[None]] = []
        self._session: dict[str, str] | None = None
        self._begun = 0.0
        self._must_be = self._was_to_be = ""
        self._away = 0.0

    async def round(self, names: list[str], turn: int) -> list[Telling]:
        """Ask for some streams at once and follow them to their ends, through whatever happens."""
        # An id that is used again in a session would mean the stream before if the second request is cut.
        ids = {name: f"{name}.{turn}" for name in names}
        made = [
            Telling(ids[name], name, f"{turn}/{self.number}/{name}", self._whole(ids[name], name)) for name in names
        ]
        self.tellings = {telling.id: telling for telling in made}
        run = f"round {turn}"
        deadline = time.monotonic() + STUCK
        while not all(telling.done for telling in self.tellings.values()):
            if time.monotonic() > deadline:
                raise Violation(f"{run}: stuck: {[t for t in self.tellings.values() if not t.done]}")
            try:
                await self._connection()
            except BROKEN:
                await asyncio.sleep(self.draw.uniform(0.0, 0.02))
        for telling in self.tellings.values():
            telling.judge()
        await asyncio.gather(*self._watching)
        self._watching.clear()
        return list(self.tellings.values())

    async def _connection(self) -> None:
        """Live through one connection."""
        fate = self.draw.random()
        # Now and then it goes by itself, over a connection without faults, so that the server knows at once.
        leaves = self._session is not None and fate < 0.04
        port = self._direct if leaves else self._proxied
        socket = await open_session(port, f"f{self.number}")
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
        hello = json.loads(await receive(socket))
        check(hello["eventtype"] == "gsws.hello", hello)
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
        resumed = json.loads(await receive(socket))
        check(resumed["eventtype"] == "gsws.resumed", resumed)
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
                check(found[id]["from"] == telling.seq + 1, found, telling.seq)
                check(self._was_to_be != "lost", "held beyond the window", telling.run)
        if self._was_to_be == "held" and running:
            self._report.returned += 1
        if resumed["payload"]["session"] != self._session["session"]:
            check(resumed["payload"]["session"] == fresh["session"], resumed)
            check(not found, "streams of a session that is not held", found)
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
            check(telling.seq == -1, "lost within the window", *facts)
            # The request itself was cut. If it was not, it now runs a second time, and is found out at the end.
            telling.sent = False
            self._report.resent += 1

    async def _frame(self, socket: ClientConnection) -> None:
        self._take(await receive(socket))
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
        check(telling is not None and telling.sent and not telling.done, "a frame of nothing that runs", frame)
        assert telling is not None
        if telling.missing:
            check(frame["payload"].get("error") == "resume_lost" and "seq" not in frame, "more than an error", frame)
            self._missed(telling)
            return
        is_first = telling.seq == -1
        telling.take(raw, frame)
        if telling.done:
            self._report.streams += 1
        elif is_first and telling.seq >= 0 and self.draw.random() < 0.3:
            self._watch(telling)

    def _watch(self, telling: Telling) -> None:
        """Let another connection follow the stream."""
        assert self._session is not None
        copy = Telling(telling.id, telling.name, f"{telling.run} watched", telling.whole)
        watcher = Watcher(
            self._session,
            copy,
            port=self._proxied,
            seed=f"{self.draw.random()}",
            report=self._report,
            is_held=self._is_held,
        )
        self._watching.append(asyncio.create_task(watcher.run()))

    def _whole(self, id: str, name: str) -> list[bytes]:
        """The frames without faults, under this id."""
        before, now = (f'"id":"{one}"'.encode() for one in (name, id))
        return [raw.replace(before, now, 1) for raw in self._expected[name]]
