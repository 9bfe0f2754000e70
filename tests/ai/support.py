"""A scripted chat model, small graphs around it, and reading the frames of a turn; every wait has a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar

import structlog
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from gsws import Frame
from gsws.ai import prepare
from gsws.types import GSActor

T = TypeVar("T")

DEADLINE = 20.0


def finish(work: Coroutine[Any, Any, T], seconds: float = DEADLINE) -> T:
    """Run a coroutine to its end, by its deadline, and see that it leaves no task behind."""

    async def run() -> T:
        before = asyncio.all_tasks()
        async with asyncio.timeout(seconds):
            result = await work
            for _ in range(200):
                left = asyncio.all_tasks() - before
                if not left:
                    break
                await asyncio.sleep(0.01)
        assert not left, left
        return result

    return asyncio.run(run())


class Model(BaseChatModel):
    """
    Plays a script: one reply a call, the last one for ever.

    A reply is a list: text is a delta, a chunk is itself, an exception is raised, an event is waited for, a number is
    slept. A reply that is left, complete or not, is counted in ``closed``.
    """

    replies: list[Any]
    asked: list[list[BaseMessage]]
    closed: list[str]
    waiting: list[bool]

    def __init__(self, *replies: Sequence[Any], **options: Any) -> None:
        super().__init__(replies=list(replies), asked=[], closed=[], waiting=[], **options)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self

    def _generate(self, *arguments: Any, **options: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self.replies[min(len(self.asked), len(self.replies) - 1)]
        self.asked.append(messages)
        state = "cut"
        try:
            for item in reply:
                if isinstance(item, BaseException):
                    raise item
                if isinstance(item, asyncio.Event):
                    self.waiting.append(True)
                    await item.wait()
                elif isinstance(item, float):
                    await asyncio.sleep(item)
                else:
                    chunk = AIMessageChunk(item) if isinstance(item, str) else item
                    yield ChatGenerationChunk(message=chunk.model_copy())
            state = "complete"
        finally:
            self.closed.append(state)


def call(name: str, identifier: str = "c1", /, **arguments: Any) -> AIMessageChunk:
    """A chunk that calls a tool."""
    request = {"name": name, "args": arguments, "id": identifier, "type": "tool_call"}
    return AIMessageChunk("", tool_calls=[request])


def calls(*requests: tuple[str, str], arguments: Sequence[dict[str, Any]] = ()) -> AIMessageChunk:
    """A chunk that calls several tools, as pairs of name and id."""
    listed = [{"name": name, "args": {}, "id": identifier, "type": "tool_call"} for name, identifier in requests]
    for request, given in zip(listed, arguments, strict=False):
        request["args"] = given
    return AIMessageChunk("", tool_calls=listed)


def done(reason: str = "STOP", came: int = 3, went: int = 4) -> AIMessageChunk:
    """The last chunk of a reply: why it ends, and what it used."""
    usage = {"input_tokens": came, "output_tokens": went, "total_tokens": came + went}
    metadata = {"finish_reason": reason, "model_name": "scripted-1"}
    return AIMessageChunk("", usage_metadata=usage, response_metadata=metadata)


def agent(model: Any, tools: Sequence[BaseTool] = (), *, saver: Any = True, heals: bool = True) -> Any:
    """The usual graph: a node that calls the model, a node that runs tools."""

    async def ask(state: MessagesState) -> dict[str, Any]:
        messages = prepare(state["messages"], system="Be brief.") if heals else state["messages"]
        return {"messages": [await model.ainvoke(messages)]}

    graph = StateGraph(MessagesState).add_node("agent", ask).add_edge(START, "agent")
    if tools:
        graph.add_node("tools", ToolNode(list(tools)))
        graph.add_conditional_edges("agent", tools_condition)
        graph.add_edge("tools", "agent")
    return graph.compile(checkpointer=InMemorySaver() if saver is True else saver)


class Context:
    """What `run` needs of a request, and what `send` emits to."""

    def __init__(self, subject: str = "ann") -> None:
        self.actor = GSActor(subject)
        self.logs: list[dict[str, Any]] = []
        self.logger = structlog.wrap_logger(None, processors=[self._log])
        self.request_id = "r1"
        self.sent: list[Frame] = []

    async def emit(self, eventtype: str, payload: Any = None) -> None:
        self.sent.append(Frame(eventtype, payload))

    def _log(self, logger: Any, method: str, event: dict[str, Any]) -> Any:
        self.logs.append({**event, "level": method})
        raise structlog.DropEvent


async def collect(frames: AsyncIterator[Frame]) -> list[Frame]:
    """All frames of a turn; checks what holds for every turn."""
    result = [frame async for frame in frames]
    checked(result)
    return result


def checked(frames: Sequence[Frame]) -> None:
    """At most one start, first of all; exactly one terminal frame, last of all."""
    names = [frame.eventtype for frame in frames]
    assert [at for at, name in enumerate(names) if name in ("stream.end", "stream.error")] == [len(names) - 1], names
    assert names.count("stream.start") <= 1
    assert "stream.start" not in names[1:]
    own = [frame for frame in frames if frame.eventtype != "progress"]
    assert all(type(frame.payload["message"]) is str for frame in own), "clients in the field read just that (P2.3)"


def kinds(frames: Sequence[Frame]) -> list[str]:
    """The types of the frames, repeated ones once."""
    names = [frame.eventtype for frame in frames]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def text(frames: Sequence[Frame]) -> str:
    """What the frames say."""
    return "".join(frame.payload["message"] for frame in frames if frame.eventtype == "stream.chunk")


def only(frames: Sequence[Frame], eventtype: str) -> list[dict[str, Any]]:
    """Payloads of one type, without a message that is empty because the frame has none to tell."""
    found = [dict(frame.payload) for frame in frames if frame.eventtype == eventtype]
    return [{key: value for key, value in payload.items() if key != "message" or value} for payload in found]


async def until(condition: Any, seconds: float = DEADLINE) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
