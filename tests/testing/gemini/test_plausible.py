"""Without a script the stand-in goes through the steps of a turn with tools."""

from __future__ import annotations

import json

from gsws.testing import FakeGemini
from tests.testing.gemini.support import SIGNED, call, response, says, stream, user

TOOLS = [
    {
        "functionDeclarations": [
            {
                "name": "search",
                "parameters": {
                    "type": "OBJECT",
                    "properties": {"k": {"type": "INTEGER"}, "query": {"type": "STRING"}, "lang": {"enum": ["en"]}},
                    "required": ["query", "k", "lang"],
                },
            },
            {"name": "other", "parametersJsonSchema": {"type": "object", "properties": {"x": {"type": "string"}}}},
        ]
    }
]


def called(answered):
    return [
        (part["functionCall"]["name"], part["functionCall"]["args"])
        for event in answered.events
        for part in event["candidates"][0]["content"].get("parts", ())
        if "functionCall" in part
    ]


def test_the_first_function_is_called_with_the_question():
    with FakeGemini() as gemini:
        [called_once] = called(stream(gemini, user("how?"), tools=TOOLS))
    assert called_once == ("search", {"query": "how?", "k": 1, "lang": "en"})


def test_a_function_without_required_members_gets_its_first_one():
    with FakeGemini() as gemini:
        config = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["other"]}}
        assert called(stream(gemini, user("how?"), tools=TOOLS, toolConfig=config)) == [("other", {"x": "how?"})]
        config = {"functionCallingConfig": {"mode": "NONE"}}
        assert called(stream(gemini, user("how?"), tools=TOOLS, toolConfig=config)) == []


def test_what_the_function_gave_is_quoted():
    with FakeGemini() as gemini:
        text = says(stream(gemini, user("how?"), call("search", **SIGNED), response("search")))
    assert "search says: found it" in text


def test_of_numbered_passages_the_first_is_quoted_with_its_number():
    given = response("search")
    given["parts"][0]["functionResponse"]["response"] = {"output": "[1] guide.md\nBoil water.\n\n[2] other"}
    with FakeGemini() as gemini:
        text = says(stream(gemini, user("how?"), call("search", **SIGNED), given))
    assert text.endswith("guide.md Boil water. [1]")


def test_the_fence_around_a_passage_is_not_quoted():
    """Prompts number passages and put them between tags, and speak of `[1]` before."""
    given = response("search")
    text = 'Cite as [1].\n\n[1]\n<passage id="1" source="tea.md">\nBoil water.\n</passage>\n\n[2]\n<passage>x</passage>'
    given["parts"][0]["functionResponse"]["response"] = {"output": text}
    with FakeGemini() as gemini:
        assert says(stream(gemini, user("how?"), call("search", **SIGNED), given)).endswith("asked. Boil water. [1]")


def test_an_empty_response_is_said_to_be_one():
    given = response("search")
    given["parts"][0]["functionResponse"]["response"] = {}
    with FakeGemini() as gemini:
        assert "search found nothing." in says(stream(gemini, user("how?"), call("search", **SIGNED), given))


def test_json_is_answered_with_an_example_of_its_schema():
    schema = {"type": "OBJECT", "properties": {"name": {"type": "STRING"}, "tags": {"type": "ARRAY"}}}
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    with FakeGemini() as gemini:
        answered = stream(gemini, user("how?"), generationConfig=config)
    assert json.loads(says(answered)) == {"name": "how?", "tags": []}
