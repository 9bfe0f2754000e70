"""What any user's compiled graph looks like as frames: which, in which order, and with which payload."""

from __future__ import annotations

import asyncio
import json
import operator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Send

from gsws import Frame
from gsws.ai import run
from gsws.protocol.codec import encode
from tests.ai.support import Context, Model, agent, call, calls, collect, done, finish, kinds, only, text


@tool(response_format="content_and_artifact")
async def look(query: str = "") -> tuple[str, list[dict[str, Any]]]:
    """Look something up."""
    found = {"text": "All about it.", "source": "guide/a.md", "score": 1.5, "title": "A", "extra": "not shown"}
    return "[1] All about it.", [found]


@tool
async def broken() -> str:
    """Fail."""
    raise ValueError("the password is hunter2")


def one_node(node: Any, **options: Any) -> Any:
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile(**options)


def test_a_turn_with_a_tool_has_one_start_and_one_end() -> None:
    """Text, call, result, sources, text, usage: each frame in its place and with the documented keys."""
    model = Model(["Let me look.", call("look", query="it"), done()], ["It is ", "so [1].", done(went=6)])

    frames = finish(collect(run(agent(model, [look]), "what is it?", thread="work")))

    assert kinds(frames) == [
        "stream.start",
        "stream.chunk",
        "usage",
        "tool.call",
        "tool.result",
        "sources",
        "stream.chunk",
        "usage",
        "stream.end",
    ]
    assert text(frames) == "Let me look.\n\nIt is so [1]."
    assert dict(frames[0].payload) == {"message": "[STREAM_START]", "thread": "work"}
    assert only(frames, "tool.call") == [{"id": "c1", "name": "look", "args": {"query": "it"}}]
    [result] = only(frames, "tool.result")
    assert result.pop("ms") >= 0
    assert result == {"id": "c1", "name": "look", "content": "[1] All about it."}
    [sources] = only(frames, "sources")
    passage = {"id": 1, "source": "guide/a.md", "text": "All about it.", "title": "A", "score": 1.5}
    assert sources == {"sources": [passage]}
    usage = {"input_tokens": 6, "output_tokens": 10, "total_tokens": 16, "model": "scripted-1"}
    assert only(frames, "usage")[-1] == usage
    assert dict(frames[-1].payload) == {
        "message": "[STREAM_END]",
        "finish_reason": "stop",
        "usage": usage,
        "thread": "work",
    }


def test_parallel_calls_each_have_one_call_and_one_result() -> None:
    """Calls that run at the same time are told one by one, and their sources come once, before the answer."""
    model = Model([calls(("look", "c1"), ("look", "c2")), done()], ["fine", done()])

    frames = finish(collect(run(agent(model, [look]), "both?")))

    assert sorted(item["id"] for item in only(frames, "tool.call")) == ["c1", "c2"]
    assert sorted(item["id"] for item in only(frames, "tool.result")) == ["c1", "c2"]
    [sources] = only(frames, "sources")
    assert [item["id"] for item in sources["sources"]] == [1, 2]
    assert kinds(frames)[-4:] == ["sources", "stream.chunk", "usage", "stream.end"]


def test_one_task_a_call_with_send() -> None:
    """A graph that sends each tool call to a task of its own gives the same frames."""
    model = Model([calls(("look", "c1"), ("look", "c2")), done()], ["fine", done()])

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def route(state: MessagesState) -> Any:
        return [Send("tools", [request]) for request in state["messages"][-1].tool_calls] or END  # type: ignore[union-attr]

    builder = StateGraph(MessagesState).add_node("agent", ask).add_node("tools", ToolNode([look]))
    builder.add_edge(START, "agent").add_conditional_edges("agent", route, ["tools", END]).add_edge("tools", "agent")

    frames = finish(collect(run(builder.compile(), "both?")))

    assert len(only(frames, "tool.call")) == len(only(frames, "tool.result")) == 2
    assert len(only(frames, "sources")) == 1
    assert text(frames) == "fine"


