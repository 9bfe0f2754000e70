"""The operations of the API beside generating: models, counting, embeddings; and what is refused before."""

from __future__ import annotations

import math

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini import APIError, Turn
from tests.testing.gemini.support import MODEL, SIGNED, ask, says, stream, user


@pytest.fixture(scope="module")
def gemini():
    with FakeGemini() as gemini:
        yield gemini


def test_a_key_that_is_not_known_is_a_bad_request_with_a_reason(gemini):
    answered = ask(gemini, "generateContent", {"contents": [user("hi")]}, key="wrong-key")
    error = answered.json["error"]

    assert (answered.status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][0]["reason"] == "API_KEY_INVALID"
    assert error["details"][0]["metadata"] == {"service": "generativelanguage.googleapis.com"}


def test_no_key_is_forbidden_and_a_key_in_the_query_is_one(gemini):
    body = {"contents": [user("hi")]}
    assert ask(gemini, "countTokens", body, key=None).status == 403
    assert ask(gemini, "countTokens", body, key=None, query="?key=fake-key").status == 200


def test_every_key_can_be_taken():
    with FakeGemini(key=None) as gemini:
        assert ask(gemini, "countTokens", {"contents": [user("hi")]}, key="whatever").status == 200


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gemini-2.0-flash", "models/gemini-2.0-flash is no longer available"),
        ("gpt-9", "models/gpt-9 is not found for API version v1beta, or is not supported for generateContent"),
        ("gemini-embedding-001", "is not supported for generateContent"),
    ],
)
def test_a_model_that_is_not_there_is_not_found(gemini, name, message):
    answered = ask(gemini, "generateContent", {"contents": [user("hi")]}, name=name)
    assert (answered.status, answered.json["error"]["status"]) == (404, "NOT_FOUND")
    assert message in answered.error


def test_only_named_models_exist_if_some_are_named():
    with FakeGemini("fine", models=["models/mine"]) as gemini:
        assert says(stream(gemini, user("hi"), name="mine")) == "fine"
        assert stream(gemini, user("hi")).status == 404
        assert [one["name"] for one in ask(gemini, "/v1beta/models", b"", method="GET").json["models"]] == [
            "models/mine"
        ]


def test_models_are_listed_and_described(gemini):
    listed = ask(gemini, "/v1beta/models", b"", method="GET").json["models"]
    described = ask(gemini, f"/v1beta/models/{MODEL}", b"", method="GET").json

    assert described in listed
    assert "streamGenerateContent" in described["supportedGenerationMethods"]
    assert ask(gemini, "/v1beta/models/gemini-2.0-flash", b"", method="GET").status == 404


def test_tokens_are_counted_as_an_answer_counts_them(gemini):
    counted = ask(gemini, "countTokens", {"contents": [user("one two three")]}).json
    nested = ask(gemini, "countTokens", {"generateContentRequest": {"contents": [user("one two three")]}}).json

    assert counted == nested
    assert counted["totalTokens"] == 3
    assert stream(gemini, user("one two three")).events[-1]["usageMetadata"]["promptTokenCount"] == 3


def embed(gemini, *texts, **more):
    requests = [{"content": {"parts": [{"text": text}]}, **more} for text in texts]
    return ask(gemini, "batchEmbedContents", {"requests": requests}, name="gemini-embedding-001")


def test_texts_that_are_alike_have_vectors_that_are_near(gemini):
    documents = ["How to brew green tea in the morning.", "Migrate the database without downtime."]
    tea, database, asked, again = (
        one["values"] for one in embed(gemini, *documents, "brewing tea", "brewing tea").json["embeddings"]
    )

    def near(one, other):
        return sum(left * right for left, right in zip(one, other, strict=True))

    assert (len(tea), asked == again) == (3072, True)
    assert math.isclose(near(tea, tea), 1.0, abs_tol=1e-4)
    assert near(asked, tea) > 0.3 > 0.1 > near(asked, database)


def test_vectors_have_the_asked_number_of_dimensions(gemini):
    [one] = embed(gemini, "tea", outputDimensionality=256).json["embeddings"]
    alone = ask(
        gemini,
        "embedContent",
        {"content": {"parts": [{"text": "tea"}]}, "outputDimensionality": 256},
        name="gemini-embedding-001",
    )
    assert alone.json["embedding"] == one
    assert len(one["values"]) == 256


@pytest.mark.parametrize("more", [{"outputDimensionality": 0}, {"outputDimensionality": "x"}, {"content": None}])
def test_what_cannot_be_embedded_is_refused(gemini, more):
    assert embed(gemini, "tea", **more).status == 400


def test_a_batch_has_at_most_a_hundred(gemini):
    assert embed(gemini, *["x"] * 100, outputDimensionality=8).status == 200
    assert "at most 100 requests" in embed(gemini, *["x"] * 101).error


@pytest.mark.parametrize("body", [b"no json", b"[1", b"\xff", b""])
def test_a_body_that_is_no_json_is_refused(gemini, body):
    answered = ask(gemini, "generateContent", body)
    assert (answered.status, answered.error[:29]) == (400, "Invalid JSON payload received")


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "GET"), ("/v1/files", "POST"), (f"/v1beta/models/{MODEL}:predict", "POST"), ("/v1beta/models", "DELETE")],
)
def test_other_methods_of_the_api_are_not_stood_in_for(gemini, path, method):
    answered = ask(gemini, path, b"", method=method, key=None)
    assert answered.status == 404
    assert "is not a method of this stand-in" in answered.error


