"""`gsws index`: results on stdout, progress on stderr, one bad file told and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import gsws, inside, on_terminal


@pytest.fixture
def project(starter: Path) -> Path:
    """A starter project with documents."""
    assert inside("plugin", "add", "documents", cwd=starter).code == 0
    for name, text in {"a.md": "# A\n\nalpha\n", "b/c.txt": "gamma\n", ".hidden.md": "x"}.items():
        path = starter / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return starter


def test_what_was_done_is_told(project: Path):
    ran = inside("index", cwd=project)
    assert ran.code == 0
    assert ran.out.startswith("documents: 2 documents, 2 chunks (2 added, 0 changed, 0 removed, 0 renamed, 0 unchanged")
    assert ran.err == "  added    a.md\n  added    b/c.txt\n  skipped  .hidden.md (hidden)\n"
    assert (project / ".gsws" / "documents.sqlite").is_file()
    (project / "docs" / "a.md").write_text("# A\n\nomega\n")
    (project / "docs" / "b" / "c.txt").rename(project / "docs" / "d.txt")
    again = inside("index", cwd=project)
    assert "0 added, 1 changed, 0 removed, 1 renamed, 0 unchanged" in again.out
    assert "  renamed  b/c.txt -> d.txt\n" in again.err


def test_json_is_one_object(project: Path):
    ran = inside("index", "--json", cwd=project)
    assert (ran.code, ran.json["ok"], ran.err) == (0, True, "")
    found = ran.json["indexes"]["documents"]
    assert (found["added"], found["documents"], found["chunks"], found["vectors"]) == (["a.md", "b/c.txt"], 2, 2, None)
    assert found["skipped"] == [{"path": ".hidden.md", "reason": "hidden"}]


def test_a_bad_document_is_a_failure_that_stops_no_other(project: Path):
    (project / "docs" / "bad.pdf").write_bytes(b"no pdf")
    ran = inside("index", cwd=project)
    assert ran.code == 1
    assert "warning: bad.pdf: not a valid PDF" in ran.err
    assert "2 documents" in ran.out
    assert "1 failed" in ran.out
    assert inside("index", "--json", cwd=project).json["ok"] is False


def test_rebuild_reads_everything_anew(project: Path):
    inside("index", cwd=project)
    assert "2 unchanged" in inside("index", "--rebuild", cwd=project).out


def test_only_the_named_one_is_indexed(project: Path):
    (project / "datasources" / "more.yaml").write_text("type: documents\npath: docs/b\n")
    assert set(inside("index", "--json", cwd=project).json["indexes"]) == {"documents", "more"}
    assert set(inside("index", "more", "--json", cwd=project).json["indexes"]) == {"more"}
    ran = inside("index", "other", cwd=project)
    assert (ran.code, "no datasource `other` of `type: documents`" in ran.err) == (1, True)


def test_a_project_without_documents_is_told_how(starter: Path):
    ran = inside("index", cwd=starter)
    assert ran.code == 1
    assert ran.err == (
        "error: this project has no datasource of `type: documents`\n  help: `gsws plugin add documents` writes one\n"
    )


def test_outside_of_a_project_it_says_so(tmp_path: Path):
    assert inside("index", cwd=tmp_path).code == 1


def test_a_mistake_in_the_yaml_is_shown(project: Path):
    (project / "datasources" / "documents.yaml").write_text("type: documents\npaht: docs\n")
    ran = inside("index", cwd=project)
    assert (ran.code, "`datasources/documents.yaml`: unknown key `paht`" in ran.err) == (1, True), ran


def test_a_missing_folder_is_a_failure(project: Path):
    (project / "datasources" / "documents.yaml").write_text("type: documents\npath: nowhere\n")
    ran = inside("index", cwd=project)
    assert ran.code == 1
    assert "error: the folder of documents cannot be read: No such file or directory" in ran.err


def test_a_database_that_cannot_be_made_is_one_sentence(project: Path):
    (project / "datasources" / "documents.yaml").write_text("type: documents\ndatabase: gsws.yaml/x.sqlite\n")
    ran = gsws("index", cwd=project)
    assert ran.code == 1
    assert ran.err.startswith("error: ")


def test_a_person_sees_a_bar_and_a_pipe_does_not(project: Path):
    """The bar is gone when the work is done; what remains is what a pipe gets."""
    for number in range(30):
        (project / "docs" / f"{number}.md").write_text(f"# {number}\n\nword\n")
    seen = on_terminal("index", cwd=project)
    assert "\x1b[" in seen
    assert "documents: 32 documents" in seen
    piped = gsws("index", "--rebuild", cwd=project)
    assert (piped.code, "\x1b" in piped.out + piped.err) == (0, False)


def test_a_name_cannot_steer_the_terminal(project: Path):
    (project / "docs" / "a\x1b[2Jb.md").write_text("# X\n\nalpha\n")
    ran = inside("index", cwd=project)
    assert "\x1b" not in ran.err
    assert "a\\x1b[2Jb.md" in ran.err
