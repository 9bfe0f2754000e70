"""What a thread said, for a client that opens it again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from gsws.ai import history
from gsws.protocol.codec import encode
from tests.ai.support import Model, agent


def entries(messages: list[Any], **options: Any) -> list[dict[str, Any]]:
    """The history of a thread that holds these messages."""
    graph = agent(Model(["x"]))

    async def read() -> list[dict[str, Any]]:
        config = {"configurable": {"thread_id": "ann/default"}}
        await graph.aupdate_state(config, {"messages": messages}, as_node="agent")
        return await history(graph, subject="ann", **options)

    return asyncio.run(read())


def test_questions_and_answers_with_what_they_used() -> None:
    """Tools and sources stand at the answer that used them; system prompts and tools' answers are not entries."""
    found = [{"text": "t", "source": "a.md", "score": 1.0}]
    calls = [{"name": "look", "args": {}, "id": "1"}]
    listed = entries(
        [
            SystemMessage("be brief"),
            HumanMessage("q", id="h"),
            AIMessage("", tool_calls=calls, id="a0"),
            ToolMessage("found", tool_call_id="1", artifact=found),
            AIMessage([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so [1]"}], id="a1"),
            HumanMessage("and now?", id="h2"),
            AIMessage("half", id="a2", response_metadata={"finish_reason": "cancelled"}),
        ]
    )

    assert listed == [
        {"role": "user", "id": "h", "content": "q"},
        {
            "role": "assistant",
            "id": "a1",
            "content": "so [1]",
            "tools": ["look"],
            "sources": [{"source": "a.md", "text": "t", "score": 1.0, "id": 1}],
        },
        {"role": "user", "id": "h2", "content": "and now?"},
        {"role": "assistant", "id": "a2", "content": "half", "cancelled": True},
    ]
    assert encode({"entries": listed})


@pytest.mark.parametrize(("limit", "last"), [(2, ["8", "9"]), (100, [str(n) for n in range(10)]), (0, [])])
def test_the_last_entries(limit: int, last: list[str]) -> None:
    """`limit` counts from the end."""
    messages = [HumanMessage(str(number)) for number in range(10)]

    assert [entry["content"] for entry in entries(messages, limit=limit)] == last


def test_a_graph_that_remembers_nothing_has_no_history() -> None:
    """Without a checkpointer, and for a new thread, the history is empty."""
    assert asyncio.run(history(agent(Model(["x"]), saver=None))) == []
    assert asyncio.run(history(agent(Model(["x"])))) == []
