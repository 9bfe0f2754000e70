"""What the agent answers: offline, and with a stand-in of Gemini that plays what a test tells it to.

`gsws_project` comes with gsws: pip install "gsws[ai,testing]", then pytest.
"""

import pytest

from gsws.testing import FakeGemini

QUESTION = {"message": "What is LangGraph and how does it work?"}


@pytest.fixture
def gemini(monkeypatch):
    """A local stand-in of the Gemini API; ask for it before `gsws_project`."""
    with FakeGemini() as fake:
        monkeypatch.setenv("AGENT_MODEL", "google_genai:gemini-flash-latest")
        for name, value in fake.env.items():
            monkeypatch.setenv(name, value)
        yield fake


def test_an_answer_names_its_sources_before_its_first_word(gsws_project):
    frames = list(gsws_project.stream("websocket.stream", QUESTION))

    types = [frame["eventtype"] for frame in frames]
    assert types.index("tool.call") < types.index("sources") < types.index("stream.chunk")
    sources = frames[types.index("sources")]["payload"]["sources"]
    assert sources[0]["source"].startswith("langgraph.md")
    assert types.count("stream.end") == 1


def test_what_the_documents_do_not_say_is_declined(gsws_project):
    stream = gsws_project.stream("websocket.stream", {"message": "Which football club won the cup in 1974?"})

    assert "sources" not in [frame["eventtype"] for frame in stream]
    assert "1974" not in stream.text


def test_a_conversation_is_remembered_and_forgotten(gsws_project):
    thread = {"thread": "holidays"}
    list(gsws_project.stream("websocket.stream", {**QUESTION, **thread}))

    messages = gsws_project.ask("websocket.history", thread).data["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"]
    gsws_project.ask("websocket.forget", thread)
    assert gsws_project.ask("websocket.history", thread).data["messages"] == []


def test_gemini_searches_and_answers(gemini, gsws_project):
    answer = gsws_project.ask("websocket.stream", QUESTION)

    assert answer.ok
    assert len(gemini.requests) == 2  # one for the search, one for the answer
