"""URLs: their query, and how they may be shown, which is without what lets somebody in."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

__all__ = ["first_values", "query_of", "without_secrets"]

_MAX_FIELDS: Final = 1000

_USER: Final = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/?#\"'<>]*@")
_PARAMETER: Final = re.compile(
    r"(?P<name>[?&;][A-Za-z0-9_.-]{0,60}?"
    r"(?:token|secret|password|passwd|pwd|apikey|api[_-]key|[_-]key|key|auth|credential|sig|signature|code|session|jwt)"
    r"(?:s|_id)?=)[^\s&#\"'<>;]+",
    re.IGNORECASE,
)


def query_of(query: str) -> list[tuple[str, str]]:
    """Read the keys and values of a query in the order written; the first thousand, as many as anybody needs."""
    if not query:
        return []
    return parse_qsl("&".join(query.split("&", _MAX_FIELDS)[:_MAX_FIELDS]), keep_blank_values=True)


def first_values(query: str) -> dict[str, str]:
    """The first value of each key of a query."""
    values: dict[str, str] = {}
    for key, value in query_of(query):
        values.setdefault(key, value)
    return values


def without_secrets(text: str) -> str:
    """
    Hide the user and password of every URL in a text, and query parameters whose name says that they are secret.

    ``https://svc:pw@host/a?token=x&b=1`` becomes ``https://***@host/a?token=***&b=1``.
    """
    if "://" in text:
        text = _USER.sub(r"\g<scheme>***@", text)
    if "=" in text and ("?" in text or "&" in text):
        text = _PARAMETER.sub(r"\g<name>***", text)
    return text
