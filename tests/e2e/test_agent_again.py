"""*Try again* on the agent's page: where it is offered, and what it sends."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini import Call, Turn
from tests.e2e.available import find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.serving import Served, serve
from tests.e2e.test_agent import WORDS, idle, last, open_chat, project, type_in, with_gemini
from tests.e2e.test_agent_approvals import TOOLS

__all__ = ["project"]

pytestmark = [pytest.mark.timeout(240), pytest.mark.browser]

RULES: list[tuple[str, bool]] = [
    # What the server says may be repeated, and what it does not.
    ("new RemoteError({error: 'busy', retryable: true})", True),
    ("new RemoteError({error: 'model_unavailable', retryable: true})", True),
    ("new RemoteError({error: 'too_many_requests', retryable: true, retry_after_ms: 2000})", True),
    ("new RemoteError({error: 'blocked', retryable: false})", False),
    ("new RemoteError({error: 'context_too_long', retryable: false})", False),
    ("new RemoteError({error: 'unknown_interrupt', retryable: false})", False),
    ("new RemoteError({error: 'one_of_the_project', message: 'no', retryable: false})", False),
    ("new RemoteError({error: 'one_of_the_project', message: 'no', retryable: true})", True),
    # What somebody may have mended meanwhile.
    ("new RemoteError({error: 'agent_error', retryable: false})", True),
    ("new RemoteError({error: 'model_unauthorized', retryable: false})", True),
    ("new RemoteError({error: 'model_not_found', retryable: false})", True),
    # A day's budget comes back another day; a turn's would be the same again.
    ("new RemoteError({error: 'budget_exceeded', retryable: false, retry_after_ms: 3600000})", False),
    ("new RemoteError({error: 'budget_exceeded', retryable: false})", False),
    # What ended without an error of the server.
    ("new Interrupted({reason: 'superseded'})", False),
    ("new Interrupted({reason: 'draining'})", True),
    ("new Interrupted({reason: 'timeout'})", True),
    ("new ResumeLost('1', 5)", True),
    ("new AnswerTimeout('websocket.stream', 600000)", True),
    ("new Error('anything')", True),
]


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page(find_chromium()) as opened:
        yield opened


def sent(page: Page) -> list[tuple[str, dict[str, Any]]]:
    """What was asked of the agent, in order: the event and its payload without the thread."""
    messages = [json.loads(text) for text in page.sent]
    asked = [one for one in messages if one["eventtype"] in ("websocket.stream", "websocket.retry", "websocket.resume")]
    return [(one["eventtype"], {**one["payload"], "thread": None}) for one in asked]


def question(text: str) -> tuple[str, dict[str, Any]]:
    return "websocket.stream", {"message": text, "thread": None}


RETRY = ("websocket.retry", {"thread": None})


@contextmanager
def restarted(project: Path, page: Page, gemini: FakeGemini, server: Served, how: signal.Signals) -> Iterator[None]:
    """End the server and let another take its place; the page has noticed both."""
    server.process.send_signal(how)
    server.process.wait(20)
    page.wait(lambda: page.says("status") == "reconnecting…")
    server.process.returncode = 0  # it was meant to end so
    environ = {**gemini.env, "AGENT_MODEL": "google_genai:gemini-flash-latest"}
    with serve(project, "--port", str(server.port), environ=environ):
        page.wait(lambda: page.says("status") == "connected", 60)
        page.wait(lambda: idle(page) and "The server was restarted" in last(page))
        yield


def test_where_it_is_offered(project: Path, page: Page) -> None:
    with serve(project) as server:
        open_chat(page, server.port)
        page.evaluate(
            "Promise.all([import('/gsws.js'), import('/words.js')]).then(([client, words]) => {"
            " window.again = (make) => words.explain(new Function(...Object.keys(client), 'return ' + make)("
            "...Object.values(client))).again; })"
        )
        page.wait(lambda: page.evaluate("'again' in window"))
        offered = [(rule, page.evaluate(f"again({json.dumps(rule)})")) for rule, _ in RULES]
        assert offered == RULES
        page.navigate("about:blank")


def test_a_stopped_answer_is_answered_again_in_its_place(project: Path, page: Page) -> None:
    """The question is kept, so it is not asked twice; it is no longer offered once something else was asked."""
    with (
        FakeGemini(Turn(WORDS, delay=0.05), Turn(WORDS, delay=0.05), "Next.") as gemini,
        with_gemini(project, gemini) as server,
    ):
        open_chat(page, server.port)
        type_in(page, "Count.")
        for _ in range(2):
            page.wait(lambda: "w5 " in last(page))
            page.press("Escape")
            page.wait(lambda: idle(page) and "You stopped this answer." in last(page))
            if len(gemini.requests) == 1:
                page.click("button", "Try again")
        assert sent(page) == [question("Count."), RETRY]
        assert page.evaluate("document.querySelectorAll('#log article').length") == 2
        texts = [part["text"] for turn in gemini.requests[-1].body["contents"] for part in turn["parts"]]
        assert texts == ["Count."], "the answer that was stopped is gone"
        type_in(page, "And then?")
        page.wait(lambda: idle(page) and "Next." in last(page))
        assert page.find("button", "Try again") is None
        page.navigate("about:blank")


def test_an_answer_that_a_drained_server_kept_is_answered_again(project: Path, page: Page) -> None:
    """The question is in the conversation with what there was of its answer: it is not asked a second time."""
    gsws = project / "gsws.yaml"
    gsws.write_text(f"{gsws.read_text()}\ndrain_timeout: 200ms\n")
    with FakeGemini(Turn(WORDS, delay=0.1), "After it.") as gemini:
        with with_gemini(project, gemini) as server:
            open_chat(page, server.port)
            type_in(page, "Count.")
            page.wait(lambda: "w3 " in last(page))
            with restarted(project, page, gemini, server, signal.SIGTERM):
                page.click("button", "Try again")
                page.wait(lambda: idle(page) and "After it." in last(page))
                assert sent(page) == [question("Count."), RETRY]
                page.navigate("about:blank")


def test_a_decision_that_a_killed_server_did_not_keep_is_sent_again(project: Path, page: Page) -> None:
    """The agent still waits for it, so that trying again decides the same, and does not ask the question anew."""
    agent = project / "functions" / "stream_gemini.py"
    code = agent.read_text().replace("tools = [search_tool(documents, config)]", "tools = [approve]")
    agent.write_text(code.replace("from helper.memory", f"{TOOLS}\nfrom helper.memory", 1))
    ask = Turn(calls=[Call("approve", {"what": "Really?"})])
    with FakeGemini(ask, Turn(WORDS, delay=0.1), "Done so.") as gemini:
        with with_gemini(project, gemini) as server:
            open_chat(page, server.port)
            type_in(page, "Do it.")
            page.wait(lambda: idle(page) and page.find("button", "Approve"))
            page.click("button", "Approve")
            page.wait(lambda: "w3 " in last(page))
            with restarted(project, page, gemini, server, signal.SIGKILL):
                page.click("button", "Try again")
                page.wait(lambda: idle(page) and "Done so." in last(page))
                asked = sent(page)
                assert [event for event, _ in asked] == ["websocket.stream", "websocket.resume", "websocket.resume"]
                assert asked[1] == asked[2]
                page.navigate("about:blank")
