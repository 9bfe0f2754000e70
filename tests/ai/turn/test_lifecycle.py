"""Turns that are cut off: cancelled, closed, out of time; nothing leaks, the thread stays usable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from gsws.ai import history, retry, run
from gsws.ai.budget.count import Count
from gsws.ai.threads.queue import TURNS
from tests.ai.support import Context, Model, agent, call, calls, collect, done, finish, kinds, only, text, until


async def cancelled(graph: Any, when: Any, **options: Any) -> list[Any]:
    """Start a turn in a task, cancel it when a condition holds, and give the frames it sent by then."""
    frames: list[Any] = []

    async def work() -> None:
        async for frame in run(graph, "first", **options):
            frames.append(frame)

    task = asyncio.create_task(work())
    await until(lambda: when(frames))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert len(TURNS) == 0
    return frames


def test_cancel_before_the_first_token_ends_the_model_call() -> None:
    """A turn cancelled while the model thinks leaves no model call and an open thread."""
    model = Model([asyncio.Event()], ["fine", done()])
    graph = agent(model)

    async def scenario() -> None:
        frames = await cancelled(graph, lambda _: model.waiting)
        assert kinds(frames) == ["stream.start"]
        assert model.closed == ["cut"]
        frames = await collect(run(graph, "second"))
        assert text(frames) == "fine"

    finish(scenario())


def test_cancel_in_the_middle_keeps_what_was_said() -> None:
    """The part of an answer that was sent stays in the thread, once, and the model sees it in the next turn."""
    model = Model(["one ", "two ", asyncio.Event()], ["fine", done()])
    graph = agent(model)

    async def scenario() -> list[dict[str, Any]]:
        await cancelled(graph, lambda frames: text(frames) == "one two ")
        assert model.closed == ["cut"]
        kept = await history(graph)
        await collect(run(graph, "second"))
        return kept

    kept = finish(scenario())

    assert [(entry["role"], entry["content"]) for entry in kept] == [("user", "first"), ("assistant", "one two ")]
    assert kept[1]["cancelled"] is True
    assert [message.content for message in model.asked[1][1:]] == ["first", "one two ", "second"]


def test_cancel_in_a_tool_leaves_no_call_without_an_answer() -> None:
    """After a cancel in one of two parallel tools the next request has one answer for each call, right behind it."""
    started: list[str] = []

    @tool
    async def slow() -> str:
        """Wait."""
        started.append("slow")
        await asyncio.Event().wait()
        return "never"

    @tool
    async def quick() -> str:
        """Answer."""
        started.append("quick")
        return "quick answer"

    for heals in (True, False):
        started.clear()
        model = Model([calls(("slow", "c1"), ("quick", "c2"))], ["fine", done()])
        graph = agent(model, [slow, quick], heals=heals)

        async def scenario(graph: Any = graph, model: Model = model) -> None:
            frames = await cancelled(graph, lambda frames: any(f.eventtype == "tool.result" for f in frames))
            assert sorted(started) == ["quick", "slow"]
            assert len(only(frames, "tool.call")) == 2
            assert text(await collect(run(graph, "second"))) == "fine"
            assert text(await collect(run(graph, "third"))) == "fine"

        finish(scenario())

        for asked in model.asked[1:]:
            talk = [message for message in asked if message.type != "system"]
            assert isinstance(talk[1], AIMessage)
            assert [getattr(message, "tool_call_id", None) for message in talk[2:4]] == ["c1", "c2"]
            assert [message for message in talk[4:] if isinstance(message, ToolMessage)] == []
            assert [message.content for message in talk if isinstance(message, HumanMessage)][1] == "second"


def test_cancel_between_the_model_and_its_second_call() -> None:
    """A turn cancelled while the model reads the tool's answer keeps the tool's answer."""

    @tool
    async def look() -> str:
        """Look."""
        return "found"

    model = Model([call("look")], [asyncio.Event()], ["fine", done()])
    graph = agent(model, [look])

    async def scenario() -> None:
        frames = await cancelled(graph, lambda _: model.waiting)
        assert kinds(frames) == ["stream.start", "tool.call", "tool.result"]
        assert text(await collect(run(graph, "second"))) == "fine"

    finish(scenario())

    assert [message.content for message in model.asked[2] if isinstance(message, ToolMessage)] == ["found"]


def test_cancel_in_a_subgraph_and_in_parallel_nodes() -> None:
    """Every model call of the graph ends, however deep and however many; what each of them said is kept."""
    models = [Model(["deep ", asyncio.Event()], ["fine"]) for _ in range(3)]

    def asking(model: Model) -> Any:
        async def ask(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await model.ainvoke(state["messages"])]}

        return ask

    inner = StateGraph(MessagesState).add_node("ask", asking(models[0])).add_edge(START, "ask").compile()
    middle = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner").compile()
    outer = StateGraph(MessagesState).add_node("middle", middle)
    outer.add_node("one", asking(models[1])).add_node("two", asking(models[2]))
    for name in ("middle", "one", "two"):
        outer.add_edge(START, name)
    graph = outer.compile(checkpointer=InMemorySaver())

    async def scenario() -> list[dict[str, Any]]:
        await cancelled(graph, lambda frames: len(only(frames, "stream.chunk")) >= 5)  # three texts, two gaps
        assert [model.closed for model in models] == [["cut"]] * 3
        return await history(graph)

    assert [entry["content"] for entry in finish(scenario())] == ["first", "deep ", "deep ", "deep "]


def test_cancel_does_not_wait_for_a_tool_in_a_thread() -> None:
    """A plain function cannot be stopped; the turn ends without it, and the thread goes on with the next message."""
    entered, release = threading.Event(), threading.Event()

    @tool
    def slow() -> str:
        """Wait."""
        entered.set()
        release.wait(10)
        return "late"

    model = Model([call("slow")], ["fine", done()])
    graph = agent(model, [slow])

    async def scenario() -> None:
        await cancelled(graph, lambda _: entered.is_set())
        assert not release.is_set()
        assert text(await collect(run(graph, "second"))) == "fine"
        release.set()

    finish(scenario())


def test_closing_the_frames_ends_the_model_call() -> None:
    """A consumer that stops in the middle and closes the iterator ends the graph, and what it saw is kept."""
    model = Model(["one ", "two ", "three ", asyncio.Event()], ["fine"])
    graph = agent(model)

    async def scenario() -> list[dict[str, Any]]:
        frames = run(graph, "first")
        async for frame in frames:
            if frame.eventtype == "stream.chunk":
                break
        await frames.aclose()  # type: ignore[attr-defined]
        assert model.closed == ["cut"]
        assert len(TURNS) == 0
        return await history(graph)

    assert [entry["content"] for entry in finish(scenario())] == ["first", "one "]


def test_a_cancel_twice_still_tidies_up() -> None:
    """A second cancellation while the first is tidied up neither poisons nor blocks the thread."""
    model = Model(["one ", asyncio.Event()], ["fine"])
    graph = agent(model)

    async def scenario() -> None:
        task = asyncio.create_task(collect(run(graph, "first")))
        await until(lambda: model.waiting)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert text(await collect(run(graph, "second"))) == "fine"

    finish(scenario())


@pytest.mark.parametrize("stage", ["silent", "speaking"])
def test_a_silent_model_ends_at_the_idle_timeout(stage: str) -> None:
    """A model that says nothing for the idle timeout is cut off, the error is `model_timeout`, what it said is kept."""
    model = Model(["one ", asyncio.Event()] if stage == "speaking" else [asyncio.Event()], ["fine"])
    graph = agent(model)
    context = Context()

    async def scenario() -> tuple[list[Any], list[Any]]:
        frames = await collect(run(graph, "first", ctx=context, idle_timeout=0.1))
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0
        return frames, await history(graph, ctx=context)

    frames, kept = finish(scenario())

    assert frames[-1].payload["error"] == "model_timeout"
    assert frames[-1].payload["retryable"] is True
    assert frames[-1].payload["code"] == 504
    assert model.closed == ["cut"]
    assert [entry["content"] for entry in kept] == (["first", "one "] if stage == "speaking" else ["first"])


def test_the_total_timeout_holds_for_a_model_that_never_stops() -> None:
    """A model that goes on for ever ends at the total timeout, though it is never silent."""
    model = Model(["x", 0.01] * 10_000)

    frames = finish(collect(run(agent(model), "first", idle_timeout=5, total_timeout=0.3)))

    assert frames[-1].payload["error"] == "model_timeout"
    assert len(text(frames)) > 1


def test_a_slow_consumer_is_not_taken_for_a_silent_model() -> None:
    """Time in which the client is slow to take frames does not count as the model's silence."""
    model = Model(["one ", "two ", done()])

    async def scenario() -> list[Any]:
        frames = []
        async for frame in run(agent(model), "first", idle_timeout=0.2):
            frames.append(frame)
            await asyncio.sleep(0.3)
        return frames

    assert finish(scenario())[-1].eventtype == "stream.end"


