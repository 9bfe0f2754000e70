"""What a model's exception says about trying again, for exceptions as the providers' packages shape them."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest
from google.genai.errors import ClientError, ServerError
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from gsws.ai.models.failures import RetryAdvice, read_failure


class StatusError(Exception):
    """An error as the clients of OpenAI, Anthropic and Ollama have it."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__("secret provider text")
        self.status_code = status
        self.response = httpx.Response(status, headers=headers)


class APIConnectionError(Exception):
    """OpenAI's and Anthropic's word for no connection."""


def google(status: int, **detail: Any) -> ClientError:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", **detail}] if detail else []
    return ClientError(status, {"error": {"code": status, "message": "x", "status": "X", "details": details}})


def wrapped(cause: Exception) -> Exception:
    """An exception raised from another, as LangChain's integrations do."""
    error = ModelRateLimitError("wrapped")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ModelRateLimitError(), RetryAdvice.RETRY),
        (ModelAPIError(), RetryAdvice.RETRY),
        (ModelConnectionError(), RetryAdvice.RETRY),
        (ModelTimeoutError(), RetryAdvice.RETRY),
        (ModelNotFoundError(), RetryAdvice.FALL_BACK),
        (ModelAuthenticationError(), RetryAdvice.GIVE_UP),
        (ModelPermissionDeniedError(), RetryAdvice.GIVE_UP),
        (ModelInvalidRequestError(), RetryAdvice.GIVE_UP),
        (ContextOverflowError(), RetryAdvice.GIVE_UP),
        (ServerError(503, {"error": {}}), RetryAdvice.RETRY),
        (google(429), RetryAdvice.RETRY),
        (google(404), RetryAdvice.FALL_BACK),
        (google(400), RetryAdvice.GIVE_UP),
        (StatusError(529), RetryAdvice.RETRY),
        (StatusError(401), RetryAdvice.GIVE_UP),
        (StatusError(404), RetryAdvice.FALL_BACK),
        (httpx.ConnectError("refused"), RetryAdvice.RETRY),
        (httpx.ReadError("reset"), RetryAdvice.RETRY),
        (httpx.RemoteProtocolError("closed"), RetryAdvice.RETRY),
        (APIConnectionError(), RetryAdvice.RETRY),
        (ConnectionResetError(), RetryAdvice.RETRY),
        (TimeoutError(), RetryAdvice.RETRY),
        (socket.gaierror(-2, "unknown name"), RetryAdvice.RETRY),
        (FileNotFoundError(), RetryAdvice.GIVE_UP),
        (ValueError("a defect"), RetryAdvice.GIVE_UP),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_each_kind_of_failure_has_its_advice(error: Exception, advice: RetryAdvice) -> None:
    """Passing failures are retried, a missing model is replaced, mistakes end the call."""
    assert read_failure(error, of_model=True).advice is advice


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (google(429, retryDelay="3.5s"), 3.5),
        (google(429, retryDelay="0s"), 0.0),
        (google(429, retryDelay="soon"), None),
        (google(429), None),
        (wrapped(google(429, retryDelay="7s")), 7.0),
        (StatusError(429, {"retry-after": "12"}), 12.0),
        (StatusError(429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), None),
        (StatusError(429, {"retry-after": "-1"}), None),
        (StatusError(429, {"retry-after": "inf"}), None),
        (ValueError(), None),
    ],
)
def test_the_wait_that_a_provider_asks_for_is_found(error: Exception, seconds: float | None) -> None:
    """In Google's details or in the header, also of the cause; nonsense is no wait."""
    assert read_failure(error).retry_after == seconds


def test_the_status_is_found_in_a_cause() -> None:
    """Integrations wrap the client's exception; a chain of causes that loops ends."""
    error = wrapped(google(429))
    assert read_failure(error).status == 429

    looping = ValueError()
    looping.__cause__ = looping
    assert read_failure(looping).status is None
