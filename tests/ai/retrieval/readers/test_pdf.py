"""PDF: text page by page; a file that has none says why."""

from __future__ import annotations

import io

import pytest

from gsws.ai.retrieval.readers import Unreadable, read_document
from gsws.ai.retrieval.readers.pdf import read_pdf
from tests.ai.retrieval.support import pdf


def test_each_page_is_a_section():
    content = read_pdf(pdf("First page\nsecond line", "Another", title="Manual"))
    assert content.title == "Manual"
    assert [(block.text, block.anchor) for block in content.blocks] == [
        ("Page 1", "page=1"),
        ("First page\nsecond line", ""),
        ("Page 2", "page=2"),
        ("Another", ""),
    ]


def test_a_hyphen_at_the_end_of_a_line_is_joined():
    assert read_pdf(pdf("a hyphen-\nated word")).blocks[1].text == "a hyphenated word"


def test_a_file_without_text_says_so():
    with pytest.raises(Unreadable, match="no text"):
        read_pdf(pdf(""))


def test_a_password_is_asked_for_by_name():
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("secret"))))
    writer.encrypt("word", algorithm="RC4-128")
    locked = io.BytesIO()
    writer.write(locked)
    with pytest.raises(Unreadable, match="password"):
        read_pdf(locked.getvalue())


@pytest.mark.parametrize("raw", [b"", b"no pdf at all", b"%PDF-1.7\n" + bytes(range(256)) * 40, pdf("x")[:200]])
def test_a_broken_file_is_no_crash(raw: bytes):
    with pytest.raises(Unreadable):
        read_document("x.pdf", raw)
