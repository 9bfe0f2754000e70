"""The real `ChatGoogleGenerativeAI` in the resilient model, against the local stand-in of its API."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest
from langchain_core.exceptions import ModelError, ModelNotFoundError
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langgraph.graph import MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel

from gsws.ai.models import ResilientChatModel, RetryPolicy, chat_model, warm_up
from gsws.ai.models.failures import read_failure
from gsws.testing.gemini import APIError, Call, FakeGemini, Turn

T = TypeVar("T")
QUICK = RetryPolicy(retries=2, first_pause=0.01, longest_pause=0.5)


@pytest.fixture
def gemini() -> Iterator[FakeGemini]:
    with FakeGemini() as fake:
        yield fake


def models(gemini: FakeGemini, *names: str, key: str = "fake-key", **options: Any) -> ResilientChatModel:
    """The named Google models at the stand-in, with pauses of milliseconds."""
    first, *others = [f"google_genai:{name}" for name in names or ("gemini-flash-latest",)]
    model = chat_model(first, fallbacks=others, api_key=key, base_url=gemini.url, **options)
    return model.model_copy(update={"policy": QUICK})


def use(model: ResilientChatModel, work: Callable[[], Awaitable[T]], timeout: float = 30.0) -> T:
    """Run a coroutine with a deadline and close the model on the same loop."""

    async def main() -> T:
        async with asyncio.timeout(timeout):
            try:
                return await work()
            finally:
                await model.aclose()

    return asyncio.run(main())


async def read(model: Any, question: str = "hello") -> AIMessageChunk:
    """The whole streamed answer."""
    whole: AIMessageChunk | None = None
    async for chunk in model.astream(question):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    return whole


@tool
def look_up(query: str) -> str:
    """Find something."""
    return f"found {query}"


def test_answers_stream_with_usage_and_the_name_of_the_model(gemini: FakeGemini) -> None:
    """Usage and response metadata of the provider's message are those of the answer."""
    gemini.script(Turn("one two three", usage={"promptTokenCount": 7, "candidatesTokenCount": 3}))
    model = models(gemini)

    answer = use(model, lambda: read(model))

    assert answer.text == "one two three"
    assert answer.usage_metadata is not None
    assert (answer.usage_metadata["input_tokens"], answer.usage_metadata["output_tokens"]) == (7, 3)
    assert answer.response_metadata["finish_reason"] == "STOP"
    assert answer.response_metadata["model_name"].startswith("gemini-")


def test_no_temperature_is_sent_unless_configured(gemini: FakeGemini) -> None:
    """Also for an alias, to which the client would otherwise send 0.7."""
    gemini.script("a", "b")
    plain, warm = models(gemini), models(gemini, temperature=0.3)

    use(plain, lambda: read(plain))
    use(warm, lambda: read(warm))

    sent = [request.config("temperature") for request in gemini.requests]
    assert sent == [None, 0.3]


def test_a_rate_limit_is_waited_out(gemini: FakeGemini) -> None:
    """A 429 before the first token is asked again after the time that the provider names."""
    gemini.script(Turn.failure(429, retry_after=0.2), "fine")
    model = models(gemini)

    assert use(model, lambda: read(model)).text == "fine"

    first, second = gemini.requests
    assert second.received - first.received >= 0.2


def test_a_long_rate_limit_goes_to_the_fallback_at_once(gemini: FakeGemini) -> None:
    """Nobody is kept waiting for an hour: a wait beyond the bound is no further attempt."""
    gemini.when("", Turn.failure(429, retry_after=3600), model="gemini-flash-latest")
    gemini.when("", "from the other", model="gemini-3.5-flash-lite")
    model = models(gemini, "gemini-flash-latest", "gemini-3.5-flash-lite")

    assert use(model, lambda: read(model)).text == "from the other"
    assert [request.model for request in gemini.requests] == ["gemini-flash-latest", "gemini-3.5-flash-lite"]


def test_a_long_rate_limit_without_fallback_is_an_error_that_tells_the_wait(gemini: FakeGemini) -> None:
    """The provider's exception goes through with what it says of retrying."""
    gemini.script(Turn.failure(429, retry_after=3600))
    model = models(gemini)

    with pytest.raises(ModelError) as caught:
        use(model, lambda: read(model))

    failure = read_failure(caught.value)
    assert (failure.status, failure.retry_after) == (429, 3600.0)


def test_three_failures_go_to_the_fallback(gemini: FakeGemini) -> None:
    """A model that fails each attempt hands over to the next one, whose tokens are all there."""
    gemini.when("", Turn.failure(500), model="gemini-flash-latest")
    gemini.when("", "from the other", model="gemini-3.5-flash-lite")
    model = models(gemini, "gemini-flash-latest", "gemini-3.5-flash-lite")

    assert use(model, lambda: read(model)).text == "from the other"
    assert [request.model for request in gemini.requests] == ["gemini-flash-latest"] * 3 + ["gemini-3.5-flash-lite"]


