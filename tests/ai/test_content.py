"""Making whatever nodes and tools produce fit for JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from gsws.ai.content import bounded, clean, jsonable, reasoning_of, text_of
from gsws.protocol.codec import encode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | st.binary(max_size=3)
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_anything_has_a_json_form(value: Any) -> None:
    """NaN, bytes, lone surrogates, odd keys: what comes out can be sent."""
    assert encode({"value": jsonable(value)})


def test_models_messages_and_unknown_things() -> None:
    """A model is its fields, a message its text, and of what is unknown only the type is told."""

    class Point(BaseModel):
        x: int = 1

    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert jsonable(Point()) == {"x": 1}
    assert jsonable(HumanMessage("hi")) == {"type": "human", "content": "hi"}
    assert jsonable(Odd()) == "<Odd>"
    assert len(jsonable(list(range(10_000)))) == 500


def test_a_circle_ends() -> None:
    """What contains itself is cut, not followed for ever."""
    circle: dict[str, Any] = {}
    circle["self"] = circle

    assert encode({"value": jsonable(circle)})


def test_texts() -> None:
    """Content as text, in blocks of any kind, and cut to a length."""
    assert text_of("a") == "a"
    assert text_of(["a", {"type": "text", "text": "b"}, {"type": "image"}, {"type": "text"}]) == "ab"
    assert text_of(None) == ""
    assert bounded("x" * 3000) == "x" * 1999 + "…"
    assert clean("a\ud800b") == "a?b"
    assert reasoning_of(AIMessage("x", additional_kwargs={"reasoning_content": "hm"})) == "hm"
