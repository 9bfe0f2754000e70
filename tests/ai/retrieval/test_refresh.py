"""Bringing the index up to date: what is new, changed, renamed and gone, and files that cannot be read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.ai.retrieval.support import Folder, pdf, sources


def test_a_first_refresh_adds_everything_a_second_nothing(folder: Folder):
    folder.write("a.md", "# A\n\nalpha\n")
    folder.write("b/c.txt", "gamma\n")
    folder.write("d.html", "<h1>D</h1><p>delta</p>")
    folder.write("e.pdf", pdf("epsilon"))
    index = folder.index()
    first = index.refresh()
    assert (first.added, first.documents, first.chunks) == (["a.md", "b/c.txt", "d.html", "e.pdf"], 4, 4)
    second = index.refresh()
    assert (second.has_changes, second.unchanged) == (False, 4)
    for word, source in {"alpha": "a.md", "gamma": "b/c.txt", "delta": "d.html", "epsilon": "e.pdf#page=1"}.items():
        assert sources(index.search(word)) == [source]


def test_each_kind_of_change_is_told_and_done(folder: Folder):
    for name in "abcd":
        folder.write(f"{name}.md", f"# {name}\n\nword{name} stands here\n")
    index = folder.index(refresh=False)
    index.refresh()
    folder.write("a.md", "# a\n\nsomething else entirely\n")
    (folder.path / "b.md").unlink()
    (folder.path / "c.md").rename(folder.path / "moved.md")
    folder.write("new.md", "# n\n\nbrandnew\n")
    report = index.refresh()
    assert (report.changed, report.removed, report.renamed, report.added, report.unchanged) == (
        ["a.md"],
        ["b.md"],
        [("c.md", "moved.md")],
        ["new.md"],
        1,
    )
    assert index.search("worda") == index.search("wordb") == []
    assert sources(index.search("wordc")) == ["moved.md"]
    assert sources(index.search("brandnew")) == ["new.md"]


def test_a_change_of_the_same_size_and_time_is_seen(folder: Folder):
    """Editors, copies and coarse clocks keep both; the content decides."""
    path = folder.write("a.md", "# A\n\nalpha\n")
    status = path.stat()
    index = folder.index()
    index.refresh()
    path.write_text("# A\n\nomega\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert index.refresh().changed == ["a.md"]
    assert sources(index.search("omega")) == ["a.md"]


def test_a_touched_file_is_not_cut_anew(folder: Folder):
    path = folder.write("a.md", "# A\n\nalpha\n")
    index = folder.index()
    index.refresh()
    os.utime(path, (0, 0))
    report = index.refresh()
    assert (report.has_changes, report.unchanged) == (False, 1)


def test_a_bad_file_is_reported_and_stops_no_other(folder: Folder):
    folder.write("a.md", "# A\n\nalpha\n")
    folder.write("broken.pdf", b"%PDF-1.4 nothing")
    folder.write("noise.txt", bytes(range(256)))
    folder.write("z.md", "# Z\n\nomega\n")
    index = folder.index()
    report = index.refresh()
    assert report.added == ["a.md", "z.md"]
    [failed] = report.failed
    assert failed.path == "broken.pdf"
    assert "not a valid PDF" in failed.reason
    assert [(one.path, one.reason) for one in report.skipped] == [("noise.txt", "binary")]
    again = index.refresh()
    assert (again.failed, again.unchanged) == ([failed], 2)


def test_a_file_that_becomes_bad_is_not_quoted_any_more_and_one_that_is_mended_is(folder: Folder):
    folder.write("a.pdf", pdf("alpha"))
    index = folder.index()
    assert sources(index.search("alpha")) == ["a.pdf#page=1"]
    folder.write("a.pdf", b"%PDF garbage")
    assert index.search("alpha") == []
    folder.write("a.pdf", pdf("alpha omega"))
    assert sources(index.search("omega")) == ["a.pdf#page=1"]


def test_an_unreadable_file_is_reported(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    """Permissions do not hold root, who may be running this; the system's answer is put in its place."""
    denied = folder.write("a.md", "x")
    folder.write("b.md", "x")
    really = os.open

    def refusing(path, *rest, **more):
        if Path(path) == denied:
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)
    report = folder.index().refresh()
    assert [(one.path, one.reason) for one in report.failed] == [("a.md", "cannot be read: Permission denied")]
    assert report.added == ["b.md"]


def test_a_rebuild_reads_everything_and_keeps_serving(folder: Folder):
    """The old documents can be found at every moment of a rebuild."""
    for number in range(5):
        folder.write(f"{number}.md", f"# N{number}\n\nalpha word{number}\n")
    index = folder.index(refresh=False)
    index.refresh()
    found: list[int] = []
    read: list[str] = []

    def progress(what: str, done: int, total: int) -> None:
        read.append(what)
        found.append(len(index.search("alpha", k=10)))

    report = index.refresh(progress, rebuild=True)
    assert read == ["0.md", "1.md", "2.md", "3.md", "4.md", ""]
    assert found == [5] * 6
    assert (report.unchanged, report.documents) == (5, 5)


def test_an_interrupted_refresh_leaves_whole_documents(folder: Folder):
    """What was there is still found, what was read is found already, the rest comes with the next refresh."""
    folder.write("old.md", "# Old\n\nancient alpha\n")
    index = folder.index(refresh=False)
    index.refresh()
    for number in range(5):
        folder.write(f"n{number}.md", f"# N\n\nfresh alpha{number}\n")

    def interrupt(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.refresh(interrupt)
    assert sources(index.search("ancient")) == ["old.md"]
    assert {one.partition("#")[0] for one in sources(index.search("fresh"))} == {"n0.md", "n1.md"}
    assert index.refresh().added == ["n2.md", "n3.md", "n4.md"]


def test_a_folder_that_goes_and_comes_back(folder: Folder):
    """Documents that are gone are not quoted; the missing folder is said."""
    folder.write("a.md", "# A\n\nalpha\n")
    index = folder.index()
    assert sources(index.search("alpha")) == ["a.md"]
    shutil.rmtree(folder.path)
    report = index.refresh()
    assert report.removed == ["a.md"]
    assert "cannot be read" in (report.problem or "")
    assert index.search("alpha") == []
    folder.write("a.md", "# A\n\nalpha\n")
    assert sources(index.search("alpha")) == ["a.md"]
