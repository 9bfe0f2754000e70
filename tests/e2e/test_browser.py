"""The original's JavaScript client, unchanged, and the starter's own page, in a real Chromium."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import pytest

from gsws.testing import FaultProxy
from tests.e2e.available import ROOT, find_chromium
from tests.e2e.axe import serious
from tests.e2e.chromium import Page, open_page
from tests.e2e.seed import STREAM_PROJECT, client_for, expected_lines
from tests.e2e.serving import Served, initialised, serve, write_project

SCREENSHOTS = ROOT / "build" / "screenshots"

SECRET = "only-a-test-secret-that-is-long-enough-for-anybody"

pytestmark = pytest.mark.browser

PAGE = '<!doctype html><meta charset="utf-8"><title>seed</title><link rel="icon" href="data:,">\
<script src="client.js"></script>\n'


@pytest.fixture
def page() -> Iterator[Page]:
    """A tab of a browser of its own."""
    with open_page(find_chromium()) as opened:
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


@contextmanager
def starter(folder: Path) -> Iterator[Served]:
    """The project that `gsws init` writes, served."""
    initialised(folder / "app", "starter")
    with serve(folder / "app") as server:
        yield server


def text(page: Page, name: str) -> str:
    """What an element of the page says."""
    said = page.evaluate(f"document.getElementById({name!r})?.textContent")
    return said or ""


def press(page: Page, key: str, code: int, **more: str) -> None:
    """Press a key as a person does, wherever the focus is."""
    page.command("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **more)
    page.command("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)


def ask(page: Page, message: str) -> None:
    """Type a message into the starter's page and press Enter."""
    page.evaluate("document.getElementById('message').select()")
    page.command("Input.insertText", text=message)
    press(page, "Enter", 13, text="\r")


def test_the_starter_page_streams_an_answer(tmp_path: Path, page: Page) -> None:
    """The page that `gsws init` writes sends what a person typed and shows the answer as it streams."""
    with starter(tmp_path) as server:
        page.navigate(f"http://localhost:{server.port}/")
        page.wait(lambda: text(page, "state") == "connected")
        page.screenshot(SCREENSHOTS / "starter-empty.png")
        ask(page, "Hello from a browser <b>1</b>")
        page.wait(lambda: len(text(page, "answer")) > 5)
        page.wait(lambda: text(page, "outcome") == "complete")
        page.screenshot(SCREENSHOTS / "starter-answer.png")
        assert serious(page) == []

        assert text(page, "answer") == "You said: Hello from a browser <b>1</b> ", "what was sent is text, never markup"
        assert page.exceptions == [], server.output
        assert hosts(page) == {"localhost"}, "the page asks nobody but its own server"
        page.navigate("about:blank")


def test_the_starter_page_survives_a_cut_and_says_so(tmp_path: Path, page: Page) -> None:
    """P8.3: connected, reconnecting, offline and connected again; the answer is whole; narrow and dark."""
    message = " ".join(f"word{number}" for number in range(80))
    with starter(tmp_path) as server, FaultProxy(server.port) as proxy:
        page.command("Emulation.setDeviceMetricsOverride", width=320, height=640, deviceScaleFactor=2, mobile=True)
        page.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        page.navigate(f"http://localhost:{proxy.address[1]}/")
        page.wait(lambda: text(page, "state") == "connected")
        ask(page, message)
        page.wait(lambda: "word5" in text(page, "answer"))
        assert page.evaluate("document.getElementById('answer').getAttribute('aria-busy')") == "true"
        proxy.refuses = True
        proxy.cut()
        page.wait(lambda: text(page, "state") == "reconnecting…")
        page.screenshot(SCREENSHOTS / "starter-narrow-dark.png")
        assert page.evaluate("document.documentElement.scrollWidth") == 320, "nothing sticks out"
        network(page, offline=True)
        page.wait(lambda: text(page, "state") == "offline")
        network(page, offline=False)
        proxy.refuses = False
        page.wait(lambda: text(page, "outcome") == "complete")

        assert text(page, "state") == "connected"
        assert text(page, "answer") == f"You said: {message} "
        assert page.evaluate("document.getElementById('answer').getAttribute('aria-busy')") == "false"
        page.navigate("about:blank")


