"""
What the Gemini API says when it refuses: status codes and error objects, worded as the API words them.

Who decides that a request is refused is not here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

__all__ = ["APIError", "invalid", "invalid_key", "missing_key", "no_method", "no_model", "retired_model", "too_long"]

_STATUS: Final[Mapping[int, str]] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_MESSAGES: Final[Mapping[int, str]] = {
    400: "Request contains an invalid argument.",
    403: "The caller does not have permission",
    429: "You exceeded your current quota, please check your plan and billing details. For more information on this "
    "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
    500: "An internal error has occurred. Please retry or report in "
    "https://developers.generativeai.google/guide/troubleshooting",
    503: "This model is currently experiencing high demand. Spikes in demand are usually temporary. "
    "Please try again later.",
    504: "The request timed out. Please try again.",
}

_TYPES: Final = "type.googleapis.com/google.rpc"
_QUOTA: Final = "generativelanguage.googleapis.com/generate_content_free_tier_requests"


@dataclass(frozen=True, slots=True)
class APIError:
    """
    One refusal of the API.

    Attributes:
        code: HTTP status, 400 to 599.
        message: What it says; empty for the API's own words for that code.
        status: The canonical name, such as ``UNAVAILABLE``; empty for the code's own.
        retry_after: Seconds, told as ``RetryInfo``; with 429 only, also named in the message.
        details: More error details, each ``{"@type": str, …}``.
    """

    code: int
    message: str = ""
    status: str = ""
    retry_after: float | None = None
    details: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        if not 400 <= self.code <= 599:
            raise ValueError(f"an error's code is 400 to 599, not {self.code}")

    def body(self, model: str = "") -> dict[str, Any]:
        """The answer: ``{"error": {"code": int, "message": str, "status": str, "details"?: [...]}}``."""
        message = self.message or _MESSAGES.get(self.code) or _phrase(self.code)
        details = [dict(detail) for detail in self.details]
        if self.code == 429 and not self.message:
            details.append({"@type": f"{_TYPES}.QuotaFailure", "violations": [_violation(model)]})
        if self.retry_after is not None:
            if self.code == 429 and not self.message:
                message += f"\nPlease retry in {self.retry_after:g}s."
            details.append({"@type": f"{_TYPES}.RetryInfo", "retryDelay": f"{_duration(self.retry_after)}s"})
        error: dict[str, Any] = {
            "code": self.code,
            "message": message,
            "status": self.status or _STATUS.get(self.code, "UNKNOWN"),
        }
        if details:
            error["details"] = details
        return {"error": error}


def invalid(message: str) -> APIError:
    """A request that does not hold what it must."""
    return APIError(400, message)


def invalid_key() -> APIError:
    """A key that is not known: not 401, but 400 with a reason."""
    message = "API key not valid. Please pass a valid API key."
    return APIError(
        400,
        message,
        details=(
            {
                "@type": f"{_TYPES}.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {"@type": f"{_TYPES}.LocalizedMessage", "locale": "en-US", "message": message},
        ),
    )


def missing_key() -> APIError:
    """No key at all."""
    return APIError(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def no_model(model: str, operation: str) -> APIError:
    """A model that does not exist, or not for this."""
    return APIError(
        404,
        f"models/{model} is not found for API version v1beta, or is not supported for {operation}. "
        "Call ListModels to see the list of available models and their supported methods.",
    )


def retired_model(model: str) -> APIError:
    """A model that was shut down."""
    return APIError(404, f"This model models/{model} is no longer available. Please use a newer model.")


def no_method(method: str, path: str) -> APIError:
    """A path that is not among those that are stood in for."""
    return APIError(404, f"{method} {path} is not a method of this stand-in of the Gemini API")


def too_long(tokens: int, limit: int) -> APIError:
    """A prompt beyond the model's window."""
    return invalid(f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit}).")


def _violation(model: str) -> dict[str, Any]:
    return {
        "quotaMetric": _QUOTA,
        "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": "10",
    }


def _duration(seconds: float) -> str:
    """Decimal seconds with up to nine digits, as protobuf writes a duration."""
    whole = math.floor(seconds)
    return str(whole) if whole == seconds else f"{seconds:.9f}".rstrip("0")


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "The request failed."
