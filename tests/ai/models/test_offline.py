"""The model without a key: what it asks for, what it quotes, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from gsws.ai.models import chat_model
from gsws.ai.models.offline import NOTICE, OfflineModel

PASSAGES = [
    {
        "text": "# Install\n\nInstall gsws with pip:\n\n```sh\npip install gsws\n```\n\nIt needs Python 3.11.",
        "source": "guide/install.md",
        "title": "Install",
        "score": 1.0,
    },
    {"text": "The moon is far away. Python runs on Windows.", "source": "guide/other.md", "score": 0.4},
]


@tool(response_format="content_and_artifact")
def get_relevant_docs(query: str) -> tuple[str, list[dict[str, Any]]]:
    """Find passages."""
    return "passages", PASSAGES


@tool
def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    return "sent"


@tool
def translate(query: str) -> str:
    """Translate a word."""
    return query


def answer(messages: list[BaseMessage] | str, *tools: Any, **options: Any) -> AIMessage:
    model = OfflineModel()
    return (model.bind_tools(tools, **options) if tools else model).invoke(messages)


def asked(question: str, artifact: Any, **facts: Any) -> list[BaseMessage]:
    """A conversation whose question has been looked up."""
    call = {"name": "get_relevant_docs", "args": {"query": question}, "id": "1"}
    found = ToolMessage("found", tool_call_id="1", name="get_relevant_docs", artifact=artifact, **facts)
    return [HumanMessage(question), AIMessage("", tool_calls=[call]), found]


def test_a_question_calls_the_retrieval_tool_with_the_question() -> None:
    """The tool is called as a model would, and nothing is said beside it."""
    message = answer("How do I  install gsws?", get_relevant_docs)

    [call] = message.tool_calls
    assert (call["name"], call["args"]) == ("get_relevant_docs", {"query": "How do I install gsws?"})
    assert call["id"]
    assert message.text == ""


def test_of_several_tools_the_one_that_searches_is_called() -> None:
    """It has one string argument `query`; its name decides between two of them; none fits, none is called."""
    assert answer("moon?", send_mail, translate, get_relevant_docs).tool_calls[0]["name"] == "get_relevant_docs"
    assert answer("moon?", send_mail, translate).tool_calls[0]["name"] == "translate"
    assert answer("moon?", send_mail).tool_calls == []
    assert answer("moon?", get_relevant_docs, tool_choice="none").tool_calls == []


def test_the_answer_quotes_passages_with_numbers_and_sources() -> None:
    """First line: no model is configured and how to set one. Then quotations, code whole, then the sources."""
    message = answer(asked("How do I install gsws with pip?", PASSAGES), get_relevant_docs)

    assert message.text == (
        f"{NOTICE}\n\n> Install gsws with pip: [1]\n\n```sh\npip install gsws\n```\n\n[1]\n\n"
        "Sources:\n- [1] guide/install.md (Install)"
    )
    assert message.text.splitlines()[0].startswith("No language model is configured; set GOOGLE_API_KEY")
    assert message.tool_calls == []


def test_the_numbers_are_the_places_of_the_passages() -> None:
    """What is cited as [2] is the second passage, also when the first is not quoted."""
    text = answer(asked("How far is the moon?", PASSAGES)).text

    assert "> The moon is far away. [2]" in text
    assert text.endswith("Sources:\n- [2] guide/other.md")


@pytest.mark.parametrize("artifact", [[], None, "text", [{"source": "no text"}], [{"text": "  ", "source": "x"}]])
def test_nothing_found_is_said(artifact: Any) -> None:
    """No passage, no answer: the reader is told that the documents say nothing."""
    text = answer(asked("How old is the queen?", artifact)).text

    assert text.endswith("The documents say nothing about that.")
    assert "Sources" not in text


def test_a_failed_search_is_no_empty_one() -> None:
    """The reader is told to try again, not that there is nothing; the tool's text is not shown."""
    text = answer(asked("moon?", None, status="error")).text

    assert "could not be searched" in text


def test_documents_of_langchain_are_passages_too() -> None:
    """A tool of one's own may give `Document`s."""
    document = Document("The moon is made of rock.", metadata={"source": "moon.md"})

    text = answer(asked("What is the moon made of?", [document])).text

    assert "> The moon is made of rock. [1]" in text
    assert "[1] moon.md" in text


def test_only_this_turn_s_passages_are_quoted() -> None:
    """A new question is looked up again, whatever was found before."""
    earlier = [*asked("How do I install gsws?", PASSAGES), AIMessage("an answer")]

    message = answer([*earlier, HumanMessage("How far is the moon?")], get_relevant_docs)

    assert [call["args"] for call in message.tool_calls] == [{"query": "How far is the moon?"}]


