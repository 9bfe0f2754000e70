"""The entry points: threads of subjects, one turn at a time, interrupts and answers, retry, both handler styles."""

from __future__ import annotations

import asyncio
import operator
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Send, interrupt

from gsws.ai import history, resume, retry, run, send
from gsws.ai.threads.queue import TURNS
from tests.ai.support import Context, Model, agent, call, calls, collect, done, finish, kinds, only, text, until

DELETED: list[str] = []


@tool
async def delete(name: str = "all") -> str:
    """Delete something once a person agrees."""
    if interrupt({"question": f"delete {name}?"}) == "yes":
        DELETED.append(name)
        return "deleted"
    return "kept"


def approving(model: Model, saver: Any = None) -> Any:
    """A graph that runs each tool call in a task of its own."""

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def route(state: MessagesState) -> Any:
        return [Send("tools", [request]) for request in state["messages"][-1].tool_calls] or END  # type: ignore[union-attr]

    builder = StateGraph(MessagesState).add_node("agent", ask).add_node("tools", ToolNode([delete]))
    builder.add_edge(START, "agent").add_conditional_edges("agent", route, ["tools", END]).add_edge("tools", "agent")
    return builder.compile(checkpointer=saver or InMemorySaver())


def errors(frames: list[Any]) -> list[str]:
    return [frame.payload["error"] for frame in frames if frame.eventtype == "stream.error"]


def test_an_interrupt_ends_the_turn_and_its_answer_goes_on() -> None:
    """A question to a person is a frame; its answer runs the tool and the rest of the turn."""
    DELETED.clear()
    model = Model([call("delete", name="x"), done()], ["gone", done()])
    graph = approving(model)

    async def scenario() -> None:
        frames = await collect(run(graph, "delete x"))
        [asked] = only(frames, "interrupt")
        assert asked["value"] == {"question": "delete x?"}
        assert kinds(frames)[-2:] == ["interrupt", "stream.end"]
        assert frames[-1].payload["finish_reason"] == "interrupt"
        assert (await history(graph))[-1] == {"role": "interrupt", **asked}

        frames = await collect(resume(graph, {asked["id"]: "yes"}))
        assert text(frames) == "gone"
        assert kinds(frames)[:3] == ["stream.start", "tool.call", "tool.result"]
        assert frames[-1].payload["finish_reason"] == "stop"
        assert DELETED == ["x"]

        assert errors(await collect(resume(graph, {asked["id"]: "yes"}))) == ["unknown_interrupt"]
        assert DELETED == ["x"]

    finish(scenario())


@pytest.mark.parametrize("answers", [{}, {"bogus": "yes"}, {"0" * 32: "yes"}])
def test_answers_to_questions_that_nobody_asked_are_refused(answers: dict[str, Any]) -> None:
    """Neither an empty, a bogus nor a well-formed foreign id runs anything; the real question can still be answered."""
    DELETED.clear()
    model = Model([call("delete"), done()], ["gone", done()])
    graph = approving(model)

    async def scenario() -> None:
        [asked] = only(await collect(run(graph, "delete", ctx=Context("ann"))), "interrupt")
        frames = await collect(resume(graph, answers, ctx=Context("ann")))
        assert kinds(frames) == ["stream.error"]
        assert frames[-1].payload["code"] == 404
        # Nor may another subject answer, or the same one on another thread.
        for other in (Context("bob"), Context("ann")):
            name = None if other.actor.subject == "bob" else "another"
            refused = await collect(resume(graph, {asked["id"]: "yes"}, ctx=other, thread=name))
            assert errors(refused) == ["unknown_interrupt"]
        assert DELETED == []
        assert text(await collect(resume(graph, {asked["id"]: "no"}, ctx=Context("ann")))) == "gone"

    finish(scenario())


def test_two_questions_are_answered_one_by_one() -> None:
    """Of two open questions one may be answered first; the other is asked again, and nothing runs twice."""
    DELETED.clear()
    requests = calls(("delete", "c1"), ("delete", "c2"), arguments=[{"name": "x"}, {"name": "y"}])
    graph = approving(Model([requests, done()], ["gone", done()]))

    async def scenario() -> None:
        asked = {item["value"]["question"]: item["id"] for item in only(await collect(run(graph, "both")), "interrupt")}
        assert set(asked) == {"delete x?", "delete y?"}
        frames = await collect(resume(graph, {asked["delete x?"]: "yes"}))
        assert [item["value"]["question"] for item in only(frames, "interrupt")] == ["delete y?"]
        [again] = only(frames, "interrupt")
        frames = await collect(resume(graph, {again["id"]: "yes"}))
        assert text(frames) == "gone"
        assert DELETED == ["x", "y"]

    finish(scenario())


