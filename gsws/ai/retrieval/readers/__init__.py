"""Readers of documents: bytes of a Markdown, text, HTML or PDF file to a title and blocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from gsws.ai.retrieval.readers.blocks import Block, Content, Unreadable
from gsws.ai.retrieval.readers.decode import decode, looks_binary
from gsws.ai.retrieval.readers.markdown import read_markdown
from gsws.ai.retrieval.readers.text import read_text

__all__ = ["SUFFIXES", "Block", "Content", "Unreadable", "read_document"]

# Tags, zero-width and direction marks; joiners stay, which Persian, Hindi and emoji are written with.
_INVISIBLE: Final = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")


def _markdown(raw: bytes) -> Content:
    return read_markdown(_decoded(raw))


def _text(raw: bytes) -> Content:
    return read_text(_decoded(raw))


def _html(raw: bytes) -> Content:
    from gsws.ai.retrieval.readers.html import read_html

    if looks_binary(raw):
        raise Unreadable("binary")
    return read_html(raw)


def _pdf(raw: bytes) -> Content:
    from gsws.ai.retrieval.readers.pdf import read_pdf

    return read_pdf(raw)


def _decoded(raw: bytes) -> str:
    if looks_binary(raw):
        raise Unreadable("binary")
    return decode(raw)


def _seen(content: Content) -> Content:
    """A document without characters that no reader sees: where texts for models only are written."""
    content.title = " ".join(_INVISIBLE.sub("", content.title).split()) or None if content.title else None
    content.blocks = [
        replace(block, text=text) if text != block.text else block
        for block, text in ((block, _INVISIBLE.sub("", block.text)) for block in content.blocks)
        if text.strip()
    ]
    return content


SUFFIXES: Final[dict[str, Callable[[bytes], Content]]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _text,
    ".text": _text,
    ".rst": _text,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
"""By suffix in lower case; any other file that a pattern asks for is read as text."""


def read_document(path: str, raw: bytes) -> Content:
    """
    Read one file.

    Args:
        path: Its name decides how it is read.
        raw: Its bytes; the caller bounds them.

    Raises:
        Unreadable: If it cannot be read; says why. Nothing else is raised, whatever the bytes are.
    """
    reader = SUFFIXES.get(PurePosixPath(path).suffix.lower(), _text)
    try:
        return _seen(reader(raw))
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    except Exception as error:  # the libraries' own errors are many, and a file is foreign data
        raise Unreadable(f"cannot be read ({type(error).__name__})") from error
