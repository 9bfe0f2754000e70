"""`--select`, `--ignore`, `--fail-level`, `--explain`: which findings count, and what they mean."""

from __future__ import annotations

import pytest

from gsws.diagnostics import CATALOGUE
from tests.cli.support import inside, on_terminal


@pytest.fixture
def broken(starter):
    (starter / "events/greet.yaml").write_text('"websocket.greet":\n  fn: gret\n  sumary: x\n')
    return starter


def codes(ran) -> list[str]:
    return [one["code"] for one in ran.json["diagnostics"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--select", "GS201"], ["GS201"]),
        (["--select", "gs2"], ["GS201"]),
        (["--select", "GS201,GS305"], ["GS201", "GS305"]),
        (["--select", "GS2", "--select", "GS3"], ["GS201", "GS305"]),
        (["--select", "GS3,GS2", "--ignore", "GS305"], ["GS201"]),
        (["--select", "GS4"], []),
    ],
)
def test_codes_are_chosen(broken, options, expected):
    ran = inside("validate", "--json", *options, cwd=broken)
    assert codes(ran) == expected
    assert ran.code == (1 if expected else 0)
    assert ran.json["summary"]["errors"] == len(expected)


@pytest.mark.parametrize(
    ("word", "help"),
    [
        ("GS2O1", "did you mean `GS201`?"),
        ("GS999", None),
        ("201", "did you mean `GS201`?"),
        ("G", None),
        ("errors", "codes are GS001 to GS901"),
        ("", "for example"),
        (",", "for example"),
    ],
)
def test_codes_that_are_not_there(broken, word, help):
    if word == "G":
        assert inside("validate", "--select", word, cwd=broken).code == 1
        return
    for option in ("--select", "--ignore"):
        ran = inside("validate", option, word, cwd=broken)
        assert (ran.code, ran.out) == (2, ""), ran
        assert help is None or help in ran.err


def test_no_project_is_told_whatever_is_selected(tmp_path):
    assert inside("validate", "--select", "GS4", "--ignore", "GS001", cwd=tmp_path).code == 1


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 1), ("info", 1), ("WARNING", 1)])
def test_the_level_that_fails(starter, level, code):
    for path in (starter / "events").iterdir():
        path.unlink()
    (starter / "functions/greet.py").unlink()
    ran = inside("validate", "--fail-level", level, "--select", "GS005", "--json", cwd=starter)
    assert (ran.code, ran.json["ok"], codes(ran)) == (code, code == 0, ["GS005"])
    assert inside("validate", "--fail-level", level, "--ignore", "GS", cwd=starter).code == 0


def test_a_level_that_is_not_there(starter):
    ran = inside("validate", "--fail-level", "warn", cwd=starter)
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean `warning`?" in ran.err


@pytest.mark.parametrize("code", list(CATALOGUE))
def test_every_code_is_explained(tmp_path, code):
    ran = inside("validate", "--explain", code, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{code}: {CATALOGUE[code].title} ({CATALOGUE[code].severity.value})\n\n")
    assert "\x1b" not in ran.out


def test_explanation_for_programs(tmp_path):
    ran = inside("validate", "--explain", "gs201", "--json", cwd=tmp_path)
    assert sorted(ran.json) == ["code", "explanation", "fixable", "ignorable", "severity", "title"]
    assert ran.json["code"] == "GS201"


def test_explanation_on_a_terminal(tmp_path):
    seen = on_terminal("validate", "--explain", "GS201", cwd=tmp_path)
    assert "error[GS201]" in seen
    assert "\x1b[" in seen


def test_no_such_explanation(tmp_path):
    ran = inside("validate", "--explain", "GS20l", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean `GS201`?" in ran.err
