"""Exceptions and finish reasons as stable names."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.genai.errors import ClientError
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
from langgraph.errors import GraphRecursionError, InvalidUpdateError, NodeTimeoutError

from gsws.ai.budget import BudgetExceeded
from gsws.ai.models.failures import RetryAdvice, read_failure
from gsws.ai.turn.failures import FAILURES, TurnFailed, failure_of


class Status(Exception):
    """As OpenAI's and Anthropic's clients raise."""

    __module__ = "openai"

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__("provider's words")
        self.status_code = status
        self.response = httpx.Response(status, headers=headers or {})


NoConnection = type("APIConnectionError", (Exception,), {"__module__": "openai"})
"""As OpenAI's and Anthropic's clients raise."""


def google(kind: str, **detail: Any) -> ClientError:
    """A request that Google refuses with 400, with one detail."""
    details = [{"@type": f"type.googleapis.com/google.rpc.{kind}", **detail}]
    return ClientError(400, {"error": {"code": 400, "message": "API key not valid", "details": details}})


def raised_from(cause: BaseException) -> BaseException:
    error = RuntimeError("wrapped")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ModelAuthenticationError("x"), "model_unauthorized"),
        (ModelPermissionDeniedError("x"), "model_unauthorized"),
        (ModelInvalidRequestError("API key not valid"), "model_rejected"),
        (raised_from(google("ErrorInfo", reason="API_KEY_INVALID")), "model_unauthorized"),
        (google("ErrorInfo", reason="FIELD_INVALID"), "model_rejected"),
        (google("Help", reason="API_KEY_INVALID"), "model_rejected"),
        (ModelInvalidRequestError("x"), "model_rejected"),
        (ModelNotFoundError("x"), "model_not_found"),
        (ModelRateLimitError("x"), "model_rate_limited"),
        (ModelAPIError("x"), "model_unavailable"),
        (ModelConnectionError("x"), "model_unavailable"),
        (ModelTimeoutError("x"), "model_timeout"),
        (ContextOverflowError("x"), "context_too_long"),
        (GraphRecursionError("x"), "step_limit"),
        (NodeTimeoutError("n", 1.0, kind="idle", idle_timeout=1.0), "model_timeout"),
        (InvalidUpdateError("x"), "agent_error"),
        (httpx.ConnectError("x"), "model_unavailable"),
        (httpx.RemoteProtocolError("x"), "model_unavailable"),
        (httpx.ReadTimeout("x"), "model_timeout"),
        (ConnectionResetError("x"), "model_unavailable"),
        (ssl.SSLCertVerificationError("x"), "model_unavailable"),
        (TimeoutError(), "model_timeout"),
        (Status(401), "model_unauthorized"),
        (Status(400), "model_rejected"),
        (Status(413), "context_too_long"),
        (Status(429), "model_rate_limited"),
        (Status(529), "model_unavailable"),
        (NoConnection(), "model_unavailable"),
        (socket.gaierror(-2, "unknown name"), "model_unavailable"),
        (raised_from(ModelRateLimitError("x")), "model_rate_limited"),
        (raised_from(raised_from(Status(404))), "model_not_found"),
        (ValueError("x"), "agent_error"),
        (KeyError("API key"), "agent_error"),
        (OSError("disk full"), "agent_error"),
        (TurnFailed("unknown_interrupt"), "unknown_interrupt"),
    ],
)
def test_what_exceptions_amount_to(error: BaseException, name: str) -> None:
    """Each has one name, and the sentence is ours."""
    failure = failure_of(error, spoke=False)

    assert failure.name == name
    assert failure.message == FAILURES[name].message
    assert "x" != failure.message


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (httpx.RemoteProtocolError("x"), "model_interrupted"),
        (ModelAPIError("x"), "model_interrupted"),
        (Status(429), "model_interrupted"),
        (ModelTimeoutError("x"), "model_timeout"),
        (ModelAuthenticationError("x"), "model_unauthorized"),
        (GraphRecursionError("x"), "step_limit"),
        (ValueError("x"), "agent_error"),
    ],
)
def test_once_a_model_has_spoken_its_failure_is_an_interruption(error: BaseException, name: str) -> None:
    """What breaks off after the first token is `model_interrupted`; what is nobody's connection is not."""
    assert failure_of(error, spoke=True).name == name


def test_a_tools_own_connection_is_not_the_models() -> None:
    """A tool that cannot reach its server is the agent's error."""
    assert failure_of(httpx.ConnectError("x"), spoke=False, in_tool=True).name == "agent_error"


def test_when_to_try_again() -> None:
    """What the provider asks to wait is passed on in milliseconds."""
    assert failure_of(Status(429, {"retry-after": "1.5"}), spoke=False).retry_after_ms == 1500
    assert failure_of(Status(429, {"retry-after": "Fri, 31 Dec 1999"}), spoke=False).retry_after_ms is None
    assert failure_of(Status(429), spoke=False).retry_after_ms is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 418, 425, 429, 499, 500, 501, 503, 504, 529])
def test_what_is_asked_again_is_what_clients_may_try_again(status: int) -> None:
    """The advice for the next attempt and the protocol's `retryable` come of one reading, and agree."""
    is_asked_again = read_failure(Status(status), of_model=True).advice is RetryAdvice.RETRY
    assert failure_of(Status(status), spoke=False).retryable == is_asked_again


def test_budgets() -> None:
    """A turn's budget does not come back by waiting, a day's does when the day ends."""
    turn = failure_of(BudgetExceeded("turn", "tokens", 10, 12), spoke=True)
    day = failure_of(BudgetExceeded("day", "USD", 1.0, 1.0, retry_after=60.0), spoke=False)

    assert (turn.name, turn.retryable, turn.retry_after_ms) == ("budget_exceeded", False, None)
    assert (day.name, day.retry_after_ms) == ("budget_exceeded", 60_000)


def test_every_failure_is_in_the_reference() -> None:
    """docs/reference/agent-frames.md has each name with its code and whether it may be tried again."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "agent-frames.md").read_text()

    for failure in FAILURES.values():
        assert f"| `{failure.name}` | {failure.code} | {'yes' if failure.retryable else 'no'} |" in page, failure.name
