"""
What goes wrong in a turn, as stable names: from a provider's exception or finish reason to an error of the protocol.

The sentences are ours: what a provider or a tool said goes to the log, never to a client. How an error becomes a
frame is in `gsws.ai.content`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langgraph.errors import GraphRecursionError, NodeTimeoutError

from gsws.ai.budget.exceeded import BudgetExceeded
from gsws.ai.models.failures import http_status, retry_after

__all__ = ["FAILURES", "Failure", "TurnFailed", "failure_of", "finish_of"]


@dataclass(frozen=True, slots=True)
class Failure:
    """
    One way in which a turn ends without an answer.

    Attributes:
        name: Stable name, ``payload.error`` on the wire.
        code: HTTP-like number.
        retryable: Whether the same message may succeed later, unchanged.
        message: One sentence for the client.
        retry_after_ms: When it may succeed, if that is known.
    """

    name: str
    code: int
    retryable: bool
    message: str
    retry_after_ms: int | None = None


FAILURES: Final[Mapping[str, Failure]] = {
    failure.name: failure
    for failure in (
        Failure("model_unauthorized", 502, False, "the model's provider refused this service's credentials"),
        Failure("model_rate_limited", 429, True, "the model's provider allows no more requests now"),
        Failure("model_unavailable", 503, True, "the model's provider cannot be reached or has failed"),
        Failure("model_timeout", 504, True, "the model took too long"),
        Failure("model_not_found", 502, False, "the model's provider has no model of the configured name"),
        Failure("model_rejected", 502, False, "the model's provider rejected the request"),
        Failure("context_too_long", 413, False, "the conversation is too long for the model"),
        Failure("blocked", 422, False, "the model's provider blocked the question or its answer"),
        Failure("empty_answer", 502, True, "the model gave no answer"),
        Failure("model_interrupted", 502, True, "the model's answer broke off"),
        Failure("budget_exceeded", 429, False, "the budget for answers is used up"),
        Failure("busy", 409, True, "this conversation is answering another message"),
        Failure("unknown_interrupt", 404, False, "there is no such question to answer, or it was answered already"),
        Failure("unknown_checkpoint", 404, False, "this conversation has no such state to go on from"),
        Failure("shared_question", 500, False, "several actions asked at once and none was carried out by an answer"),
        Failure("nothing_to_retry", 404, False, "this conversation has no question to answer again"),
        Failure("step_limit", 500, False, "the agent took more steps than it may"),
        Failure("agent_error", 500, False, "the agent failed"),
    )
}
"""Every failure by its name."""


class TurnFailed(Exception):
    """A turn ends with this failure; raised by what runs inside a turn and knows its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.failure = FAILURES[name]


_BY_TYPE: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (GraphRecursionError, "step_limit"),
    (NodeTimeoutError, "model_timeout"),
    (ContextOverflowError, "context_too_long"),
    (ModelAuthenticationError, "model_unauthorized"),
    (ModelPermissionDeniedError, "model_unauthorized"),
    (ModelRateLimitError, "model_rate_limited"),
    (ModelNotFoundError, "model_not_found"),
    (ModelTimeoutError, "model_timeout"),
    (ModelConnectionError, "model_unavailable"),
)

_BY_STATUS: Final = {
    401: "model_unauthorized",
    403: "model_unauthorized",
    404: "model_not_found",
    408: "model_timeout",
    413: "context_too_long",
    429: "model_rate_limited",
    499: "model_unavailable",
    504: "model_timeout",
}

_TRANSPORTS: Final = frozenset({"httpx", "httpx2", "httpcore", "aiohttp", "h11", "h2", "requests", "urllib3", "ssl"})
_PROVIDERS: Final = frozenset(
    {"google", "openai", "anthropic", "ollama", "mistralai", "cohere", "groq", "langchain_google_genai", "botocore"}
)
"""Libraries whose exceptions come from talking to a provider."""

_BREAKS: Final = frozenset({"model_unavailable", "model_rate_limited", "model_rejected", "agent_error"})
"""What a provider's failure amounts to `model_interrupted` instead of, once it has begun to answer."""

_STOPPED: Final = frozenset({"STOP", "END_TURN", "TOOL_CALLS", "TOOL_USE", "FUNCTION_CALL", "STOP_SEQUENCE", "EOS"})
_CUT: Final = frozenset({"MAX_TOKENS", "LENGTH", "MODEL_LENGTH", "MODEL_CONTEXT_WINDOW_EXCEEDED"})
_BLOCKED: Final = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "LANGUAGE",
        "CONTENT_FILTER",
        "REFUSAL",
    }
)
_BROKEN: Final = frozenset(
    {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "ERROR"}
)


