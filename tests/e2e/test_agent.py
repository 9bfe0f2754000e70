"""The template `agent` as a newcomer gets it: offline, with a stand-in of Gemini, in a browser, and when all breaks."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from gsws.testing import FakeGemini, FaultProxy
from gsws.testing.gemini import Turn
from tests.e2e.available import ROOT, find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.serving import GSWS, Served, initialised, serve

SCREENSHOTS = ROOT / "build" / "screenshots"
QUESTION = "What is LangGraph and how does it work?"
WORDS = [f"w{number} " for number in range(200)]
KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "AGENT_MODEL", "AGENT_THREADS")

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project, with no key in the environment."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    initialised(tmp_path / "app", "agent")
    return tmp_path / "app"


@contextmanager
def with_gemini(project: Path, gemini: FakeGemini) -> Iterator[Served]:
    """The project, served with the stand-in as its provider."""
    with serve(project, environ={**gemini.env, "AGENT_MODEL": "google_genai:gemini-flash-latest"}) as server:
        yield server


def ask(port: int, message: str, **more: Any) -> list[dict[str, Any]]:
    """All frames of an answer, over a plain connection of the user `ann`."""
    with connect(f"ws://127.0.0.1:{port}/?clientId=ann") as socket:
        payload = {"message": message, **more}
        socket.send(json.dumps({"eventtype": "websocket.stream", "id": 1, "payload": payload}))
        return rest(socket)


def rest(socket: Any) -> list[dict[str, Any]]:
    """The frames up to the terminal one."""
    frames = []
    while not frames or frames[-1]["eventtype"] not in ("stream.end", "stream.error", "reply"):
        frames.append(json.loads(socket.recv(20)))
    return frames


def said(frames: list[dict[str, Any]]) -> str:
    return "".join(frame["payload"]["message"] for frame in frames if frame["eventtype"] == "stream.chunk")


def test_offline_it_answers_from_a_document_just_dropped_into_the_folder(project: Path) -> None:
    """No key, no network: a cited answer, and what the documents do not say is declined."""
    with serve(project) as server:
        document = "The Zorblax 9000 coffee machine must be descaled every 40 days with citric acid.\n"
        (project / "documents" / "zorblax.md").write_text(f"# Zorblax\n\n{document}")
        frames = ask(server.port, "How often must the Zorblax be descaled?")
        answer = said(frames)
        assert answer.startswith("No language model is configured")
        assert "every 40 days with citric acid" in answer
        assert "zorblax.md" in answer
        types = [frame["eventtype"] for frame in frames]
        assert types.index("sources") < types.index("stream.chunk")
        assert types.count("stream.end") == 1

        frames = ask(server.port, "Which club won the football cup in 1974?")
        assert "sources" not in [frame["eventtype"] for frame in frames]
        assert "say nothing about that" in said(frames)


def test_gsws_call_shows_the_answer_on_stdout_and_what_led_to_it_on_stderr(project: Path) -> None:
    with serve(project) as server:
        done = subprocess.run(
            [GSWS, "call", "websocket.stream", f"message={QUESTION}", "--url", f"ws://127.0.0.1:{server.port}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "state machine" in done.stdout
    assert 'tool.call get_relevant_docs(query="What is LangGraph and how does it work?")' in done.stderr
    assert "sources [1] langgraph.md" in done.stderr


def test_the_project_s_own_tests_pass(project: Path) -> None:
    """What `gsws init` wrote under `tests/` runs as it stands."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    python = Path(GSWS).with_name("python")
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_conversation_outlives_the_server(project: Path) -> None:
    """The next question, after a restart, is asked with what was said before."""
    with FakeGemini("The answer is 42.", "As I said: 42.") as gemini:
        with with_gemini(project, gemini) as server:
            assert said(ask(server.port, "What is the answer?")) == "The answer is 42."
        with with_gemini(project, gemini) as server:
            assert said(ask(server.port, "Say it again.")) == "As I said: 42."
        contents = gemini.requests[-1].body["contents"]
        assert [part["text"] for turn in contents for part in turn["parts"]] == [
            "What is the answer?",
            "The answer is 42.",
            "Say it again.",
        ]


def test_a_key_that_is_refused_is_an_error_and_never_an_offline_answer(project: Path) -> None:
    with FakeGemini(key="another") as gemini:
        environment = {**gemini.env, "GOOGLE_API_KEY": "wrong"}
        with serve(project, environ=environment) as server:
            frames = ask(server.port, QUESTION)
    assert frames[-1]["eventtype"] == "stream.error"
    assert frames[-1]["payload"]["error"] == "model_unauthorized"
    assert "API_KEY_INVALID" not in json.dumps(frames), "no text of the provider reaches the client"
    assert said(frames) == ""


