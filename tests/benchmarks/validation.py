"""
What `gsws validate` costs: from nothing, from its cache, after one edit, and for more and more files.

Beside it the same files in other programs: parsed and nothing else, and linted by two tools that know YAML or JSON
Schema but no project. CPU time and memory of whole processes, start and imports included.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import Comparison, compare
from tests.benchmarks.projects import event_file, write_project
from tests.benchmarks.server import GSWS

__all__ = ["measure_scaling", "measure_validate"]

PARSE_ALONE = """
import ast, pathlib, sys
from ruamel.yaml import YAML
yaml = YAML(typ="safe", pure=False)
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    yaml.load(path.read_bytes())
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    ast.parse(path.read_bytes())
"""
"""The least that any checker of these files must do."""


def measure_validate(folder: Path, events: int, rounds: int) -> dict[str, list[Comparison]]:
    """Tables of CPU seconds: cold beside other programs, and warm and after an edit beside cold."""
    project = write_project(folder / "validate", events)
    _run([GSWS, "schema", "--write"], project)
    schema = project / ".gsws" / "schemas" / "event.schema.json"
    files = [str(path) for path in sorted((project / "events").glob("*.yaml"))]
    validate = [GSWS, "validate", "--format", "concise"]
    found: dict[str, list[float]] = {}

    def take(name: str, command: Sequence[str]) -> None:
        found.setdefault(name, []).append(_run(command, project)[0])

    for number in range(rounds):
        shutil.rmtree(project / ".gsws" / "cache", ignore_errors=True)
        take("gsws, cold", validate)
        take("gsws, warm", validate)
        (project / "events" / "order_0.yaml").write_text(event_file(0).replace("30s", f"{number + 1}s"))
        take("gsws, one file edited", validate)
        take("parsing alone", [sys.executable, "-c", PARSE_ALONE, str(project)])
        if tool := _tool("yamllint"):
            take("yamllint", [tool, "-d", "relaxed", "events"])
        if (tool := _tool("check-jsonschema")) and schema.is_file():
            take("check-jsonschema", [tool, "--schemafile", str(schema), *files])
    ours = {"gsws, cold", "gsws, warm", "gsws, one file edited"}
    peers = {"gsws, cold": found["gsws, cold"], **{name: times for name, times in found.items() if name not in ours}}
    tables = {
        f"CPU of `gsws validate`, {events} events": compare("s", peers, {"parsing alone": 4.0}, "gsws, cold"),
    }
    for name in ("gsws, warm", "gsws, one file edited"):
        pair = {name: found[name], "gsws, cold": found["gsws, cold"]}
        tables[f"{name}, beside cold (here gsws is the first row)"] = compare("s", pair, {"gsws, cold": 0.6}, name)
    return tables


def measure_scaling(folder: Path, counts: Sequence[int], rounds: int) -> dict[str, list[Comparison]]:
    """CPU and peak memory a file, from nothing, for projects of several sizes; the largest is the first row."""
    largest = max(counts)
    times: dict[str, list[float]] = {}
    sizes: dict[str, list[float]] = {}
    start = _run([GSWS, "validate"], write_project(folder / "scaling-0", 0), cached=False)
    for count in sorted(counts, reverse=True):
        project = write_project(folder / f"scaling-{count}", count)
        for _ in range(rounds):
            seconds, kibibytes = _run([GSWS, "validate", "--no-cache"], project)
            name = f"{2 * count} files"
            times.setdefault(name, []).append((seconds - start[0]) / (2 * count) * 1000)
            sizes.setdefault(name, []).append((kibibytes - start[1]) / (2 * count))
    subject = f"{2 * largest} files"
    smallest = f"{2 * min(counts)} files"
    return {
        "CPU a file, without start": compare("ms", times, {smallest: 1.3}, subject),
        "Peak memory a file, without start": compare("KiB", sizes, {smallest: 1.3}, subject),
    }


def _run(command: Sequence[str], folder: Path, *, cached: bool = True) -> tuple[float, float]:
    """CPU seconds and peak memory in KiB of a process; what it says is not looked at, that it says it is."""
    environ = dict(os.environ) if cached else {**os.environ, "GSWS_NO_CACHE": "1"}
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, float(used.ru_maxrss)


def _tool(name: str) -> str | None:
    """A tool of the development environment; None, and a line on stderr, where it is missing."""
    found = Path(sys.executable).with_name(name)
    if found.is_file():
        return str(found)
    print(f"without {name}: it is not installed in this environment", file=sys.stderr)
    return None