def failure_of(error: BaseException, *, spoke: bool, in_tool: bool = False) -> Failure:
    """
    Name what an exception that left a graph amounts to.

    Args:
        error: The exception, or one that was raised from it.
        spoke: Whether the model had begun its answer.
        in_tool: Whether it is known to come from a tool, and so not from the model.
    """
    if isinstance(error, TurnFailed):
        return error.failure
    budget = _budget(error)
    if budget is not None:
        return budget
    if in_tool:
        return FAILURES["agent_error"]
    for cause in _causes(error):
        name = _name(cause)
        if name is None:
            continue
        if spoke and name in _BREAKS:
            return FAILURES["model_interrupted"]
        failure = FAILURES[name]
        wait = retry_after(error) if name in ("model_rate_limited", "model_unavailable") else None
        return failure if wait is None else replace(failure, retry_after_ms=round(wait * 1000))
    return FAILURES["agent_error"]


def finish_of(metadata: Mapping[str, Any], *, spoke: bool) -> str:
    """
    Read why a model stopped from the ``response_metadata`` of its message.

    Returns:
        ``stop``, ``length`` or ``other``.

    Raises:
        TurnFailed: If what it says is no answer: blocked, broken off, or a tool call that cannot be read.
    """
    feedback = metadata.get("prompt_feedback")
    if isinstance(feedback, Mapping) and feedback.get("block_reason"):
        raise TurnFailed("blocked")
    raw = metadata.get("finish_reason") or metadata.get("stop_reason") or metadata.get("done_reason")
    if not raw:
        if spoke and str(metadata.get("model_provider") or "").startswith("google_genai"):
            # Gemini always says why it stopped: this stream was cut between two chunks, by a proxy say.
            raise TurnFailed("model_interrupted")
        return "stop"
    reason = _once(str(getattr(raw, "name", raw)).upper())
    if reason in _STOPPED:
        return "stop"
    if reason in _CUT:
        return "length"
    if reason in _BLOCKED:
        raise TurnFailed("blocked")
    if reason in _BROKEN:
        raise TurnFailed("model_interrupted" if spoke else "empty_answer")
    return "other"


def _once(reason: str) -> str:
    """Undo the joining of chunks, which writes a reason that came twice as ``STOPSTOP``."""
    half = len(reason) // 2
    return reason[:half] if half and reason[:half] == reason[half:] else reason


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised from, the outermost first."""
    cause: BaseException | None = error
    for _ in range(8):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__


def _name(error: BaseException) -> str | None:
    for kind, name in _BY_TYPE:
        if isinstance(error, kind):
            return name
    status = http_status(error)
    if isinstance(error, ModelInvalidRequestError) or (status == 400 and _package(error) in _PROVIDERS):
        # Google says that a key is bad with status 400.
        return "model_unauthorized" if re.search(r"API[_ ]key", str(error), re.IGNORECASE) else "model_rejected"
    if isinstance(error, ModelAPIError):
        return "model_timeout" if status == 504 else "model_unavailable"
    package = _package(error)
    if package in _TRANSPORTS or package in _PROVIDERS or isinstance(error, ModelError):
        if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
            return "model_timeout"
        if status is not None:
            return _BY_STATUS.get(status, "model_unavailable" if status >= 500 else "model_rejected")
        return "model_unavailable" if package in _TRANSPORTS else "model_rejected"
    if isinstance(error, TimeoutError):
        return "model_timeout"
    if isinstance(error, ConnectionError):
        return "model_unavailable"
    return None


def _package(error: BaseException) -> str:
    """The library that an exception's class, or the first base outside of ours and Python's, comes from."""
    for kind in type(error).__mro__:
        package = kind.__module__.partition(".")[0]
        if package in _TRANSPORTS or package in _PROVIDERS:
            return package
    return ""


def _budget(error: BaseException) -> Failure | None:
    """A budget's refusal; a day's ends with the day, a turn's would be the same again."""
    for cause in _causes(error):
        if isinstance(cause, BudgetExceeded):
            wait = None if cause.retry_after is None else round(cause.retry_after * 1000)
            return replace(FAILURES["budget_exceeded"], retry_after_ms=wait)
    return None
