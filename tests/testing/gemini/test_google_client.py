"""The real Google client against the stand-in: what LangChain makes of each answer and of each fault."""

from __future__ import annotations

import asyncio
import os
import time
from importlib.util import find_spec

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini import APIError, Call, Turn
from tests.testing.gemini.support import MODEL

if find_spec("langchain_google_genai") is None and not os.environ.get("CI"):
    pytest.skip('langchain-google-genai is not installed: pip install -e ".[ai]"', allow_module_level=True)

from google import genai
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings

# Google's client derives from a class of aiohttp that says one should not, and forgets to await an error's body.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:coroutine 'ClientResponse.json' was never awaited:RuntimeWarning"),
]

BACKENDS = ["httpx", *(["aiohttp"] if find_spec("aiohttp") else [])]


@pytest.fixture(params=BACKENDS)
def backend(request, monkeypatch):
    """Which HTTP library the asynchronous client takes; aiohttp wherever it can be imported."""
    monkeypatch.setattr("google.genai._api_client.has_aiohttp", request.param == "aiohttp")
    return request.param


@tool
def search(query: str) -> str:
    """Search the documents."""
    return f"[1] about {query}"


def chat(gemini, **more):
    options = {"model": MODEL, "api_key": "fake-key", "base_url": gemini.url, "max_retries": 1}
    return ChatGoogleGenerativeAI(**options | more)


def run(main):
    """Run a coroutine that gets a chat model, and close the model's client with its loop."""

    async def whole(gemini, **more):
        model = chat(gemini, **more)
        try:
            return await asyncio.wait_for(main(model), 20)
        finally:
            await model.async_client.aclose()

    return lambda gemini, **more: asyncio.run(whole(gemini, **more))


async def texts(model, asked="hi"):
    return [chunk async for chunk in model.astream(asked)]


def failure(gemini, turn, **more):
    """What asking raises, and the text that came before."""
    gemini.script(turn)
    came: list[str] = []

    @run
    async def ask(model):
        async for chunk in model.astream("hi"):
            came.append(chunk.text)

    with pytest.raises(Exception) as caught:
        ask(gemini, **more)
    return caught.value, "".join(came)


def test_tokens_come_one_by_one(backend):
    with FakeGemini("one two three") as gemini:
        chunks = run(texts)(gemini)

    whole = sum(chunks[1:], chunks[0])
    assert [chunk.text for chunk in chunks if chunk.text] == ["one", " two", " three"]
    assert whole.usage_metadata["input_tokens"] == 1
    assert whole.usage_metadata["output_tokens"] == 3
    assert whole.response_metadata["finish_reason"] == "STOP"
    assert whole.response_metadata["model_name"] == "gemini-3-flash-preview"


def test_a_turn_with_tools_goes_round():
    """Call, response, answer: signatures and pairs are as the API wants them."""
    with FakeGemini() as gemini:
        model = chat(gemini).bind_tools([search])
        question = HumanMessage("where is the tea?")
        calling = model.invoke([question])
        [call] = calling.tool_calls
        answer = model.invoke([question, calling, ToolMessage(search.invoke(call["args"]), tool_call_id=call["id"])])

    assert (call["name"], call["args"]) == ("search", {"query": "where is the tea?"})
    assert answer.text.endswith("about where is the tea? [1]")


def test_parallel_calls_go_round(backend):
    @run
    async def converse(model):
        chunks = await texts(model)
        calling = sum(chunks[1:], chunks[0])
        results = [ToolMessage(call["args"]["query"], tool_call_id=call["id"]) for call in calling.tool_calls]
        return calling, await model.ainvoke([HumanMessage("hi"), calling, *results])

    with FakeGemini(Turn(calls=(Call("search", {"query": "a"}), Call("search", {"query": "b"})))) as gemini:
        calling, answer = converse(gemini)
    assert [call["args"]["query"] for call in calling.tool_calls] == ["a", "b"]
    assert "search says: a" in answer.text
    assert "search says: b" in answer.text


@pytest.mark.parametrize(
    "history",
    [
        [
            HumanMessage("hi"),
            AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}]),
            HumanMessage("so?"),
        ],
        [HumanMessage("hi"), AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}])],
    ],
)
def test_a_call_without_an_answer_poisons_the_thread(history):
    with FakeGemini() as gemini, pytest.raises(Exception, match="number of function response parts is equal"):
        chat(gemini).invoke(history)


def test_reasoning_comes_to_who_includes_it(backend):
    with FakeGemini(Turn("yes", thoughts="hm hm")) as gemini:
        chunks = run(texts)(gemini, include_thoughts=True)
    whole = sum(chunks[1:], chunks[0])
    kinds = [block["type"] for block in whole.content_blocks]
    assert kinds == ["reasoning", "text"]
    assert whole.usage_metadata["output_token_details"]["reasoning"] == 2


@pytest.mark.parametrize("code", [400, 403, 429, 500, 503, 504])
def test_errors_are_errors(backend, code):
    with FakeGemini() as gemini:
        error, before = failure(gemini, Turn.failure(code, retry_after=2.0 if code == 429 else None))
    assert before == ""
    assert str(code) in str(error)
    assert ("'retryDelay': '2s'" in str(error)) == (code == 429)


def test_a_wrong_key_and_a_wrong_model_are_refused(backend):
    with FakeGemini() as gemini:
        assert "API_KEY_INVALID" in str(failure(gemini, "never", api_key="wrong")[0])
        assert "no longer available" in str(failure(gemini, "never", model="gemini-2.0-flash")[0])


