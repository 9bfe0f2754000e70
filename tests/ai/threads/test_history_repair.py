"""Messages as providers accept them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from gsws.ai import prepare
from gsws.ai.threads.history_repair import answers_for, heal


def asks(*ids: str, content: Any = "") -> AIMessage:
    """A message that calls a tool for each id."""
    return AIMessage(content, tool_calls=[{"name": "look", "args": {}, "id": one} for one in ids])


def shape(messages: list[BaseMessage]) -> list[str]:
    return [f"tool:{m.tool_call_id}" if isinstance(m, ToolMessage) else m.type for m in messages]


def test_answers_stand_right_behind_their_calls_once() -> None:
    """Missing answers are made, late ones are moved, second ones and ones without a call are dropped."""
    messages = [
        HumanMessage("q"),
        asks("a", "b", "c"),
        ToolMessage("B", tool_call_id="b"),
        HumanMessage("hurry"),
        ToolMessage("A", tool_call_id="a"),
        ToolMessage("A again", tool_call_id="a"),
        ToolMessage("nobody asked", tool_call_id="x"),
    ]

    healed = heal(messages)

    assert shape(healed) == ["human", "ai", "tool:a", "tool:b", "tool:c", "human"]
    assert [message.content for message in healed[2:4]] == ["A", "B"]
    assert healed[4].status == "error"  # type: ignore[attr-defined]
    assert "cancelled" in str(healed[4].content)
    assert messages[3].content == "hurry"  # the thread's own list is as it was
    assert len(messages) == 7


def test_what_is_well_is_left_as_it_is() -> None:
    """A conversation without a flaw keeps its very messages."""
    messages = [HumanMessage("q"), asks("a"), ToolMessage("A", tool_call_id="a"), AIMessage("done")]

    assert all(one is other for one, other in zip(heal(messages), messages, strict=True))


@pytest.mark.parametrize(
    "empty",
    [
        AIMessage(""),
        AIMessage([]),
        AIMessage([{"type": "thinking", "thinking": "hm"}]),
        AIMessage("", invalid_tool_calls=[{"name": "x", "args": "{", "id": "1", "error": "bad"}]),
    ],
)
def test_answers_that_say_nothing_are_left_out(empty: AIMessage) -> None:
    """Providers refuse messages without content."""
    assert shape(heal([HumanMessage("q"), empty, HumanMessage("again")])) == ["human", "human"]


def test_calls_that_cannot_be_read_are_taken_off() -> None:
    """A message with text and a broken call keeps its text."""
    message = AIMessage(
        "words",
        invalid_tool_calls=[{"name": "x", "args": "{", "id": "1", "error": "bad"}],
        additional_kwargs={"tool_calls": [{"id": "1"}], "kept": 1},
    )

    [healed] = heal([message])

    assert isinstance(healed, AIMessage)
    assert healed.invalid_tool_calls == []
    assert healed.additional_kwargs == {"kept": 1}
    assert message.invalid_tool_calls != []


def test_a_blocked_question_goes_with_its_empty_answer() -> None:
    """A question that the provider did not let through is not asked again with the next one."""
    blocked = AIMessage("", response_metadata={"prompt_feedback": {"block_reason": "SAFETY"}})

    assert [m.content for m in heal([HumanMessage("bad"), blocked, HumanMessage("good")])] == ["good"]


def test_the_system_prompt_comes_first_and_alone() -> None:
    """The given prompt stands before those that the thread has, in one message."""
    prepared = prepare([HumanMessage("q"), SystemMessage("summary")], system="Be brief.")

    assert [(m.type, m.content) for m in prepared] == [("system", "Be brief.\n\nsummary"), ("human", "q")]
    assert prepare([HumanMessage("q")])[0].type == "human"


def test_the_oldest_turns_are_dropped_whole() -> None:
    """What remains begins with a question, and never with an answer to a call that was dropped."""
    turns: list[BaseMessage] = []
    for number in range(50):
        turns += [
            HumanMessage(f"question {number} " + "word " * 50),
            asks(f"c{number}"),
            ToolMessage("found " * 50, tool_call_id=f"c{number}"),
            AIMessage(f"answer {number}"),
        ]

    prepared = prepare([*turns, HumanMessage("last")], system="Be brief.", max_tokens=1000)

    assert prepared[0].type == "system"
    assert prepared[1].type == "human"
    assert prepared[-1].content == "last"
    assert 2 < len(prepared) < 60
    assert prepare(turns, max_tokens=None) == turns


def test_the_turn_that_is_being_answered_stays_whole() -> None:
    """A question that is larger than what may be kept is shown nevertheless, with the tool calls that follow it."""
    messages = [HumanMessage("old"), HumanMessage("word " * 5000), asks("a"), ToolMessage("A", tool_call_id="a")]

    assert shape(prepare(messages, max_tokens=100)) == ["human", "ai", "tool:a"]


def test_what_a_thread_lacks_at_its_end() -> None:
    """Only calls of the last answer are looked at, and only those that have none."""
    thread = [HumanMessage("q"), asks("a", "b"), ToolMessage("A", tool_call_id="a")]

    assert [message.tool_call_id for message in answers_for(thread)] == ["b"]
    assert answers_for([*thread, HumanMessage("next")]) == []
    assert answers_for([]) == []
    assert answers_for([HumanMessage("q"), AIMessage("done")]) == []


KINDS = st.sampled_from(["human", "ai", "call", "tool", "empty", "system"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(KINDS, st.sampled_from("abcd")), max_size=20))
def test_whatever_a_thread_holds_every_call_is_answered_once(drawn: list[tuple[str, str]]) -> None:
    """For any order of messages: each call is followed by exactly its answers, and nothing else is an answer."""
    make = {
        "human": lambda one: HumanMessage(one),
        "ai": lambda one: AIMessage(one),
        "call": lambda one: asks(one, one + "2"),
        "tool": lambda one: ToolMessage("x", tool_call_id=one),
        "empty": lambda one: AIMessage(""),
        "system": lambda one: SystemMessage(one),
    }

    healed = prepare([make[kind](one) for kind, one in drawn], system="s", max_tokens=None)

    at = 0
    while at < len(healed):
        message = healed[at]
        at += 1
        assert not isinstance(message, ToolMessage)
        assert (message.type == "system") == (at == 1)
        for request in message.tool_calls if isinstance(message, AIMessage) else ():
            answer = healed[at]
            assert isinstance(answer, ToolMessage)
            assert answer.tool_call_id == request["id"]
            at += 1
