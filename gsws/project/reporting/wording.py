"""
The wording of values and types that all findings share.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from gsws.diagnostics.suggest import nearest

__all__ = ["article", "did_you_mean", "quoted", "type_name"]


def did_you_mean(word: str, candidates: Iterable[str]) -> tuple[str | None, str | None]:
    """The nearest candidate and the help line that names it, or a pair of None."""
    found = nearest(word, list(candidates))
    return (found[0], f"did you mean `{found[0]}`?") if found else (None, None)


def type_name(value: object) -> str:
    """What a person calls the type of a YAML value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "mapping"


def article(noun: str) -> str:
    """``an integer``, ``a list``; ``text`` and ``null`` take none."""
    if noun in {"text", "null"}:
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def quoted(value: object) -> str:
    """A value between backticks on one line, cut to what an eye takes in."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"