def test_when_all_fail_the_first_model_s_error_is_raised(gemini: FakeGemini) -> None:
    """The project chose the first model: what is wrong with it is the answer, of the provider's own type."""
    gemini.when("", Turn.failure(503), model="gemini-flash-latest")
    gemini.when("", Turn.failure(404), model="gemini-3.5-flash-lite")
    model = models(gemini, "gemini-flash-latest", "gemini-3.5-flash-lite")

    with pytest.raises(Exception) as caught:
        use(model, lambda: read(model))

    assert read_failure(caught.value).status == 503
    assert type(caught.value).__module__ == "langchain_google_genai.chat_models"


def test_a_model_that_does_not_exist_falls_back_without_a_second_attempt(gemini: FakeGemini) -> None:
    """A shut down model is answered by the next one."""
    gemini.when("", "still here", model="gemini-flash-latest")
    model = models(gemini, "gemini-2.0-flash", "gemini-flash-latest")

    assert use(model, lambda: read(model)).text == "still here"
    assert [request.model for request in gemini.requests] == ["gemini-2.0-flash", "gemini-flash-latest"]

    alone = models(gemini, "gemini-2.0-flash")
    with pytest.raises(ModelNotFoundError):
        use(alone, lambda: read(alone))


def test_a_refused_key_is_an_error_at_once(gemini: FakeGemini) -> None:
    """No further attempt and no fallback hide a wrong key."""
    model = models(gemini, "gemini-flash-latest", "gemini-3.5-flash-lite", key="wrong")

    with pytest.raises(Exception) as caught:
        use(model, lambda: read(model))

    assert read_failure(caught.value).status == 400
    assert len(gemini.requests) == 1


@pytest.mark.parametrize("drop", ["reset", "close"])
def test_a_connection_lost_before_the_first_token_is_asked_again(gemini: FakeGemini, drop: Any) -> None:
    """The reader sees one whole answer."""
    gemini.script(Turn("never seen", drop_after=0, drop=drop), "whole answer")
    model = models(gemini)

    assert use(model, lambda: read(model)).text == "whole answer"
    assert len(gemini.requests) == 2


@pytest.mark.parametrize(
    "turn",
    [
        # Not reset: a reset discards what the client has not read yet, and then nothing was seen.
        Turn("one two three four", drop_after=2, drop="close"),
        Turn("one two three four", error=APIError(503), error_after=2),
        Turn("one two three four", error=APIError(429), error_after=2, error_event=True),
    ],
    ids=["dropped", "error", "error event"],
)
def test_a_connection_lost_after_the_first_token_is_an_error(gemini: FakeGemini, turn: Turn) -> None:
    """What was said stands; nothing is asked again and no fallback begins a second answer."""
    gemini.script(turn, "again")
    model = models(gemini, "gemini-flash-latest", "gemini-3.5-flash-lite")
    seen: list[str] = []

    async def work() -> None:
        async for chunk in model.astream("hello"):
            seen.append(chunk.text)

    with pytest.raises(Exception) as caught:
        use(model, work)

    assert not isinstance(caught.value, TimeoutError)
    assert "".join(seen).split() == ["one", "two"]
    assert len(gemini.requests) == 1


