"""The original's JavaScript client, unchanged, and the starter's own page, in a real Chromium."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.available import ROOT, find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.seed import STREAM_PROJECT, client_for, expected_lines
from tests.e2e.serving import GSWS, serve, write_project

SCREENSHOTS = ROOT / "build" / "screenshots"

pytestmark = pytest.mark.browser

PAGE = '<!doctype html><meta charset="utf-8"><title>seed</title><link rel="icon" href="data:,">\
<script src="client.js"></script>\n'


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A tab of a browser of its own."""
    with open_page(find_chromium(), tmp_path / "profile") as opened:
        yield opened


def hosts(page: Page) -> set[str | None]:
    """The hosts that a page asked for anything."""
    return {urlsplit(url).hostname for url in page.requested if not url.startswith(("data:", "about:"))}


def test_the_seed_client_prints_a_whole_stream(tmp_path: Path, page: Page) -> None:
    """P3.1: the ten-line client, served from the project's own `public/`, prints start, chunks and end."""
    project = write_project(tmp_path / "project", {**STREAM_PROJECT, "src/public/index.html": PAGE})

    with serve(project) as server:
        (project / "src/public/client.js").write_text(client_for(server.port), encoding="utf-8")
        page.navigate(f"http://localhost:{server.port}/")
        page.wait(lambda: any(line.startswith("[stream.end]") for line in page.console))

        assert page.console == expected_lines(), server.output
        assert page.exceptions == []
        page.navigate("about:blank")


def test_the_starter_page_streams_an_answer(tmp_path: Path, page: Page) -> None:
    """The page that `gsws init` writes sends what a person typed and shows the answer as it streams."""
    subprocess.run([GSWS, "init", "app", "--template", "starter"], cwd=tmp_path, check=True, timeout=60)

    with serve(tmp_path / "app") as server:
        page.navigate(f"http://localhost:{server.port}/")
        page.wait(lambda: page.evaluate("document.getElementById('state')?.textContent") == "connected")
        page.screenshot(SCREENSHOTS / "starter-empty.png")
        page.evaluate("document.getElementById('message').select()")
        page.command("Input.insertText", text="Hello from a browser <b>1</b>")
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        page.command("Input.dispatchKeyEvent", type="keyDown", text="\r", **enter)
        page.command("Input.dispatchKeyEvent", type="keyUp", **enter)
        page.wait(lambda: page.evaluate("document.getElementById('answer').textContent.length > 5"))
        page.wait(lambda: page.evaluate("document.getElementById('state').textContent") == "complete")
        page.screenshot(SCREENSHOTS / "starter-answer.png")

        answer = page.evaluate("document.getElementById('answer').textContent")
        assert "Hello from a browser <b>1</b>" in answer, "what was sent is text, never markup"
        assert page.exceptions == [], server.output
        assert hosts(page) == {"localhost"}, "the page asks nobody but its own server"
        page.navigate("about:blank")
