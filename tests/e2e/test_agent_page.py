"""The chat page of the template `agent` against answers and documents that mean harm, and against its user's haste."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini import Call, Turn
from tests.e2e.available import find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.test_agent import idle, is_empty, last, open_chat, project, type_in, with_gemini

__all__ = ["project"]

pytestmark = [pytest.mark.timeout(180), pytest.mark.browser]

WORDS = [f"w{number} " for number in range(400)]
MARKUP = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'

APPROVE = '''
from langchain_core.tools import tool
from langgraph.types import interrupt


@tool
async def approve(what: str) -> str:
    """Ask a person."""
    return f"person: {interrupt(what)}"

'''


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page(find_chromium()) as opened:
        yield opened


def test_text_of_the_model_of_documents_and_of_users_never_becomes_markup(project: Path, page: Page) -> None:
    """Whatever an answer, a tool call, a passage, a title or a question says, the page shows it and runs nothing."""
    (project / "documents" / f"zorblax {MARKUP.replace('/', '')}.md").write_text(
        f"# Zorblax {MARKUP}\n\nZorblax {MARKUP}\n"
    )
    link = f"[click](javascript:window.pwned=1) [go](https://x.test/{MARKUP.replace(' ', '')}) ```{MARKUP}``` [1] "
    turns = (Turn(calls=(Call("get_relevant_docs", {"query": f"Zorblax {MARKUP}"}),)), Turn([MARKUP, " ", link]))
    with FakeGemini(*turns) as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, f"Zorblax? {MARKUP}")
        page.wait(lambda: idle(page) and "click" in last(page))
        assert "onerror" in last(page, ".sources")
        assert "onerror" in last(page, ".step")
        open_chat(page, server.port)  # and from the history, with the question as the conversation's title
        page.wait(lambda: "click" in last(page))
        assert "onerror" in page.says("navigation")
        assert page.evaluate("window.pwned") is None
        assert page.evaluate("document.querySelectorAll('#log img, #log script, #log [href^=javascript]').length") == 0
        assert page.exceptions == []
        page.navigate("about:blank")


def test_an_answer_that_would_break_the_page_s_formatting_is_shown_as_it_is(project: Path, page: Page) -> None:
    """Quotations in quotations without end, and text that takes for ever to format: the next question still works."""
    hostile = [">" * 20_000, "\n\n", "*a " * 10_000, "\n\n", "[" * 20_000, "\n\nafter all"]
    with FakeGemini(Turn(hostile), "Still here.") as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Be evil.")
        page.wait(lambda: idle(page) and "after all" in last(page))
        type_in(page, "And now?")
        page.wait(lambda: idle(page) and "Still here." in last(page))
        assert page.exceptions == []
        page.navigate("about:blank")


def test_sources_of_a_second_search_join_those_of_the_first(project: Path, page: Page) -> None:
    """A turn that speaks between two searches cites both; every number leads to its passage."""
    turns = (
        Turn("First.", calls=(Call("get_relevant_docs", {"query": "LangGraph"}),)),
        Turn("Then [1].", calls=(Call("get_relevant_docs", {"query": "streams"}),)),
        Turn("Last [1] and [6]."),
    )
    with FakeGemini(*turns) as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Search twice.")
        page.wait(lambda: idle(page) and "Last" in last(page))
        cited = [name for name, _ in page.nodes("button") if name.startswith("Source")]
        assert cited == ["Source 1", "Source 1", "Source 6"]
        shown = page.evaluate("[...document.querySelectorAll('.sources li')].map((one) => one.value).join()")
        assert shown.startswith("1,6,2,3,4,5"), "those that are cited come first"
        assert last(page, ".sources > summary") == f"2 cited, {shown.count(',') + 1} found"
        page.navigate("about:blank")


def test_an_answer_to_the_agent_s_question_goes_on_with_the_sources_of_the_turn(project: Path, page: Page) -> None:
    """A tool stops to ask; what was found before it can still be cited after it."""
    agent = project / "functions" / "stream_gemini.py"
    code = agent.read_text().replace(
        "tools = [search_tool(documents, config)]", "tools = [search_tool(documents, config), approve]"
    )
    code = code.replace(
        "from helper.retrieval import search_tool\n", f"from helper.retrieval import search_tool\n{APPROVE}"
    )
    agent.write_text(code)
    turns = (
        Turn.call("get_relevant_docs", query="LangGraph"),
        Turn.call("approve", what="May I look further?"),
        Turn("You said so, see [1]."),
    )
    with FakeGemini(*turns) as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Look.")
        page.wait(lambda: idle(page) and "May I look further?" in last(page))
        page.click("textbox", "Your answer")
        page.type("yes, do")
        page.press("Enter")
        page.wait(lambda: idle(page) and "You said so" in last(page))
        assert page.find("button", "Source 1") is not None
        assert "person: yes, do" in str(gemini.requests[-1].body["contents"][-1])
        assert page.exceptions == []
        page.navigate("about:blank")


def test_a_conversation_that_is_deleted_while_it_answers_stays_deleted(project: Path, page: Page) -> None:
    with FakeGemini(Turn(WORDS, delay=0.02)) as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Count.")
        page.wait(lambda: "w10 " in last(page))
        page.click("button", "Delete")
        page.click("button", "Delete it")
        page.wait(lambda: is_empty(page))
        gemini.wait_closed()
        open_chat(page, server.port)
        page.wait(lambda: is_empty(page))
        page.wait(lambda: "Count" not in page.says("navigation"))
        assert page.exceptions == []
        page.navigate("about:blank")


def test_the_page_says_that_the_budget_is_used_up(project: Path, page: Page) -> None:
    config = project / "config" / "default.yaml"
    config.write_text(config.read_text().replace("turn_tokens: 50000", "turn_tokens: 200"))
    much = WORDS * 10  # a busy machine is some seconds behind what is sent
    with FakeGemini(Turn(much, delay=0.002)) as gemini, with_gemini(project, gemini) as server:
        open_chat(page, server.port)
        type_in(page, "Count.")
        page.wait(lambda: idle(page) and "cost more than it may" in last(page, ".outcome"))
        gemini.wait_closed()
        assert len(gemini.requests[0].sent) < len(much)
        page.navigate("about:blank")