def test_a_prompt_beyond_the_window_is_refused(gemini):
    answered = stream(gemini, user(" x" * 1_048_577))
    assert answered.error == ("The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).")


def test_a_rate_limit_tells_when_to_come_back():
    with FakeGemini(Turn.failure(429, retry_after=1.5), Turn.failure(503), Turn.failure(418, "teapot")) as gemini:
        limited, busy, odd = (stream(gemini, user("hi")) for _ in range(3))

    error = limited.json["error"]
    assert (limited.status, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert "Please retry in 1.5s." in error["message"]
    assert [detail["@type"].rpartition(".")[2] for detail in error["details"]] == ["QuotaFailure", "RetryInfo"]
    assert error["details"][1]["retryDelay"] == "1.5s"
    assert (busy.status, busy.json["error"]["status"]) == (503, "UNAVAILABLE")
    assert (odd.status, odd.error) == (418, "teapot")


def test_who_does_not_stream_gets_everything_at_once():
    turn = Turn("one two three", thoughts="hm hm")
    with FakeGemini(turn, turn, Turn.failure(500)) as gemini:
        thinking = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
        plain = ask(gemini, "generateContent", {"contents": [user("hi")]}).json
        shown = ask(gemini, "generateContent", {"contents": [user("hi")], **thinking}).json
        assert ask(gemini, "generateContent", {"contents": [user("hi")]}).status == 500

    assert [part["text"] for part in plain["candidates"][0]["content"]["parts"]] == ["one two three"]
    assert [part["text"] for part in shown["candidates"][0]["content"]["parts"]] == ["hm hm", "one two three"]
    assert plain["usageMetadata"] == shown["usageMetadata"]
    assert plain["usageMetadata"]["thoughtsTokenCount"] == 2
    assert plain["usageMetadata"]["totalTokenCount"] == 6


def test_without_events_a_stream_is_an_array():
    with FakeGemini("one two", Turn("one two", error=APIError(503), error_after=1), Turn.failure(429)) as gemini:
        whole, broken, refused = (ask(gemini, "streamGenerateContent", {"contents": [user("hi")]}) for _ in range(3))

    assert (whole.type, len(whole.json)) == ("application/json; charset=UTF-8", 3)
    assert "error" in broken.json[1]
    assert (refused.status, refused.json[0]["error"]["code"]) == (429, 429)


def test_a_blocked_prompt_has_a_reason_and_no_candidate():
    with FakeGemini(Turn(blocked="PROHIBITED_CONTENT")) as gemini:
        [event] = stream(gemini, user("hi")).events
    assert event["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert "candidates" not in event


@pytest.mark.parametrize("finish", ["SAFETY", "MAX_TOKENS", "MALFORMED_FUNCTION_CALL"])
def test_a_turn_ends_for_the_reason_it_is_given(finish):
    with FakeGemini(Turn("one", finish=finish)) as gemini:
        last = stream(gemini, user("hi")).events[-1]["candidates"][0]
    assert last["finishReason"] == finish
    assert ("safetyRatings" in last, "finishMessage" in last) == (finish == "SAFETY", finish.startswith("MAL"))


def test_an_empty_answer_ends_well_and_says_nothing():
    with FakeGemini(Turn.empty()) as gemini:
        [event] = stream(gemini, user("hi")).events
    assert event["candidates"] == [{"content": {"role": "model"}, "index": 0, "finishReason": "STOP"}]
    assert "candidatesTokenCount" not in event["usageMetadata"]


def test_an_answer_is_cut_where_the_request_says():
    with FakeGemini("one two three four") as gemini:
        answered = stream(gemini, user("hi"), generationConfig={"maxOutputTokens": 2})
    assert says(answered) == "one two"
    assert answered.events[-1]["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_members_may_be_written_in_snake_case():
    """The API takes both, and users' own names stay as they are."""
    with FakeGemini(Turn("yes", thoughts="hm")) as gemini:
        calling = {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"a_b": {"c_d": 1}}}, **SIGNED}]}
        given = {"parts": [{"function_response": {"name": "f", "response": {"e_f": 1}}}]}
        config = {"thinking_config": {"include_thoughts": True}}
        answered = stream(gemini, user("hi"), calling, given, generation_config=config)
        body = gemini.requests[0].body

    assert answered.events[0]["candidates"][0]["content"]["parts"][0]["thought"] is True
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"a_b": {"c_d": 1}}
    assert body["contents"][2]["parts"][0]["functionResponse"]["response"] == {"e_f": 1}


def test_a_body_that_is_nested_too_deep_is_refused(gemini):
    answered = ask(gemini, "countTokens", b'{"contents": ' + b"[" * 500 + b"]" * 500 + b"}")
    assert answered.error == "Invalid JSON payload received. Nested deeper than 200 levels."


def test_thoughts_are_sent_to_who_asks_for_them():
    with FakeGemini(answer=lambda request: Turn("yes", thoughts="hm hm")) as gemini:
        config = {"thinkingConfig": {"includeThoughts": True}}
        shown = stream(gemini, user("hi"), generationConfig=config).events
        hidden = stream(gemini, user("hi")).events

    parts = [part for event in shown for part in event["candidates"][0]["content"].get("parts", [])]
    assert [part.get("thought", False) for part in parts] == [True, True, False, False]
    assert "thoughtSignature" in parts[-1]
    assert len(hidden) == 2
    assert hidden[0]["usageMetadata"]["thoughtsTokenCount"] == 2
