"""
What goes wrong in a turn, as stable names: the protocol's errors, and which of them an exception is.

The sentences are ours: what a provider or a tool said goes to the log, never to a client. What a model's exception says
is read in `gsws.ai.models.failures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from langgraph.errors import GraphRecursionError, NodeTimeoutError

from gsws.ai.budget.exceeded import BudgetExceeded
from gsws.ai.models.failures import causes, read_failure
from gsws.protocol.answer import Frame

__all__ = ["FAILURES", "Failure", "TurnFailed", "failure_of"]


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

    def frame(self, thread: str) -> Frame:
        """The terminal frame of a turn of this thread."""
        payload: dict[str, Any] = {
            "message": self.message,
            "error": self.name,
            "code": self.code,
            "retryable": self.retryable,
            "thread": thread,
        }
        if self.retry_after_ms is not None:
            payload["retry_after_ms"] = self.retry_after_ms
        return Frame("stream.error", payload)


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


_BREAKS: Final = frozenset({"model_unavailable", "model_rate_limited", "model_rejected"})
"""What a provider's failure amounts to `model_interrupted` instead of, once it has begun to answer."""

_WAITS: Final = frozenset({"model_rate_limited", "model_unavailable"})
"""What the provider may tell the end of."""


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
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, BudgetExceeded):  # a day's ends with the day, a turn's would be the same again
            return replace(FAILURES["budget_exceeded"], retry_after_ms=cause.retry_after_ms)
    if in_tool:
        return FAILURES["agent_error"]
    if any(isinstance(cause, GraphRecursionError) for cause in chain):
        return FAILURES["step_limit"]
    if any(isinstance(cause, NodeTimeoutError) for cause in chain):
        return FAILURES["model_timeout"]
    read = read_failure(error)
    if read.kind is None:
        return FAILURES["agent_error"]
    if spoke and read.kind in _BREAKS:
        return FAILURES["model_interrupted"]
    failure = FAILURES[read.kind]
    if read.retry_after is None or read.kind not in _WAITS:
        return failure
    return replace(failure, retry_after_ms=round(read.retry_after * 1000))