def test_both_questions_at_once() -> None:
    """Several answers may come together."""
    DELETED.clear()
    graph = approving(Model([calls(("delete", "c1"), ("delete", "c2")), done()], ["gone", done()]))

    async def scenario() -> None:
        asked = only(await collect(run(graph, "both")), "interrupt")
        assert text(await collect(resume(graph, {item["id"]: "yes" for item in asked}))) == "gone"
        assert DELETED == ["all", "all"]

    finish(scenario())


def test_a_new_message_instead_of_an_answer_supersedes_the_question() -> None:
    """A person may write something else: the open call is answered as not run, and its question is void."""
    DELETED.clear()
    model = Model([call("delete"), done()], ["as you like", done()])
    graph = approving(model)

    async def scenario() -> None:
        [asked] = only(await collect(run(graph, "delete")), "interrupt")
        assert text(await collect(run(graph, "never mind"))) == "as you like"
        assert errors(await collect(resume(graph, {asked["id"]: "yes"}))) == ["unknown_interrupt"]

    finish(scenario())

    assert [message.type for message in model.asked[1]] == ["human", "ai", "tool", "human"]
    assert DELETED == []


def test_a_stop_that_asks_nothing_is_gone_on_from_without_answers() -> None:
    """A graph compiled to stop before a node ends with `interrupt` and goes on with an empty resume, once."""

    async def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("done")]}

    builder = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node")
    graph = builder.compile(checkpointer=InMemorySaver(), interrupt_before=["node"])

    async def scenario() -> None:
        frames = await collect(run(graph, "go"))
        assert frames[-1].payload["finish_reason"] == "interrupt"
        assert text(await collect(resume(graph, {}))) == "done"
        assert errors(await collect(resume(graph, {}))) == ["unknown_interrupt"]

    finish(scenario())


def test_two_quick_messages_on_one_thread_are_answered_in_order() -> None:
    """The second turn waits for the first and knows its answer."""
    model = Model(["one", 0.05, done()], ["two", done()], ["three", done()])
    graph = agent(model)

    async def scenario() -> list[str]:
        turns = [asyncio.create_task(collect(run(graph, str(number)))) for number in range(3)]
        return [text(await turn) for turn in turns]

    assert finish(scenario()) == ["one", "two", "three"]
    assert [message.content for message in model.asked[2][1:]] == ["0", "one", "1", "two", "2"]
    assert len(TURNS) == 0


def test_more_than_may_wait_are_busy() -> None:
    """One more than may wait, and one that waited too long, are refused as `busy` without touching the thread."""
    release = asyncio.Event()
    model = Model(["one", release, done()], ["two", done()])
    graph = agent(model)

    async def scenario() -> None:
        first = asyncio.create_task(collect(run(graph, "0")))
        await until(lambda: model.waiting)
        second = asyncio.create_task(collect(run(graph, "1", queue=1)))
        await asyncio.sleep(0)
        third = await collect(run(graph, "2", queue=1))
        assert kinds(third) == ["stream.error"]
        assert third[0].payload["error"] == "busy"
        assert third[0].payload["retryable"] is True
        late = await collect(run(graph, "3", queue_timeout=0.05))
        assert errors(late) == ["busy"]
        # Other threads, and other subjects, do not wait.
        assert text(await collect(run(graph, "0", thread="other"))) == "two"
        release.set()
        assert text(await first) == "one"
        assert text(await second) == "two"

    finish(scenario())

    asked = [message.content for message in model.asked[-1] if isinstance(message, HumanMessage)]
    assert asked == ["0", "1"]


def test_a_cancelled_wait_does_not_lose_the_turn() -> None:
    """Cancelling a turn that waits for its thread lets those behind it go on."""
    release = asyncio.Event()
    model = Model(["one", release, done()], ["two", done()])
    graph = agent(model)

    async def scenario() -> None:
        first = asyncio.create_task(collect(run(graph, "0")))
        await until(lambda: model.waiting)
        second = asyncio.create_task(collect(run(graph, "1")))
        third = asyncio.create_task(collect(run(graph, "2")))
        await asyncio.sleep(0.01)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        release.set()
        assert text(await first) == "one"
        assert text(await third) == "two"

    finish(scenario())


