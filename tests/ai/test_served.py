"""An agent in a served project: both handler styles, and a provider that notices who cancels or leaves."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gsws.testing.gemini import FakeGemini, Turn
from tests.runtime.support import DEADLINE, Served, served

EVENTS = """
websocket.ask: {fn: agent.ask, payload: {}, on_disconnect: cancel}
websocket.seed: {fn: agent.seed, payload: {}}
websocket.history: {fn: agent.past, payload: {}}
websocket.retry: {fn: agent.again, payload: {}}
websocket.timed: {fn: agent.ask, payload: {}, timeout: 300ms}
websocket.short: {fn: agent.ask, payload: {}, emits: {stream.chunk: {properties: {message: {maxLength: 10}}}}}
"""
AGENT = """
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from gsws.ai import chat_model, history, prepare, retry, run, send

@tool
async def look(query: str) -> str:
    "Look something up."
    return "found"

MODEL = chat_model("google_genai:gemini-flash-latest", api_key="fake-key", base_url="{url}", retries=0)
BOUND = MODEL.bind_tools([look])

async def agent(state):
    return {{"messages": [await BOUND.ainvoke(prepare(state["messages"], system="Be brief."))]}}

GRAPH = (
    StateGraph(MessagesState)
    .add_node("agent", agent)
    .add_node("tools", ToolNode([look]))
    .add_edge(START, "agent")
    .add_conditional_edges("agent", tools_condition)
    .add_edge("tools", "agent")
    .compile(checkpointer=InMemorySaver())
)

async def ask(ctx, payload):
    async for frame in run(GRAPH, payload["message"], ctx=ctx):
        yield frame

async def seed(ctx):
    return await send(ctx, run(GRAPH, ctx.inputs.data.payload["message"], ctx=ctx))

async def past(ctx):
    return await history(GRAPH, ctx=ctx)

async def again(ctx):
    async for frame in retry(GRAPH, ctx=ctx):
        yield frame
"""


@pytest.fixture(scope="module")
def gemini() -> Iterator[FakeGemini]:
    with FakeGemini() as fake:
        yield fake


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, gemini: FakeGemini) -> Iterator[Served]:
    root: Path = tmp_path_factory.mktemp("agent")
    files = {"events/all.yaml": EVENTS, "functions/agent.py": AGENT.format(url=gemini.url)}
    with served(root, files) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(gemini: FakeGemini) -> Iterator[None]:
    yield
    gemini.wait_closed()
    gemini.clear()


def names(frames: list[dict[str, Any]]) -> list[str]:
    found = [frame["eventtype"] for frame in frames]
    return [name for at, name in enumerate(found) if at == 0 or found[at - 1] != name]


def said(frames: list[dict[str, Any]]) -> str:
    return "".join(frame["payload"]["message"] for frame in frames if frame["eventtype"] == "stream.chunk")


@pytest.mark.parametrize("event", ["websocket.ask", "websocket.seed"])
def test_both_handler_styles_send_the_same_frames(service: Served, gemini: FakeGemini, event: str) -> None:
    """P6.2, P6.3: one start, one end, sequence numbers without gaps, whether frames are yielded or emitted."""
    gemini.script(Turn.call("look", query="x"), Turn("so it is"))
    with service.client(query=f"?clientId={event}") as client:
        client.send(event, {"message": "what is it?"}, id="a")
        frames = client.answer("a")

    expected = ["stream.start", "usage", "tool.call", "tool.result", "stream.chunk", "usage", "stream.end"]
    assert names(frames) == expected
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert said(frames) == "so it is"
    end = frames[-1]["payload"]
    assert (end["reason"], end["finish_reason"]) == ("complete", "stop")
    assert end["chunks"] == sum(frame["eventtype"] == "stream.chunk" for frame in frames)
    assert end["usage"]["total_tokens"] > 0


def test_a_failure_is_one_terminal_frame(service: Served, gemini: FakeGemini) -> None:
    """P7.1: name, code and whether to try again; the provider's words stay in the log."""
    for event in ("websocket.ask", "websocket.seed"):
        gemini.script(Turn.failure(503, "secret words"))
        with service.client(query=f"?clientId=failing-{event}") as client:
            client.send(event, {"message": "hi"}, id="a")
            frames = client.answer("a")
            client.silence()
        error = frames[-1]["payload"]
        assert names(frames) == ["stream.start", "stream.error"]
        assert (error["error"], error["code"], error["retryable"]) == ("model_unavailable", 503, True)
        assert "secret words" not in repr(frames)


