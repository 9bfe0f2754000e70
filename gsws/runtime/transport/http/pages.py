"""
What a browser is told of a page that is served: which scripts may run on it, who may show it in a frame.

The scripts that stand in the page itself are its author's and may run, each by its hash; what gets into the document
later may not.
"""

from __future__ import annotations

import base64
import hashlib
import re

__all__ = ["LARGEST_PAGE", "page_headers"]

LARGEST_PAGE = 2**18
"""Bytes up to which a page is looked through for its scripts; those of a larger one must be files."""

_SCRIPT = re.compile(rb"<script\b([^>]*)>(.*?)</script", re.IGNORECASE | re.DOTALL)
_SRC = re.compile(rb"\bsrc\s*=", re.IGNORECASE)
_MOST_HASHES = 32


def page_headers(policy: str | None, markup: bytes | None) -> tuple[tuple[str, str], ...]:
    """
    Header fields for a page.

    Args:
        policy: ``Content-Security-Policy`` as the project wants it, empty for none; None for ours.
        markup: The page, or None if it is too large.
    """
    if policy is None:
        sources = " ".join(("'self'", *_hashes(markup or b"")))
        policy = f"script-src {sources}; object-src 'none'; base-uri 'self'; frame-ancestors 'self'"
    fields = [("Referrer-Policy", "same-origin")]
    if policy:
        fields.append(("Content-Security-Policy", policy))
    return tuple(fields)


def _hashes(markup: bytes) -> list[str]:
    found: dict[str, None] = {}
    # Browsers read every end of a line as one character.
    for match in _SCRIPT.finditer(markup.replace(b"\r\n", b"\n").replace(b"\r", b"\n")):
        if not _SRC.search(match[1]) and len(found) < _MOST_HASHES:
            digest = base64.b64encode(hashlib.sha256(match[2]).digest()).decode()
            found[f"'sha256-{digest}'"] = None
    return list(found)
