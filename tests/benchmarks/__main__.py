"""Run the benchmarks: `python -m tests.benchmarks [--quick] [--json] [--only cpu,memory,guards,stream,…] …`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.agent import measure_agent, measure_cancel, measure_turns
from tests.benchmarks.delivery import measure_fan_out, measure_streams
from tests.benchmarks.figures import Added, Comparison, Latency, as_json, as_text
from tests.benchmarks.guards import measure_guards
from tests.benchmarks.latency import measure_reload, measure_start
from tests.benchmarks.server import LOAD_CORE, SERVER_CORE, Contestant, contestants
from tests.benchmarks.throughput import CONNECTIONS, IN_FLIGHT, measure_cpu, measure_memory
from tests.benchmarks.validation import measure_scaling, measure_validate

PARTS = ("cpu", "memory", "guards", "stream", "fan-out", "reload", "start", "validate", "agent")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for and print it; 4 where the machine cannot measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: shows that it runs, not how fast")
    parser.add_argument("--full", action="store_true", help="also `gsws validate` on up to 20,000 files")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--only", default=",".join(PARTS), help="a comma-separated choice of " + ", ".join(PARTS))
    parser.add_argument("--rounds", type=int, help="rounds of the CPU comparison")
    options = parser.parse_args(arguments)
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown part `{', '.join(sorted(unknown))}`; there are {', '.join(PARTS)}")
    if sys.platform != "linux":
        print("the benchmarks need Linux: they read another process's CPU clock and /proc", file=sys.stderr)
        return 4

    _allow_sockets(5000)
    quick = options.quick
    tables: dict[str, Sequence[Comparison | Latency | Added]] = {}
    with tempfile.TemporaryDirectory(prefix="gsws-bench-") as name:
        folder = Path(name)
        entries = _able(contestants(folder))
        if "cpu" in parts:
            title = f"CPU of an answered message, {CONNECTIONS} connections, {IN_FLIGHT} in flight each"
            rounds = options.rounds or (2 if quick else 9)
            returned, sent = measure_cpu(entries, folder / "sends", rounds, 10_000 if quick else 100_000)
            tables[title] = returned
            tables["The same with a handler that reads `ctx.inputs` and sends by itself"] = sent
        if "memory" in parts:
            measured = measure_memory(entries, 1 if quick else 3, 200 if quick else 2000)
            tables |= {f"Memory of an idle connection, {title}": rows for title, rows in measured.items()}
        if "guards" in parts:
            title = "CPU of an answered message with identity and limits; gsws is the one without any"
            rounds = options.rounds or (2 if quick else 9)
            tables[title] = measure_guards(folder / "guards", rounds, 10_000 if quick else 50_000)
        if "stream" in parts:
            title = "CPU of a streamed token, gsws with sequence numbers and a log for resume"
            tables[title] = measure_streams(folder, 1 if quick else 5, 200 if quick else 3000)
        if "fan-out" in parts:
            title = "CPU of one frame to one member of a room"
            tables[title] = measure_fan_out(folder, 1 if quick else 5, 50 if quick else 500)
        if "reload" in parts:
            tables["Hot reload"] = measure_reload(folder, 100, 10 if quick else 100)
        if "start" in parts:
            tables["Start"] = measure_start(folder, 100, 2 if quick else 9)
        if "validate" in parts:
            tables |= measure_validate(folder, 100 if quick else 1000, 2 if quick else 5)
            if options.full:
                tables |= measure_scaling(folder, (500, 2500, 10_000), 1 if quick else 3)
        if "agent" in parts:
            tables |= measure_turns(2 if quick else 15, 200 if quick else 2000)
            title = "CPU of an agent's token, whole servers, the same graph"
            tables[title] = measure_agent(folder, 1 if quick else 5, 50 if quick else 1000)
            tables["Cancel"] = measure_cancel(5 if quick else 100)

    if options.json:
        print(json.dumps({"machine": _machine(), "figures": {title: as_json(rows) for title, rows in tables.items()}}))
    else:
        print("\n\n".join(as_text(title, rows) for title, rows in tables.items()))
    return 0


def _able(entries: Sequence[Contestant]) -> list[Contestant]:
    for entry in entries:
        if entry.why_not:
            print(f"without {entry.name}: {entry.why_not}", file=sys.stderr)
    return [entry for entry in entries if not entry.why_not]


def _allow_sockets(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count and soft != resource.RLIM_INFINITY:
        allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "server_core": SERVER_CORE,
        "load_core": LOAD_CORE,
        "load_average": os.getloadavg()[0],
    }


if __name__ == "__main__":
    sys.exit(main())