def test_threads_belong_to_subjects() -> None:
    """Two subjects with threads of one name see nothing of each other."""
    model = Model(["fine", done()])
    graph = agent(model)

    async def scenario() -> None:
        for subject in ("ann", "bob", "ann/work", "ann"):
            await collect(run(graph, f"I am {subject}", ctx=Context(subject), thread="work"))
        entries = await history(graph, ctx=Context("ann"), thread="work")
        assert [entry["content"] for entry in entries if entry["role"] == "user"] == ["I am ann", "I am ann"]
        assert await history(graph, ctx=Context("eve"), thread="work") == []
        assert await history(graph, ctx=Context("ann"), thread="") == await history(graph, ctx=Context("ann"))

    finish(scenario())


def test_retry_answers_the_last_question_again() -> None:
    """A retry replaces the last answer, tools and all; the question is in the thread once."""

    @tool
    async def look() -> str:
        """Look."""
        return "found"

    model = Model([call("look"), done()], ["first", done()], ["second", done()])
    graph = agent(model, [look])

    async def scenario() -> list[dict[str, Any]]:
        await collect(run(graph, "question"))
        assert text(await collect(retry(graph))) == "second"
        return await history(graph)

    entries = finish(scenario())

    assert [(entry["role"], entry["content"]) for entry in entries] == [("user", "question"), ("assistant", "second")]


def test_retry_after_a_failure() -> None:
    """A question whose answer failed is asked again as it was."""
    model = Model([ConnectionError("refused")], ["fine", done()])
    graph = agent(model)

    async def scenario() -> None:
        assert errors(await collect(run(graph, "question"))) == ["model_unavailable"]
        assert text(await collect(retry(graph))) == "fine"

    finish(scenario())

    assert [message.content for message in model.asked[1][1:]] == ["question"]


def test_retry_without_a_question() -> None:
    """A new thread, and a graph that remembers nothing, have nothing to retry; nothing runs."""
    model = Model(["fine", done()])

    assert errors(finish(collect(retry(agent(model))))) == ["nothing_to_retry"]
    assert errors(finish(collect(retry(agent(model, saver=None))))) == ["nothing_to_retry"]
    assert model.asked == []


def test_retry_with_a_reducer_that_only_adds() -> None:
    """With a state that cannot take messages away the question is asked once more."""

    class Talk(TypedDict):
        messages: Annotated[list[AnyMessage], operator.add]

    model = Model(["first", done()], ["second", done()])

    async def ask(state: Talk) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(Talk).add_node("ask", ask).add_edge(START, "ask").compile(checkpointer=InMemorySaver())

    async def scenario() -> None:
        await collect(run(graph, "question"))
        assert text(await collect(retry(graph))) == "second"

    finish(scenario())

    assert [message.content for message in model.asked[1]] == ["question", "first", "question"]


def test_a_restart_between_turns(tmp_path: Path) -> None:
    """A thread in a file is known to the next process: its answers, its open question and its cancelled text."""
    DELETED.clear()
    file = str(tmp_path / "threads.db")

    async def turn(model: Model, frames: Any) -> Any:
        async with AsyncSqliteSaver.from_conn_string(file) as saver:
            return await frames(approving(model, saver))

    async def scenario() -> None:
        first = await turn(Model(["hello", done()]), lambda graph: collect(run(graph, "I am Ann")))
        assert text(first) == "hello"
        second = await turn(Model([call("delete"), done()]), lambda graph: collect(run(graph, "delete")))
        [asked] = only(second, "interrupt")
        model = Model(["gone", done()])
        third = await turn(model, lambda graph: collect(resume(graph, {asked["id"]: "yes"})))
        assert text(third) == "gone"
        assert DELETED == ["all"]
        assert [message.content for message in model.asked[0] if isinstance(message, HumanMessage)] == [
            "I am Ann",
            "delete",
        ]

    finish(scenario())
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select count(distinct thread_id) from checkpoints").fetchone() == (1,)


