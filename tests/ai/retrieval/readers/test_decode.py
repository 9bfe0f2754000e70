"""Bytes to text: byte order marks, UTF-8, and what else people have on their disks."""

from __future__ import annotations

import pytest

from gsws.ai.retrieval.readers import Unreadable, read_document
from gsws.ai.retrieval.readers.decode import decode, looks_binary

GERMAN = "Die Größe der Fläche wird für jeden Raum geprüft. Änderungen müssen schriftlich bestätigt werden. " * 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_the_usual_encodings_are_told_apart(encoding: str):
    raw = GERMAN.encode(encoding)
    assert not looks_binary(raw)
    assert decode(raw) == GERMAN


def test_line_ends_are_made_one():
    assert decode(b"a\r\nb\rc\n") == "a\nb\nc\n"


def test_one_bad_byte_does_not_change_the_encoding():
    assert decode("für ".encode() * 100 + b"\xff" + " müssen".encode()).count("für") == 100


def test_a_false_mark_is_named():
    with pytest.raises(Unreadable, match="UTF-16"):
        decode(b"\xff\xfea")


@pytest.mark.parametrize("raw", [b"\x7fELF\x00\x01", bytes(range(32)) * 4, b"abc\0def"])
def test_binary_is_no_text(raw: bytes):
    with pytest.raises(Unreadable, match=r"^binary$"):
        read_document("x.txt", raw)


def test_an_empty_file_is_text():
    assert read_document("x.txt", b"").blocks == []
