"""
From a saved file to its effect on an open socket, and from typing `gsws serve` to the first answer.

Not here: what has peers (`throughput`).
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.benchmarks.figures import Latency, latency
from tests.benchmarks.server import GSWS, Contestant, Server, gsws_project
from tests.benchmarks.workload import EVENT, PAYLOAD, SCHEMA

__all__ = ["measure_reload", "measure_start"]

_DEADLINE = 10.0  # seconds for one edit to become live
_POLL = 0.001


def measure_reload(folder: Path, events: int, edits: int) -> list[Latency]:
    """
    Edit a handler, then an event's schema, and ask on one open socket until the answer is the new one.

    The clock starts before the file is written and stops when the first new answer has arrived.
    """
    project = gsws_project(folder / "reload", events)
    server = Server(Contestant("gsws", [GSWS, "serve"], project)).start()
    rng = random.Random(1)  # pauses between edits; not security
    try:
        with connect(f"ws://127.0.0.1:{server.port}", compression=None, proxy=None) as connection:
            ask(connection, PAYLOAD)
            handler, event = project / "functions/echo.py", project / "events/echo.yaml"
            python, yaml = [], []
            for number in range(edits):
                time.sleep(rng.uniform(0.1, 0.3))
                text = f"async def handler(payload):\n    return {{'version': {number}}}\n"
                wanted = {"version": number}
                python.append(_until_live(handler, text, lambda: data(ask(connection, PAYLOAD)), wanted))
            for number in range(edits + 1):
                time.sleep(rng.uniform(0.1, 0.3))
                schema = SCHEMA | {"properties": SCHEMA["properties"] | {"count": {"const": number + 1000}}}
                text = f'"{EVENT}":\n  fn: echo\n  payload: {json.dumps(schema)}\n'
                kind = partial(_kind_of_answer, connection, PAYLOAD | {"count": number + 1000})
                yaml.append(_until_live(event, text, kind, "reply"))
    finally:
        server.stop()
    return [
        latency(f"edit to live, Python, {events} events", python, goal=100),
        # the first edit only narrows the schema: its payload was good before
        latency(f"edit to live, YAML, {events} events", yaml[1:], goal=100),
    ]


def measure_start(folder: Path, events: int, runs: int) -> list[Latency]:
    """From starting `gsws serve` to the first answered message; and `gsws validate`, start to end."""
    project = gsws_project(folder / "start", events)
    started, validated = [], []
    for _ in range(runs + 1):
        began = time.perf_counter()
        server = Server(Contestant("gsws", [GSWS, "serve"], project)).start()
        try:
            with connect(f"ws://127.0.0.1:{server.port}", compression=None, proxy=None) as connection:
                assert data(ask(connection, PAYLOAD)) == PAYLOAD
                started.append(time.perf_counter() - began)
        finally:
            server.stop()
        began = time.perf_counter()
        subprocess.run([GSWS, "validate"], cwd=project, check=True, capture_output=True, timeout=60)
        validated.append(time.perf_counter() - began)
    return [  # the first run, which compiles to bytecode, does not count
        latency(f"`gsws serve` to first answer, {events} events", started[1:], goal=1000),
        latency(f"`gsws validate`, {events} events", validated[1:]),
    ]


def ask(connection: ClientConnection, payload: Any) -> dict[str, Any]:
    """Send the measured event and return the whole frame that answers it."""
    connection.send(json.dumps({"eventtype": EVENT, "id": 1, "payload": payload}))
    answer: dict[str, Any] = json.loads(connection.recv(timeout=_DEADLINE))
    assert answer["id"] == 1, answer
    return answer


def data(answer: dict[str, Any]) -> Any:
    """The handler's result in an answer."""
    assert answer["eventtype"] == "reply", answer
    return answer["payload"].get("data")


def _kind_of_answer(connection: ClientConnection, payload: Any) -> str:
    return str(ask(connection, payload)["eventtype"])


def _until_live(file: Path, text: str, observe: Callable[[], Any], wanted: Any) -> float:
    began = time.perf_counter()
    file.write_text(text)
    while observe() != wanted:
        assert time.perf_counter() < began + _DEADLINE, f"an edit was not live after {_DEADLINE} s"
        time.sleep(_POLL)
    return time.perf_counter() - began
