"""
What LangChain's callbacks tell of a turn beside its stream: each model call's end, and which errors came from tools.

The stream of a graph leaves out model calls that are tagged `nostream`, and does not say what a call cost in all.
Nothing here makes frames.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import LLMResult
from langgraph.constants import TAG_NOSTREAM
from langgraph.errors import GraphInterrupt

from gsws.ai.models.failures import causes

__all__ = ["CallEnd", "Observer"]


@dataclass(frozen=True, slots=True)
class CallEnd:
    """
    A model call that has ended.

    Attributes:
        message: All that the model said.
        metadata: Where in the graph it was called, as LangGraph tells it.
        streams: Whether it is not tagged `nostream`.
        model: The model's name, or "".
    """

    message: AIMessage
    metadata: Mapping[str, Any]
    streams: bool
    model: str


class Observer(BaseCallbackHandler):
    """
    Collects the ends of a turn's model calls; its methods may be called from the threads of synchronous nodes.

    Attributes:
        ended: Calls that have ended and that nobody has looked at yet.
    """

    run_inline = True  # in the order of things, and without a thread of an executor per event

    def __init__(self) -> None:
        self.ended: deque[CallEnd] = deque()
        self._calls: dict[UUID, tuple[Mapping[str, Any], bool]] = {}
        self._nodes: set[asyncio.Task[Any]] = set()
        self._consumer = asyncio.current_task()
        self._tool_errors: list[BaseException] = []
        self._tools: dict[UUID, str] = {}
        self._began: dict[str, list[object]] = {}
        self._asked: set[str] = set()

    def on_chain_start(
        self, serialized: dict[str, Any], inputs: dict[str, Any], *, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        """Remember the task of a node; the graph itself runs in the consumer's."""
        if parent_run_id is None:
            return
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return  # a synchronous node, in its thread
        if task is not None and task is not self._consumer:
            self._nodes.add(task)
            task.add_done_callback(self._nodes.discard)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember where a call was made."""
        self._calls[run_id] = (metadata or {}, TAG_NOSTREAM not in (tags or ()))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Keep what a call said."""
        metadata, streams = self._calls.pop(run_id, ({}, False))
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        message = getattr(generation, "message", None)
        if not isinstance(message, AIMessage):
            return
        model = message.response_metadata.get("model_name") or message.response_metadata.get("model")
        self.ended.append(CallEnd(message, metadata, streams, str(model or metadata.get("ls_model_name") or "")))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forget a call that failed."""
        self._calls.pop(run_id, None)

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Remember in which task of the graph a tool runs, and whether beside others or after them."""
        if parent_run_id in self._tools:
            return  # a tool of a tool runs in its place
        namespace = str((metadata or {}).get("langgraph_checkpoint_ns") or "")
        self._tools[run_id] = namespace
        try:
            origin: object = asyncio.current_task()
        except RuntimeError:
            origin = threading.get_ident()
        self._began.setdefault(namespace, []).append(origin)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Remember that an error came from a tool, or that it asks a person."""
        if isinstance(error, GraphInterrupt):
            if run_id in self._tools:
                self._asked.add(self._tools[run_id])
        elif len(self._tool_errors) < 100:
            self._tool_errors.append(error)

    def has_shared_question(self, tool_nodes: Collection[str]) -> bool:
        """
        Tell whether a tool asked a person in a task of the graph in which another tool ran at the same time.

        LangGraph keeps one row of answers for a task and gives them out in the order in which it is asked: the answer
        to one tool's question can reach another tool. A `ToolNode` runs the calls of its task at the same time; a
        node that runs them one after the other asks in the same order every time.
        """
        for namespace in self._asked:
            origins = self._began[namespace]
            if len(origins) > 1 and (_node(namespace) in tool_nodes or any(one != origins[0] for one in origins)):
                return True
        return False

    async def end_nodes(self) -> None:
        """
        Cancel what still runs of a graph that was left.

        LangGraph does so by itself, unless a second cancellation hits the task that is about to do it; the request to
        the provider would then go on for nobody.
        """
        left = list(self._nodes)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def is_of_tool(self, error: BaseException) -> bool:
        """Whether an error that left the graph is one that a tool raised."""
        return any(cause is known for cause in causes(error) for known in self._tool_errors)


def _node(namespace: str) -> str:
    """``tools`` of ``agent:1|tools:2``."""
    return namespace.rpartition("|")[2].partition(":")[0]
