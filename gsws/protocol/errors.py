"""
The protocol's errors: stable names with their HTTP-like codes (protocol P7.2).

How an error becomes a frame is in `gsws.protocol.answer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from gsws.types import RequestId

__all__ = ["ERRORS", "ERROR_HEAD", "ErrorKind", "WireError", "error_name", "name_for_status"]

ERROR_HEAD: Final = b'{"eventtype":"stream.error",'
"""How a ``stream.error`` begins that `gsws.protocol.answer` made."""

_NAME_LENGTH: Final = 64
"""Characters of a name that a handler chose; what it repeats of a client may be as long as a message."""


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """
    One row of P7.2.

    Attributes:
        name: Stable name, ``payload.error`` on the wire.
        code: HTTP-like number, ``payload.code``.
        retryable: Whether the same message may succeed later, unchanged.
    """

    name: str
    code: int
    retryable: bool = False


ERRORS: Final[dict[str, ErrorKind]] = {
    kind.name: kind
    for kind in (
        ErrorKind("invalid_json", 400),
        ErrorKind("invalid_message", 400),
        ErrorKind("unknown_event", 404),
        ErrorKind("schema_violation", 400),
        ErrorKind("unauthorized", 401),
        ErrorKind("forbidden", 403),
        ErrorKind("duplicate_id", 409),
        ErrorKind("unknown_id", 404),
        ErrorKind("too_large", 413),
        ErrorKind("too_many_requests", 429, retryable=True),
        ErrorKind("busy", 409, retryable=True),
        ErrorKind("timeout", 504, retryable=True),
        ErrorKind("handler_error", 500),
        ErrorKind("reply_violation", 500),
        ErrorKind("draining", 503, retryable=True),
        ErrorKind("resume_lost", 410),
        ErrorKind("failed", 500),
    )
}

_BY_STATUS: Final = {401: "unauthorized", 403: "forbidden", 429: "too_many_requests"}


def name_for_status(code: int) -> str:
    """
    Name the error of a handler's own status with ``success: false``.

    401, 403 and 429 have their protocol names; any other code is ``failed``.
    """
    return _BY_STATUS.get(code, "failed")


class _Error(msgspec.Struct):
    """The part of an error's frame that is read back."""

    payload: dict[str, Any]


_read_error = msgspec.json.Decoder(_Error).decode


def error_name(data: bytes) -> str:
    """Read the name of an error from its frame, which begins with `ERROR_HEAD`; 64 characters of it at most."""
    name = _read_error(data).payload.get("error")
    return name[:_NAME_LENGTH] if isinstance(name, str) else "failed"


class WireError(Exception):
    """
    One inbound message cannot be taken; the connection goes on (protocol P7.3).

    Attributes:
        name: Key of `ERRORS`.
        message: One sentence for the client.
        id: The message's id, if it could be read.
        limit: The key of ``limits`` that it is over, if that is what is wrong.
    """

    def __init__(self, name: str, message: str, id: RequestId | None = None, *, limit: str | None = None) -> None:
        super().__init__(name, message, id)
        self.limit = limit
        self.name = name
        self.message = message
        self.id = id

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"