@pytest.mark.parametrize("greeting", ["hello", "Hi!", "Good morning", "hey there", "  HELLO. "])
def test_a_greeting_is_greeted(greeting: str) -> None:
    """Nothing is looked up for it."""
    message = answer(greeting, get_relevant_docs)

    assert "Hello!" in message.text
    assert message.tool_calls == []


@pytest.mark.parametrize("thanks", ["thanks", "Thank you very much!", "ok, thanks", "bye"])
def test_thanks_are_answered(thanks: str) -> None:
    """Nothing is looked up for them either."""
    assert "You are welcome" in answer(thanks, get_relevant_docs).text


@pytest.mark.parametrize("follow_up", ["and on Windows?", "tell me more", "why?", "What about Windows?", "is it free?"])
def test_a_follow_up_is_looked_up_with_the_question_before(follow_up: str) -> None:
    """What leans on the question before is searched together with it."""
    before = [HumanMessage("How do I install gsws?"), AIMessage("…"), HumanMessage("thanks"), AIMessage("…")]

    [call] = answer([*before, HumanMessage(follow_up)], get_relevant_docs).tool_calls

    assert call["args"] == {"query": f"How do I install gsws? {follow_up}"}


def test_a_question_of_its_own_is_looked_up_alone() -> None:
    """What stands on its own is not mixed with what was asked before."""
    before = [HumanMessage("How do I install gsws?"), AIMessage("…")]

    [call] = answer([*before, HumanMessage("Which ports does it listen on by default?")], get_relevant_docs).tool_calls

    assert call["args"] == {"query": "Which ports does it listen on by default?"}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ("moon?", "There are no documents to search"),
        ([SystemMessage("be nice")], "Ask a question"),
        ("", "Ask a question"),
        ("?!", "Ask a question"),
    ],
)
def test_without_a_tool_or_a_question_it_says_so(messages: Any, said: str) -> None:
    """No case ends in an exception or silence."""
    text = answer(messages).text

    assert text.startswith("No language model is configured; set GOOGLE_API_KEY")
    assert said in text


def test_it_streams_words_and_ends_with_usage() -> None:
    """Pieces of a word each; the last carries the estimated usage and the name of the model."""

    async def work() -> list[AIMessageChunk]:
        return [chunk async for chunk in OfflineModel().astream(asked("How far is the moon?", PASSAGES))]

    chunks = asyncio.run(asyncio.wait_for(work(), 10))
    texts = [chunk.text for chunk in chunks if chunk.text]

    assert len(texts) > 10
    assert all(len(text.split()) <= 1 for text in texts)
    [usage] = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert usage["output_tokens"] == -(-len("".join(texts).encode()) // 4)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    merged = [chunk.response_metadata for chunk in chunks if chunk.response_metadata.get("finish_reason")]
    assert merged[0]["model_name"] == "offline"


def test_a_cancel_arrives_between_words() -> None:
    """The loop is let go between pieces, so stopping an answer stops it."""

    async def work() -> int:
        seen = 0

        async def read() -> None:
            nonlocal seen
            async for _ in OfflineModel().astream(asked("moon", [{"text": "moon " * 90, "source": "x"}])):
                seen += 1

        task = asyncio.ensure_future(read())
        while not seen:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(asyncio.wait_for(work(), 10)) < 20


def test_a_graph_runs_with_it_as_with_any_model() -> None:
    """The usual graph: the model calls the tool, the tool node answers, the model quotes."""
    bound = chat_model("offline").bind_tools([get_relevant_docs])

    async def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode([get_relevant_docs]))
    graph.add_edge("__start__", "agent")
    graph.add_conditional_edges("agent", tools_condition)
    graph.add_edge("tools", "agent")

    state = asyncio.run(asyncio.wait_for(graph.compile().ainvoke({"messages": [("user", "How far is the moon?")]}), 10))

    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert "> The moon is far away. [2]" in state["messages"][-1].text


def test_structured_output_is_refused_plainly() -> None:
    """A quotation has no structure: the error says what to do."""
    with pytest.raises(NotImplementedError, match="configure a language model"):
        OfflineModel().with_structured_output({"title": "x", "type": "object", "properties": {}})


def test_it_imports_no_provider_and_no_graph() -> None:
    """A project without a key pays for langchain-core only."""
    code = (
        "import sys; import gsws.ai.models.offline; heavy = ('langgraph', 'langchain_google_genai', 'google.genai'); "
        "print([name for name in heavy if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"
