"""
What a model's exception says about trying again: the same model, another one, or neither.

Exceptions are judged by what providers have in common (LangChain's classes, an HTTP status, a module), so that
no provider is imported here. Names and texts for clients are `gsws.ai.turn.failures`; waiting is
`gsws.ai.models.attempts`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAuthenticationError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
)

__all__ = ["RetryAdvice", "http_status", "judge", "retry_after"]

RETRYABLE_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_TRANSPORTS = frozenset({"aiohttp", "httpcore", "httpx", "httpx2"})
_CONNECTION_CLASSES = frozenset({"APIConnectionError", "ClientError", "NetworkError", "TransportError"})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


class RetryAdvice(Enum):
    """What may help after a failure before the first token."""

    RETRY = "retry"
    """The same request may succeed in a moment; a fallback may too."""

    FALL_BACK = "fall back"
    """This model will not answer it, another may: the model does not exist."""

    GIVE_UP = "give up"
    """The request or the key is wrong: trying elsewhere would hide it."""


def judge(error: BaseException) -> RetryAdvice:
    """
    Tell what to do after a model failed before its first token.

    A refused key, a request that the provider calls invalid and a context that is too long end the call:
    a fallback would hide a mistake that is there for every message.
    """
    if isinstance(error, ModelNotFoundError):
        return RetryAdvice.FALL_BACK
    if isinstance(
        error,
        ModelAuthenticationError | ModelPermissionDeniedError | ModelInvalidRequestError | ContextOverflowError,
    ):
        return RetryAdvice.GIVE_UP
    if isinstance(error, ModelError) and error.is_retryable:
        return RetryAdvice.RETRY
    status = http_status(error)
    if status == 404:
        return RetryAdvice.FALL_BACK
    if status is not None:
        return RetryAdvice.RETRY if status in RETRYABLE_STATUS else RetryAdvice.GIVE_UP
    return RetryAdvice.RETRY if _is_connection_failure(error) else RetryAdvice.GIVE_UP


def http_status(error: BaseException) -> int | None:
    """The HTTP status that an exception or one of its causes carries, or None."""
    for each in _chain(error):
        for name in ("status_code", "code"):
            value = getattr(each, name, None)
            if isinstance(value, int) and 100 <= value < 600:
                return value
    return None


def retry_after(error: BaseException) -> float | None:
    """
    How long the provider asks to wait.

    Read from Google's ``RetryInfo`` detail (``{"retryDelay": "3.5s"}``) or the ``retry-after`` header.

    Returns:
        Seconds, or None if it does not say.
    """
    for each in _chain(error):
        seconds = _from_details(getattr(each, "details", None))
        if seconds is None:
            seconds = _from_headers(getattr(getattr(each, "response", None), "headers", None))
        if seconds is not None:
            return seconds
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it was raised from; integrations wrap the client's own exception."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__


def _is_connection_failure(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return True
    return any(
        base.__name__ == "APIConnectionError"
        or (base.__name__ in _CONNECTION_CLASSES and base.__module__.partition(".")[0] in _TRANSPORTS)
        for base in type(error).__mro__
    )


def _from_details(details: Any) -> float | None:
    body = details.get("error", details) if isinstance(details, Mapping) else None
    listed = body.get("details") if isinstance(body, Mapping) else None
    for detail in listed if isinstance(listed, list) else ():
        if isinstance(detail, Mapping) and str(detail.get("@type", "")).endswith("google.rpc.RetryInfo"):
            match = _DURATION.fullmatch(str(detail.get("retryDelay", "")))
            return float(match[1]) if match else None
    return None


def _from_headers(headers: Any) -> float | None:
    """Seconds only: the header's date form is not used by any of the providers."""
    value = headers.get("retry-after") if hasattr(headers, "get") else None
    try:
        seconds = float(value) if value is not None else None
    except (TypeError, ValueError):
        return None
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None