def test_the_starter_page_is_used_with_the_keyboard_alone(tmp_path: Path, page: Page) -> None:
    """Enter sends, Tab and Enter stop, the focus comes back, and a newer message takes the place of a running one."""
    with starter(tmp_path) as server:
        page.navigate(f"http://localhost:{server.port}/")
        page.wait(lambda: text(page, "state") == "connected")
        ask(page, "first " * 500)
        page.wait(lambda: "first" in text(page, "answer"))
        ask(page, "second " * 500)
        page.wait(lambda: "second" in text(page, "answer"))
        press(page, "Tab", 9)
        press(page, "Tab", 9)
        assert page.evaluate("document.activeElement.id") == "stop"
        press(page, "Enter", 13, text="\r")
        page.wait(lambda: text(page, "outcome") == "cancelled")

        assert "first" not in text(page, "answer")
        assert page.evaluate("document.activeElement.id") == "message"
        assert page.evaluate("document.getElementById('stop').disabled")
        assert page.evaluate("document.getElementById('message').labels.length") == 1
        page.navigate("about:blank")


def test_the_starter_page_sends_what_is_typed_and_nothing_else(tmp_path: Path, page: Page) -> None:
    """Real keys from the first moment on: no example is in the way; Escape stops; the next message replaces it."""
    with starter(tmp_path) as server:
        page.navigate(f"http://localhost:{server.port}/")
        page.wait(lambda: text(page, "state") == "connected")
        page.type("twelve")
        page.press("Enter")
        page.wait(lambda: text(page, "outcome") == "complete")
        assert text(page, "answer") == "You said: twelve "
        page.type("and then")
        page.press("Enter")
        page.wait(lambda: text(page, "outcome") == "complete" and "and then" in text(page, "answer"))
        assert text(page, "answer") == "You said: and then "
        ask(page, "long " * 500)
        page.wait(lambda: "long" in text(page, "answer"))
        page.press("Escape")
        page.wait(lambda: text(page, "outcome") == "cancelled")
        page.press("Escape")  # nothing runs: nothing happens
        assert page.exceptions == []
        page.navigate("about:blank")


def test_the_starter_page_asks_for_a_token_and_says_if_it_is_wrong(tmp_path: Path, page: Page) -> None:
    """The focus is where the token belongs; a wrong one is told and replaced by typing; a right one is kept."""
    initialised(tmp_path / "app", "starter")
    source = tmp_path / "app" / "eventsources" / "websocket.yaml"
    source.write_text(source.read_text() + 'authn:\n  jwt: {secret: "${JWT_SECRET}"}\n')
    token = jwt.encode({"sub": "ann", "exp": time.time() + 3600}, SECRET)
    with serve(tmp_path / "app", environ={"JWT_SECRET": SECRET}) as server:
        page.navigate(f"http://localhost:{server.port}/")
        page.wait(lambda: page.focused == "textbox Token")
        assert page.find("textbox", "Message") is None, "no token is typed into a message"
        assert "If it asks for a token" in text(page, "refused")
        assert serious(page) == []
        page.type("wrong")
        page.press("Enter")
        page.wait(lambda: "This token was not accepted" in text(page, "refused"))
        page.wait(lambda: page.focused == "textbox Token")
        page.type(token)
        page.press("Enter")
        page.wait(lambda: text(page, "state") == "connected" and page.focused == "textbox Message")
        page.type("hi")
        page.press("Enter")
        page.wait(lambda: text(page, "answer") == "You said: hi ")
        page.evaluate("location.reload()")
        page.wait(lambda: text(page, "state") == "connected" and page.focused == "textbox Message")
        assert token not in str(page.evaluate("Object.values(localStorage).join()"))
        assert not [url for url in page.requested if token in url]
        page.navigate("about:blank")


def test_the_starter_page_waits_for_a_server_that_is_gone(tmp_path: Path, page: Page) -> None:
    """A page whose first connection fails says that it is offline, and the next message tries again."""
    with starter(tmp_path) as server, FaultProxy(server.port) as nobody:
        nobody.refuses = True
        first = f"ws://localhost:{nobody.address[1]}/"
        page.command("Page.setBypassCSP", enabled=True)  # it may connect to its own server only
        page.command(
            "Page.addScriptToEvaluateOnNewDocument",
            source=f"const Real = WebSocket; let first = {first!r}; window.WebSocket = function (url, protocols) {{"
            " const now = first || url; first = ''; return new Real(now, protocols); };",
        )
        page.navigate(f"http://localhost:{server.port}/")
        page.wait(lambda: text(page, "state") == "offline")
        page.wait(lambda: page.focused == "textbox Token")
        page.press("Enter")  # it wants none
        page.wait(lambda: page.focused == "textbox Message")
        ask(page, "hello again")
        page.wait(lambda: text(page, "outcome") == "complete")

        assert text(page, "answer") == "You said: hello again "
        assert nobody.connections > 0
        page.navigate("about:blank")


def network(page: Page, *, offline: bool) -> None:
    """The developer tools' *Offline*."""
    rates = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.command("Network.emulateNetworkConditions", offline=offline, **rates)
