"""PDF by pypdf: the text of each page, under a heading that names the page."""

from __future__ import annotations

import io
import logging
import re
import time
from typing import Final

from gsws.ai.retrieval.readers.blocks import Block, Content, Unreadable

__all__ = ["read_pdf"]

_MAX_PAGES: Final = 5_000
_MAX_TEXT: Final = 20_000_000
_MAX_SECONDS: Final = 120.0
"""A hostile page can make pypdf work for long; looked at between two pages."""


def read_pdf(raw: bytes) -> Content:
    """
    The text of the pages; the anchor of a page is ``page=3``, which PDF viewers understand.

    Raises:
        Unreadable: If pypdf is not installed, a password is needed, or no page has text.
    """
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError:
        raise Unreadable('needs pypdf: pip install "gsws[ai]"') from None
    # It warns about each oddity of a file; whether the file can be read is what matters.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    content = Content()
    try:
        reader = PdfReader(io.BytesIO(raw))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("needs a password")
        title = reader.metadata.title if reader.metadata is not None else None
        content.title = " ".join(title.split()) or None if isinstance(title, str) else None
        _read_pages(reader, content)
    except PyPdfError as error:
        raise Unreadable(f"not a valid PDF ({type(error).__name__})") from error
    if not content.blocks:
        raise Unreadable("has no text; a scan must be recognised first")
    return content


def _read_pages(reader: object, content: Content) -> None:
    pages = reader.pages  # type: ignore[attr-defined]  # a PdfReader, whose import is optional
    if len(pages) > _MAX_PAGES:
        raise Unreadable(f"has more than {_MAX_PAGES} pages")
    end = time.monotonic() + _MAX_SECONDS
    length = 0
    for number, page in enumerate(pages, 1):
        text = page.extract_text()
        length += len(text)
        if length > _MAX_TEXT or time.monotonic() > end:
            raise Unreadable("takes too long to read, or has too much text")
        paragraphs = [part for part in (_paragraph(one) for one in re.split(r"\n[ \t]*\n", text)) if part]
        if paragraphs:
            content.blocks.append(Block("heading", f"Page {number}", 2, f"page={number}"))
            content.blocks += [Block("text", paragraph) for paragraph in paragraphs]


def _paragraph(text: str) -> str:
    """Lines without trailing blanks, words joined that a line's end had hyphenated."""
    lines = "\n".join(line.rstrip() for line in text.split("\n") if line.strip())
    return re.sub(r"(?<=[a-zà-ÿ])-\n(?=[a-zà-ÿ])", "", lines).replace("\0", " ").strip()
