"""Whatever the bytes are: a document, or a reason why not."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gsws.ai.retrieval.chunks import chunks_of
from gsws.ai.retrieval.readers import Unreadable, read_document
from tests.ai.retrieval.support import pdf

MARKUP = st.text(alphabet="<>/!-=\"'`#|[](){}&;:*_~\n\t abtdhrpe1\x00é", max_size=300)


@settings(deadline=None)
@given(st.sampled_from(["x.md", "x.txt", "x.html", "x.pdf"]), st.binary(max_size=300) | MARKUP.map(str.encode))
@example("x.html", b"<![CDATA[")
@example("x.html", b"<!DOCTYPE <")
@example("x.html", b"&#xFFFFFFFF;&#0;")
@example("x.md", b"[" * 300)
@example("x.md", b"|" * 300 + b"\n" + b"-|" * 150)
def test_any_bytes_are_read_or_refused(name: str, raw: bytes):
    with contextlib.suppress(Unreadable):
        for chunk in chunks_of(read_document(name, raw)):
            assert chunk.text.strip()


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_pdf_is_read_or_refused(seed: int):
    """Bytes that were changed here and there."""
    chance = random.Random(seed)
    raw = bytearray(pdf("First page", "Second page", title="Title"))
    for _ in range(chance.randint(1, 30)):
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    with contextlib.suppress(Unreadable):
        read_document("x.pdf", bytes(raw))


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("x.md", b"> " * 50_000),
        ("x.md", b"- " * 20_000),
        ("x.md", b"*" * 200_000),
        ("x.md", b"[a](" * 50_000),
        ("x.md", b"<!--" * 50_000),
        ("x.md", b"# " + b"[" * 50_000),
        ("x.md", b"# " + b"<" * 50_000),
        ("x.md", b"a\n\n" * 50_000),
        ("x.txt", b"a\n---\n" * 30_000),
        ("x.html", b"<b>" * 40_000),
        ("x.html", b"<p>" * 40_000),
        ("x.html", b"<table><tr>" * 5_000),
        ("x.html", b"<" * 100_000),
        ("x.html", b"<a " + b"x=" * 50_000),
    ],
)
def test_hostile_repetition_takes_no_noticeable_time(name: str, raw: bytes):
    """Each ends; the suite's own deadline is what would notice quadratic work at these sizes."""
    with contextlib.suppress(Unreadable):
        chunks_of(read_document(name, raw))
