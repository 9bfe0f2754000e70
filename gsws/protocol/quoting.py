"""What is repeated of what a client sent, in answers and in the log."""

from __future__ import annotations

from typing import Any, Final, TypeGuard

from gsws.types import RequestId

__all__ = ["MAX_ID_LENGTH", "MAX_QUOTED", "is_id", "quoted"]

MAX_QUOTED: Final = 200
"""Characters; whoever sends a megabyte does not get it back, nor fill the log with it."""

MAX_ID_LENGTH: Final = 64


def quoted(text: str) -> str:
    """Cut a text of a client to 200 characters."""
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 1]}…"


def is_id(value: Any) -> TypeGuard[RequestId]:
    """Whether a value can be the id of a request (protocol P2.2)."""
    if type(value) is str:
        return 1 <= len(value) <= MAX_ID_LENGTH
    return type(value) is int