def test_a_failing_tool_is_told_without_its_words() -> None:
    """A tool that raises gives `tool.error` and ends the turn as `agent_error`; its text is in the log alone."""
    context = Context()

    frames = finish(collect(run(agent(Model([call("broken"), done()]), [broken]), "go", ctx=context)))

    assert kinds(frames)[-3:] == ["tool.call", "tool.error", "stream.error"]
    assert only(frames, "tool.error") == [
        {"id": "c1", "name": "broken", "error": "tool_failed", "message": "the tool failed"}
    ]
    assert frames[-1].payload["error"] == "agent_error"
    assert "hunter2" not in repr(frames)
    assert "hunter2" in repr(context.logs)


def test_a_failing_tool_that_the_graph_handles_does_not_end_the_turn() -> None:
    """With tool errors handled, the turn goes on; the error is told once."""
    model = Model([call("broken"), done()], ["sorry", done()])

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def route(state: MessagesState) -> str:
        return "tools" if state["messages"][-1].tool_calls else END  # type: ignore[union-attr]

    builder = StateGraph(MessagesState).add_node("agent", ask)
    builder.add_node("tools", ToolNode([broken], handle_tool_errors=True))
    builder.add_edge(START, "agent").add_conditional_edges("agent", route, ["tools", END]).add_edge("tools", "agent")

    frames = finish(collect(run(builder.compile(), "go")))

    assert len(only(frames, "tool.error")) == 1
    assert only(frames, "tool.result") == []
    assert text(frames) == "sorry"
    assert "hunter2" not in repr(frames)


def test_a_call_of_an_unknown_tool_is_an_error_of_that_call() -> None:
    """A call that never reaches a tool is told from the answer that the tool node gives."""
    model = Model([call("nowhere"), done()], ["sorry", done()])

    frames = finish(collect(run(agent(model, [look]), "go")))

    assert [item["name"] for item in only(frames, "tool.call")] == ["nowhere"]
    assert [item["name"] for item in only(frames, "tool.error")] == ["nowhere"]
    assert text(frames) == "sorry"


def test_tools_that_a_node_runs_by_itself_are_told_from_their_messages() -> None:
    """A node that answers tool calls without a tool node gives the same frames."""
    model = Model([call("own", query="it"), done()], ["fine", done()])

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def own(state: MessagesState) -> dict[str, Any]:
        requests = state["messages"][-1].tool_calls  # type: ignore[union-attr]
        return {"messages": [ToolMessage("mine", tool_call_id=request["id"]) for request in requests]}

    def route(state: MessagesState) -> str:
        return "own" if state["messages"][-1].tool_calls else END  # type: ignore[union-attr]

    builder = StateGraph(MessagesState).add_node("agent", ask).add_node("own", own)
    builder.add_edge(START, "agent").add_conditional_edges("agent", route, ["own", END]).add_edge("own", "agent")

    frames = finish(collect(run(builder.compile(), "go")))

    assert only(frames, "tool.call") == [{"id": "c1", "name": "own", "args": {"query": "it"}}]
    assert [item["content"] for item in only(frames, "tool.result")] == ["mine"]


