"""The benchmarks themselves: their arithmetic, and that a wrong answer or a dead server is noticed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks.figures import Added, as_json, as_text, compare, latency
from tests.benchmarks.workload import PAYLOAD, SCHEMA, is_answer, message

linux = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux")


def test_a_ratio_is_taken_within_its_round() -> None:
    """A round in which everything was slow moves no ratio."""
    rows = compare("us", {"gsws": [8.0, 80.0, 8.0], "other": [10.0, 100.0, 10.0]}, {"other": 0.75})

    assert (rows[1].median, rows[1].high, rows[1].ratio, rows[1].ratio_high) == (10.0, 100.0, 0.8, 0.8)
    assert as_json(rows)[0]["ratio"] == 1.0
    assert "at most 0.75: MISSED" in as_text("cpu", rows)


def test_p95_is_passed_by_at_most_five_in_a_hundred() -> None:
    """Of 100 durations, five lie beyond p95; of one, it is p95 itself."""
    row = latency("x", [n / 1000 for n in range(100, 0, -1)], goal=100)

    assert (row.p50, row.p95, row.worst, row.count) == (50.5, 95.0, 100.0, 100)
    assert "met" in as_text("t", [row])
    assert latency("x", [0.2]).p95 == 200


def test_an_answer_is_checked_whole() -> None:
    """An answer with another id, other data, or another kind of frame is wrong."""
    payload = {"success": True, "code": 200, "data": PAYLOAD}
    right = {"eventtype": "reply", "id": "m7", "seq": 0, "payload": payload}

    assert is_answer(json.dumps(right).encode(), 7)
    assert not is_answer(json.dumps(right).encode(), 8)
    assert not is_answer(json.dumps(right | {"eventtype": "stream.error"}).encode(), 7)
    assert not is_answer(json.dumps(right | {"payload": payload | {"data": None}}).encode(), 7)


def test_the_request_satisfies_the_schema() -> None:
    """The measured request is valid, and the schema is no formality."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(SCHEMA)

    assert validator.is_valid(json.loads(message(1))["payload"])
    assert not validator.is_valid(PAYLOAD | {"user": "Not Allowed"})


@linux
def test_servers_are_loaded_and_measured(tmp_path: Path) -> None:
    """gsws and a peer answer a checked load, use CPU for it, and a server that is gone is noticed."""
    from tests.benchmarks.load import Load
    from tests.benchmarks.server import LOAD_CORE, Server, contestants

    entries = {entry.name: entry for entry in contestants(tmp_path)}
    load = Load(LOAD_CORE)
    try:
        for name in ("gsws", "websockets.asyncio"):
            server = Server(entries[name]).start()
            try:
                before = server.cpu()
                assert load.run(server.port, connections=4, in_flight=8, messages=400, check=True) > 0
                assert 0 < server.cpu() - before < 10
                assert server.memory() > 2**20
            finally:
                server.stop()
        with pytest.raises(RuntimeError, match="ConnectionRefusedError"):
            load.run(server.port, connections=1, in_flight=1, messages=1)
    finally:
        load.close()


def test_a_generated_project_is_clean(tmp_path: Path) -> None:
    """What is measured is a project without errors or warnings, and no schema is like another."""
    from gsws.diagnostics import Severity
    from gsws.plugins.registry import facts
    from gsws.project import load_project
    from tests.benchmarks.projects import write_project

    project = load_project(write_project(tmp_path, 5), plugins=facts(), notes=True)

    assert [finding for finding in project.findings if finding.severity is not Severity.INFO] == []
    assert len({json.dumps(event.inbound_schema) for event in project.events}) == 5


@linux
def test_validation_is_measured(tmp_path: Path) -> None:
    """Every program runs and takes time; a second run of gsws takes less than the first."""
    from tests.benchmarks.validation import measure_validate

    tables = list(measure_validate(tmp_path, 30, 1).values())

    assert [row.name for row in tables[0]][:2] == ["gsws, cold", "parsing alone"]
    assert all(row.median > 0 for table in tables for row in table)
    assert tables[1][1].ratio < 1


@linux
def test_agents_are_measured(tmp_path: Path) -> None:
    """The same graph is streamed in process and by whole servers, and a cancelled turn ends its request."""
    from tests.benchmarks.agent import measure_agent, measure_cancel, measure_turns

    tables = measure_turns(2, 50)
    servers = measure_agent(tmp_path, 1, 20, others=False)
    [cancel] = measure_cancel(2)

    assert {row.name for rows in tables.values() for row in rows} == {"gsws.ai.run", "graph.astream", "added by gsws"}
    assert [row.name for row in servers] == ["gsws", "FastAPI on uvicorn"]
    assert all(row.median > 0 for row in servers)
    assert cancel.count == 2


def test_what_is_added_is_a_median_of_differences() -> None:
    """A goal is for the median, and is said to be met or missed."""
    row = Added.of("added", "us", [1.0, 30.0, 2.0], goal=20)

    assert (row.median, row.low, row.high) == (2.0, 1.0, 30.0)
    assert "at most 20 us: met" in as_text("t", [row])
    assert "MISSED" in as_text("t", [Added.of("added", "us", [21.0], goal=20)])
