"""
A chat model that asks again before its first token, and then asks another model.

After the first token an error goes through: asking again would send a reader two beginnings. A cancelled call
is never asked again. Exceptions keep the provider's type. Which failures are worth another attempt is
`gsws.ai.models.failures`; in which order, `gsws.ai.models.attempts`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import ModelAPIError
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import SkipValidation

from gsws.ai.models.attempts import Attempts, RetryPolicy
from gsws.ai.models.candidates import Candidate
from gsws.ai.models.failures import read_failure
from gsws.ai.models.spec import OFFLINE

if TYPE_CHECKING:
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.language_models.model_profile import ModelProfile

__all__ = ["ResilientChatModel"]

_log = logging.getLogger("gsws.ai.models")

# Chunks without content that are held back until the first with content; a provider sends one or two.
_HELD_AT_MOST = 16
_STRUCTURED = "ls_structured_output_format"


class ResilientChatModel(BaseChatModel):
    """
    The models of a project as one: the first that answers.

    The models' own `_stream` and `_generate` are called, not `stream` and `invoke`, so that callbacks fire
    once: LangGraph's ``stream_mode="messages"`` sees each token one time.

    Attributes:
        candidates: The models in the order in which they are asked.
        policy: How often each is asked.
        budget: The limits that the project declared beside the model (`gsws.ai.budget.Budget`), or None;
            enforced by whoever runs the graph, not here.
    """

    candidates: SkipValidation[tuple[Candidate, ...]]
    policy: SkipValidation[RetryPolicy] = RetryPolicy()
    budget: Any = None

    @property
    def specs(self) -> tuple[str, ...]:
        """The models' names, ``("google_genai:gemini-flash-latest",)``."""
        return tuple(str(candidate.spec) for candidate in self.candidates)

    @property
    def offline(self) -> bool:
        """Whether no language model is configured, so that answers are quotations."""
        return self.candidates[0].spec.provider == OFFLINE

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools, each model having them in its provider's format."""
        outer = {key: kwargs.pop(key) for key in (_STRUCTURED,) if key in kwargs}
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        bound = self.model_copy(update={"candidates": tuple(each.bound(tools, **kwargs) for each in self.candidates)})
        return bound.bind(**outer)

    async def aclose(self) -> None:
        """Close the connections of every model and the budget's store; on the loop that used them."""
        for candidate in self.candidates:
            if candidate.close is not None:
                await candidate.close()
        if self.budget is not None:
            await self.budget.aclose()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        attempts = Attempts(self.candidates, self.policy)
        while True:
            candidate = attempts.candidate
            stream = candidate.model._astream(messages, stop=stop, **candidate.merged(kwargs))
            held: list[ChatGenerationChunk] | None = []
            try:
                async for chunk in stream:
                    if held is not None:
                        held.append(chunk)
                        if _is_contentless(chunk) and len(held) < _HELD_AT_MOST:
                            continue
                        ready, held = held, None
                        for each in ready:
                            yield each
                    else:
                        yield chunk
                if held is not None:
                    _require_some(held)
                    for each in held:
                        yield each
                return
            except Exception as error:
                if held is None or _is_cancelled():
                    raise
                pause = self._after(attempts, candidate, error)
            finally:
                # Closes the provider's connection now, not when the garbage is collected.
                if isinstance(stream, AsyncGenerator):
                    await stream.aclose()
            await asyncio.sleep(pause)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        attempts = Attempts(self.candidates, self.policy)
        while True:
            candidate = attempts.candidate
            try:
                return await candidate.model._agenerate(messages, stop=stop, **candidate.merged(kwargs))
            except Exception as error:
                if _is_cancelled():
                    raise
                pause = self._after(attempts, candidate, error)
            await asyncio.sleep(pause)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        attempts = Attempts(self.candidates, self.policy)
        while True:
            candidate = attempts.candidate
            held: list[ChatGenerationChunk] | None = []
            try:
                for chunk in candidate.model._stream(messages, stop=stop, **candidate.merged(kwargs)):
                    if held is not None:
                        held.append(chunk)
                        if _is_contentless(chunk) and len(held) < _HELD_AT_MOST:
                            continue
                        ready, held = held, None
                        yield from ready
                    else:
                        yield chunk
                if held is not None:
                    _require_some(held)
                    yield from held
                return
            except Exception as error:
                if held is None:
                    raise
                pause = self._after(attempts, candidate, error)
            time.sleep(pause)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        attempts = Attempts(self.candidates, self.policy)
        while True:
            candidate = attempts.candidate
            try:
                return candidate.model._generate(messages, stop=stop, **candidate.merged(kwargs))
            except Exception as error:
                pause = self._after(attempts, candidate, error)
            time.sleep(pause)

    def _after(self, attempts: Attempts, candidate: Candidate, error: Exception) -> float:
        """Seconds to wait before the next attempt; raises when there is none. The log has every failure."""
        failure = read_failure(error, of_model=True)
        kind = type(error).__name__ + (f" ({failure.status})" if failure.status else "")
        facts = f"model {candidate.spec} failed before its first token: {kind}"
        try:
            pause = attempts.failed(failure)
        except Exception:
            _log.warning("%s; no further attempt", facts)
            raise
        _log.warning("%s; asking %s in %.1f s", facts, attempts.candidate.spec, pause)
        return pause

    @property
    def _llm_type(self) -> str:
        return self.candidates[0].model._llm_type

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"models": list(self.specs), "retries": self.policy.retries}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.candidates[0].model._get_ls_params(stop=stop, **kwargs)

    def _resolve_model_profile(self) -> ModelProfile | None:
        return self.candidates[0].model.profile


def _is_cancelled() -> bool:
    """Whether the task is being cancelled: some clients turn that into an error of their own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _require_some(held: list[ChatGenerationChunk]) -> None:
    """A stream that ended without a chunk is no empty answer, which has a finish reason, but a failure."""
    if not held:
        raise ModelAPIError("the model's stream ended before its first chunk")


def _is_contentless(chunk: ChatGenerationChunk) -> bool:
    """Whether a chunk says nothing yet: a role, or usage only."""
    message = chunk.message
    if message.content or message.additional_kwargs:
        return False
    return not (isinstance(message, AIMessageChunk) and message.tool_call_chunks)