@pytest.mark.parametrize("event", [False, True])
def test_an_error_in_the_middle_is_an_error(backend, event):
    with FakeGemini() as gemini:
        error, before = failure(gemini, Turn("one two", error=APIError(503), error_after=1, error_event=event))
    assert (before, "UNAVAILABLE" in str(error)) == ("one", True)


@pytest.mark.parametrize("drop", ["reset", "close"])
@pytest.mark.parametrize(("after", "before"), [(0, ""), (2, "one two")])
def test_a_dropped_connection_is_an_error(backend, drop, after, before):
    with FakeGemini() as gemini:
        _, came = failure(gemini, Turn("one two three", drop_after=after, drop=drop))
        gemini.wait_closed()
        # aiohttp asks once more by itself when the connection breaks before an answer.
        assert {request.outcome for request in gemini.requests[:1]} == {"dropped"}
    assert came in ("", before)


@pytest.mark.parametrize(
    ("turn", "finish"),
    [
        (Turn("one", finish="SAFETY"), "SAFETY"),
        (Turn("one", finish="MAX_TOKENS"), "MAX_TOKENS"),
        (Turn(finish="MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
        (Turn.empty(), "STOP"),
    ],
)
def test_finish_reasons_arrive(turn, finish):
    with FakeGemini(turn) as gemini:
        chunks = list(chat(gemini).stream("hi"))
    assert sum(chunks[1:], chunks[0]).response_metadata["finish_reason"] == finish


def test_a_blocked_prompt_is_an_empty_message():
    with FakeGemini(Turn(blocked="PROHIBITED_CONTENT")) as gemini:
        answer = chat(gemini).invoke("hi")
    assert answer.text == ""
    assert "PROHIBITED_CONTENT" in str(answer.response_metadata["prompt_feedback"])


@pytest.mark.parametrize(
    "turn", [Turn("word " * 1000, delay=0.3), Turn("word", stall_after=0), Turn("a b", stall_after=1)]
)
def test_a_cancel_reaches_the_provider(backend, turn):
    """At every stage: while tokens come, before the first one, in a silence. At most one token is sent after it."""

    @run
    async def cancel(model):
        asking = asyncio.ensure_future(texts(model))
        count = 0 if turn.stall_after == 0 else 1
        request = await asyncio.to_thread(gemini.wait_tokens, count)
        await asyncio.sleep(0.05)
        moment = time.monotonic()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.to_thread(gemini.wait_closed)
        return moment, request

    with FakeGemini(turn) as gemini:
        moment, request = cancel(gemini)
    assert request.outcome == "left"
    assert request.tokens_after(moment) <= 1
    assert request.left >= moment


def test_twenty_at_once_get_their_own_answers(backend):
    @run
    async def ask(model):
        answers = await asyncio.gather(*(model.ainvoke(f"number {number}") for number in range(20)))
        return [answer.text for answer in answers]

    with FakeGemini(answer=lambda request: Turn(f"you are {request.text}", delay=0.01)) as gemini:
        assert ask(gemini) == [f"you are number {number}" for number in range(20)]


def test_documents_are_embedded():
    with FakeGemini() as gemini:
        model = GoogleGenerativeAIEmbeddings(
            model="gemini-embedding-001", google_api_key="fake-key", base_url=gemini.url, output_dimensionality=128
        )
        vectors = model.embed_documents(["tea"] * 101)
        assert model.embed_query("tea") == vectors[0]
        assert {len(vector) for vector in vectors} == {128}
        assert [request.operation for request in gemini.requests] == ["batchEmbedContents"] * 3


def test_googles_own_client_calls_functions_by_itself():
    """Without LangChain: a chat that runs the function and asks again."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    with FakeGemini(Turn.call("add", a=1, b=2), "three") as gemini:
        client = genai.Client(api_key="fake-key", http_options={"base_url": gemini.url})
        answer = client.chats.create(model=MODEL, config={"tools": [add]}).send_message("1 + 2?")
        assert answer.text == "three"
        assert gemini.requests[1].responses[0]["response"] == {"result": 3}
        assert client.models.count_tokens(model=MODEL, contents="one two three").total_tokens == 3
        assert MODEL in [one.name.removeprefix("models/") for one in client.models.list()]
        client.close()


def test_the_environment_is_enough(monkeypatch):
    with FakeGemini("fine") as gemini:
        for name, value in gemini.env.items():
            monkeypatch.setenv(name, value)
        assert ChatGoogleGenerativeAI(model=MODEL, max_retries=1).invoke("hi").text == "fine"


def test_a_conversation_is_replayed_as_it_was(backend, tmp_path):
    """Recorded from one stand-in, replayed without it: the same text, calls and errors."""

    @run
    async def converse(model):
        bound = model.bind_tools([search])
        chunks = await texts(bound, "where?")
        calling = sum(chunks[1:], chunks[0])
        said = [chunk.text for chunk in chunks]
        result = ToolMessage("[1] here", tool_call_id=calling.tool_calls[0]["id"])
        said += [chunk.text for chunk in await texts(bound, [HumanMessage("where?"), calling, result])]
        with pytest.raises(Exception, match="RESOURCE_EXHAUSTED"):
            await model.ainvoke("again")
        return said

    path = tmp_path / "conversation.json"
    with FakeGemini() as upstream:
        upstream.when("again", Turn.failure(429))
        with FakeGemini.record(upstream.url, path, upstream_key="fake-key") as gemini:
            recorded = converse(gemini)
    with FakeGemini.replay(path) as gemini:
        assert converse(gemini) == recorded
        assert gemini.unused == 0
    assert "".join(recorded).endswith("here [1]")
