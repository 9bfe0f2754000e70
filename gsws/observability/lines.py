"""How one line of a log is written: a JSON object, its time first, and no secret of a URL in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from gsws.diagnostics.mask import hide
from gsws.text.urls import without_secrets

__all__ = ["json_line", "stamp"]


def stamp(format: str | None = None) -> str:
    """The time now: ISO 8601 in UTC, or local time in a format."""
    if format is not None:
        return datetime.now().astimezone().strftime(format)
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_line(facts: Mapping[str, Any]) -> str:
    """One object without a line's end; what has no JSON form is its text."""
    try:
        text = orjson.dumps(facts, default=_text, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        # Large integers, lone surrogates, circles.
        try:
            text = json.dumps(facts, default=_text, skipkeys=True)
        except (TypeError, ValueError, RecursionError):
            text = json.dumps({str(name): _text(value) for name, value in facts.items()})
    return without_secrets(hide(text))


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # an object that cannot say what it is
        return f"<{type(value).__name__}>"