def test_the_total_timeout_counts_a_slow_consumer() -> None:
    """A total that passes while nobody waits for the model ends the turn at the next frame."""
    model = Model(["one ", "two ", asyncio.Event()])

    async def scenario() -> list[Any]:
        frames = []
        async for frame in run(agent(model), "first", total_timeout=0.2):
            frames.append(frame)
            if frame.eventtype == "stream.chunk":
                await asyncio.sleep(0.4)
        return frames

    frames = finish(scenario())

    assert frames[-1].payload["error"] == "model_timeout"
    assert model.closed == ["cut"]


def test_a_node_that_swallows_its_cancellation_does_not_hold_a_turn() -> None:
    """A node that catches its cancellation and waits on is left behind after a second one."""

    class Stubborn:
        swallowed = 0

    async def stubborn(state: MessagesState) -> dict[str, Any]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            Stubborn.swallowed += 1
            await asyncio.sleep(4)
        return {}

    graph = StateGraph(MessagesState).add_node("stubborn", stubborn).add_edge(START, "stubborn").compile()

    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        frames = await collect(run(graph, "first", idle_timeout=0.1))
        assert frames[-1].payload["error"] == "model_timeout"
        await asyncio.sleep(max(0.0, began + 5 - loop.time()))
        return 0.0

    finish(scenario())
    assert Stubborn.swallowed == 1


