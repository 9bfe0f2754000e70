"""Turns with the real `ChatGoogleGenerativeAI` at the stand-in of its API: every way to end, every time to cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from gsws.ai import Budget, history, retry, run
from gsws.ai.models import ResilientChatModel, RetryPolicy, chat_model
from gsws.ai.threads.queue import TURNS
from gsws.testing.gemini import APIError, Call, FakeGemini, Turn
from tests.ai.support import Context, agent, collect, finish, kinds, only, text, until

T = TypeVar("T")
SECRET = "leaky words of the provider"
TOO_LONG = "The input token count exceeds the maximum number of tokens allowed"


@pytest.fixture
def gemini() -> Iterator[FakeGemini]:
    with FakeGemini() as fake:
        yield fake


def with_model(
    gemini: FakeGemini, work: Callable[[ResilientChatModel], Awaitable[T]], retries: int = 0, key: str = "fake-key"
) -> T:
    """Run a coroutine with a model at the stand-in."""
    model = chat_model("google_genai:gemini-flash-latest", api_key=key, base_url=gemini.url, retries=retries)
    model = model.model_copy(update={"policy": RetryPolicy(retries=retries, first_pause=0.01, longest_pause=0.1)})

    async def main() -> T:
        try:
            return await work(model)
        finally:
            await model.aclose()

    return finish(main(), 40)


@tool(response_format="content_and_artifact")
async def get_relevant_docs(query: str) -> tuple[str, list[dict[str, Any]]]:
    """Find documents that answer a question."""
    return f"[1] about {query}", [{"text": f"about {query}", "source": "guide/a.md", "score": 2.0}]


def graph_of(model: ResilientChatModel, tools: Any = (get_relevant_docs,), **options: Any) -> Any:
    return agent(model.bind_tools(list(tools)) if tools else model, tools, **options)


def test_a_turn_with_a_tool(gemini: FakeGemini) -> None:
    """Call, result, sources, streamed answer, usage of both model calls, one end."""
    gemini.script(Turn.call("get_relevant_docs", query="limits"), Turn("The limit is ten [1]."))

    frames = with_model(gemini, lambda model: collect(run(graph_of(model), "what is the limit?")))

    assert kinds(frames) == [
        "stream.start",
        "usage",
        "tool.call",
        "tool.result",
        "sources",
        "stream.chunk",
        "usage",
        "stream.end",
    ]
    assert text(frames) == "The limit is ten [1]."
    assert len(only(frames, "stream.chunk")) > 1
    used = frames[-1].payload["usage"]
    assert used["total_tokens"] == used["input_tokens"] + used["output_tokens"] > 0
    assert used["model"].startswith("gemini")


def test_unscripted(gemini: FakeGemini) -> None:
    """The plausible stand-in is answered in two turns of one thread."""

    async def work(model: ResilientChatModel) -> list[str]:
        graph = graph_of(model)
        return [text(await collect(run(graph, question))) for question in ("one", "two")]

    assert all(with_model(gemini, work))


def test_parallel_tools(gemini: FakeGemini) -> None:
    """Two calls at once are answered both, and the strict stand-in accepts the next request."""
    both = Turn(calls=[Call("get_relevant_docs", {"query": "a"}), Call("get_relevant_docs", {"query": "b"})])
    gemini.script(both, Turn("both found"))

    frames = with_model(gemini, lambda model: collect(run(graph_of(model), "both?")))

    assert len(only(frames, "tool.call")) == len(only(frames, "tool.result")) == 2
    assert text(frames) == "both found"


def test_thoughts_are_reasoning(gemini: FakeGemini) -> None:
    """What a model that shows its thoughts thinks is reasoning, not text."""
    gemini.script(Turn("So it is.", thoughts="Let me think."))
    thinking = chat_model(
        "google_genai:gemini-flash-latest", api_key="fake-key", base_url=gemini.url, include_thoughts=True
    )

    async def work() -> Any:
        try:
            return await collect(run(graph_of(thinking, ()), "why?"))
        finally:
            await thinking.aclose()

    frames = finish(work())

    assert "".join(item["message"] for item in only(frames, "reasoning")) == "Let me think."
    assert text(frames) == "So it is."


def broken(code: int) -> Turn:
    """An answer with an error object in its middle."""
    return Turn("one two three", error=APIError(code, SECRET), error_after=2, error_event=True)


@pytest.mark.parametrize(
    ("turn", "error", "code", "retryable"),
    [
        (Turn("I will", finish="SAFETY"), "blocked", 422, False),
        (Turn("", finish="SAFETY"), "blocked", 422, False),
        (Turn(blocked="PROHIBITED_CONTENT"), "blocked", 422, False),
        (Turn.empty(), "empty_answer", 502, True),
        (Turn("", finish="MALFORMED_FUNCTION_CALL"), "empty_answer", 502, True),
        (Turn.failure(400, SECRET), "model_rejected", 502, False),
        (Turn.failure(403, SECRET), "model_unauthorized", 502, False),
        (Turn.failure(404, SECRET), "model_not_found", 502, False),
        (Turn.failure(429, SECRET, retry_after=7), "model_rate_limited", 429, True),
        (Turn.failure(500, SECRET), "model_unavailable", 503, True),
        (Turn.failure(503, SECRET), "model_unavailable", 503, True),
        (Turn.failure(504, SECRET), "model_timeout", 504, True),
        (Turn.failure(400, TOO_LONG), "context_too_long", 413, False),
        (Turn("one two three four", drop_after=2), "model_interrupted", 502, True),
        (Turn("one two three four", drop_after=2, drop="close"), "model_interrupted", 502, True),
        (Turn(drop_after=0), "model_unavailable", 503, True),
        (Turn("one two three", error=APIError(500, SECRET), error_after=2), "model_interrupted", 502, True),
        (broken(503), "model_interrupted", 502, True),
        (broken(429), "model_interrupted", 502, True),
    ],
)
def test_ways_to_fail(gemini: FakeGemini, turn: Turn, error: str, code: int, retryable: bool) -> None:
    """Each failure has its name, tells nothing of the provider's words, and leaves a thread that answers again."""
    gemini.script(turn, Turn("fine again"))
    context = Context()

    async def work(model: ResilientChatModel) -> Any:
        graph = graph_of(model)
        first = await collect(run(graph, "first", ctx=context))
        return first, await collect(run(graph, "second", ctx=context))

    first, second = with_model(gemini, work)

    payload = first[-1].payload
    assert (payload["error"], payload["code"], payload["retryable"]) == (error, code, retryable)
    assert SECRET not in repr(first)
    assert "gemini" not in payload["message"].lower()
    if SECRET in repr(turn):
        assert SECRET in repr(context.logs)
    if error == "model_rate_limited":
        assert payload["retry_after_ms"] == 7000
    assert text(second) == "fine again"
    assert gemini.open_streams == 0