def test_a_cancelled_call_closes_the_connection_and_is_not_asked_again(gemini: FakeGemini) -> None:
    """Cancelling while tokens stream aborts the provider's request."""
    gemini.script(Turn(["word "] * 500, delay=0.02))
    model = models(gemini)

    async def work() -> None:
        task = asyncio.ensure_future(read(model))
        await asyncio.to_thread(gemini.wait_tokens, 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(gemini.wait_closed)

    use(model, work)

    [request] = gemini.requests
    assert request.left is not None
    assert len(request.sent) < 500


def test_a_call_cancelled_during_its_pause_is_not_asked_again(gemini: FakeGemini) -> None:
    """The pause before a further attempt ends with the call."""
    gemini.script(Turn.failure(500), "never asked for")
    model = models(gemini).model_copy(update={"policy": RetryPolicy(2, first_pause=30.0, longest_pause=60.0)})

    async def work() -> None:
        task = asyncio.ensure_future(read(model))
        await asyncio.to_thread(gemini.wait_requests, 1)
        await asyncio.to_thread(gemini.wait_closed)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    use(model, work)
    assert len(gemini.requests) == 1


def test_more_streams_than_httpx_s_own_pool_run_at_once(gemini: FakeGemini) -> None:
    """120 answers are under way together; the 101st does not wait for a free connection."""
    gemini.when("", Turn(["a ", "b"], stall_after=1, stall=120.0))
    model = models(gemini)
    peak = 0

    async def work() -> None:
        nonlocal peak
        tasks = [asyncio.ensure_future(read(model)) for _ in range(120)]
        async with asyncio.timeout(20):
            while peak < 120:
                peak = max(peak, sum(bool(one.sent) and one.ended is None for one in gemini.requests))
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    use(model, work, timeout=60)
    assert peak == 120


def test_a_graph_sees_each_token_once(gemini: FakeGemini) -> None:
    """LangGraph's message stream has every chunk one time, with the tools in the provider's own format."""
    gemini.script(Turn.call("look_up", query="x"), Turn("the answer is here"))
    model = models(gemini)
    bound = model.bind_tools([look_up])

    async def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode([look_up]))
    graph.add_edge("__start__", "agent")
    graph.add_conditional_edges("agent", tools_condition)
    graph.add_edge("tools", "agent")
    compiled = graph.compile()

    async def work() -> tuple[str, Any]:
        text, names = "", set()
        async for part in compiled.astream({"messages": [("user", "hello")]}, stream_mode=["messages"], version="v2"):
            message, metadata = part["data"]
            if isinstance(message, AIMessageChunk):
                text += message.text
                names.add((metadata["ls_provider"], metadata["ls_model_name"]))
        return text, names

    text, names = use(model, work)

    assert text == "the answer is here"
    assert names == {("google_genai", "gemini-flash-latest")}
    assert [one["name"] for one in gemini.requests[0].tools] == ["look_up"]


def test_structured_output_comes_by_a_tool_call(gemini: FakeGemini) -> None:
    """`with_structured_output` works over every candidate by way of `bind_tools`."""

    class Person(BaseModel):
        """A person."""

        name: str

    gemini.script(Turn.failure(500), Turn(calls=[Call("Person", {"name": "Ada"})]))
    model = models(gemini)

    person = use(model, lambda: model.with_structured_output(Person).ainvoke("Who?"))

    assert person == Person(name="Ada")


def test_calls_without_streaming_are_asked_again_too(gemini: FakeGemini) -> None:
    """`ainvoke` outside of a graph, `invoke` and `stream` follow the same rules."""
    gemini.script(Turn.failure(500), "first", Turn.failure(500), "second", Turn.failure(500), "third")
    model = models(gemini)

    async def work() -> list[str]:
        first = (await model.ainvoke("hello")).text
        second = (await asyncio.to_thread(model.invoke, "hello")).text
        third = await asyncio.to_thread(lambda: "".join(chunk.text for chunk in model.stream("hello")))
        return [str(first), str(second), third]

    assert use(model, work) == ["first", "second", "third"]


def test_a_gateway_in_the_environment_does_not_redirect_prompts(
    gemini: FakeGemini, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LANGSMITH_GATEWAY moves neither the public address nor a configured one."""
    monkeypatch.setenv("LANGSMITH_GATEWAY", "https://gateway.example")
    monkeypatch.setenv("LANGSMITH_GATEWAY_API_KEY", "other")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", gemini.url)
    gemini.script("direct")
    model = chat_model("google_genai", api_key="fake-key")

    assert use(model, lambda: read(model)).text == "direct"

    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL")
    public: Any = chat_model("google_genai", api_key="fake-key").candidates[0].model
    assert public.base_url == "https://generativelanguage.googleapis.com"


def test_warming_up_connects_to_nobody(gemini: FakeGemini) -> None:
    """The first call is prepared without a request."""
    model = models(gemini)

    warm_up(model)

    assert gemini.requests == []


def test_nobody_but_the_configured_provider_is_looked_up_or_connected_to(gemini: FakeGemini) -> None:
    """At import, build, warm-up and call: an audit hook sees every name and address."""
    code = """
        import asyncio, json, sys
        seen = []
        def watch(event, arguments):
            if event == "socket.connect":
                seen.append(list(arguments[1][:2]) if isinstance(arguments[1], tuple) else str(arguments[1]))
            elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
                seen.append([arguments[0], arguments[1] if len(arguments) > 1 else None])
        sys.addaudithook(watch)
        from gsws.ai.models import chat_model, warm_up
        model = chat_model("google_genai", api_key="fake-key", base_url=sys.argv[1])
        warm_up(model)
        built = len(seen)
        async def main():
            text = (await model.ainvoke("hello")).text
            await model.aclose()
            return text
        print(json.dumps([asyncio.run(main()), built, seen]))
    """
    gemini.script("fine")
    environment = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), gemini.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )

    text, built, seen = json.loads(done.stdout)
    port = int(gemini.url.rpartition(":")[2])
    assert (text, built) == ("fine", 0)
    assert {tuple(one) for one in seen} == {("127.0.0.1", port)}
