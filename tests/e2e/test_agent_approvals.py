"""What the agent asks a person before it goes on, decided on its page with mouse and keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini import Call, Turn
from tests.e2e.available import find_chromium
from tests.e2e.axe import serious
from tests.e2e.chromium import Page, open_page
from tests.e2e.test_agent import idle, last, open_chat, project, type_in, with_gemini

__all__ = ["project"]

pytestmark = [pytest.mark.timeout(240), pytest.mark.browser]

# Tools that ask as LangChain's middleware does, for all calls at once and for each by itself, and in plain text; each
# tells what it heard.
TOOLS = '''
import json

from langchain_core.tools import tool
from langgraph.types import interrupt


def review(name, allowed, **args):
    request = {"name": name, "args": args, "description": "It leaves *at once*."}
    return {"action_requests": [request], "review_configs": [{"action_name": name, "allowed_decisions": allowed}]}


@tool
async def send_mail(to: str, copies: int) -> str:
    """Send a mail."""
    return "heard " + json.dumps(interrupt(review("send_mail", ["approve", "edit", "reject"], to=to, copies=copies)))


@tool
async def ask_user(what: str) -> str:
    """Ask the user."""
    return "heard " + json.dumps(interrupt(review("ask_user", ["respond"], what=what)))


@tool
async def two(first: str, second: str) -> str:
    """Do two things."""
    one, other = (review(name, ["approve", "reject"], of=name) for name in (first, second))
    both = {key: one[key] + other[key] for key in one}
    return "heard " + json.dumps(interrupt(both))


@tool
async def pay(to: str) -> str:
    """Pay."""
    review = {"name": "pay", "args": {"to": to}, "description": "At *once*."}
    return "heard " + json.dumps(interrupt({"type": "tool_approval", "tool_call_id": "1", **review}))


@tool
async def approve(what: str) -> str:
    """Ask in plain text."""
    return "heard " + json.dumps(interrupt(what))

'''

Ask = Callable[[Call], AbstractContextManager[Callable[[], Any]]]


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page(find_chromium()) as opened:
        yield opened


@pytest.fixture
def ask(project: Path, page: Page) -> Ask:
    """The page, stopped at what tools ask; gives what the tools then heard."""
    agent = project / "functions" / "stream_gemini.py"
    code = agent.read_text().replace(
        "tools = [search_tool(documents, config)]", "tools = [send_mail, ask_user, two, pay, approve]"
    )
    agent.write_text(code.replace("from helper.memory", f"{TOOLS}\nfrom helper.memory", 1))

    @contextmanager
    def asking(*calls: Call) -> Iterator[Callable[[], Any]]:
        with FakeGemini(Turn(calls=calls), "Done so.") as gemini, with_gemini(project, gemini) as server:
            open_chat(page, server.port)
            type_in(page, "Do it.")
            page.wait(lambda: idle(page) and page.evaluate("document.querySelector('.approval') !== null"))

            def heard() -> Any:
                page.wait(lambda: idle(page) and last(page, ".body").startswith("Done so."))
                told = [
                    part["functionResponse"]["response"]
                    for part in gemini.requests[-1].body["contents"][-1]["parts"]
                    if "functionResponse" in part
                ]
                texts = [next(iter(one.values())) for one in told]
                answers = [json.loads(text.removeprefix("heard ")) for text in texts]
                return answers[0] if len(answers) == 1 else answers

            yield heard
            assert page.exceptions == []
            page.navigate("about:blank")

    return asking


def test_an_action_is_approved(ask: Ask, page: Page) -> None:
    """Nothing has happened before; the card says what it is about; the keyboard alone does it."""
    with ask(Call("send_mail", {"to": "bob@example.com", "copies": 2})) as heard:
        card = page.says("group", "Decision: send_mail")
        assert all(word in card for word in ("send_mail", "bob@example.com", "copies", "2", "It leaves at once."))
        assert serious(page) == []
        assert page.focused == "textbox Question", "an Enter that was meant for a question approves nothing"
        page.press("Enter")
        for _ in range(20):
            if page.focused != "button Approve":
                page.press("Shift+Tab")
        page.press("Enter")
        assert heard() == {"decisions": [{"type": "approve"}]}
        assert page.focused == "textbox Question"


def test_an_action_is_rejected_with_and_without_a_reason(ask: Ask, page: Page) -> None:
    with ask(Call("send_mail", {"to": "bob@example.com", "copies": 2})) as heard:
        page.click("textbox", "Reason")
        page.type("not Bob")
        page.click("button", "Reject")
        assert heard() == {"decisions": [{"type": "reject", "message": "not Bob"}]}


def test_the_arguments_of_an_action_are_edited(ask: Ask, page: Page) -> None:
    """Texts as texts, the rest as JSON; what is no JSON is told and changes nothing."""
    with ask(Call("send_mail", {"to": "bob@example.com", "copies": 2})) as heard:
        page.click("button", "Edit")
        assert page.focused == "textbox to"
        page.press("Control+a")
        page.type("ann@example.com")
        page.press("Tab")
        assert page.focused == "textbox copies"
        page.press("Control+a")
        page.type("many")
        page.click("button", "Approve")
        page.wait(lambda: "has to be JSON" in last(page))
        assert serious(page) == []
        page.click("textbox", "copies")
        page.press("Control+a")
        page.type("3")
        page.click("button", "Approve")
        edited = {"name": "send_mail", "args": {"to": "ann@example.com", "copies": 3}}
        assert heard() == {"decisions": [{"type": "edit", "edited_action": edited}]}
        card = page.evaluate("document.querySelector('.approval').innerText")
        assert "ann@example.com" in card
        assert card.endswith("Approved as changed.")


def test_only_what_the_review_allows_is_offered(ask: Ask, page: Page) -> None:
    with ask(Call("ask_user", {"what": "Which colour?"})) as heard:
        assert [page.find("button", name) for name in ("Approve", "Reject", "Edit")] == [None, None, None]
        page.click("textbox", "Reply")
        page.type("Blue")
        page.click("button", "Answer in its place")
        assert heard() == {"decisions": [{"type": "respond", "message": "Blue"}]}


def test_several_actions_are_decided_one_by_one_and_a_decision_may_be_changed(ask: Ask, page: Page) -> None:
    """In the order that they were asked in, and nothing goes on before the last is decided."""
    with ask(Call("two", {"first": "pay", "second": "mail"})) as heard:
        page.click("button", "Approve")
        page.wait(lambda: "Approved." in page.says("group", "Decision: pay"))
        page.click("button", "Change")
        page.wait(lambda: "Approved." not in page.says("group", "Decision: pay"))
        page.click("button", "Reject")
        page.wait(lambda: "Rejected." in page.says("group", "Decision: pay"))
        assert idle(page)
        page.click("button", "Approve")
        assert heard() == {"decisions": [{"type": "reject"}, {"type": "approve"}]}


def test_calls_that_are_reviewed_each_by_itself_get_a_decision_each(ask: Ask, page: Page) -> None:
    """As `interrupt_mode="per_call"` asks: what may be decided is not told, so nothing but yes and no is offered."""
    with ask(Call("pay", {"to": "Ann"}), Call("pay", {"to": "Bob"})) as heard:
        card = page.says("group", "Decision: pay")
        assert all(word in card for word in ("pay", "Ann", "At once."))
        assert [page.find("button", name) for name in ("Edit", "Answer")] == [None, None]
        page.click("button", "Approve")
        page.wait(lambda: "Approved." in last(page))
        assert idle(page)
        page.click("textbox", "Reason")
        page.type("not Bob")
        page.click("button", "Reject")
        assert heard() == [{"type": "approve"}, {"type": "reject", "message": "not Bob"}]


def test_two_tools_that_ask_are_answered_together(ask: Ask, page: Page) -> None:
    with ask(Call("approve", {"what": "First?"}), Call("approve", {"what": "Second?"})) as heard:
        page.click("button", "Approve")
        page.wait(lambda: "Approved." in last(page))
        assert idle(page)
        page.click("button", "Reject")
        assert sorted(map(str, heard())) == ["False", "yes"]


@pytest.mark.parametrize(("button", "answer"), [("Approve", "yes"), ("Reject", False)])
def test_a_question_in_plain_text_is_approved_or_rejected(ask: Ask, page: Page, button: str, answer: Any) -> None:
    """A no is no yes to code that only asks whether there is an answer."""
    with ask(Call("approve", {"what": "Send **this** mail?"})) as heard:
        assert "Send this mail?" in page.says("group", "Decision: question")
        page.click("button", button)
        assert heard() == answer


def test_a_question_in_plain_text_is_answered_in_words_after_the_page_was_loaded_anew(ask: Ask, page: Page) -> None:
    """What was typed is the answer: neither button can be pressed in its place."""
    with ask(Call("approve", {"what": "When?"})) as heard:
        page.evaluate("location.reload()")
        page.wait(lambda: page.find("textbox", "Your answer"))
        page.click("textbox", "Your answer")
        page.type("no, later")
        page.click("button", "Approve")
        assert idle(page)
        page.click("button", "Answer")
        assert heard() == "no, later"


def test_whoever_asks_something_else_goes_on_without(ask: Ask, page: Page) -> None:
    with ask(Call("approve", {"what": "Now?"})):
        type_in(page, "Never mind.")
        page.wait(lambda: idle(page) and last(page, ".body").startswith("Done so."))
        assert page.evaluate("document.querySelector('.approval').innerText").endswith("Not answered.")
        assert page.evaluate("document.querySelectorAll('.approval :is(button, textarea)').length") == 0
        assert page.evaluate("document.querySelectorAll('.step:is(.running, .left)').length") == 0


@pytest.mark.parametrize(
    ("button", "typed", "verdict"),
    [("Approve", "", "Approved."), ("Reject", "", "Rejected."), ("Answer", "at noon", "Answered: at noon.")],
)
def test_what_was_decided_stays_to_be_seen(ask: Ask, page: Page, button: str, typed: str, verdict: str) -> None:
    """The card keeps it, offers nothing more, and what asked is done."""
    with ask(Call("approve", {"what": "When?"})) as heard:
        if typed:
            page.click("textbox", "Your answer")
            page.type(typed)
        page.click("button", button)
        heard()
        assert page.evaluate("document.querySelector('.approval').innerText").endswith(verdict)
        assert page.evaluate("document.querySelectorAll('.approval :is(button, textarea)').length") == 0
        steps = page.evaluate("[...document.querySelectorAll('.step')].map((one) => one.className).join()")
        assert steps == "step done,step done", "what asked, and what went on"
