"""URLs: their query, and how they may be shown, which is without what lets somebody in."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

__all__ = ["covered", "first_values", "query_of", "without_secrets"]

_MAX_FIELDS: Final = 1000

_USER: Final = re.compile(r"(?P<before>\b[A-Za-z][A-Za-z0-9+.-]{0,30}://)(?P<secret>[^\s/?#\"'<>]*)(?P<after>@)")
_PARAMETER: Final = re.compile(
    r"(?P<before>[?&;][A-Za-z0-9_.-]{0,60}?"
    r"(?:token|secret|password|passwd|pwd|apikey|api[_-]key|[_-]key|key|auth|credential|sig|signature|code|session|jwt)"
    r"(?:s|_id)?=)(?P<secret>[^\s&#\"'<>;]+)(?P<after>)",
    re.IGNORECASE,
)
_LOOKUP: Final = re.compile(r"\$\{[^}\s]*\}")


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
        text = _USER.sub(r"\g<before>***\g<after>", text)
    if "=" in text and ("?" in text or "&" in text):
        text = _PARAMETER.sub(r"\g<before>***\g<after>", text)
    return text


def covered(text: str) -> str:
    """The text with ``*`` for each character that `without_secrets` hides, but for look-ups: ``${NAME}`` stays."""
    if "://" in text:
        text = _PARAMETER.sub(_starred, _USER.sub(_starred, text))
    return text


def _starred(match: re.Match[str]) -> str:
    parts, at, secret = [match["before"]], 0, match["secret"]
    for found in _LOOKUP.finditer(secret):
        parts += ["*" * (found.start() - at), found[0]]
        at = found.end()
    return "".join([*parts, "*" * (len(secret) - at), match["after"]])
