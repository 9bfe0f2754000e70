"""The resilient model over models that fail as told: what is asked again, what a reader sees, what is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.exceptions import ModelAPIError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from pydantic import PrivateAttr

from gsws.ai.models import ResilientChatModel, RetryPolicy
from gsws.ai.models.candidates import Candidate
from gsws.ai.models.spec import ModelSpec

QUICK = RetryPolicy(retries=1, first_pause=0.001, longest_pause=0.01)
USAGE = {"input_tokens": 1, "output_tokens": 0, "total_tokens": 1}

Script = Sequence[Any]
"""What one attempt does: chunks, texts, exceptions to raise, or an `asyncio.Event` to wait for."""


class Scripted(BaseChatModel):
    """A model whose attempts are scripted; it notes what it was asked and whether its streams were closed."""

    attempts: list[Any]
    _asked: list[dict[str, Any]] = PrivateAttr(default_factory=list)
    _open: int = PrivateAttr(default=0)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=[f"{self.name}:{tool}" for tool in tools], **kwargs)

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        text = "".join(chunk.text for chunk in self._stream(messages, stop, run_manager, **kwargs))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        self._asked.append(kwargs)
        for step in self.attempts.pop(0):
            if isinstance(step, Exception):
                raise step
            yield ChatGenerationChunk(message=AIMessageChunk(step) if isinstance(step, str) else step)

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self._asked.append(kwargs)
        self._open += 1
        try:
            for step in self.attempts.pop(0):
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield ChatGenerationChunk(message=AIMessageChunk(step) if isinstance(step, str) else step)
        finally:
            self._open -= 1


def over(*models: Scripted, policy: RetryPolicy = QUICK) -> ResilientChatModel:
    named = [Candidate(ModelSpec("openai", model.name or ""), model) for model in models]
    return ResilientChatModel(candidates=tuple(named), policy=policy)


def scripted(name: str, *attempts: Script) -> Scripted:
    return Scripted(name=name, attempts=list(attempts))


def run(coroutine: Any, timeout: float = 10.0) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, timeout))


async def texts(model: Any) -> list[str]:
    return [chunk.text async for chunk in model.astream("hello") if chunk.text]


def test_a_chunk_without_content_is_no_first_token() -> None:
    """A role or usage that comes first does not keep a failure from being asked again, and is not sent twice."""
    usage = AIMessageChunk("", usage_metadata=USAGE)
    model = scripted("a", [usage, ModelAPIError()], [usage, "one", "two"])

    async def work() -> AIMessageChunk:
        whole = None
        async for chunk in over(model).astream("hello"):
            whole = chunk if whole is None else whole + chunk
        return whole

    answer = run(work())

    assert (answer.text, answer.usage_metadata["input_tokens"]) == ("onetwo", 1)


def test_an_answer_of_nothing_but_usage_is_passed_on() -> None:
    """An empty answer is an answer: no further attempt, and its usage is there."""
    model = scripted("a", [AIMessageChunk("", usage_metadata=USAGE)])

    async def work() -> list[Any]:
        return [chunk.usage_metadata async for chunk in over(model).astream("hello")]

    assert USAGE in run(work())
    assert len(model._asked) == 1


def test_a_stream_that_ends_without_a_chunk_is_a_failure() -> None:
    """It is asked again, and an error of the kind that may pass when there is nothing left to ask."""
    assert run(texts(over(scripted("a", [], ["ok"])))) == ["ok"]
    with pytest.raises(ModelAPIError, match="ended before its first chunk"):
        run(texts(over(scripted("a", [], []))))
    with pytest.raises(ModelAPIError, match="ended before its first chunk"):
        list(over(scripted("a", [], [])).stream("hello"))


def test_many_chunks_without_content_are_not_held_for_ever() -> None:
    """What is held back has a bound; after it the answer has begun."""
    empty = [AIMessageChunk("", response_metadata={"n": str(number)}) for number in range(40)]
    model = scripted("a", [*empty, ModelAPIError()], ["never"])

    with pytest.raises(ModelAPIError):
        run(texts(over(model)))

    assert len(model._asked) == 1


def test_a_tool_call_is_a_first_token() -> None:
    """A call that has begun is not begun a second time."""
    call = AIMessageChunk("", tool_call_chunks=[{"name": "look", "args": "{", "id": "1", "index": 0}])
    model = scripted("a", [call, ModelAPIError()], ["never"])

    with pytest.raises(ModelAPIError):
        run(texts(over(model)))

    assert len(model._asked) == 1


def test_callbacks_fire_once_a_token() -> None:
    """One start, one token event a chunk and one end, whatever was asked again underneath."""
    events: list[str] = []

    class Watch(AsyncCallbackHandler):
        async def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            events.append("start")

        async def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            if token:
                events.append(token)

        async def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
            events.append("end")

    first = scripted("a", [ModelAPIError()], [ModelAPIError()])
    second = scripted("b", ["one", "two"])

    async def work() -> None:
        async for _ in over(first, second).astream("hello", config={"callbacks": [Watch()]}):
            pass

    run(work())

    assert events == ["start", "one", "two", "end"]


def test_each_model_has_the_tools_in_its_own_format() -> None:
    """`bind_tools` of every candidate is called; arguments of the call itself come over what was bound."""
    first, second = scripted("a", [ModelAPIError()], [ModelAPIError()]), scripted("b", ["ok"])
    bound = over(first, second).bind_tools(["look"], tool_choice="any")

    assert run(texts(bound)) == ["ok"]

    assert first._asked == [{"tools": ["a:look"], "tool_choice": "any"}] * 2
    assert second._asked == [{"tools": ["b:look"], "tool_choice": "any"}]


def test_a_model_that_binds_to_something_else_is_refused() -> None:
    """Its bound arguments could not be found, so it is said at once and not at the first message."""

    class Odd(Scripted):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return RunnableLambda(lambda value: value)

    with pytest.raises(TypeError, match=r"`Odd\.bind_tools` does not give a binding"):
        over(Odd(name="a", attempts=[])).bind_tools(["look"])


def test_a_stream_that_its_reader_leaves_is_closed_at_once() -> None:
    """Closing the answer closes the provider's stream, not when the garbage is collected."""
    model = scripted("a", ["one", "two", "three"])

    async def work() -> int:
        stream = over(model)._astream([])
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        return model._open

    assert run(work()) == 0


