"""Bytes to text: byte order marks, UTF-8, then the encoding that the bytes most look like."""

from __future__ import annotations

import codecs
from typing import Final

from gsws.ai.retrieval.readers.blocks import Unreadable

__all__ = ["decode", "looks_binary"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEAD: Final = 8192
_SAMPLE: Final = 200_000
_CONTROL: Final = bytes(range(0x20, 0x100)) + b"\t\n\r\f\x1b\x08"


def looks_binary(raw: bytes) -> bool:
    """Whether this is no text: a NUL or many control characters at the beginning, without a byte order mark."""
    if raw.startswith(tuple(mark for mark, _ in _MARKS)):
        return False
    head = raw[:_HEAD]
    return b"\0" in head or len(head.translate(None, _CONTROL)) > len(head) // 20


def decode(raw: bytes) -> str:
    """
    The text of a file, with ``\\n`` at the ends of lines.

    Raises:
        Unreadable: If no encoding fits.
    """
    for mark, name in _MARKS:
        if raw.startswith(mark):
            try:
                return _lines(raw.decode(name))
            except UnicodeDecodeError:
                raise Unreadable(f"not {name.upper().removesuffix('-SIG')}, though it begins so") from None
    try:
        return _lines(raw.decode("utf-8"))
    except UnicodeDecodeError as failure:
        # A file of megabytes with one bad byte is UTF-8 with a bad byte, not Cyrillic.
        if failure.start > _HEAD or _mostly_utf8(raw):
            return _lines(raw.decode("utf-8", "replace"))
    return _lines(_guessed(raw))


def _mostly_utf8(raw: bytes) -> bool:
    """Whether nearly all that is not ASCII is well-formed UTF-8."""
    sample = raw[:_SAMPLE]
    wrong = sample.decode("utf-8", "replace").count("�")
    foreign = sum(byte >= 0x80 for byte in sample)
    return wrong * 20 < foreign


def _guessed(raw: bytes) -> str:
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return raw.decode("cp1252", "replace")
    # Western first: in a short text, candidates are hard to tell apart.
    best = from_bytes(raw[:_SAMPLE]).best()
    return raw.decode("cp1252" if best is None else best.encoding, "replace")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")
