"""Title and size of a thread, out of whatever its state holds."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from gsws.ai.threads.summary import MAX_TITLE, summarise, when


def test_the_first_question_is_the_title():
    """Questions and answers are counted; instructions, tools and empty messages are not."""
    messages = [
        SystemMessage("be kind"),
        HumanMessage("what  is\n it?"),
        AIMessage("", tool_calls=[{"id": "1", "name": "look", "args": {}}]),
        ToolMessage("found", tool_call_id="1"),
        AIMessage("it is that"),
        HumanMessage("and this?"),
    ]

    assert summarise({"messages": messages}) == ("what is it?", 3)


def test_a_title_is_bounded():
    """A question of a megabyte gives a title of one line."""
    title, _ = summarise({"messages": [HumanMessage("word " * 200_000)]})

    assert len(title) <= MAX_TITLE
    assert title.endswith("word…")


def test_blocks_give_their_texts():
    """A question with a picture is titled by its text."""
    blocks = [{"type": "image_url", "image_url": "data:"}, {"type": "text", "text": "what is this?"}, "now"]

    assert summarise({"messages": [HumanMessage(blocks)]}) == ("what is this? now", 1)


def test_a_title_can_be_stored_and_sent():
    """Lone surrogates and NUL, which JSON and Postgres refuse, are replaced."""
    title, _ = summarise({"messages": [HumanMessage("a\ud800b\0c")]})

    assert title == "a?b c"


@pytest.mark.parametrize("values", [{}, {"messages": None}, {"messages": "text"}, {"messages": [1, {"a": 2}]}])
def test_other_states_have_no_title(values):
    """A graph may keep anything."""
    assert summarise(values) == ("", 0)


def test_times_are_utc():
    """What a client shows does not depend on where the server stands."""
    assert when(0.9) == "1970-01-01T00:00:00Z"
