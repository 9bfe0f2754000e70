"""The how-to's two tabs of one user in a real browser: the second reads the first one's answer, whatever is cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gsws.testing import FaultProxy
from tests.docs.pages import DOCS, blocks
from tests.e2e.available import find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.serving import Served, serve, write_project

HOW_TO = DOCS / "how-to" / "use-the-clients.md"
WORDS = 150
WHOLE = "".join(f"word{number} " for number in range(WORDS))
EVENTS = '"websocket.tell": {fn: clients.tell, payload: {}}\n'
CODE = f"""\
import asyncio
async def tell():
    for number in range({WORDS}):
        yield f"word{{number}} "
        await asyncio.sleep(0.05)
"""

pytestmark = pytest.mark.browser


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The how-to's page, with an answer of eight seconds."""
    (page,) = (one.text for one in blocks(HOW_TO) if one.title == "public/tabs.html")
    files = {
        "gsws.yaml": "name: tabs\n",
        "eventsources/websocket.yaml": "type: websocket\nport: 8000\n",
        "events/clients.yaml": EVENTS,
        "functions/clients.py": CODE,
        "public/tabs.html": page,
    }
    with serve(write_project(tmp_path / "app", files)) as running:
        yield running


def text(page: Page, name: str) -> str:
    """What an element of the page says."""
    said = page.evaluate(f"document.getElementById({name!r})?.textContent")
    return said or ""


def open_tab(page: Page, port: int) -> None:
    page.navigate(f"http://127.0.0.1:{port}/tabs.html")
    page.wait(lambda: text(page, "state") == "connected")


def frames(messages: list[str], eventtype: str) -> list[Any]:
    return [frame for frame in map(json.loads, messages) if frame["eventtype"] == eventtype]


def offline(page: Page, is_offline: bool) -> None:
    """One tab without a network, as the developer tools do it."""
    page.command(
        "Network.emulateNetworkConditions",
        offline=is_offline,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )


def finished(*tabs: Page) -> None:
    for tab in tabs:
        tab.wait(partial(text, tab, "outcome"), 60)
        assert text(tab, "outcome") == "complete"
        assert text(tab, "text") == WHOLE


@pytest.mark.parametrize("unlucky", ["the first", "the second"])
def test_two_tabs_show_one_answer_though_one_of_them_was_offline(served: Served, tmp_path: Path, unlucky: str) -> None:
    """P8.3, P8.8: asked in the first tab, followed in the second; both transcripts are the whole answer."""
    with open_page(find_chromium()) as first, first.another() as second:
        for tab in (first, second):
            open_tab(tab, served.port)
        first.evaluate("document.getElementById('ask').click()")
        second.wait(lambda: "word5 " in text(second, "text"))
        tab = {"the first": first, "the second": second}[unlucky]
        offline(tab, True)
        tab.wait(lambda: text(tab, "state") == "reconnecting")
        before = text(tab, "text")
        offline(tab, False)
        tab.wait(lambda: text(tab, "state") == "connected")

        finished(first, second)
        assert before != WHOLE
        asked = [len(frames(tab.sent, "websocket.tell")) for tab in (first, second)]
        assert asked == [1, 0]
        assert len(frames(second.sent, "gsws.follow")) == (2 if tab is second else 1)
        for tab in (second, first):
            tab.navigate("about:blank")


def test_a_tab_that_is_opened_late_is_told_and_both_survive_a_cut(served: Served, tmp_path: Path) -> None:
    """P8.3, P8.8: what was there before comes in one piece; a cut of both connections loses nothing."""
    with (
        FaultProxy(served.port) as proxy,
        open_page(find_chromium()) as first,
        first.another() as second,
    ):
        open_tab(first, proxy.address[1])
        first.evaluate("document.getElementById('ask').click()")
        first.wait(lambda: "word5 " in text(first, "text"))
        open_tab(second, proxy.address[1])
        second.wait(lambda: "word10 " in text(second, "text"))
        proxy.cut()

        finished(first, second)
        assert len(frames(first.sent, "gsws.resume")) == 1
        assert [one["payload"]["streams"].popitem()[1] > 0 for one in frames(second.sent, "gsws.follow")] == [
            False,
            True,
        ]
        for tab in (second, first):
            tab.navigate("about:blank")
