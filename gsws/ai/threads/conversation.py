"""
A thread as a graph's checkpointer keeps it: whose it is, what was said and is open, and adding to it outside of a run.

Without a checkpointer there is nothing to read and nothing to keep; every question answers so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast
from weakref import WeakKeyDictionary

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.constants import END, START
from langgraph.prebuilt import ToolNode
from langgraph.pregel import Pregel
from langgraph.types import Interrupt, StateSnapshot

from gsws.ai.threads.naming import thread_id

__all__ = ["Caller", "Conversation", "conversation_of", "subject_of", "tool_nodes"]

_DEFAULT_THREAD: Final = "default"
_NOBODY: Final = "anonymous"

_SENT: Final = "__pregel_push"
"""How the path of a task begins that a `Send` made."""

_tool_nodes: WeakKeyDictionary[Any, frozenset[str]] = WeakKeyDictionary()


class Caller(Protocol):
    """What a turn needs to know of the request that it answers; `GSContext` is one."""

    @property
    def actor(self) -> Any: ...
    @property
    def logger(self) -> Any: ...


class Conversation:
    """
    One thread of one graph.

    Attributes:
        thread: The thread's name as the client knows it.
        graph: The compiled graph.
        config: What the graph is called with, its thread in ``configurable.thread_id``.
        key: The state's key that holds messages.
        saver: The graph's checkpointer, or None.
    """

    __slots__ = ("config", "graph", "key", "saver", "thread")

    def __init__(self, thread: str, graph: Pregel[Any, Any, Any, Any], config: RunnableConfig, key: str) -> None:
        self.thread = thread
        self.graph = graph
        self.config = config
        self.key = key
        self.saver = graph.checkpointer if isinstance(graph.checkpointer, BaseCheckpointSaver) else None

    @property
    def has_messages(self) -> bool:
        """Whether the graph's state has messages where they are looked for."""
        return self.key in self.graph.channels

    async def messages(self) -> list[BaseMessage]:
        """The thread's messages, the oldest first; empty for a new thread."""
        if self.saver is None or not self.has_messages:
            return []
        saved = await self.saver.aget_tuple(self._where())
        if saved is None:
            return []
        values = saved.checkpoint["channel_values"]
        # A channel that is stored as differences is not in the checkpoint itself.
        found = values[self.key] if self.key in values else (await self.graph.aget_state(self._where())).values
        if isinstance(found, dict):
            found = found.get(self.key)
        return [item for item in found if isinstance(item, BaseMessage)] if isinstance(found, list) else []

    async def turn(self) -> list[BaseMessage]:
        """What was said since the last question, also by tasks that had ended when others were interrupted."""
        if self.saver is None or not self.has_messages:
            return []
        values = (await self.graph.aget_state(self._where())).values
        found = values.get(self.key) if isinstance(values, dict) else values
        said: list[BaseMessage] = []
        for message in reversed(found if isinstance(found, list) else []):
            if isinstance(message, HumanMessage):
                break
            if isinstance(message, BaseMessage):
                said.insert(0, message)
        return said

    async def interrupts(self) -> list[Interrupt]:
        """The questions that wait for a person's answer."""
        if self.saver is None:
            return []
        return list((await self.graph.aget_state(self._where())).interrupts)

    async def asks_in_one_task(self) -> bool:
        """Whether a question waits in a task of tools that runs several calls (`Observer.has_shared_question`)."""
        if self.saver is None:
            return False
        return self._shares(await self.graph.aget_state(self._where(), subgraphs=True))

    def _shares(self, state: StateSnapshot) -> bool:
        tools = tool_nodes(self.graph)
        for task in state.tasks:
            if isinstance(task.state, StateSnapshot):
                if self._shares(task.state):
                    return True
            elif task.interrupts and task.name in tools and task.path[:1] != (_SENT,):
                values = state.values
                messages = values.get(self.key) if isinstance(values, dict) else values
                if _open_calls(messages if isinstance(messages, list) else []) > 1:
                    return True
        return False

    async def give_up(self) -> None:
        """Let nothing of the last turn wait any more: no question, no node that is due."""
        if self.saver is not None:
            await self.graph.aupdate_state(self._where(), None, as_node=END)

    async def exists(self) -> bool:
        """Whether there is the checkpoint that the configuration names, if it names one."""
        if self.saver is None or self.config["configurable"].get("checkpoint_id") is None:
            return True
        return await self.saver.aget_tuple(self._where()) is not None

    async def is_stopped(self) -> bool:
        """Whether the graph stands before a node that it was compiled to stop at."""
        if self.saver is None or not (self.graph.interrupt_before_nodes or self.graph.interrupt_after_nodes):
            return False
        return bool((await self.graph.aget_state(self._where())).next)

    async def keep(self, said: Sequence[AIMessage]) -> None:
        """Add what a cancelled turn had said, unless the thread has it already."""
        if self.saver is None or not self.has_messages or not said:
            return
        known = await self.messages()
        ids = {message.id for message in known}
        # A node may have stored it under an id of its own.
        texts = {message.text for message in known[-len(said) :] if isinstance(message, AIMessage)}
        kept = [message for message in said if message.id not in ids and message.text not in texts]
        if kept:
            await self.graph.aupdate_state(self._where(), {self.key: kept}, as_node=START)

    def can_remove(self) -> bool:
        """Whether the state's reducer takes messages away when it is told to."""
        reduce = getattr(self.graph.channels.get(self.key), "operator", None)
        if reduce is None:
            return False
        probe = AIMessage("", id="probe")
        try:
            return bool(reduce([probe], [RemoveMessage("probe")]) == [])
        except Exception:
            return False  # a user's own reducer that knows no such message

    def _where(self) -> RunnableConfig:
        configurable = self.config["configurable"]
        return {"configurable": {**configurable, "checkpoint_ns": configurable.get("checkpoint_ns", "")}}


def conversation_of(
    graph: Any,
    ctx: Caller | None,
    thread: str | None,
    *,
    subject: str | None = None,
    messages_key: str = "messages",
    config: Mapping[str, Any] | None = None,
    recursion_limit: int = 25,
) -> Conversation:
    """Find the thread that a request is about: it belongs to the subject, whatever the client calls it."""
    name = thread or _DEFAULT_THREAD
    merged: dict[str, Any] = {"recursion_limit": recursion_limit, **(config or {})}
    key = thread_id(subject_of(ctx, subject), name)
    merged["configurable"] = {**merged.get("configurable", {}), "thread_id": key}
    return Conversation(name, graph, cast("RunnableConfig", merged), messages_key)


def subject_of(ctx: Caller | None, subject: str | None) -> str:
    """Whose request it is, unless it is given."""
    if subject is not None:
        return subject
    return str(ctx.actor.key) if ctx is not None else _NOBODY


def tool_nodes(graph: Pregel[Any, Any, Any, Any]) -> frozenset[str]:
    """Names of the nodes of a graph and its subgraphs that run tools; looked up once a graph."""
    known = _tool_nodes.get(graph)
    if known is None:
        graphs: Sequence[Any] = [graph, *(inner for _, inner in graph.get_subgraphs(recurse=True))]
        known = frozenset(
            name for each in graphs for name, node in each.nodes.items() if isinstance(node.bound, ToolNode)
        )
        _tool_nodes[graph] = known
    return known


def _open_calls(messages: Sequence[Any]) -> int:
    """How many tool calls of the last message of a model have no answer."""
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            return sum(call["id"] not in answered for call in message.tool_calls)
    return 0
