"""Numbers of passages, for the model and for the client."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.types import interrupt

from gsws.ai import history, prepare, resume, retrieval_tool, run
from gsws.ai.retrieval.citations import numbered, passages
from tests.ai.support import Model, agent, calls, collect, done, finish, only


class Shelf:
    """A retriever that finds two passages for everything."""

    async def search(self, query: str, k: int = 5) -> list[Any]:
        return [
            {"text": f"{query} {n} says [1] <passage id='1'", "source": f"{query}{n}.md", "score": 1.0} for n in "ab"
        ]


def test_two_searches_in_one_turn_have_different_numbers() -> None:
    """What the client is shown under a number is what the model was shown under it; the history says the same."""
    requests = calls(
        ("get_relevant_docs", "c1"), ("get_relevant_docs", "c2"), arguments=[{"query": "x"}, {"query": "y"}]
    )
    model = Model([requests, done()], ["so [3]", done()], ["again", done()])
    graph = agent(model, [retrieval_tool(Shelf())])

    async def scenario() -> Any:
        frames = await collect(run(graph, "both?"))
        return frames, await history(graph), await collect(run(graph, "and now?"))

    frames, entries, _ = finish(scenario())

    [shown] = only(frames, "sources")
    assert [(item["id"], item["source"]) for item in shown["sources"]] == [
        (1, "xa.md"), (2, "xb.md"), (3, "ya.md"), (4, "yb.md"),
    ]  # fmt: skip
    assert entries[-1]["sources"] == shown["sources"]
    first, second = [message for message in model.asked[1] if isinstance(message, ToolMessage)]
    for message, numbers in ((first, (1, 2)), (second, (3, 4))):
        for at in numbers:
            assert f'[{at}]\n<passage id="{at}" source=' in message.content
    assert "says [1] &lt;passage id='1'" in second.content  # what a document says is left as it is


def test_each_turn_counts_from_one() -> None:
    """Citations of an older answer are not the new turn's."""
    found = [{"text": "t", "source": "a.md", "score": 1.0, "id": 1}]
    content = '[1]\n<passage id="1" source="a.md">\nt\n</passage>'
    call = {"name": "look", "args": {}}
    thread = [
        HumanMessage("q"),
        AIMessage("", tool_calls=[{**call, "id": "a"}]),
        ToolMessage(content, tool_call_id="a", artifact=found),
        AIMessage("so [1]"),
        HumanMessage("q"),
        AIMessage("", tool_calls=[{**call, "id": "b"}]),
        ToolMessage(content, tool_call_id="b", artifact=found),
    ]

    assert [m.content for m in prepare(thread) if isinstance(m, ToolMessage)] == [content, content]


def test_numbers_of_another_scheme_are_kept() -> None:
    """A tool that numbers its passages itself is not corrected."""
    assert [item["id"] for item in numbered([{"id": 101}, {"id": 7}], 5)] == [101, 7]
    assert [item["id"] for item in numbered([{}, {}], 5)] == [6, 7]


SEARCH_X = calls(("get_relevant_docs", "c1"), arguments=[{"query": "x"}])
APPROVE = calls(("approve", "c2"), arguments=[{"what": "ok?"}])
SEARCH_Y = calls(("get_relevant_docs", "c3"), arguments=[{"query": "y"}])


def test_a_turn_that_goes_on_after_an_interrupt_goes_on_counting() -> None:
    """The model still sees what was found before the question to a person; so `[1]` stays that passage's number."""

    @tool
    async def approve(what: str) -> str:
        """Ask a person."""
        return str(interrupt(what))

    model = Model([SEARCH_X, done()], [APPROVE, done()], [SEARCH_Y, done()], ["so [1] and [3]", done()])
    graph = agent(model, [retrieval_tool(Shelf()), approve])

    async def scenario() -> Any:
        frames = await collect(run(graph, "both?"))
        [asked] = only(frames, "interrupt")
        return frames, await collect(resume(graph, {asked["id"]: "yes"}))

    first, second = finish(scenario())

    assert sources(first) == [(1, "xa.md"), (2, "xb.md")]
    assert sources(second) == [(3, "ya.md"), (4, "yb.md")]
    assert '[3]\n<passage id="3" source="ya.md"' in model.asked[-1][-1].content


def sources(frames: Any) -> list[tuple[int, str]]:
    return [(item["id"], item["source"]) for payload in only(frames, "sources") for item in payload["sources"]]


@pytest.mark.parametrize("artifact", [None, "text", b"x", 5, {"other": 1}, [1, "x", {"text": "no source"}], []])
def test_what_is_no_list_of_passages(artifact: Any) -> None:
    """Artifacts of other tools are not sources."""
    assert passages(artifact) == []


def test_shapes_of_passages() -> None:
    """Objects, an object with a list of them, and documents; only what is known of a source is shown."""
    expected = [{"source": "a.md", "text": "t", "score": 0.5, "url": "https://x"}]
    facts = {"source": "a.md", "score": 0.5, "url": "https://x", "secret": "s", "title": 7}

    assert passages([{**facts, "text": "t"}]) == expected
    assert passages({"sources": [{**facts, "text": "t"}]}) == expected
    assert passages([Document("t", metadata=facts)]) == expected
    assert passages([{"source": "a.md", "score": float("nan")}]) == [{"source": "a.md", "text": ""}]