def test_a_client_that_leaves_ends_the_request_to_the_provider(project: Path) -> None:
    """P6.7: a plain client's disconnect is a cancel, and reaches the provider."""
    with FakeGemini(Turn(WORDS, delay=0.02)) as gemini, with_gemini(project, gemini) as server:
        with connect(f"ws://127.0.0.1:{server.port}/?clientId=ann") as socket:
            socket.send(json.dumps({"eventtype": "websocket.stream", "payload": {"message": "Count."}}))
            while json.loads(socket.recv(20))["eventtype"] != "stream.chunk":
                pass
        gemini.wait_closed()
        assert len(gemini.requests[0].sent) < len(WORDS)

        # What the client had seen stays in the thread, which can be gone on with.
        gemini.script("Gone on.")
        assert said(ask(server.port, "Go on.")) == "Gone on."
        roles = [turn["role"] for turn in gemini.requests[-1].body["contents"]]
        assert roles == ["user", "model", "user"]


# In a browser.


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page(find_chromium()) as opened:
        yield opened


def last(page: Page, inside: str = "") -> str:
    """The text of the last answer, or of a part of it."""
    selector = f"#log article.agent:last-of-type {inside}".strip()
    return page.evaluate(f"document.querySelector({selector!r})?.textContent ?? ''") or ""


def is_empty(page: Page) -> bool:
    """Whether the page offers what to begin with."""
    return bool(page.evaluate("document.querySelector('#log .empty') !== null"))


def open_chat(page: Page, port: int) -> None:
    page.navigate(f"http://127.0.0.1:{port}/")
    page.wait(lambda: page.evaluate("document.querySelector('[role=status]')?.textContent") == "connected")
    page.wait(lambda: page.evaluate("document.querySelector('#log *') !== null"))


def type_in(page: Page, message: str) -> None:
    """Type a question and press Enter."""
    page.wait(lambda: page.evaluate("document.activeElement.id") == "message")
    page.type(message)
    page.press("Enter")


def idle(page: Page) -> bool:
    return bool(page.evaluate("!document.getElementById('send').hidden"))


@pytest.mark.browser
def test_the_page_shows_tools_sources_and_tokens_and_keeps_the_conversation(project: Path, page: Page) -> None:
    """Ask, see the answer with its sources, reload, and see it again; nothing is asked of another host."""
    with serve(project) as server:
        open_chat(page, server.port)
        type_in(page, QUESTION)
        page.wait(lambda: idle(page) and "state machine" in last(page))
        assert "get_relevant_docs" in last(page, ".step")
        assert "langgraph.md" in last(page, ".sources")
        page.click("button", "Source 1")
        assert page.evaluate("document.activeElement.closest('li[value=\"1\"] details').open") is True
        assert "Each node reads the state" in page.evaluate("document.activeElement.nextSibling.innerText")
        page.screenshot(SCREENSHOTS / "agent.png")

        open_chat(page, server.port)
        page.wait(lambda: "state machine" in last(page))
        assert page.evaluate("document.querySelector('#log article.user').textContent") == QUESTION
        assert QUESTION in page.says("navigation")
        assert page.exceptions == []
        assert all(f"127.0.0.1:{server.port}/" in url for url in page.requested if not url.startswith("data:"))
        page.navigate("about:blank")


@pytest.mark.browser
def test_stop_keeps_what_was_said_and_ends_the_request_to_the_provider(project: Path, page: Page) -> None:
    with FakeGemini(Turn(WORDS, delay=0.03)) as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Count.")
        page.wait(lambda: "w10 " in last(page))
        page.click("button", "Stop")
        page.wait(lambda: idle(page) and "You stopped this answer." in last(page))
        gemini.wait_closed()
        assert len(gemini.requests[0].sent) < len(WORDS)
        seen = last(page, "p").strip()
        assert "".join(WORDS).startswith(seen)
        open_chat(page, server.port)
        page.wait(lambda: "w10 " in last(page))
        page.navigate("about:blank")


@pytest.mark.browser
def test_a_cut_connection_goes_on_with_the_same_answer(project: Path, page: Page) -> None:
    """P8.3, with a model: not a token twice, none missing, and the model was asked once."""
    with (
        FakeGemini(Turn(WORDS, delay=0.02)) as gemini,
        with_gemini(project, gemini) as server,
        FaultProxy(server.port) as proxy,
    ):
        open_chat(page, proxy.address[1])
        type_in(page, "Count.")
        page.wait(lambda: "w20 " in last(page))
        proxy.cut()
        page.wait(lambda: idle(page), 30)
        assert last(page, "p").strip() == "".join(WORDS).strip()
        assert len(gemini.requests) == 1
        page.navigate("about:blank")