def test_the_contract_of_chunks_holds_for_frames_too(service: Served, gemini: FakeGemini) -> None:
    """A yielded `Frame` of a chunk is held against `emits` as a yielded text is."""
    gemini.script(Turn(["short", "much longer than ten characters"]))
    with service.client(query="?clientId=contract") as client:
        client.send("websocket.short", {"message": "hi"}, id="a")
        frames = client.answer("a")

    assert said(frames) == "short"
    assert frames[-1]["payload"]["error"] == "reply_violation"


def test_cancel_reaches_the_provider_at_once(service: Served, gemini: FakeGemini) -> None:
    """P6.6: a cancel closes the provider's connection, with at most one token more; how fast is `make bench`'s."""
    further = []
    for number in range(5):
        gemini.script(Turn("word " * 500, delay=0.3))
        with service.client(query=f"?clientId=cancels{number}") as client:
            client.send("websocket.ask", {"message": "go on"}, id="a")
            while client.receive()["eventtype"] != "stream.chunk":
                pass
            sent = time.monotonic()
            client.send("gsws.cancel", {"id": "a"})
            frames = client.answer("a")
            assert frames[-1]["payload"]["reason"] == "cancelled"
            gemini.wait_closed(DEADLINE)
            further.append(gemini.requests[-1].tokens_after(sent))

    assert statistics.median(further) <= 1, further


def test_a_client_that_leaves_under_cancel_ends_the_request(service: Served, gemini: FakeGemini) -> None:
    """P6.7: with `on_disconnect: cancel` the provider's connection is closed once the client has gone."""
    gemini.script(Turn("word " * 2000, delay=0.02))
    with service.client(query="?clientId=leaves") as client:
        client.send("websocket.ask", {"message": "go on"}, id="a")
        while client.receive()["eventtype"] != "stream.chunk":
            pass
    gemini.wait_closed(DEADLINE)

    assert gemini.requests[-1].outcome != "complete"


def test_what_was_cancelled_is_in_the_history_and_can_be_retried(service: Served, gemini: FakeGemini) -> None:
    """The part that was seen stays; `retry` answers the question anew, and the history has it once."""
    gemini.script(Turn("one " * 500, delay=0.02), Turn("whole answer"))
    with service.client(query="?clientId=history") as client:
        client.send("websocket.ask", {"message": "count"}, id="a")
        while client.receive()["eventtype"] != "stream.chunk":
            pass
        client.send("gsws.cancel", {"id": "a"})
        client.answer("a")
        gemini.wait_closed(DEADLINE)
        service.wait_for(lambda: not busy())
        kept = client.ask("websocket.history", {}, id="h")["payload"]["data"]
        assert kept[-1]["content"].startswith("one")
        assert kept[-1]["cancelled"] is True
        client.send("websocket.retry", {}, id="r")
        assert said(client.answer("r")) == "whole answer"
        after = client.ask("websocket.history", {}, id="h2")["payload"]["data"]

    assert [(entry["role"], entry["content"]) for entry in after] == [("user", "count"), ("assistant", "whole answer")]


def test_the_events_timeout_ends_the_request(service: Served, gemini: FakeGemini) -> None:
    """A turn cut off by the event's own timeout closes the provider's connection too."""
    gemini.script(Turn("word " * 2000, delay=0.02))
    with service.client(query="?clientId=timed") as client:
        client.send("websocket.timed", {"message": "go on"}, id="a")
        frames = client.answer("a")

    assert frames[-1]["payload"]["reason"] == "timeout"
    gemini.wait_closed(DEADLINE)


def busy() -> int:
    from gsws.ai.threads.queue import TURNS

    return len(TURNS)
