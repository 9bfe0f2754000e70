"""
The graph whose tokens are measured: one node, one model that gives its words without thinking.

In a module of its own, so that every contestant streams the very same graph.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

__all__ = ["Words", "make_graph", "make_graph_of"]


class Words(BaseChatModel):
    """Says as many words as the last message asks for, and lets others have a turn after each."""

    @property
    def _llm_type(self) -> str:
        return "words"

    def _generate(self, *arguments: Any, **options: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **options: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for number in range(int(str(messages[-1].content))):
            yield ChatGenerationChunk(message=AIMessageChunk(f"token {number} "))
            await asyncio.sleep(0)


def make_graph() -> Any:
    """The graph with the model that costs nothing."""
    return make_graph_of(Words())


def make_graph_of(model: BaseChatModel) -> Any:
    """The compiled graph, with a checkpointer in memory."""

    async def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState).add_node("agent", agent).add_edge(START, "agent")
    return builder.compile(checkpointer=InMemorySaver())
