"""Documents that are read in a process of their own: the same content, and an end by the deadline."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gsws.ai import FolderIndex
from gsws.ai.retrieval.readers import Unreadable, apart, read_document
from gsws.ai.retrieval.readers.apart import Apart, is_quick

TEXT = b"# Title\n\nA paragraph with **marks** and \xc3\xbcmlauts.\n\n```\ncode\n```\n"


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("a.md", TEXT * 2000),
        ("a.html", b"<title>T</title><h2 id=x>Head</h2><p>text</p><table><tr><td>a<td>b</table>" * 1000),
        ("a.txt", b"line\n" * 50_000),
        ("empty.md", b""),
    ],
)
def test_the_content_is_the_same(path: str, raw: bytes) -> None:
    with Apart() as reader:
        assert reader.read(path, raw) == read_document(path, raw)


def test_what_cannot_be_read_says_why_and_the_next_is_read() -> None:
    with Apart() as reader:
        for path, raw in (("a.pdf", b"%PDF-1.7 nonsense"), ("b.txt", b"\x00\x01\x02" * 99)):
            with pytest.raises(Unreadable) as here:
                read_document(path, raw)
            with pytest.raises(Unreadable) as there:
                reader.read(path, raw)
            assert str(here.value) == str(there.value)
        assert reader.read("a.md", TEXT).title == "Title"


def test_a_document_that_takes_long_is_given_up_alone() -> None:
    """The next one is read by another process, and none is left behind."""
    reader = Apart(seconds=0.02)
    with pytest.raises(Unreadable, match=r"longer than 0\.02 s"):
        reader.read("a.md", TEXT)
    reader._seconds = 60
    assert reader.read("a.md", TEXT).title == "Title"
    process = reader._process
    assert process is not None
    reader._end()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_reader_that_dies_fails_its_document_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_PROGRAM", "import os; os._exit(3)")
    with Apart() as reader:
        with pytest.raises(Unreadable, match="its reader failed"):
            reader.read("a.md", TEXT)
        monkeypatch.undo()
        assert reader.read("a.md", TEXT).title == "Title"


def test_a_document_that_needs_too_much_memory_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "from gsws.ai.retrieval.readers import apart; import gsws.ai.retrieval.readers as all\n"
        "all.read_document = lambda *_: bytearray(3 * 2**30)\napart.serve()"
    )
    monkeypatch.setattr(apart, "_PROGRAM", program)
    with Apart() as reader, pytest.raises(Unreadable, match="memory"):
        reader.read("a.md", TEXT)


def test_an_index_goes_on_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a folder, what is slow is named and everything else is found."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "big.md").write_bytes(b"# Zebra\n\nStripes.\n\n" * 9000)
    (folder / "small.md").write_bytes(b"# Okapi\n\nIt lives in the forest.\n")
    monkeypatch.setattr(Apart, "__init__", lambda self: self.__dict__.update(_seconds=0.01, _process=None))

    index = FolderIndex(folder, tmp_path / "index.sqlite")
    report = index.refresh()

    assert [(one.path, "longer than" in one.reason) for one in report.failed] == [("big.md", True)]
    assert [one["source"] for one in index.search("where does the okapi live")] == ["small.md"]
    index.close()


@pytest.mark.parametrize("unit", [b"<!--", b"<![CDATA[", b"<!x ", b"<p>", b"<div>", b"<li>", b"<a href=x>", b"&x"])
def test_a_hostile_page_ends_long_before_the_deadline(unit: bytes) -> None:
    """What never closes must not cost the square of its size."""
    said = ""
    with Apart() as reader:
        try:
            reader.read("a.html", unit * (400_000 // len(unit)))
        except Unreadable as error:
            said = str(error)
    assert said in ("", "nested too deeply")


def test_small_files_are_read_at_once() -> None:
    assert is_quick("a.md", b"x" * 65_536)
    assert not is_quick("a.md", b"x" * 65_537)
    assert not is_quick("A.PDF", b"x")
