"""Which files are documents: patterns, and what is passed by and said so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gsws.ai.retrieval.scan import Found, Selection, Stamp, read_file, scan
from tests.ai.retrieval.support import Folder


def listed(folder: Folder, **options: object) -> tuple[list[str], dict[str, str]]:
    result = scan(folder.path, Selection(**options))  # type: ignore[arg-type]
    return [found.path for found in result.found], {one.path: one.reason for one in result.skipped}


def test_documents_are_found_at_any_depth(folder: Folder):
    for name in ("b.md", "a/c.HTML", "a/b/d.txt", "x.png", "y.py"):
        folder.write(name, "x")
    result = scan(folder.path, Selection())
    assert [found.path for found in result.found] == ["a/b/d.txt", "a/c.HTML", "b.md"]
    assert result.unmatched == 2


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.md", "a.md", True),
        ("*.md", "d/a.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "d/e/A.MD", True),
        ("guide/**", "guide/a/b.txt", True),
        ("guide/**", "guides/a.txt", False),
        ("guide/**/x.md", "guide/x.md", True),
        ("a?.md", "ab.md", True),
        ("a?.md", "a/.md", False),
        ("a[1].md", "a[1].md", True),
        ("(x+)+.md", "(x+)+.md", True),
    ],
)
def test_patterns_are_globs_over_the_path(pattern: str, path: str, fits: bool):
    assert Selection(include=[pattern]).matches(path) is fits


def test_exclude_wins(folder: Folder):
    folder.write("a.md", "x")
    folder.write("drafts/b.md", "x")
    assert listed(folder, exclude=["drafts/**"])[0] == ["a.md"]


def test_hidden_and_large_files_are_skipped_and_said_so(folder: Folder):
    folder.write(".secret.md", "x")
    folder.write(".git/config.md", "x")
    folder.write("big.md", "x" * 101)
    folder.write("small.md", "x" * 100)
    assert listed(folder, max_file_bytes=100) == (
        ["small.md"],
        {".secret.md": "hidden", ".git": "hidden", "big.md": "larger than 100 bytes"},
    )


def test_links_are_followed_to_files_inside_only(folder: Folder, tmp_path: Path):
    """No link leads out of the folder, into a loop or to a hidden file."""
    (tmp_path / "secret.md").write_text("outside")
    folder.write("real.md", "x")
    folder.write(".hidden.md", "x")
    (folder.path / "good.md").symlink_to("real.md")
    (folder.path / "out.md").symlink_to("../secret.md")
    (folder.path / "etc.md").symlink_to("/etc/passwd")
    (folder.path / "dot.md").symlink_to(".hidden.md")
    (folder.path / "loop").symlink_to(folder.path)
    (folder.path / "self.md").symlink_to("self.md")
    (folder.path / "up").symlink_to(tmp_path)
    found, skipped = listed(folder)
    assert found == ["good.md", "real.md"]
    assert skipped["out.md"] == skipped["etc.md"] == skipped["up"] == "link that leaves the folder"
    assert skipped["loop"] == "link to a folder"
    assert skipped["dot.md"] == "link to a hidden file"
    assert "self.md" in skipped


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_document(folder: Folder):
    """A named pipe would be waited for without end."""
    os.mkfifo(folder.path / "pipe.md")
    assert listed(folder) == ([], {"pipe.md": "no regular file"})
    found = Found("pipe.md", folder.path / "pipe.md", Stamp(0, 0, 0, 0))
    with pytest.raises(OSError, match="no regular file"):
        read_file(found, 100)


def test_a_link_put_in_place_of_a_file_is_not_followed(folder: Folder):
    """Between listing and reading, a file may be replaced by a link."""
    folder.write("a.md", "x")
    [found] = scan(folder.path, Selection()).found
    found.real.unlink()
    found.real.symlink_to("/etc/passwd")
    with pytest.raises(OSError):
        read_file(found, 10_000)


def test_a_file_that_grew_is_refused(folder: Folder):
    folder.write("a.md", "x")
    [found] = scan(folder.path, Selection()).found
    folder.write("a.md", "x" * 50)
    with pytest.raises(ValueError, match="too large"):
        read_file(found, 10)


def test_a_missing_folder_is_an_empty_one_with_a_problem(tmp_path: Path):
    result = scan(tmp_path / "nowhere", Selection())
    assert result.found == []
    assert "No such file" in (result.problem or "")


def test_a_name_that_is_no_text_is_spelled_out(folder: Folder):
    (folder.path / os.fsdecode(b"caf\xe9.md")).write_text("x")
    [found] = scan(folder.path, Selection()).found
    assert found.path == "caf\\xe9.md"
    assert read_file(found, 10)[0] == b"x"


def test_the_stamp_tells_a_file_that_was_moved_over(folder: Folder):
    """Size and time alone would not: both are kept by a copy."""
    folder.write("a.md", "one")
    before = scan(folder.path, Selection()).found[0].stamp
    other = folder.write("b.tmp", "two")
    os.utime(other, ns=(before.mtime_ns, before.mtime_ns))
    other.replace(folder.path / "a.md")
    after = scan(folder.path, Selection()).found[0].stamp
    assert (after.size, after.mtime_ns) == (before.size, before.mtime_ns)
    assert after != before
