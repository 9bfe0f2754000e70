"""Every page of every template under real keys: what a keyboard does, never a value that a script has set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.available import ROOT, find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.serving import initialised, serve

pytestmark = [pytest.mark.timeout(180), pytest.mark.browser]

PAGES = sorted(path.relative_to(ROOT / "templates") for path in ROOT.glob("templates/*/public/**/*.html*"))


@pytest.fixture
def page() -> Iterator[Page]:
    with open_page(find_chromium()) as opened:
        yield opened


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_what_is_typed_is_there_and_every_key_does_what_it_does_elsewhere(
    path: Path, tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters, arrows, Home and End, deleting, undo, copy and paste, a composition, Tab and Shift+Tab, Enter."""
    monkeypatch.setenv("AGENT_MODEL", "offline")
    template, name = path.parts[0], path.name.removesuffix(".tmpl")
    initialised(tmp_path / "app", template)
    with serve(tmp_path / "app") as server:
        page.navigate(f"http://127.0.0.1:{server.port}/{'' if name == 'index.html' else name}")
        page.wait(lambda: page.says("status") == "connected")
        page.wait(lambda: page.focused.startswith("textbox"))
        field = page.focused

        def value() -> str:
            return str(page.evaluate("document.activeElement.value"))

        page.press("Control+a")
        page.type("helo, Wörld? 'é'")
        assert value() == "helo, Wörld? 'é'"
        page.press("Home")
        for _ in range(3):
            page.press("ArrowRight")
        page.type("l")
        page.press("End")
        for _ in range(4):
            page.press("Backspace")
        assert value() == "hello, Wörld?"
        page.press("Home")
        page.press("Delete")
        assert value() == "ello, Wörld?"
        page.press("Control+z")
        assert value() == "hello, Wörld?"
        page.press("End")
        page.press("Shift+ArrowLeft")
        page.press("Control+x")
        assert value() == "hello, Wörld"
        page.press("Control+v")
        assert value() == "hello, Wörld?"

        page.press("Tab")
        assert page.focused.startswith("button"), "Tab leaves the field"
        page.press("Shift+Tab")
        assert page.focused == field
        page.press("End")
        page.command("Input.imeSetComposition", text="にほん", selectionStart=3, selectionEnd=3)
        page.command(
            "Input.dispatchKeyEvent", type="rawKeyDown", key="Process", code="Enter", windowsVirtualKeyCode=229
        )
        page.command("Input.insertText", text="日本")
        assert value() == "hello, Wörld?日本"
        assert not any("日本" in sent for sent in page.sent), "the Enter of a composition sends nothing"

        page.press("Escape")
        assert page.focused == field
        page.press("Enter")
        page.wait(lambda: any("hello, Wörld?日本" in sent for sent in page.sent))
        page.wait(lambda: page.evaluate("document.body.innerText.includes('日本')"))
        page.wait(lambda: page.says("status") == "connected")
        assert page.exceptions == []
        page.navigate("about:blank")


def test_there_are_pages_to_try() -> None:
    assert {path.parts[0] for path in PAGES} == {"agent", "starter"}