def test_a_refused_key(gemini: FakeGemini) -> None:
    """A key that the provider refuses is an error of its own, and no other model answers instead."""
    frames = with_model(gemini, lambda model: collect(run(graph_of(model), "hi")), key="wrong")

    assert frames[-1].payload["error"] == "model_unauthorized"
    assert len(gemini.requests) == 1


def test_an_answer_that_is_cut_at_its_limit(gemini: FakeGemini) -> None:
    """An answer that ran into the token limit ends with reason `length`."""
    gemini.script(Turn("one two", finish="MAX_TOKENS"))

    frames = with_model(gemini, lambda model: collect(run(graph_of(model), "hi")))

    assert frames[-1].payload["finish_reason"] == "length"
    assert text(frames) == "one two"


def test_a_rate_limit_is_retried_before_the_first_token(gemini: FakeGemini) -> None:
    """With retries, the client sees one answer and one end."""
    gemini.script(Turn.failure(429, retry_after=0.01), Turn.failure(503), Turn("after all"))

    frames = with_model(gemini, lambda model: collect(run(graph_of(model), "hi")), retries=2)

    assert text(frames) == "after all"
    assert kinds(frames) == ["stream.start", "stream.chunk", "usage", "stream.end"]


def test_what_broke_off_stays_in_the_thread_and_can_be_retried(gemini: FakeGemini) -> None:
    """The text that was seen before a connection broke is in the thread; a retry puts the whole answer in its place."""
    gemini.script(Turn("one two three four", drop_after=2), Turn("one two three four"))

    async def work(model: ResilientChatModel) -> Any:
        graph = graph_of(model)
        await collect(run(graph, "count"))
        kept = await history(graph)
        return kept, text(await collect(retry(graph))), await history(graph)

    kept, again, after = with_model(gemini, work)

    assert kept[-1]["content"].startswith("one two")
    assert kept[-1]["cancelled"] is True
    assert again == "one two three four"
    assert [entry["role"] for entry in after] == ["user", "assistant"]


