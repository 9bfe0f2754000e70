"""`gsws validate --fix` and `--diff`: what is repaired, what stays, and what is left alone."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.support import inside

EVENT = (
    "# yaml-language-server: $schema=../.gsws/schemas/event.schema.json\n"
    '"websocket.greet":   # the greeting\n'
    "    fn:   gret\n"
    "\n"
    "    sumary: 'Greet'   # one line\n"
    "    payload: {type: object, properties: {name: {tpye: string, maxLength: 9}}, additionalProperties: false}\n"
)
REPAIRED = EVENT.replace("gret\n", "greet\n").replace("sumary", "summary").replace("tpye", "type")


@pytest.fixture
def greet(starter):
    return starter / "events/greet.yaml"


def test_only_what_is_wrong_changes(starter, greet):
    greet.write_text(EVENT)
    ran = inside("validate", "--fix", cwd=starter)
    assert (ran.code, ran.out) == (0, ""), ran
    assert greet.read_text() == REPAIRED
    assert ran.err == (
        "fixed events/greet.yaml:3:11: GS201 write `greet`\n"
        "fixed events/greet.yaml:5:5: GS305 write `summary`\n"
        "fixed events/greet.yaml:6:49: GS402 write `type`\n"
        "ok: no findings in 6 files, 2 events\n"
    )
    assert inside("validate", "--fix", cwd=starter).err == "ok: no findings in 6 files, 2 events\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_line_breaks_stay_and_a_mark_goes(starter, greet, end, mark):
    """A byte-order mark is itself a finding (GS004) that is repaired."""
    greet.write_bytes(mark + EVENT.encode().replace(b"\n", end))
    assert inside("validate", "--fix", cwd=starter).code == 0
    assert greet.read_bytes() == REPAIRED.encode().replace(b"\n", end)


def test_a_mark_stays_if_its_finding_is_not_chosen(starter, greet):
    greet.write_bytes(b"\xef\xbb\xbf" + EVENT.encode())
    inside("validate", "--fix", "--ignore", "GS004", cwd=starter)
    assert greet.read_bytes() == b"\xef\xbb\xbf" + REPAIRED.encode()


def test_select_ignore_and_paths_choose_what_is_repaired(starter, greet):
    greet.write_text(EVENT)
    assert inside("validate", "--fix", "functions", cwd=starter).code == 0
    assert greet.read_text() == EVENT
    inside("validate", "--fix", "--select", "GS305", cwd=starter)
    assert greet.read_text() == EVENT.replace("sumary", "summary")
    inside("validate", "--fix", "--ignore", "GS4", cwd=starter)
    assert greet.read_text() == REPAIRED.replace("type: string", "tpye: string")


def test_what_a_repair_brings_to_light_is_repaired_too(starter, greet):
    """Only without the `//` can the rest of the file be read."""
    greet.write_text("// a comment\n" + EVENT)
    ran = inside("validate", "--fix", cwd=starter)
    assert ran.code == 0, ran
    assert greet.read_text() == "# a comment\n" + REPAIRED


def test_diff_writes_nothing_and_is_a_patch(starter, greet):
    greet.write_text("// a comment\n" + EVENT.rstrip("\n"))
    before = greet.read_bytes()
    ran = inside("validate", "--diff", cwd=starter)
    assert ran.code == 1
    assert ran.err.startswith("failed: ")
    assert greet.read_bytes() == before
    subprocess.run(["git", "apply", "-"], cwd=starter, input=ran.out.encode(), check=True, timeout=30)
    assert greet.read_text() == "# a comment\n" + REPAIRED.rstrip("\n")


def test_a_clean_project_has_an_empty_diff(starter):
    ran = inside("validate", "--diff", cwd=starter)
    assert (ran.code, ran.out) == (0, "")


@pytest.mark.parametrize("format", ["json", "sarif"])
def test_diff_is_no_other_format(starter, format):
    ran = inside("validate", "--diff", "--format", format, cwd=starter)
    assert (ran.code, ran.out) == (2, "")


def test_permissions_and_links_stay(starter, greet):
    greet.write_text(EVENT)
    greet.chmod(0o640)
    (starter / "real").mkdir()
    greet.rename(starter / "real/greet.yaml")
    greet.symlink_to("../real/greet.yaml")
    assert inside("validate", "--fix", cwd=starter).code == 0
    assert greet.is_symlink()
    assert greet.read_text() == REPAIRED
    assert greet.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (starter / "real").iterdir()] == ["greet.yaml"]


def test_a_file_that_cannot_be_written_is_told(starter, greet, monkeypatch):
    greet.write_text(EVENT)
    monkeypatch.setattr("os.access", lambda *_: False)
    ran = inside("validate", "--fix", cwd=starter)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: cannot write `events/greet.yaml`: Permission denied\n"
    assert greet.read_text() == EVENT


def test_an_edit_in_between_is_not_overwritten(starter, greet, monkeypatch):
    from gsws.cli import repair

    greet.write_text(EVENT)
    find = repair.repair_project

    def slow(*args, **kwargs):
        found = find(*args, **kwargs)
        greet.write_text(EVENT + "# saved meanwhile\n")
        return found

    monkeypatch.setattr(repair, "repair_project", slow)
    ran = inside("validate", "--fix", cwd=starter)
    assert ran.code == 1
    assert "changed while it was being repaired" in ran.err
    assert greet.read_text() == EVENT + "# saved meanwhile\n"


def test_files_get_no_editor_lines(starter, greet):
    """`gsws schema --write` writes them; a repair of something else does not touch every file."""
    bare = greet.read_text().split("\n", 1)[1]
    greet.write_text(bare)
    assert inside("validate", "--fix", "--fail-level", "info", cwd=starter).err.count("fixed") == 0
    assert greet.read_text() == bare


def test_the_report_of_a_program_is_whole(starter, greet):
    greet.write_text(EVENT)
    ran = inside("validate", "--fix", "--json", cwd=starter)
    assert (ran.code, ran.json["ok"], ran.json["diagnostics"]) == (0, True, [])
    assert ran.err.count("fixed ") == 3
