"""One soak: a project, a proxy with a seed, and followers until so many faults have struck."""

from __future__ import annotations

import asyncio
import collections
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from websockets.asyncio.client import connect

from gsws.testing import FaultProxy, ServedProject, serve
from tests.soak.follower import Follower
from tests.soak.project import STORIES, WINDOW, story, write_project
from tests.soak.telling import Report, Violation

__all__ = ["Outcome", "soak"]

_AT_ONCE = 4
"""Streams that a follower asks for in one round."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a soak was; one that found something raises instead."""

    report: Report
    faults: Mapping[str, int]
    connections: int
    seconds: float


def soak(root: Path, *, faults: int, followers: int, seed: int) -> Outcome:
    """
    Run until so many faults have struck.

    Raises:
        Violation: If a transcript is not what it is without faults, a request ran twice, or something is left over.
    """
    began = time.monotonic()
    with serve(write_project(root)) as project, FaultProxy(project.port, seed) as proxy:
        report = asyncio.run(_run(project, proxy, faults, followers, seed))
        _check_service(project)
        kinds = collections.Counter(fault.kind for fault in proxy.struck)
        return Outcome(report, dict(sorted(kinds.items())), proxy.connections, time.monotonic() - began)


async def _run(project: ServedProject, proxy: FaultProxy, faults: int, followers: int, seed: int) -> Report:
    expected = await _expected(project.port)
    report = Report()

    async def follow(number: int) -> None:
        follower = Follower(
            number,
            seed=seed,
            proxied=proxy.address[1],
            direct=project.port,
            window=WINDOW,
            expected=expected,
            report=report,
            held=lambda session, id: _held(project, session, id),
            is_held=lambda session: session in project.service.live["websocket"].registry.sessions,
        )
        started = sys.modules["functions.soak"].STARTED
        turn = 0
        while len(proxy.struck) < faults:
            turn += 1
            names = follower.draw.sample(sorted(expected), _AT_ONCE)
            for telling in await follower.round(names, turn):
                times = started.pop(telling.run, 0)
                if times != 1 and not (telling.lost and times == 0):
                    raise Violation(f"{telling.run}: ran {times} times")

    async with asyncio.TaskGroup() as group:
        for number in range(followers):
            group.create_task(follow(number))
    return report


def _held(project: ServedProject, session: Mapping[str, str], id: str) -> str:
    """What the service knows of a stream, read without asking it."""
    live = project.service.live["websocket"]
    client = live.registry.sessions.get(session.get("session", ""))
    if client is None:
        return "no such session"
    stream = client.log._streams.get(id)
    facts = (
        {name: getattr(stream, name) for name in ("first", "ended_at", "is_lost", "acked", "size")} if stream else {}
    )
    now = live.registry.loop.time()
    return f"{facts or 'no such stream'}, {client.log._size} bytes in {len(client.log)} streams, now {now}"


async def _expected(port: int) -> dict[str, list[bytes]]:
    """What each stream is, as a connection without faults gets it."""
    whole: dict[str, list[bytes]] = {}
    async with connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None) as socket:
        for number in range(STORIES):
            name = story(number)
            frames = whole[name] = []
            payload = {"name": name, "run": "expected"}
            await socket.send(json.dumps({"eventtype": "websocket.tell", "id": name, "payload": payload}))
            while not frames or json.loads(frames[-1])["eventtype"] != "stream.end":
                frames.append(await asyncio.wait_for(socket.recv(decode=False), 10.0))
    return whole


def _check_service(project: ServedProject) -> None:
    """Nothing runs, nothing was logged as a fault of the server, and every session is forgotten in time."""
    live = project.service.live["websocket"]
    project.wait_until(lambda: not project.service.is_busy(), 5.0)
    project.wait_until(lambda: not live.router.connections, 5.0)
    project.wait_until(lambda: not live.registry.sessions, WINDOW + 2.0)
    bad = [entry for entry in project.logs if entry["level"] in ("error", "warning")]
    if bad:
        raise Violation(f"{len(bad)} entries in the log, the first: {bad[0]}")
