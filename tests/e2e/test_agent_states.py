"""The agent's page in each of its states: used with the keyboard, read by axe, narrow and wide, light and dark."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from gsws.testing import FakeGemini, FaultProxy
from gsws.testing.gemini import Turn
from tests.e2e.available import ROOT, find_chromium
from tests.e2e.axe import serious
from tests.e2e.chromium import Page, open_page
from tests.e2e.serving import serve
from tests.e2e.test_agent import QUESTION, idle, is_empty, last, open_chat, project, type_in, with_gemini

__all__ = ["project"]

pytestmark = [pytest.mark.timeout(240), pytest.mark.browser]

SCREENSHOTS = ROOT / "build" / "screenshots"
SECRET = "only-a-test-secret-that-is-long-enough-for-anybody"
WORDS = [f"w{number} " for number in range(300)]
RICH = """\
## Limits

| Limit | Default |
|-------|--------:|
| `message_bytes` | 1 MiB |

- [x] done
- [ ] to do

```python
x = 1
```

> A [link](https://e.test/) and a claim [1].
"""


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page(find_chromium()) as opened:
        yield opened


def look(page: Page, name: str) -> None:
    """Nothing serious for axe and nothing beside the screen, at 360 and 1280 pixels, light and dark."""
    for width, height in ((360, 740), (1280, 860)):
        for scheme in ("dark", "light"):
            page.command(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=height,
                deviceScaleFactor=1,
                mobile=width < 500,
            )
            page.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            assert page.evaluate("document.documentElement.scrollWidth") == width, name
            assert serious(page) == [], (name, width, scheme)
            page.screenshot(SCREENSHOTS / f"agent-{name}-{width}-{scheme}.png")


def test_an_empty_page_an_answer_and_a_list_are_used_with_the_keyboard(project: Path, page: Page) -> None:
    """A suggestion sends itself; sources open; copying copies; conversations are chosen and deleted by keys alone."""
    with serve(project, environ={"AGENT_MODEL": "offline"}) as server:
        open_chat(page, server.port)
        look(page, "empty")
        page.click("button", "What is LangGraph")
        page.wait(lambda: idle(page) and "state machine" in last(page))
        assert page.evaluate("document.querySelector('#log article.user').textContent") == QUESTION
        look(page, "answer")
        page.click("button", "Copy answer")
        page.wait(lambda: page.find("button", "Copied"))
        page.click("textbox", "Question")
        page.press("Control+v")
        assert "state machine" in page.evaluate("document.getElementById('message').value")
        page.press("Control+a")
        page.press("Backspace")

        page.click("button", "New")
        page.wait(lambda: is_empty(page))
        type_in(page, "What is a checkpointer?")
        page.wait(lambda: idle(page) and last(page))
        page.wait(lambda: [name for name, _ in page.nodes("button") if name.startswith("What is")][:1] != [])
        for _ in range(20):
            if page.focused != "button What is a checkpointer?":
                page.press("Shift+Tab")
        page.press("ArrowDown")
        assert page.focused == f"button {QUESTION}"
        page.press("Home")
        page.press("End")
        page.press("Enter")
        page.wait(lambda: "state machine" in page.evaluate("document.getElementById('log').textContent"))
        assert page.focused == "textbox Question"
        look(page, "list")

        for _ in range(20):
            if page.focused != f"button {QUESTION}":
                page.press("Shift+Tab")
        page.press("Delete")
        page.wait(lambda: page.find("dialog"))
        assert serious(page) == []
        page.press("Escape")
        page.wait(lambda: not page.find("dialog"))
        assert QUESTION in page.says("navigation")
        assert page.focused == f"button {QUESTION}", "the focus is where it was"
        page.press("Delete")
        page.wait(lambda: page.find("dialog"))
        page.press("Tab")
        assert page.focused == "button Delete it"
        page.press("Enter")
        page.wait(lambda: QUESTION not in page.says("navigation"))
        page.wait(lambda: is_empty(page))
        assert page.exceptions == []
        assert all(f"127.0.0.1:{server.port}/" in url for url in page.requested)
        page.navigate("about:blank")


def test_a_rich_answer_is_copied_and_a_long_one_follows_its_reader(project: Path, page: Page) -> None:
    """Code is copied as it is; whoever reads further up is left there, and one button leads to the end."""
    with FakeGemini(Turn([RICH]), Turn([f"{word}\n\n" for word in WORDS], delay=0.02)) as gemini:
        with with_gemini(project, gemini) as server:
            open_chat(page, server.port)
            type_in(page, "Show me.")
            page.wait(lambda: idle(page) and "claim" in last(page))
            look(page, "rich")
            page.click("button", "Copy python")
            page.click("textbox", "Question")
            page.press("Control+v")
            assert page.evaluate("document.getElementById('message').value") == "x = 1\n"
            page.press("Control+a")
            page.press("Backspace")

            type_in(page, "Count.")
            at_end = "document.getElementById('log').scrollHeight - document.getElementById('log').clientHeight"
            page.wait(lambda: "w60" in last(page))
            page.wait(lambda: page.evaluate(f"{at_end} - document.getElementById('log').scrollTop < 80"))
            page.evaluate("document.getElementById('log').focus()")
            page.press("Home")
            page.wait(lambda: page.find("button", "Jump to the end"))
            look(page, "streaming")
            page.wait(lambda: "w120" in last(page))
            assert page.evaluate(f"{at_end} - document.getElementById('log').scrollTop") > 1000
            page.click("button", "Jump to the end")
            page.wait(lambda: page.evaluate(f"{at_end} - document.getElementById('log').scrollTop < 80"))
            assert page.exceptions == []
            page.navigate("about:blank")


def test_what_is_typed_while_an_answer_is_written_is_kept(project: Path, page: Page) -> None:
    """Enter sends nothing then, and the next question is asked with the same words once it may be."""
    with FakeGemini(Turn(WORDS, delay=0.02), "Second.") as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Count.")
        page.wait(lambda: "w5 " in last(page))
        page.type("and then\nthis")
        page.press("Enter")
        assert page.evaluate("document.getElementById('message').value") == "and then\nthis"
        page.press("Escape")
        page.wait(lambda: idle(page))
        page.press("Enter")
        page.wait(lambda: idle(page) and last(page, ".body") == "Second.")
        asked = gemini.requests[-1].body["contents"][-1]["parts"][0]["text"]
        assert asked == "and then\nthis"
        page.navigate("about:blank")


@pytest.mark.parametrize(
    ("turn", "words", "again"),
    [
        (Turn("Half an", drop_after=1), "broke off", True),
        (Turn(finish="SAFETY"), "other words", False),
        (Turn(""), "gave no answer", True),
    ],
    ids=["broken off", "blocked", "empty"],
)
def test_errors_are_told_in_plain_words_and_tried_again_where_that_helps(
    project: Path, page: Page, turn: Turn, words: str, again: bool
) -> None:
    with FakeGemini(turn, "Now it works.") as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Try.")
        page.wait(lambda: idle(page) and last(page, ".outcome"))
        assert words in last(page, ".outcome")
        look(page, "error")
        assert (page.find("button", "Try again") is not None) is again
        if again:
            page.click("button", "Try again")
            page.wait(lambda: idle(page) and "Now it works." in last(page))
            assert page.evaluate("document.querySelectorAll('#log article').length") == 2
        page.navigate("about:blank")


def test_a_question_that_was_never_taken_is_tried_again_as_it_was(project: Path, page: Page) -> None:
    """Refused before it began: it is not in the conversation, so the same question is sent again."""
    events = project / "events" / "websocket_stream.yaml"
    text = events.read_text()
    events.write_text(text.replace("messages: 20, per: 1m", "messages: 1, per: 1h"))
    with FakeGemini("One.", "Two.") as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "First")
        page.wait(lambda: idle(page) and "One." in last(page))
        type_in(page, "Second")
        page.wait(lambda: idle(page) and "more than may be asked" in last(page, ".outcome"))
        events.write_text(text)
        server.wait_for("reloaded")
        page.click("button", "Try again")
        page.wait(lambda: idle(page) and "Two." in last(page))
        asked = [json.loads(sent)["payload"]["message"] for sent in page.sent if '"websocket.stream"' in sent]
        assert asked == ["First", "Second", "Second"]
        page.navigate("about:blank")


def test_a_token_is_asked_for_where_one_is_wanted(project: Path, page: Page) -> None:
    """Refused: a field for it. With it: connected, also after a reload. It is in no address, and can be forgotten."""
    source = project / "eventsources" / "websocket.yaml"
    source.write_text(source.read_text() + 'authn:\n  jwt: {secret: "${JWT_SECRET}"}\n')
    token = jwt.encode({"sub": "ann", "exp": time.time() + 3600}, SECRET)
    with serve(project, environ={"JWT_SECRET": SECRET, "AGENT_MODEL": "offline"}) as server:
        page.navigate(f"http://127.0.0.1:{server.port}/")
        page.wait(lambda: page.find("textbox", "Token"))
        assert page.says("status") == "not connected"
        assert "asks for a token" in page.evaluate("document.body.innerText")
        assert "1006" not in page.evaluate("document.body.innerText")
        look(page, "token")
        page.wait(lambda: page.focused == "textbox Token")
        page.type("wrong")
        page.press("Enter")
        page.wait(lambda: "This token was not accepted" in page.evaluate("document.body.innerText"))
        page.wait(lambda: page.focused == "textbox Token")
        page.type(token)
        page.press("Enter")
        page.wait(lambda: page.says("status") == "connected")
        type_in(page, QUESTION)
        page.wait(lambda: idle(page) and "state machine" in last(page))

        page.evaluate("location.reload()")
        page.wait(lambda: "state machine" in last(page))
        assert page.evaluate("Object.values(localStorage).join()").find(token) == -1
        page.click("button", "Forget the token")
        page.wait(lambda: page.find("textbox", "Token"))
        assert "LangGraph" not in page.evaluate("document.body.innerText")
        page.evaluate("location.reload()")
        page.wait(lambda: page.find("textbox", "Token"))
        assert not [url for url in page.requested if token in url]
        page.navigate("about:blank")


def test_a_server_that_is_away_is_waited_for(project: Path, page: Page) -> None:
    """Gone before the page ever connected, gone for good in an answer: the page says so, and finds it again."""
    with FakeGemini(Turn(WORDS, delay=0.05), "Here again.") as gemini:
        with with_gemini(project, gemini) as server:
            port = server.port
            with FaultProxy(port) as proxy:
                open_chat(page, proxy.address[1])
                type_in(page, "Count.")
                page.wait(lambda: "w5 " in last(page))
                proxy.refuses = True
                proxy.cut()
                page.wait(lambda: page.says("status") == "reconnecting…")
                page.wait(lambda: "goes on by itself" in last(page, ".outcome"))
                look(page, "gone")
                proxy.refuses = False
                page.wait(lambda: page.says("status") == "connected", 40)
                page.wait(lambda: "goes on by itself" not in last(page))
                page.wait(lambda: "w20 " in last(page))
                page.press("Escape")
                page.wait(lambda: idle(page))
                page.navigate("about:blank")


def test_a_restart_in_an_answer_is_told_as_what_it_is(project: Path, page: Page) -> None:
    """The server ends while it answers and another takes its place: no jargon, and the question is asked again."""
    with FakeGemini("Hello.", Turn(WORDS, delay=0.05), "After the restart.") as gemini:
        with with_gemini(project, gemini) as server:
            port = server.port
            open_chat(page, port)
            type_in(page, "Hello?")
            page.wait(lambda: idle(page) and "Hello." in last(page))
            type_in(page, "Count.")
            page.wait(lambda: "w5 " in last(page))
            server.process.kill()
            server.process.wait(10)
            page.wait(lambda: page.says("status") == "reconnecting…")
            server.process.returncode = 0  # it was meant to end so
        environ = {**gemini.env, "AGENT_MODEL": "google_genai:gemini-flash-latest"}
        with serve(project, "--port", str(port), environ=environ):
            page.wait(lambda: page.says("status") == "connected", 60)
            page.wait(lambda: idle(page) and "The server was restarted" in last(page))
            page.click("button", "Try again")
            page.wait(lambda: idle(page) and "After the restart." in last(page))
            texts = [part.get("text") for turn in gemini.requests[-1].body["contents"] for part in turn["parts"]]
            assert texts == ["Hello?", "Hello.", "Count."], "the question before it keeps its answer"
            page.navigate("about:blank")