@pytest.mark.parametrize("stage", ["before the first token", "in the middle", "in a tool", "in the second call"])
@pytest.mark.parametrize("way", ["cancel", "close"])
def test_cancel_at_every_stage(gemini: FakeGemini, stage: str, way: str) -> None:
    """The request to the provider is closed, nothing leaks, and the strict API accepts the thread's next request."""
    entered = asyncio.Event()

    @tool
    async def get_relevant_docs(query: str) -> str:
        """Find documents that answer a question."""
        entered.set()
        if stage == "in a tool":
            await asyncio.Event().wait()
        return "found"

    call = Turn.call("get_relevant_docs", query="x")
    slow = Turn("word " * 200, delay=0.05)
    gemini.script(
        *{
            "before the first token": [Turn("late", stall_after=0, stall=30)],
            "in the middle": [slow],
            "in a tool": [call],
            "in the second call": [call, slow],
        }[stage],
        Turn("fine again"),
    )

    async def work(model: ResilientChatModel) -> None:
        graph = graph_of(model, (get_relevant_docs,))
        frames: list[Any] = []
        stop = asyncio.Event()

        async def consume() -> None:
            stream = run(graph, "first")
            async for frame in stream:
                frames.append(frame)
                if stop.is_set():
                    await stream.aclose()  # type: ignore[attr-defined]
                    return

        task = asyncio.create_task(consume())
        spoke = lambda: len(only(frames, "stream.chunk")) >= 2  # noqa: E731
        await until(
            {"before the first token": lambda: gemini.open_streams == 1, "in a tool": entered.is_set}.get(stage, spoke)
        )
        if way == "close" and stage in ("in the middle", "in the second call"):
            stop.set()
            await task
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.to_thread(gemini.wait_closed)
        assert gemini.requests[-1].outcome == ("answered" if stage == "in a tool" else "left")
        assert len(TURNS) == 0
        assert text(await collect(run(graph, "second"))) == "fine again"

    with_model(gemini, work)


def test_the_idle_timeout_closes_the_request(gemini: FakeGemini) -> None:
    """A provider that falls silent in the middle is left at the idle timeout."""
    gemini.script(Turn("one two three", stall_after=2, stall=30))

    async def work(model: ResilientChatModel) -> Any:
        frames = await collect(run(graph_of(model), "hi", idle_timeout=0.3))
        await asyncio.to_thread(gemini.wait_closed)
        return frames

    frames = with_model(gemini, work)

    assert frames[-1].payload["error"] == "model_timeout"
    assert text(frames).startswith("one")


def test_twenty_users_at_once(gemini: FakeGemini) -> None:
    """Twenty subjects stream at the same time; each gets its own answer."""
    for number in range(20):
        gemini.when(f"I am {number}.", Turn(f"hello {number} " * 10, delay=0.002))

    async def work(model: ResilientChatModel) -> list[str]:
        graph = graph_of(model)
        turns = [collect(run(graph, f"I am {number}.", ctx=Context(f"user{number}"))) for number in range(20)]
        return [text(frames).strip() for frames in await asyncio.gather(*turns)]

    assert with_model(gemini, work) == [(f"hello {number} " * 10).strip() for number in range(20)]


