"""Whatever JSON comes, the answer is one of the API's: never a failure of the stand-in, never a silence."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gsws.testing import FakeGemini
from tests.testing.gemini.support import ask, call, response, user

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    "text", "functionCall", "functionResponse", "thought", "thoughtSignature", "name", "args", "response", "role",
    "parts", "contents", "tools", "functionDeclarations", "parameters", "properties", "required", "type", "enum",
    "toolConfig", "functionCallingConfig", "mode", "allowedFunctionNames", "generationConfig", "maxOutputTokens",
    "thinkingConfig", "includeThoughts", "responseMimeType", "responseSchema", "systemInstruction", "requests",
    "content", "outputDimensionality", "embedContentConfig", "generateContentRequest",
]  # fmt: skip
OBJECT = st.recursive(
    JUNK | st.sampled_from([user("hi"), call("f"), response("f"), "application/json", "OBJECT", "STRING", "ANY"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
MEMBER = st.sampled_from(
    ["tools", "toolConfig", "generationConfig", "systemInstruction", "requests", "content", "generateContentRequest"]
)
PART = st.dictionaries(
    st.sampled_from(["text", "functionCall", "functionResponse", "thought", "thoughtSignature"]), OBJECT, max_size=3
)
CONTENT = st.fixed_dictionaries(
    {"parts": st.lists(PART, max_size=3)}, optional={"role": st.sampled_from(["user", "model", "function"])}
)
DECLARED = st.fixed_dictionaries(
    {"name": st.just("f")}, optional={"parameters": OBJECT, "parametersJsonSchema": OBJECT}
)
TOOLS = st.lists(st.fixed_dictionaries({"functionDeclarations": st.lists(DECLARED, max_size=1)}), max_size=2)
BODY = OBJECT | st.builds(
    lambda contents, members, tools: {"contents": contents, **members, **tools},
    st.lists(CONTENT | st.sampled_from([user("hi"), call("f"), response("f")]), max_size=4),
    st.dictionaries(MEMBER, OBJECT, max_size=3),
    st.fixed_dictionaries({}, optional={"tools": TOOLS}),
)


@pytest.fixture(scope="module", params=[True, False], ids=["strict", "lenient"])
def gemini(request):
    with FakeGemini(strict=request.param, keep=10) as gemini:
        yield gemini


@pytest.mark.parametrize("part", [{"functionResponse": None}, {"functionCall": None}, {"text": None}])
@pytest.mark.parametrize("role", ["user", "model"])
def test_null_is_as_if_it_were_absent(gemini, part, role):
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}, {"role": role, "parts": [part]}]}
    assert ask(gemini, "generateContent", body, name="gemini-flash-latest", query="").status in (200, 400)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    body=BODY,
    operation=st.sampled_from(
        ["generateContent", "streamGenerateContent", "countTokens", "batchEmbedContents", "embedContent"]
    ),
)
def test_any_json_gets_an_answer(gemini, body, operation):
    name = "gemini-embedding-001" if "mbed" in operation else "gemini-flash-latest"
    answered = ask(gemini, operation, body, name=name, query="?alt=sse")
    assert answered.status in (200, 400), (answered.text, body)