def test_a_tool_that_returns_a_command() -> None:
    """A tool that updates the state itself is told by the message that it puts there."""

    @tool
    async def commands(tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Command."""
        return Command(update={"messages": [ToolMessage("commanded", tool_call_id=tool_call_id)]})

    frames = finish(collect(run(agent(Model([call("commands"), done()], ["fine", done()]), [commands]), "go")))

    assert [item["content"] for item in only(frames, "tool.result")] == ["commanded"]
    assert [item["args"] for item in only(frames, "tool.call")] == [{}]


def test_a_message_that_is_not_streamed_comes_whole() -> None:
    """A node that makes its message itself, or a model that cannot stream, gives its text in one chunk."""

    async def constant(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Good day.")]}

    model = GenericFakeChatModel(messages=iter([AIMessage("whole words")]), disable_streaming=True)

    async def whole(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    for node, expected in ((constant, "Good day."), (whole, "whole words")):
        frames = finish(collect(run(one_node(node), "hi")))
        assert [item["message"] for item in only(frames, "stream.chunk")] == [expected]


def test_a_message_that_was_streamed_is_not_said_again() -> None:
    """A node that returns its own message with the streamed text does not make it appear twice."""
    model = Model(["one ", "two", done()])

    async def copies(state: MessagesState) -> dict[str, Any]:
        answer = await model.ainvoke(state["messages"])
        return {"messages": [AIMessage(answer.text)]}

    assert text(finish(collect(run(one_node(copies), "hi")))) == "one two"


def test_synchronous_nodes_stream() -> None:
    """A plain function as node, with a model that is invoked without await, streams from its thread."""

    def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [FakeListChatModel(responses=["abc"]).invoke(state["messages"])]}

    frames = finish(collect(run(one_node(node), "hi")))

    assert [item["message"] for item in only(frames, "stream.chunk")] == ["a", "b", "c"]


def test_subgraphs_stream() -> None:
    """What a subgraph says comes as it is said, and once."""
    model = Model(["inner ", "words", done()])

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    frames = finish(collect(run(one_node(one_node(ask)), "hi")))

    assert [item["message"] for item in only(frames, "stream.chunk")] == ["inner ", "words"]


def test_a_state_of_another_shape() -> None:
    """A graph without messages takes its input as it is and answers with what its nodes write."""

    class Work(TypedDict):
        numbers: Annotated[list[int], operator.add]

    async def node(state: Work) -> dict[str, Any]:
        get_stream_writer()({"progress": 0.5})
        return {"numbers": [sum(state["numbers"])]}

    graph = StateGraph(Work).add_node("node", node).add_edge(START, "node").compile()

    frames = finish(collect(run(graph, {"numbers": [1, 2]})))

    assert kinds(frames) == ["stream.start", "custom", "stream.end"]
    assert only(frames, "custom") == [{"data": {"progress": 0.5}}]
    assert frames[-1].payload["finish_reason"] == "stop"


def test_messages_under_another_key() -> None:
    """`messages_key` names the state's key that holds messages."""

    class Talk(TypedDict):
        talk: Annotated[list[AnyMessage], operator.add]

    model = Model(["fine", done()])

    async def node(state: Talk) -> dict[str, Any]:
        return {"talk": [await model.ainvoke(state["talk"])]}

    graph = StateGraph(Talk).add_node("node", node).add_edge(START, "node").compile()

    assert text(finish(collect(run(graph, "hi", messages_key="talk")))) == "fine"
    assert [message.content for message in model.asked[0]] == ["hi"]


def test_a_graph_of_functions() -> None:
    """A graph written as `entrypoint` and `task` streams too."""
    model = Model(["fine", done()])

    @task
    async def ask(question: str) -> str:
        return str((await model.ainvoke(question)).text)

    @entrypoint()
    async def flow(question: str) -> str:
        return await ask(question)

    assert text(finish(collect(run(flow, "hi")))) == "fine"


def test_content_in_blocks_and_reasoning() -> None:
    """Text blocks are text, reasoning goes its own way, whatever a provider calls it."""
    model = Model(
        [
            AIMessageChunk([{"type": "thinking", "thinking": "hm", "index": 0}]),
            AIMessageChunk([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "so"}], "index": 0}]),
            AIMessageChunk([{"type": "reasoning", "reasoning": "then"}]),
            AIMessageChunk("", additional_kwargs={"reasoning_content": "also"}),
            AIMessageChunk([{"type": "text", "text": "one "}, "two ", {"type": "image_url", "image_url": "x"}]),
            AIMessageChunk([{"type": "text", "text": "three"}]),
            done(),
        ]
    )

    frames = finish(collect(run(agent(model), "hi")))

    assert [item["message"] for item in only(frames, "reasoning")] == ["hm", "so", "then", "also"]
    assert text(frames) == "one two three"