def test_two_quick_messages_on_one_thread(gemini: FakeGemini) -> None:
    """The second waits for the first, and its request holds both."""
    gemini.script(Turn("first answer", delay=0.02), Turn("second answer"))

    async def work(model: ResilientChatModel) -> list[str]:
        graph = graph_of(model)
        return [text(frames) for frames in await asyncio.gather(*(collect(run(graph, q)) for q in ("one", "two")))]

    assert with_model(gemini, work) == ["first answer", "second answer"]
    assert "first answer" in repr(gemini.requests[1].contents)


def test_a_restart_in_the_middle_of_a_tool(gemini: FakeGemini, tmp_path: Path) -> None:
    """A turn that was cut off in a tool is in the file; the strict API accepts what the next process makes of it."""
    file = str(tmp_path / "threads.db")
    entered = asyncio.Event()

    @tool
    async def get_relevant_docs(query: str) -> str:
        """Find documents that answer a question."""
        entered.set()
        await asyncio.Event().wait()
        return "found"

    gemini.script(Turn.call("get_relevant_docs", query="x"), Turn("welcome back"))

    async def work(model: ResilientChatModel) -> str:
        async with AsyncSqliteSaver.from_conn_string(file) as saver:
            task = asyncio.create_task(collect(run(graph_of(model, (get_relevant_docs,), saver=saver), "first")))
            await asyncio.wait_for(entered.wait(), 10)
            task.cancel()
            await asyncio.wait([task], timeout=10)
        async with AsyncSqliteSaver.from_conn_string(file) as saver:
            return text(await collect(run(graph_of(model, (get_relevant_docs,), saver=saver), "second")))

    assert with_model(gemini, work) == "welcome back"


@pytest.mark.parametrize("heals", [True, False])
def test_a_graph_that_does_not_prepare_its_messages_is_not_poisoned_either(gemini: FakeGemini, heals: bool) -> None:
    """Open tool calls are answered when the next turn begins, whether or not the agent node heals."""
    entered = asyncio.Event()

    @tool
    async def get_relevant_docs(query: str) -> str:
        """Find documents that answer a question."""
        entered.set()
        await asyncio.Event().wait()
        return "found"

    gemini.script(Turn.call("get_relevant_docs", query="x"), Turn("fine"), Turn("still fine"))

    async def work(model: ResilientChatModel) -> list[str]:
        graph = graph_of(model, (get_relevant_docs,), heals=heals)
        task = asyncio.create_task(collect(run(graph, "first")))
        await asyncio.wait_for(entered.wait(), 10)
        task.cancel()
        await asyncio.wait([task], timeout=10)
        return [text(await collect(run(graph, question))) for question in ("second", "third")]

    assert with_model(gemini, work) == ["fine", "still fine"]


def test_a_budget_ends_a_turn_while_it_streams(gemini: FakeGemini) -> None:
    """A turn over its budget is cut off, its request closed; the next turn has a budget of its own."""
    gemini.script(Turn("word " * 500, delay=0.001), Turn("short"))
    budget = Budget(turn_tokens=100)

    async def work(model: ResilientChatModel) -> Any:
        graph = graph_of(model, ())
        first = await collect(run(graph, "go on", budget=budget))
        await asyncio.to_thread(gemini.wait_closed)
        return first, await collect(run(graph, "and now", thread="other", budget=budget))

    first, second = with_model(gemini, work)

    assert first[-1].payload["error"] == "budget_exceeded"
    assert first[-1].payload["retryable"] is False
    assert 0 < len(only(first, "stream.chunk")) < 200
    assert text(second) == "short"


def test_a_day_without_budget_refuses_a_turn(gemini: FakeGemini) -> None:
    """Once a subject's day is used up its turns are refused before the model is asked, with the time to wait."""
    gemini.script(Turn("word " * 50))
    budget = Budget(day_tokens=20)

    async def work(model: ResilientChatModel) -> Any:
        graph = graph_of(model, ())
        try:
            await collect(run(graph, "one", budget=budget))
            return await collect(run(graph, "two", budget=budget))
        finally:
            await budget.aclose()

    frames = with_model(gemini, work)

    assert kinds(frames) == ["stream.error"]
    assert frames[0].payload["error"] == "budget_exceeded"
    assert 0 < frames[0].payload["retry_after_ms"] <= 86_400_000
    assert len(gemini.requests) == 1
