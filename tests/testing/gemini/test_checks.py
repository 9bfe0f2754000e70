"""Conversations that the real API refuses are refused here, in its words."""

from __future__ import annotations

import base64

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini.checks import check_shape, check_turns, needs_signatures, signature
from tests.testing.gemini.support import MODEL, SIGNED, call, model, response, stream, user


def refusal(*contents, name=MODEL, **members):
    body = {"contents": list(contents), **members}
    error = check_shape(body) or check_turns(body, name)
    return None if error is None else error.body()["error"]["message"]


@pytest.mark.parametrize(
    "contents",
    [
        [user("hi")],
        [user("hi"), user("again")],
        [user("hi"), model("hello"), user("why")],
        [user("hi"), call("f", **SIGNED), response("f")],
        [user("hi"), call("f", "g", **SIGNED), response("f", "g"), model("so"), user("thanks")],
        [user("hi"), call("f", **SIGNED), response("f"), call("g", **SIGNED), response("g")],
        [{"parts": [{"text": "no role"}]}],
        [user("hi"), call("f", **SIGNED), {**response("f"), "role": "function"}],
    ],
)
def test_what_the_api_takes_is_taken(contents):
    assert refusal(*contents) is None


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([], "contents is not specified"),
        ([{"role": "assistant", "parts": [{"text": "x"}]}], "valid role: user, model"),
        ([{"role": "user", "parts": []}], "parts must not be empty"),
        ([{"role": "user", "parts": [{}]}], "one initialized field"),
        ([model("hello")], "single turn requests end with a user role"),
        ([user("hi"), model("hello")], "multiturn requests end with a user role"),
        ([call("f", **SIGNED), response("f")], "function call turn comes immediately after a user turn"),
        ([user("hi"), model("so"), call("f", **SIGNED), response("f")], "function call turn comes immediately"),
        ([user("hi"), response("f")], "function response turn comes immediately after a function call turn"),
        ([user("hi"), call("f", **SIGNED)], "number of function response parts is equal"),
        ([user("hi"), call("f", **SIGNED), user("never mind")], "number of function response parts is equal"),
        ([user("hi"), call("f", "g", **SIGNED), response("f")], "number of function response parts is equal"),
        ([user("hi"), call("f", **SIGNED), response("f"), response("f")], "response turn comes immediately"),
        ([user("hi"), call("", **SIGNED), response("f")], "function_call.name: Name cannot be empty"),
        ([user("hi"), call("f", **SIGNED), response("")], "function_response.name: Name cannot be empty"),
        ([user("hi"), call("f"), response("f")], "missing a thought_signature in functionCall parts"),
        ([user("hi"), call("f", **SIGNED), response("f"), call("g"), response("g")], "`default_api:g` , position 4"),
        ([user("hi"), call("f", thoughtSignature="bm90IG91cnM="), response("f")], "Corrupted thought signature"),
    ],
)
def test_what_the_api_refuses_is_refused(contents, message):
    assert message in refusal(*contents)


def test_signatures_are_wanted_only_in_the_running_turn():
    """What lies before the last text of the user may have lost its signatures."""
    assert refusal(user("hi"), call("f"), response("f"), model("so"), user("and?")) is None


def test_models_before_gemini_3_want_no_signature():
    assert refusal(user("hi"), call("f"), response("f"), name="gemini-2.5-flash") is None
    assert [needs_signatures(name) for name in ("gemini-2.5-pro", "gemini-3-flash-preview", MODEL, "gemma-3")] == [
        False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        signature("f"),
        signature("f").replace("+", "-").replace("/", "_").rstrip("="),
        base64.b64encode(b"skip_thought_signature_validator").decode(),
    ],
)
def test_signatures_are_known_however_a_client_writes_them(given):
    assert refusal(user("hi"), call("f", thoughtSignature=given), response("f")) is None


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"tools": [{"functionDeclarations": [{"name": "no spaces"}]}]}, "Invalid function name"),
        ({"tools": [{"functionDeclarations": [{"name": "f"}] * 2}]}, "Duplicate function declaration found: f"),
        ({"tools": {}}, "Invalid value at 'tools'"),
        ({"generationConfig": []}, "Invalid value at 'generationConfig'"),
    ],
)
def test_members_that_are_no_good_are_refused(members, message):
    assert message in refusal(user("hi"), **members)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"contents": "x"}, {"contents": [1]}, {"contents": [user(""), 2]}])
def test_what_is_no_conversation_is_refused(body):
    assert check_shape(body) is not None


def test_the_order_of_turns_can_be_left_unchecked():
    with FakeGemini("fine", strict=False) as gemini:
        assert stream(gemini, user("hi"), response("f")).status == 200
    with FakeGemini("never said") as gemini:
        answered = stream(gemini, user("hi"), response("f"))
        assert (answered.status, answered.json["error"]["status"], gemini.unused) == (400, "INVALID_ARGUMENT", 1)