def test_half_a_character_at_the_end_of_a_chunk_can_be_sent() -> None:
    """Text that has no JSON form is replaced, not a reason to break the stream."""
    frames = finish(collect(run(agent(Model(["smile \ud83d", "\ude00 ünd", done()])), "hi")))

    assert all(encode(dict(frame.payload)) for frame in frames)
    assert text(frames).endswith("ünd")


def test_models_that_are_not_the_answer_are_counted_but_not_heard() -> None:
    """A model tagged `nostream`, or called inside a tool, says nothing to the client, and is counted."""
    helper = Model(["secret thought", done(came=10, went=10)])
    inner = Model(["inner thought", done(came=100, went=100)])
    model = Model([call("think"), done()], ["fine", done()])

    @tool
    async def think() -> str:
        """Think."""
        return str((await inner.ainvoke("?")).text)

    async def ask(state: MessagesState) -> dict[str, Any]:
        await helper.with_config(tags=["nostream"]).ainvoke("?")
        return {"messages": [await model.ainvoke(state["messages"])]}

    def route(state: MessagesState) -> str:
        return "tools" if state["messages"][-1].tool_calls else END  # type: ignore[union-attr]

    builder = StateGraph(MessagesState).add_node("agent", ask).add_node("tools", ToolNode([think]))
    builder.add_edge(START, "agent").add_conditional_edges("agent", route, ["tools", END]).add_edge("tools", "agent")

    frames = finish(collect(run(builder.compile(), "go")))

    assert text(frames) == "fine"
    assert frames[-1].payload["usage"]["total_tokens"] == 2 * 7 + 2 * 20 + 200


def test_only_the_named_nodes_answer() -> None:
    """`nodes` names whose text is the answer."""
    planner, writer = Model(["plan", done()]), Model(["text", done()])

    async def plan(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await planner.ainvoke(state["messages"])]}

    async def write(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await writer.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState).add_node("plan", plan).add_node("write", write)
    graph = builder.add_edge(START, "plan").add_edge("plan", "write").compile()

    assert text(finish(collect(run(graph, "go")))) == "plan\n\ntext"
    assert text(finish(collect(run(graph, "go", nodes=["write"])))) == "text"


def test_what_nodes_write_always_has_a_json_form() -> None:
    """Whatever a node writes can be sent; a frame of the user's own type goes out as such, a reserved one does not."""

    @dataclass
    class Odd:
        secret: str = "hidden"

    async def node(state: MessagesState) -> dict[str, Any]:
        write = get_stream_writer()
        nested: list[Any] = []
        nested.append(nested)
        write({"when": datetime(2026, 1, 1, tzinfo=UTC), "nan": float("nan"), "set": {1}, "odd": Odd(), 5: b"x"})
        write(nested)
        write(HumanMessage("words"))
        write(Frame("progress", {"done": 0.5}))
        write(Frame("stream.end", {"message": "no"}))
        return {}

    frames = finish(collect(run(one_node(node), "go")))

    assert all(encode(dict(frame.payload)) for frame in frames)
    first = only(frames, "custom")[0]["data"]
    assert first == {"when": "2026-01-01 00:00:00+00:00", "nan": None, "set": [1], "odd": "<Odd>", "5": "<bytes>"}
    assert only(frames, "progress") == [{"done": 0.5}]
    assert "hidden" not in repr(frames)


def test_long_results_are_cut_and_documents_are_sources() -> None:
    """A tool's result is shown in part; LangChain's documents are sources like any passage."""

    @tool(response_format="content_and_artifact")
    async def long() -> tuple[str, list[Any]]:
        """Answer at length."""
        return "x" * 10_000, [Document("word " * 500, metadata={"source": "b.md", "title": "B"}), "no passage"]

    frames = finish(collect(run(agent(Model([call("long"), done()], ["fine", done()]), [long]), "go")))

    assert len(only(frames, "tool.result")[0]["content"]) == 2000
    [passage] = only(frames, "sources")[0]["sources"]
    assert passage["id"] == 1
    assert passage["source"] == "b.md"
    assert len(passage["text"]) == 500


