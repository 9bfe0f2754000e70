"""
An exception of a model, read once: what went wrong, with which HTTP status, and when to ask again.

Read by what providers have in common (LangChain's classes, an HTTP status, the library that raised), so that none is
imported here. The advice for the next attempt follows from it here, the protocol's error in `gsws.ai.turn.failures`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

__all__ = ["ModelFailure", "RetryAdvice", "causes", "read_failure"]

Kind = Literal[
    "model_unauthorized",
    "model_rate_limited",
    "model_unavailable",
    "model_timeout",
    "model_not_found",
    "model_rejected",
    "context_too_long",
]
"""What can go wrong with a model, as the protocol names it."""

_BY_TYPE: Final[tuple[tuple[type[BaseException], Kind], ...]] = (
    (ContextOverflowError, "context_too_long"),
    (ModelAuthenticationError, "model_unauthorized"),
    (ModelPermissionDeniedError, "model_unauthorized"),
    (ModelInvalidRequestError, "model_rejected"),
    (ModelRateLimitError, "model_rate_limited"),
    (ModelNotFoundError, "model_not_found"),
    (ModelTimeoutError, "model_timeout"),
    (ModelConnectionError, "model_unavailable"),
)

_BY_STATUS: Final[Mapping[int, Kind]] = {
    401: "model_unauthorized",
    403: "model_unauthorized",
    404: "model_not_found",
    408: "model_timeout",
    409: "model_unavailable",
    413: "context_too_long",
    425: "model_unavailable",
    429: "model_rate_limited",
    499: "model_unavailable",
    504: "model_timeout",
}

_TRANSPORTS: Final = frozenset({"httpx", "httpx2", "httpcore", "aiohttp", "h11", "h2", "requests", "urllib3", "ssl"})
_PROVIDERS: Final = frozenset(
    {"google", "openai", "anthropic", "ollama", "mistralai", "cohere", "groq", "langchain_google_genai", "botocore"}
)
"""Libraries whose exceptions come from talking to a provider."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)s")


class RetryAdvice(Enum):
    """What may help after a failure before the first token."""

    RETRY = "retry"
    """The same request may succeed in a moment; a fallback may too."""

    FALL_BACK = "fall back"
    """This model will not answer it, another may: the model does not exist."""

    GIVE_UP = "give up"
    """The request or the key is wrong, for every message: trying elsewhere would hide it."""


@dataclass(frozen=True, slots=True)
class ModelFailure:
    """
    What an exception says.

    Attributes:
        error: The exception.
        kind: What went wrong; None if it is not a model's.
        status: The HTTP status that it or one of its causes carries.
        retry_after: Seconds that the provider asks to wait.
    """

    error: BaseException
    kind: Kind | None
    status: int | None
    retry_after: float | None

    @property
    def advice(self) -> RetryAdvice:
        """What to do if not a token had come."""
        match self.kind:
            case "model_rate_limited" | "model_unavailable" | "model_timeout":
                return RetryAdvice.RETRY
            case "model_not_found":
                return RetryAdvice.FALL_BACK
        return RetryAdvice.GIVE_UP


def read_failure(error: BaseException, *, of_model: bool = False) -> ModelFailure:
    """
    Read an exception and what it was raised from; the first that says what went wrong counts.

    Args:
        error: The exception.
        of_model: Whether a model is known to have raised it. Otherwise an HTTP status alone does not make it one's.
    """
    chain = list(causes(error))
    statuses = [_status(each) for each in chain]
    status = next(filter(None, statuses), None)
    kind: Kind | None = None
    if any(_refuses_key(each) for each in chain):
        kind = "model_unauthorized"
    for at, each in enumerate(chain):
        kind = kind or _kind(each, next(filter(None, statuses[at:]), None), of_model)
    waits = (_retry_after(each) for each in chain)
    return ModelFailure(error, kind, status, next((wait for wait in waits if wait is not None), None))


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised from, the outermost first; integrations wrap their client's own."""
    cause: BaseException | None = error
    for _ in range(8):  # such a chain may be a circle
        if cause is None:
            return
        yield cause
        cause = cause.__cause__


def _kind(error: BaseException, status: int | None, of_model: bool) -> Kind | None:
    for type_, kind in _BY_TYPE:
        if isinstance(error, type_):
            return kind
    package = _package(error)
    is_providers = bool(package) or isinstance(error, ModelError)
    name = type(error).__name__
    if isinstance(error, TimeoutError) or (is_providers and "Timeout" in name):
        return "model_timeout"
    if status is not None and (is_providers or of_model):
        return _BY_STATUS.get(status, "model_unavailable" if status >= 500 else "model_rejected")
    if isinstance(error, ConnectionError | socket.gaierror) or package in _TRANSPORTS:
        return "model_unavailable"
    if (is_providers or of_model) and ("Connection" in name or getattr(error, "is_retryable", False)):
        return "model_unavailable"
    return "model_rejected" if is_providers else None


def _package(error: BaseException) -> str:
    """The library that an exception's class, or the first base outside of ours and Python's, comes from."""
    for kind in type(error).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in _TRANSPORTS or package in _PROVIDERS:
            return package
    return ""


def _status(error: BaseException) -> int | None:
    for name in ("status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and 100 <= value < 600:
            return value
    return None


def _refuses_key(error: BaseException) -> bool:
    """Google answers to a wrong key as to any wrong request, with 400; only its `ErrorInfo` tells."""
    return any(str(detail.get("reason", "")).startswith("API_KEY") for detail in _details(error, "ErrorInfo"))


def _retry_after(error: BaseException) -> float | None:
    """Google's ``{"retryDelay": "3.5s"}``, or the ``retry-after`` header in seconds; its dates are used by nobody."""
    for detail in _details(error, "RetryInfo"):
        if match := _DURATION.fullmatch(str(detail.get("retryDelay", ""))):
            return float(match[1])
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    try:
        seconds = float(headers["retry-after"])
    except (TypeError, LookupError, ValueError):
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _details(error: BaseException, kind: str) -> Iterator[Mapping[str, Any]]:
    """Google's details of one kind: ``{"error": {"details": [{"@type": "type.googleapis.com/google.rpc.KIND"}]}}``."""
    details = getattr(error, "details", None)
    body = details.get("error", details) if isinstance(details, Mapping) else None
    listed = body.get("details") if isinstance(body, Mapping) else None
    for detail in listed if isinstance(listed, list) else ():
        if isinstance(detail, Mapping) and str(detail.get("@type", "")).endswith(f"google.rpc.{kind}"):
            yield detail
