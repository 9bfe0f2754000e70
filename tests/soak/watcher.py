"""
A second connection that follows one stream of a follower's session, through the same faults (P8.8).

Like `tests.soak.follower` it knows the protocol and neither implementation.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection

from tests.soak.telling import BROKEN, Report, Telling, Violation, check, open_session, receive

__all__ = ["Watcher"]

STUCK = 60.0
"""Seconds that following one stream may take."""


class Watcher:
    """
    Follows one stream from its beginning to its end, over as many connections as that takes.

    Args:
        share: Session and secret of the stream's own client.
        telling: What was seen of it, which is nothing.
        port: Where connections break.
        seed: Of its choices.
        report: Where it counts.
        is_held: Tells whether the server has a session.
    """

    def __init__(
        self,
        share: Mapping[str, str],
        telling: Telling,
        *,
        port: int,
        seed: str,
        report: Report,
        is_held: Callable[[str], bool],
    ) -> None:
        self._share = dict(share)
        self._telling = telling
        self._port = port
        self._draw = random.Random(seed)
        self._report = report
        self._is_held = is_held
        self._followed = 0
        self._was_compact = False

    async def run(self) -> None:
        """
        Follow.

        Raises:
            Violation: If the server breaks the protocol.
        """
        telling = self._telling
        deadline = time.monotonic() + STUCK
        while not telling.done:
            if time.monotonic() > deadline:
                raise Violation(f"{telling.run}: stuck at {telling.seq}")
            try:
                await self._connection()
            except BROKEN:
                await asyncio.sleep(self._draw.uniform(0.0, 0.02))
        telling.judge()
        self._report.watched += not telling.lost
        self._report.rejoined += max(0, self._followed - 1)

    async def _connection(self) -> None:
        """Live through one connection."""
        socket = await open_session(self._port, "watcher")
        try:
            if await self._follow(socket):
                while not self._telling.done:
                    raw = await receive(socket)
                    frame = json.loads(raw)
                    check(frame.get("id") == self._telling.id, "a frame of something else", frame)
                    self._telling.take(raw, frame)
                    self._report.frames += 1
        finally:
            socket.transport.abort()

    async def _follow(self, socket: ClientConnection) -> bool:
        """Ask to follow from the last frame seen; False if there is nothing to follow any more."""
        telling = self._telling
        telling.compact = self._draw.random() < 0.6
        telling.ahead.clear()
        hello = json.loads(await receive(socket))
        check(hello["eventtype"] == "gsws.hello", hello)
        payload: dict[str, Any] = {**self._share, "streams": {telling.id: telling.seq}, "compact": telling.compact}
        await socket.send(json.dumps({"eventtype": "gsws.follow", "payload": payload}))
        answer = json.loads(await receive(socket))
        if answer["eventtype"] == "gsws.following":
            found = answer["payload"]["streams"]
            if telling.id in found:
                check(found[telling.id]["from"] == telling.seq + 1, found, telling.seq)
                self._followed += 1
                self._was_compact |= telling.compact
                return True
            answer = json.loads(await receive(socket))
            check(answer["payload"]["error"] == "resume_lost", answer)
            # What its own client acknowledged before it was followed is only in a snapshot.
            has_reason = not self._followed or (self._was_compact and not telling.compact)
            check(has_reason, "lost though it was followed", telling.run, telling.seq)
        else:
            check(answer["payload"].get("error") == "forbidden", answer)
            check(not self._is_held(self._share["session"]), "forbidden though it is held", telling.run)
        check(answer.get("id") == telling.id and "seq" not in answer, "more than an error", answer)
        self._report.refused += 1
        telling.lost = telling.done = True
        return False