def test_the_explicit_style_sends_each_frame_and_tells_how_it_ended() -> None:
    """`send` emits all frames in order and returns the status that the seed's handler returns."""
    context = Context()

    status = finish(send(context, run(agent(Model(["fine", done()])), "hi", ctx=context)))

    assert status.success
    assert status.code == 200
    assert kinds(context.sent) == ["stream.start", "stream.chunk", "usage", "stream.end"]


def test_the_explicit_style_tells_of_a_failure() -> None:
    """A failed turn is a status that is no success, with the error's code."""
    context = Context()

    status = finish(send(context, run(agent(Model([ConnectionError("secret")])), "hi", ctx=context)))

    assert not status.success
    assert status.code == 503
    assert "secret" not in str(status.message)
    assert kinds(context.sent) == ["stream.start", "stream.error"]


def test_a_consumer_that_fails_ends_the_turn() -> None:
    """If a frame cannot be sent, the model call ends with the handler."""
    model = Model(["one", asyncio.Event()])

    class Gone(Context):
        async def emit(self, eventtype: str, payload: Any = None) -> None:
            if eventtype == "stream.chunk":
                raise ConnectionResetError

    async def scenario() -> None:
        context = Gone()
        with pytest.raises(ConnectionResetError):
            await send(context, run(agent(model), "hi", ctx=context))
        assert model.closed == ["cut"]
        assert len(TURNS) == 0

    finish(scenario())


def test_twenty_users_at_once() -> None:
    """Parallel users each get their own answer, whole and in order."""
    words = [f"{number} " for number in range(50)]
    model = Model([*words, 0.001, done()])
    graph = agent(model)

    async def scenario() -> list[str]:
        turns = [collect(run(graph, "go", ctx=Context(f"user{number}"))) for number in range(20)]
        return [text(frames) for frames in await asyncio.gather(*turns)]

    assert finish(scenario()) == ["".join(words)] * 20


def test_an_endless_agent_meets_the_step_limit() -> None:
    """A graph that never stops calling tools ends as `step_limit`, and its thread goes on."""

    @tool
    async def look() -> str:
        """Look."""
        return "found"

    model = Model(*[[call("look", f"c{number}"), done()] for number in range(10)])
    graph = agent(model, [look])

    async def scenario() -> None:
        assert errors(await collect(run(graph, "go", recursion_limit=5))) == ["step_limit"]
        model.replies[:] = [["fine", done()]]
        assert text(await collect(run(graph, "again"))) == "fine"

    finish(scenario())

    asked = model.asked[-1]
    open_calls = {
        request["id"] for message in asked if isinstance(message, AIMessage) for request in message.tool_calls
    }
    assert open_calls == {message.tool_call_id for message in asked if isinstance(message, ToolMessage)}


def test_an_option_that_there_is_not() -> None:
    """A misspelt option is refused where it is written."""
    with pytest.raises(TypeError, match="takes no option `idle`; there are"):
        run(agent(Model(["x"])), "hi", idle=3)  # type: ignore[call-arg]


def test_the_users_own_configuration_and_context_reach_the_graph() -> None:
    """Callbacks, configurable values and the static context are passed on; the thread stays the turn's."""
    from dataclasses import dataclass

    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.runnables import RunnableConfig
    from langgraph.runtime import Runtime

    seen: list[Any] = []

    @dataclass
    class Facts:
        tenant: str

    class Handler(BaseCallbackHandler):
        run_inline = True

        def on_chat_model_start(self, *arguments: Any, **options: Any) -> None:
            seen.append("callback")

    async def node(state: MessagesState, runtime: Runtime[Any], config: RunnableConfig) -> dict[str, Any]:
        seen.append((runtime.context.tenant, config["configurable"]["shade"], config["configurable"]["thread_id"]))
        return {"messages": [await Model(["fine", done()]).ainvoke("?")]}

    node.__annotations__ = {"state": MessagesState, "runtime": Runtime, "config": RunnableConfig}
    builder = StateGraph(MessagesState, context_schema=Facts).add_node("node", node).add_edge(START, "node")
    config = {"callbacks": [Handler()], "configurable": {"shade": "blue", "thread_id": "evil"}}

    finish(collect(run(builder.compile(), "hi", subject="ann", context=Facts("acme"), config=config)))

    assert seen == [("acme", "blue", "ann/default"), "callback"]