def test_an_outside_cancel_wins_over_a_deadline_at_the_same_moment() -> None:
    """A cancel from outside is passed on even if the idle timeout passes in the same step of the loop."""
    model = Model([asyncio.Event()])
    graph = agent(model)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(collect(run(graph, "first", idle_timeout=0.05)))
        await until(lambda: model.waiting)
        loop.call_later(0.05, task.cancel)
        try:
            frames = await task
        except asyncio.CancelledError:
            return
        assert frames[-1].payload["error"] == "model_timeout"

    for _ in range(3):
        finish(scenario())


def test_a_store_that_hangs_does_not_hold_a_cancelled_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """If what was said cannot be stored in time, the log says so, and the thread is free for the next turn."""
    monkeypatch.setattr("gsws.ai.turn.lifecycle._SETTLE", 0.05)
    model = Model(["one ", asyncio.Event()], ["fine", done()])
    context = Context()

    class Hangs(InMemorySaver):
        hangs = False

        async def aget_tuple(self, config: Any) -> Any:
            if self.hangs:
                await asyncio.Event().wait()
            return await super().aget_tuple(config)

    graph = agent(model, saver=Hangs())

    seen: list[Any] = []

    async def ask() -> None:
        async for frame in run(graph, "first", ctx=context):
            seen.append(frame)

    async def scenario() -> None:
        task = asyncio.create_task(ask())
        await until(lambda: text(seen) == "one ")  # nothing would be stored of an answer that nobody saw
        Hangs.hangs = True  # of the class: `compile` may copy the saver
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        Hangs.hangs = False
        assert len(TURNS) == 0
        assert text(await collect(run(graph, "second", ctx=context))) == "fine"

    finish(scenario())

    assert [entry["event"] for entry in context.logs] == ["a turn is not tidied up"]


def test_a_budget_is_given_back_however_a_turn_ends() -> None:
    """The meter is closed once after an answer, a failure, a cancel and a refusal."""
    closed: list[str] = []

    class Budget:
        @asynccontextmanager
        async def turn(self, subject: str) -> AsyncIterator[Any]:
            yield Count()
            closed.append(subject)

    budget: Any = Budget()

    async def scenario() -> None:
        await collect(run(agent(Model(["fine", done()])), "q", subject="answered", budget=budget))
        await collect(run(agent(Model([ValueError("x")])), "q", subject="failed", budget=budget))
        await collect(retry(agent(Model(["x"])), subject="refused", budget=budget))
        model = Model(["one", asyncio.Event()])
        await cancelled(agent(model), lambda _: model.waiting, subject="cancelled", budget=budget)

    finish(scenario())

    assert closed == ["answered", "failed", "refused", "cancelled"]