@pytest.mark.browser
def test_a_page_that_is_loaded_anew_says_that_its_answer_was_interrupted(project: Path, page: Page) -> None:
    """Nobody stopped it: what was said so far is kept, and can be tried again. One that was stopped here says so."""
    with FakeGemini(Turn(WORDS, delay=0.03)) as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Count.")
        page.wait(lambda: "w10 " in last(page))
        open_chat(page, server.port)
        gemini.wait_closed()

        def kept() -> bool:
            open_chat(page, server.port)
            return "This answer was interrupted." in last(page)

        page.wait(kept)
        assert "w10 " in last(page)
        assert "You stopped" not in page.evaluate("document.body.innerText")
        assert page.evaluate("document.querySelector('#log article.user').textContent") == "Count."

        gemini.script(Turn(WORDS, delay=0.03), "Hello.")
        page.click("button", "Try again")
        page.wait(lambda: "w10 " in last(page))
        page.press("Escape")
        page.wait(lambda: idle(page) and "You stopped this answer." in last(page))
        page.click("button", "New")
        page.wait(lambda: is_empty(page))
        page.click("button", "Count")
        page.wait(lambda: "You stopped this answer." in last(page))
        assert page.exceptions == []
        page.navigate("about:blank")


@pytest.mark.browser
def test_an_answer_goes_on_while_another_conversation_is_shown(project: Path, page: Page) -> None:
    """Nothing cancels it or waits for it, nothing of it is shown elsewhere, and it is there when one returns."""
    with FakeGemini(Turn(WORDS, delay=0.5), "Beside it.") as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Count.")
        page.wait(lambda: "w2 " in last(page))
        page.click("button", "New")
        page.wait(lambda: is_empty(page))
        page.wait(lambda: "is being answered" in page.says("navigation"))
        type_in(page, "And this?")
        page.wait(lambda: idle(page) and last(page, ".body") == "Beside it.")
        page.click("button", "Count")
        page.wait(lambda: "w4 " in last(page))
        assert not idle(page), "it is still being written"
        page.press("Escape")
        page.wait(lambda: idle(page) and "You stopped this answer." in last(page))
        assert len(gemini.requests) == 2
        assert page.exceptions == []
        page.navigate("about:blank")


@pytest.mark.browser
def test_a_label_that_was_kept_is_kept_and_a_new_one_is_short(project: Path, page: Page) -> None:
    with serve(project) as server:
        open_chat(page, server.port)
        assert re.fullmatch("page-[0-9a-f]{8}", page.evaluate("localStorage.me"))
        page.evaluate("localStorage.me = 'user-1-2-3-4'")
        open_chat(page, server.port)
        assert page.evaluate("localStorage.me") == "user-1-2-3-4"
        page.navigate("about:blank")


@pytest.mark.browser
def test_stop_without_a_connection_is_shown_and_done_when_it_is_back(project: Path, page: Page) -> None:
    with (
        FakeGemini(Turn(WORDS, delay=0.05)) as gemini,
        with_gemini(project, gemini) as server,
        FaultProxy(server.port) as proxy,
    ):
        open_chat(page, proxy.address[1])
        type_in(page, "Count.")
        page.wait(lambda: "w10 " in last(page))
        proxy.refuses = True
        proxy.cut()
        page.wait(lambda: page.says("status") == "reconnecting…")
        assert "goes on by itself" in last(page, ".outcome")
        page.press("Escape")
        assert page.find("button", "Stopping…") is not None
        proxy.refuses = False
        page.wait(lambda: idle(page) and "You stopped this answer." in last(page), 30)
        gemini.wait_closed()
        assert len(gemini.requests[0].sent) < len(WORDS)
        assert page.focused == "textbox Question"
        page.navigate("about:blank")


@pytest.mark.browser
def test_the_page_fits_a_narrow_screen_whatever_is_said(project: Path, page: Page) -> None:
    """320 pixels: nothing beside the screen, and text runs in its own direction."""
    word = "Donaudampfschifffahrt" * 20
    texts = ["שלום עולם (RTL)", word, f"```\n{word}\n```", f"`{word}`", f"1. {word}", f"> {word}"]
    with FakeGemini("\n\n".join(texts)) as gemini, with_gemini(project, gemini) as server:
        page.command("Emulation.setDeviceMetricsOverride", width=320, height=640, deviceScaleFactor=1, mobile=True)
        open_chat(page, server.port)
        type_in(page, f"مرحبا {word}")
        page.wait(lambda: idle(page) and word in last(page, "blockquote"))
        page.screenshot(SCREENSHOTS / "agent-narrow.png")
        assert page.evaluate("[document.documentElement.scrollWidth, document.getElementById('log').scrollWidth]") == [
            320,
            page.evaluate("document.getElementById('log').clientWidth"),
        ]
        right = """(() => {
          const range = document.createRange();
          range.selectNodeContents(document.querySelector('#log article.agent p'));
          const { left, right } = range.getBoundingClientRect();
          return left > innerWidth - right;
        })()"""
        assert page.evaluate(right) is True
        assert page.evaluate("document.querySelector('pre').scrollWidth > document.querySelector('pre').clientWidth")
        page.navigate("about:blank")
