"""Two hundred edits, fifty of them broken, while a client keeps asking on one socket."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.serving import serve, write_project

EDITS, BROKEN = 200, 50
IN_FLIGHT = 8

EVENT = '"websocket.ask":\n  fn: ask\n  payload: {type: object, required: [n], properties: {n: {type: integer}}}\n'


def handler(number: int) -> str:
    """A handler that tells its own version and its helper's."""
    return (
        "from helper.facts import NUMBER\n\n\n"
        "async def ask(payload):\n"
        f"    return {{'n': payload['n'], 'handler': {number}, 'helper': NUMBER}}\n"
    )


# Each way of breaking a project: file, text.
BREAKAGES = (
    ("functions/ask.py", "async def ask(payload):\n    return {'n': \n"),
    ("functions/ask.py", "import a_module_that_is_not_there\n\n\nasync def ask(payload):\n    return {}\n"),
    ("functions/ask.py", ""),
    ("helper/facts.py", "NUMBER = 1 / 0\n"),
    ("events/ask.yaml", '"websocket.ask":\n  fn: [ask\n'),
    ("events/ask.yaml", '"websocket.ask":\n  fn: nowhere\n'),
    ("events/ask.yaml", EVENT.replace("type: integer", "type: intger")),
    ("events/ask.yaml", EVENT + EVENT),
)


class Asker:
    """A client with `IN_FLIGHT` requests on their way until it is told to stop; keeps every answer."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.sent = 0
        self.answers: list[dict[str, Any]] = []
        self.stopping = False

    async def run(self) -> None:
        """Ask and listen; ends when the last request is answered."""
        for _ in range(IN_FLIGHT):
            await self._ask()
        while len(self.answers) < self.sent:
            self.answers.append(json.loads(await asyncio.wait_for(self.connection.recv(), 15)))
            if not self.stopping:
                await self._ask()

    async def _ask(self) -> None:
        payload = {"n": self.sent}
        self.sent += 1
        await self.connection.send(json.dumps({"eventtype": "websocket.ask", "id": payload["n"], "payload": payload}))
        await asyncio.sleep(0.001)


def newest(asker: Asker) -> tuple[int, int]:
    """The versions in the last answer."""
    data = asker.answers[-1]["payload"]["data"]
    return data["handler"], data["helper"]


async def edit(project: Path, rng: random.Random) -> tuple[int, int]:
    """Make the edits, every fourth broken and repaired by the next; the last versions of handler and helper."""
    good = {
        "functions/ask.py": handler(0),
        "helper/facts.py": "NUMBER = 0\n",
        "events/ask.yaml": EVENT,
    }
    broken: str | None = None
    versions = [0, 0]
    for number in range(1, EDITS + 1):
        if number % (EDITS // BROKEN) == 0:
            broken, text = rng.choice(BREAKAGES)
            (project / broken).write_text(text)
        else:
            which = rng.randrange(2)
            versions[which] = number
            name = ("functions/ask.py", "helper/facts.py")[which]
            good[name] = (handler(number), f"NUMBER = {number}\n")[which]
            (project / name).write_text(good[name])
            if broken is not None:
                (project / broken).write_text(good[broken])
                broken = None
        await asyncio.sleep(rng.uniform(0.01, 0.08))
    if broken is not None:
        (project / broken).write_text(good[broken])
    return versions[0], versions[1]


def test_no_message_is_lost_or_answered_twice(tmp_path: Path) -> None:
    """P5.2 through reloads: each request gets one good answer, from code that never gets older, on one open socket."""
    project = write_project(
        tmp_path / "project",
        {
            "eventsources/websocket.yaml": "type: websocket\nport: 0\n",
            "events/ask.yaml": EVENT,
            "functions/ask.py": handler(0),
            "helper/facts.py": "NUMBER = 0\n",
        },
    )
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")

    async def drive(port: int) -> tuple[Asker, tuple[int, int]]:
        async with connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None) as connection:
            asker = Asker(connection)
            asking = asyncio.create_task(asker.run())
            last = await edit(project, random.Random(seed))
            end = asyncio.get_running_loop().time() + 10
            while newest(asker) != last:
                assert asyncio.get_running_loop().time() < end, "the last edit never became live"
                await asyncio.sleep(0.01)
            asker.stopping = True
            await asyncio.wait_for(asking, 20)
            assert connection.close_code is None
            return asker, last

    with serve(project) as server:
        asker, last = asyncio.run(drive(server.port))

        wrong = [answer for answer in asker.answers if answer["eventtype"] != "reply"]
        assert wrong == [], server.output
    assert Counter(answer["id"] for answer in asker.answers) == Counter(range(asker.sent))
    found = [answer["payload"]["data"] for answer in asker.answers]
    assert [data["n"] for data in found] == [answer["id"] for answer in asker.answers]
    for part in ("handler", "helper"):
        versions = [data[part] for data in found]
        assert versions == sorted(versions), f"{part} went back to an older version"
    assert newest(asker) == last