def test_a_client_s_error_while_its_call_is_cancelled_is_no_reason_to_ask_again() -> None:
    """Some clients turn a cancel into an error of their own."""

    class Swallowing(Scripted):
        async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
            self._asked.append(kwargs)
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                raise ModelAPIError("cancelled") from None
            yield ChatGenerationChunk(message=AIMessageChunk("never"))

    model = Swallowing(name="a", attempts=[])

    async def work() -> None:
        task = asyncio.ensure_future(texts(over(model)))
        while not model._asked:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises((ModelAPIError, asyncio.CancelledError)):
            await task

    run(work())
    assert len(model._asked) == 1


def test_a_reader_s_own_exception_is_not_asked_again() -> None:
    """An exception thrown into the stream by its reader goes through."""
    model = scripted("a", ["one", "two"], ["again"])

    async def work() -> None:
        stream = over(model)._astream([])
        await anext(stream)
        with pytest.raises(ModelAPIError):
            await stream.athrow(ModelAPIError())  # type: ignore[attr-defined]

    run(work())
    assert len(model._asked) == 1


def test_threads_follow_the_same_rules() -> None:
    """`invoke` and `stream` are asked again before, and not after, the first token."""
    assert over(scripted("a", [ModelAPIError()], ["ok"])).invoke("hello").text == "ok"

    broken = scripted("a", ["one", ModelAPIError()], ["again"])
    stream = over(broken).stream("hello")
    assert next(stream).text == "one"
    with pytest.raises(ModelAPIError):
        next(stream)
    assert len(broken._asked) == 1


def test_closing_closes_every_model_and_the_budget() -> None:
    """What was opened for the project is closed with it."""
    closed: list[str] = []

    class Money:
        async def aclose(self) -> None:
            closed.append("budget")

    def closing(name: str) -> Any:
        async def close() -> None:
            closed.append(name)

        return close

    both = [Candidate(ModelSpec("openai", name), scripted(name), close=closing(name)) for name in "ab"]

    run(ResilientChatModel(candidates=tuple(both), budget=Money()).aclose())

    assert closed == ["a", "b", "budget"]


def test_failures_are_logged_without_the_provider_s_text(caplog: pytest.LogCaptureFixture) -> None:
    """The log names model, kind and what happens next."""
    model = scripted("a", [ModelAPIError("key sk-123 in the text")], ["ok"])

    run(texts(over(model)))

    [line] = [record.getMessage() for record in caplog.records if record.name == "gsws.ai.models"]
    assert line.startswith("model openai:a failed before its first token: ModelAPIError; asking openai:a in 0.0")
    assert "sk-123" not in line
