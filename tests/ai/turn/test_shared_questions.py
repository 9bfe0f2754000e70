"""Questions of tools that run in one task of a graph: no answer ever reaches a tool that did not ask."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt

from gsws.ai import history, resume, run
from tests.ai.support import Context, Model, agent, call, calls, collect, done, finish, only, text

PAID: list[tuple[str, str]] = []


@tool
async def pay(who: str, after: float = 0.0) -> str:
    """Pay somebody once a person agrees."""
    if after:
        await asyncio.sleep(after)
    answer = interrupt(f"pay {who}?")
    PAID.append((who, answer))
    return f"{who}: {answer}"


@tool
def pay_in_a_thread(who: str) -> str:
    """Pay somebody once a person agrees; a plain function."""
    answer = interrupt(f"pay {who}?")
    PAID.append((who, answer))
    return f"{who}: {answer}"


@tool
async def look_up(who: str) -> str:
    """Look somebody up."""
    return f"{who} exists"


def errors(frames: list[Any]) -> list[str]:
    return [frame.payload["error"] for frame in frames if frame.eventtype == "stream.error"]


def requests(*names: str, people: tuple[str, ...] = ("Ann", "Bob"), delays: tuple[float, ...] = (0, 0)) -> Any:
    arguments = [{"who": who} | ({"after": after} if after else {}) for who, after in zip(people, delays, strict=True)]
    return calls(*((name, f"c{at}") for at, name in enumerate(names)), arguments=arguments)


@pytest.mark.parametrize(
    "asked",
    [
        requests("pay", "pay"),
        requests("pay", "pay", delays=(0, 0.02)),
        requests("pay", "pay", delays=(0.02, 0)),
        requests("pay_in_a_thread", "pay_in_a_thread"),
        requests("pay_in_a_thread", "pay"),
        requests("look_up", "pay"),
        requests("pay", "look_up"),
    ],
    ids=["at once", "second later", "first later", "threads", "thread and task", "after a look-up", "before a look-up"],
)
def test_a_turn_that_asks_beside_others_ends_with_an_error(asked: Any) -> None:
    """The turn ends as `shared_question`; its questions take no answer, and the next message goes on without them."""
    PAID.clear()
    model = Model([asked, done()], ["what next?", done()])
    graph = agent(model, [pay, pay_in_a_thread, look_up])
    context = Context()

    async def scenario() -> None:
        frames = await collect(run(graph, "pay both", ctx=context))
        assert errors(frames) == ["shared_question"]
        for question in only(frames, "interrupt"):
            assert errors(await collect(resume(graph, {question["id"]: "yes, pay Ann"}, ctx=context))) == [
                "unknown_interrupt"
            ]
        assert not [entry for entry in await history(graph, ctx=context) if entry["role"] == "interrupt"]
        assert text(await collect(run(graph, "hello?", ctx=context))) == "what next?"

    finish(scenario())

    assert PAID == []
    assert [type(message) is ToolMessage for message in model.asked[1]].count(True) == 2
    assert [line for line in context.logs if line["level"] == "error" and "Send(" in line["event"]]


def test_one_call_may_ask() -> None:
    """A task with one call has one question, whose answer reaches it."""
    PAID.clear()
    graph = agent(Model([call("pay", who="Ann"), done()], ["paid", done()]), [pay])

    async def scenario() -> None:
        [asked] = only(await collect(run(graph, "pay")), "interrupt")
        assert text(await collect(resume(graph, {asked["id"]: "yes"}))) == "paid"

    finish(scenario())
    assert PAID == [("Ann", "yes")]


def by_hand(model: Model, *, at_once: bool) -> Any:
    """A graph whose node runs its tools itself."""

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def act(state: MessagesState) -> dict[str, Any]:
        wanted: Any = state["messages"][-1].tool_calls  # type: ignore[union-attr]
        if at_once:
            return {"messages": list(await asyncio.gather(*(pay.ainvoke(one) for one in wanted)))}
        return {"messages": [await pay.ainvoke(one) for one in wanted]}

    builder = StateGraph(MessagesState).add_node("agent", ask).add_node("act", act).add_edge(START, "agent")
    builder.add_conditional_edges("agent", lambda state: "act" if state["messages"][-1].tool_calls else END)
    return builder.add_edge("act", "agent").compile(checkpointer=InMemorySaver())


def test_a_node_that_runs_its_tools_in_turn_may_ask_for_each() -> None:
    """One after the other they ask in the same order every time, so each gets its own answer."""
    PAID.clear()
    graph = by_hand(Model([requests("pay", "pay"), done()], ["both", done()]), at_once=False)

    async def scenario() -> None:
        [first] = only(await collect(run(graph, "pay")), "interrupt")
        frames = await collect(resume(graph, {first["id"]: "ann yes"}))
        [second] = only(frames, "interrupt")
        assert second["value"] == "pay Bob?"
        assert text(await collect(resume(graph, {second["id"]: "bob no"}))) == "both"

    finish(scenario())
    # Its node runs anew from its beginning, as every node that asks.
    assert PAID == [("Ann", "ann yes"), ("Ann", "ann yes"), ("Bob", "bob no")]


def test_a_node_that_runs_its_tools_at_once_may_not() -> None:
    PAID.clear()
    graph = by_hand(Model([requests("pay", "pay"), done()], ["both", done()]), at_once=True)
    assert errors(finish(collect(run(graph, "pay")))) == ["shared_question"]
    assert PAID == []


def test_a_question_that_waits_already_is_refused_too() -> None:
    """A thread from elsewhere, where such a question waits, takes no answer to it."""
    PAID.clear()
    saver = InMemorySaver()
    graph = agent(Model([requests("pay", "pay"), done()], ["both", done()]), [pay], saver=saver)

    async def scenario() -> None:
        from gsws.ai.threads.conversation import conversation_of

        conversation = conversation_of(graph, None, None)
        question = {"messages": [("human", "pay")]}
        async for _ in graph.astream(question, conversation.config, stream_mode="messages"):
            continue
        [waiting] = await conversation.interrupts()
        assert errors(await collect(resume(graph, {waiting.id: "yes, pay Ann"}))) == ["shared_question"]
        assert errors(await collect(resume(graph, {waiting.id: "yes, pay Ann"}))) == ["unknown_interrupt"]

    finish(scenario())
    assert PAID == []


@pytest.mark.parametrize("identifier", ["1ef00000-0000-6000-8000-000000000000", "nonsense"])
def test_a_checkpoint_that_is_not_there_ends_the_turn(identifier: str) -> None:
    """Nothing runs and nothing is overwritten."""
    model = Model(["first", done()], ["second", done()])
    graph = agent(model)
    config = {"configurable": {"checkpoint_id": identifier}}

    async def scenario() -> None:
        await collect(run(graph, "question"))
        before = await history(graph)
        assert errors(await collect(run(graph, "other", config=config))) == ["unknown_checkpoint"]
        assert errors(await collect(resume(graph, {"x": 1}, config=config))) == ["unknown_checkpoint"]
        assert await history(graph) == before
        with pytest.raises(LookupError):
            await history(graph, config=config)

    finish(scenario())
    assert len(model.asked) == 1


def test_a_checkpoint_of_another_thread_is_not_there_either() -> None:
    graph = agent(Model(["first", done()]))

    async def scenario() -> None:
        await collect(run(graph, "question", thread="one"))
        state = await graph.aget_state(_where(graph, "one"))
        config = {"configurable": {"checkpoint_id": state.config["configurable"]["checkpoint_id"]}}
        assert text(await collect(run(graph, "again", thread="one", config=config))) == "first"
        assert errors(await collect(run(graph, "again", thread="two", config=config))) == ["unknown_checkpoint"]

    finish(scenario())


def _where(graph: Any, thread: str) -> Any:
    from gsws.ai.threads.conversation import conversation_of

    return conversation_of(graph, None, thread).config


def test_a_subgraph_may_not_share_questions_either() -> None:
    """The tools of an agent that is a node of another graph are looked at as well."""
    PAID.clear()
    inner = agent(
        Model([requests("pay_in_a_thread", "pay"), done()], ["both", done()]), [pay, pay_in_a_thread], saver=None
    )
    graph = StateGraph(MessagesState).add_node("payer", inner).add_edge(START, "payer").compile(InMemorySaver())

    async def scenario() -> None:
        frames = await collect(run(graph, "pay"))
        assert errors(frames) == ["shared_question"]
        for question in only(frames, "interrupt"):
            assert errors(await collect(resume(graph, {question["id"]: "yes"}))) == ["unknown_interrupt"]

    finish(scenario())
    assert PAID == []
