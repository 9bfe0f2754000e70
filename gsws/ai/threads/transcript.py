"""
What a thread said, for a client that opens it again.

Reads the thread as its checkpointer keeps it; nothing here runs a graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from gsws.ai.content import clean, jsonable, text_of
from gsws.ai.retrieval.citations import numbered, passages
from gsws.ai.threads.conversation import Caller, conversation_of

__all__ = ["history"]


async def history(
    graph: Any,
    *,
    ctx: Caller | None = None,
    thread: str | None = None,
    subject: str | None = None,
    limit: int = 100,
    messages_key: str = "messages",
    config: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """
    Read the last entries of a thread, the oldest of them first; empty for a new thread.

    Args:
        graph: The graph whose checkpointer has the thread.
        ctx: The handler's context: whose thread it is.
        thread: The thread's name; ``default`` if None or empty.
        subject: Whose thread it is, instead of ``ctx.actor.key``.
        limit: How many entries at most.
        messages_key: The state's key that holds messages.
        config: Further configuration of the graph.

    Returns:
        ``{"role": "user", "id", "content"}``, ``{"role": "assistant", "id", "content", "tools"?: [str],
        "sources"?: […], "cancelled"?: true}``, and at the end ``{"role": "interrupt", "id", "value"}`` for each
        question that waits for a person.

    Raises:
        LookupError: If ``config`` names a checkpoint that the thread does not have.
    """
    conversation = conversation_of(graph, ctx, thread, subject=subject, messages_key=messages_key, config=config)
    if not await conversation.exists():
        raise LookupError("this thread has no such checkpoint")
    entries = _entries(await conversation.messages())
    for interrupt in await conversation.interrupts():
        entries.append({"role": "interrupt", "id": interrupt.id, "value": jsonable(interrupt.value)})
    return entries[-limit:] if limit > 0 else []


def _entries(messages: list[BaseMessage]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    sources: list[dict[str, Any]] = []
    tools: list[str] = []
    before = 0
    for message in messages:
        if isinstance(message, HumanMessage):
            sources, tools, before = [], [], 0
            entries.append({"role": "user", "id": message.id, "content": clean(text_of(message.content))})
        elif isinstance(message, ToolMessage):
            found = passages(message.artifact)
            sources += numbered(found, before)
            before += len(found)
        elif isinstance(message, AIMessage):
            tools += [call["name"] for call in message.tool_calls]
            text = clean(text_of(message.content))
            if not text:
                continue
            entry: dict[str, Any] = {"role": "assistant", "id": message.id, "content": text}
            if tools:
                entry["tools"] = tools
            if sources:
                entry["sources"] = sources
            if message.response_metadata.get("finish_reason") == "cancelled":
                entry["cancelled"] = True
            entries.append(entry)
            sources, tools = [], []
    return entries