def test_arguments_that_no_json_has_do_not_break_the_turn() -> None:
    """Frames of a turn are made of plain values only."""
    frames = finish(collect(run(agent(Model([call("look", query="q"), done()], ["fine", done()]), [look]), "go")))

    json.dumps([dict(frame.payload) for frame in frames], allow_nan=False)


@pytest.mark.parametrize(
    ("reason", "ends"),
    [
        ("STOP", "stop"),
        ("end_turn", "stop"),
        ("MAX_TOKENS", "length"),
        ("length", "length"),
        ("STOPSTOP", "stop"),
        ("SOMETHING_NEW", "other"),
        ("", "stop"),
    ],
)
def test_finish_reasons(reason: str, ends: str) -> None:
    """Each provider's word for the end is one of a few."""
    frames = finish(collect(run(agent(Model(["words", done(reason)])), "go")))

    assert frames[-1].eventtype == "stream.end"
    assert frames[-1].payload["finish_reason"] == ends


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (["words", done("SAFETY")], "blocked"),
        ([done("content_filter")], "blocked"),
        ([done("STOP")], "empty_answer"),
        ([done("MALFORMED_FUNCTION_CALL")], "empty_answer"),
        (["words", done("MALFORMED_FUNCTION_CALL")], "model_interrupted"),
        ([AIMessageChunk("", response_metadata={"prompt_feedback": {"block_reason": "SAFETY"}})], "blocked"),
    ],
)
def test_ends_that_are_no_answer(reply: list[Any], error: str) -> None:
    """What is no answer is an error with a stable name, and the next turn of the thread works."""
    model = Model(reply, ["fine", done()])
    graph = agent(model)

    async def scenario() -> tuple[list[Frame], list[Frame]]:
        return await collect(run(graph, "go")), await collect(run(graph, "again"))

    first, second = finish(scenario())

    assert first[-1].eventtype == "stream.error"
    assert first[-1].payload["error"] == error
    assert text(second) == "fine"


def test_a_blocked_question_is_not_asked_again() -> None:
    """A question that the provider blocked is not part of the next request, or it would block every later one."""
    blocked = AIMessageChunk("", response_metadata={"prompt_feedback": {"block_reason": "PROHIBITED_CONTENT"}})
    model = Model([blocked], ["fine", done()])
    graph = agent(model)

    async def scenario() -> None:
        await collect(run(graph, "bad"))
        await collect(run(graph, "good"))

    finish(scenario())

    assert [message.content for message in model.asked[1]] == ["Be brief.", "good"]


def test_two_models_at_a_time() -> None:
    """Two nodes that speak at the same time are both heard; neither's text is lost or doubled."""
    one, two = Model([0.01, "a", 0.02, "a", done()]), Model([0.02, "b", 0.02, "b", done()])

    def node(model: Model) -> Any:
        async def ask(state: MessagesState) -> dict[str, list[BaseMessage]]:
            return {"messages": [await model.ainvoke("?")]}

        return ask

    builder = StateGraph(MessagesState).add_node("one", node(one)).add_node("two", node(two))
    graph = builder.add_edge(START, "one").add_edge(START, "two").compile()

    said = text(finish(collect(run(graph, "go"))))

    assert sorted(said.replace("\n", "")) == ["a", "a", "b", "b"]


def test_a_turn_can_be_run_without_a_context_and_twice_at_once() -> None:
    """Graphs without a checkpointer have no thread to wait for."""
    model = Model(["a", 0.05, "b", done()])
    graph = agent(model, saver=None)

    async def scenario() -> list[str]:
        return [text(frames) for frames in await asyncio.gather(*(collect(run(graph, "go")) for _ in range(5)))]

    assert finish(scenario()) == ["ab"] * 5
