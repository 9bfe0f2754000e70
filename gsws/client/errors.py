"""
What can go wrong for a caller, as exceptions whose attributes hold the facts.

Not here: what the client does about it by itself (`gsws.client.policy`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from gsws.errors import GSWSError
from gsws.text.urls import without_secrets

__all__ = [
    "AnswerTimeout",
    "ClientClosed",
    "ClientError",
    "ConnectFailed",
    "ConnectionLost",
    "Interrupted",
    "RemoteError",
    "ResumeLost",
]


class ClientError(GSWSError):
    """Whatever the client raises."""


class RemoteError(ClientError):
    """
    The server answered with ``stream.error`` (protocol P7.1).

    Attributes:
        name: Stable name, e.g. ``schema_violation``.
        code: HTTP-like number.
        message: One sentence.
        retryable: Whether the same message may succeed later, unchanged.
        errors: For ``schema_violation``: ``{"pointer", "keyword", "message"}`` each.
        data: What a handler's own failed status carried, or None.
        retry_after: Seconds to wait, or None.
        payload: The whole payload.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        super().__init__(payload)
        self.payload = dict(payload)
        self.name = str(payload.get("error", "failed"))
        code = payload.get("code")
        self.code = code if isinstance(code, int) and not isinstance(code, bool) else 500
        self.message = str(payload.get("message", ""))
        self.retryable = payload.get("retryable") is True
        errors = payload.get("errors")
        self.errors: Sequence[Mapping[str, Any]] = (
            [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        )
        self.data = payload.get("data")
        wait = payload.get("retry_after_ms")
        self.retry_after = wait / 1000 if isinstance(wait, int | float) and not isinstance(wait, bool) else None

    def __str__(self) -> str:
        return f"{self.message} ({self.name} {self.code})"


class Interrupted(ClientError):
    """
    A stream ended before its handler was done: it was cancelled elsewhere, superseded, or the server shut down.

    Attributes:
        reason: ``cancelled``, ``superseded``, ``timeout`` or ``draining`` (protocol P6.4).
        payload: The payload of ``stream.end``.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        super().__init__(payload)
        self.payload = dict(payload)
        self.reason = str(payload.get("reason"))

    def __str__(self) -> str:
        return f"the stream ended early: {self.reason}"


class ResumeLost(ClientError):
    """
    An answer cannot be continued exactly: the server no longer holds its frames (protocol P8.4).

    Attributes:
        id: The request's id.
        seen: How many frames of it had arrived.
    """

    def __init__(self, id: str, seen: int) -> None:
        super().__init__(id, seen)
        self.id = id
        self.seen = seen

    def __str__(self) -> str:
        return f"the answer to `{self.id}` was lost after {self.seen} frames; the server no longer holds the rest"


class ConnectionLost(ClientError):
    """
    The connection ended, and the client will not, or could not, make another one.

    Attributes:
        code: Close code; 1006 if there was none.
        reason: What the server said.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"the connection was closed ({self.code}{f' {self.reason}' if self.reason else ''})"


@dataclass(eq=False, repr=False)
class ConnectFailed(ClientError):
    """
    No connection could be made; ``__cause__`` has the library's own exception.

    Attributes:
        url: Where to.
        detail: Why, in a few words.
        status: HTTP status if the server refused, or None.
        retry_after: Seconds that the server asks to wait, or None.
        retryable: Whether another attempt makes sense.
    """

    url: str
    detail: str
    _: KW_ONLY
    status: int | None = None
    retry_after: float | None = None
    retryable: bool = True

    def __str__(self) -> str:
        return f"no connection to {without_secrets(self.url)}: {self.detail}"


class AnswerTimeout(ClientError, TimeoutError):
    """
    The answer, or the next frame of a stream, did not come in time; the request was cancelled.

    Attributes:
        eventtype: What was asked.
        seconds: How long was waited.
    """

    def __init__(self, eventtype: str, seconds: float) -> None:
        super().__init__(eventtype, seconds)
        self.eventtype = eventtype
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no answer to `{self.eventtype}` within {self.seconds:g} s"


class ClientClosed(ClientError):
    """The client was closed by its own program."""

    def __str__(self) -> str:
        return "the client is closed"
