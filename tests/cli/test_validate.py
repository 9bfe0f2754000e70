"""`gsws validate` and `gsws events`: what is printed where, and the exit code."""

from __future__ import annotations

import pytest

from gsws.yaml.modeline import modeline
from tests.cli.support import inside


@pytest.fixture
def broken(starter):
    (starter / "events/greet.yaml").write_text(f'{modeline("events/greet.yaml")}\n"websocket.greet":\n  fn: gret\n')
    return starter


def test_clean(starter):
    ran = inside("validate", cwd=starter)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("ok: no findings in ")
    assert ran.err.endswith(" files, 2 events\n")


def test_concise_on_a_pipe(broken):
    ran = inside("validate", cwd=broken)
    assert ran.code == 1
    assert ran.out.startswith("events/greet.yaml:3:7: GS201 ")
    assert ran.err.startswith("failed: 1 error")


def test_full(broken):
    ran = inside("validate", "--format", "full", cwd=broken)
    assert ran.code == 1
    assert "  --> events/greet.yaml:3:7\n" in ran.out
    assert "did you mean `greet`?" in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("arguments", [("--json",), ("--format", "json")])
def test_json(broken, arguments):
    ran = inside("validate", *arguments, cwd=broken)
    assert (ran.code, ran.err) == (1, "")
    assert ran.json["ok"] is False
    assert ran.json["summary"]["events"] == 2
    assert [one["code"] for one in ran.json["diagnostics"] if one["severity"] == "error"] == ["GS201"]


def test_a_warning_is_no_failure(starter):
    (starter / "events/greet.yaml").unlink()
    (starter / "events/stream.yaml").unlink()
    ran = inside("validate", cwd=starter)
    assert ran.code == 0
    assert ran.out.startswith("GS005 ")


def test_paths_choose_what_is_shown(broken):
    assert inside("validate", "events/stream.yaml", cwd=broken).code == 0
    assert inside("validate", "functions", cwd=broken).code == 0
    assert inside("validate", "events/greet.yaml", cwd=broken).code == 1
    assert inside("validate", "functions", "events", cwd=broken).code == 1
    assert inside("validate", ".", cwd=broken).code == 1
    assert inside("validate", "app/events", cwd=broken.parent).code == 1


def test_paths_that_do_not_fit(starter, tmp_path):
    assert inside("validate", "nothing", cwd=starter).code == 2
    inside("init", "other", cwd=tmp_path)
    ran = inside("validate", "app", "other", cwd=tmp_path)
    assert (ran.code, "different projects" in ran.err) == (2, True)


def test_no_project_is_a_finding(tmp_path):
    ran = inside("validate", cwd=tmp_path)
    assert ran.code == 1
    assert "GS001" in ran.out
    as_json = inside("validate", "--json", cwd=tmp_path)
    assert (as_json.code, as_json.json["diagnostics"][0]["code"]) == (1, "GS001")


@pytest.mark.parametrize("env", ["../x", "", "a/b", "a b", "x" * 100])
def test_environment_names(starter, env):
    ran = inside("validate", f"--env={env}", cwd=starter)
    assert (ran.code, ran.out) == (2, "")


def test_validate_runs_no_code_of_the_project(starter):
    (starter / "functions/greet.py").write_text("raise SystemExit('imported')\nasync def greet(payload): ...\n")
    assert inside("validate", cwd=starter).code == 0


def test_events(starter):
    ran = inside("events", cwd=starter)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "EVENT\tSOURCE\tFUNCTION\tANSWERS\tSCHEMA\tCONCURRENCY\n"
        "websocket.greet\twebsocket\tgreet (functions/greet.py:4)\treply\tpayload\tenqueue\n"
        "websocket.stream\twebsocket\tstream_words (functions/stream_words.py:6)\tstream\tmessage\tenqueue\n"
    )


def test_events_as_json(broken):
    ran = inside("events", "--json", cwd=broken)
    assert ran.code == 0
    assert ran.json["ok"] is False
    assert [event["event"] for event in ran.json["events"]] == ["websocket.greet", "websocket.stream"]
    assert ran.json["events"][0]["file"] is None
    assert "the list may be incomplete" in ran.err
