"""The page of the how-to on authentication, with its stand-in for an application that knows who is logged in."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Block, blocks
from tests.e2e.available import find_chromium
from tests.e2e.chromium import Page, open_page
from tests.e2e.serving import Served, serve, write_project

HOW_TO = DOCS / "how-to" / "authenticate.md"
TEXT = "Hello, ann! " + "".join(f"{second} " for second in range(1, 31))
SLOW_CLOCK = "{ const now = Date.now; Date.now = () => now() - 3600000; }"

pytestmark = pytest.mark.browser


def block(language: str, word: str) -> Block:
    """The how-to's only untitled block of a language with a word in it."""
    (found,) = (one for one in blocks(HOW_TO) if one.language == language and word in one.text and one.title is None)
    return found


def files() -> dict[str, str]:
    """The example's files by name."""
    return {one.title: one.text for one in blocks(HOW_TO) if one.title is not None}


@contextmanager
def example(folder: Path, changed: dict[str, str]) -> Iterator[tuple[Served, int]]:
    """The service and the application on free ports; yields the service and the application's port."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        ports = {"8000": str(first.getsockname()[1]), "9000": str(second.getsockname()[1])}
    texts = {**files(), **changed}
    for old, new in ports.items():
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    root = write_project(folder / "app", texts)
    login = subprocess.Popen(
        [sys.executable, "login.py"],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        with serve(root, "--env", "production", "--port", ports["8000"]) as served:
            _until_open(int(ports["9000"]))
            yield served, int(ports["9000"])
    finally:
        login.terminate()
        login.communicate(timeout=10)


def text(page: Page, name: str) -> str:
    """What an element of the page says."""
    said = page.evaluate(f"document.getElementById({name!r})?.textContent")
    return said or ""


def sockets(page: Page) -> int:
    """How many WebSockets the page opened."""
    return sum(url.startswith("ws://") for url in page.requested)


def log_in(page: Page, port: int) -> None:
    """Follow the page's link, which comes back to the page."""
    page.requested.clear()
    page.evaluate("document.querySelector('a').click()")
    page.wait(lambda: text(page, "state") == "connected")
    assert any(f":{port}/login" in url for url in page.requested)


def test_a_page_stays_connected_while_its_user_is_logged_in(tmp_path: Path) -> None:
    """P4.3, P3.2: asked to log in, then served on one connection that outlives its tokens."""
    with example(tmp_path, {}) as (served, login), open_page(find_chromium()) as page:
        page.navigate(f"http://localhost:{served.port}/")
        page.wait(lambda: text(page, "state") == "please log in")
        log_in(page, login)
        page.wait(lambda: text(page, "text") == TEXT, 40)

        assert sum('"gsws.auth"' in sent for sent in page.sent) >= 2
        assert any('"gsws.authenticated"' in received for received in page.received)
        assert not any("token" in url for url in page.requested if url.startswith("ws:"))
        page.navigate("about:blank")


def test_without_renewal_the_page_comes_back_with_a_new_token(tmp_path: Path) -> None:
    """P4.3, P8.3: on a device whose clock is an hour slow, 4501, another connection, and not a word is missing."""
    with example(tmp_path, {}) as (served, login), open_page(find_chromium()) as page:
        page.command("Page.addScriptToEvaluateOnNewDocument", source=SLOW_CLOCK)
        page.navigate(f"http://localhost:{served.port}/")
        page.wait(lambda: text(page, "state") == "please log in")
        log_in(page, login)
        page.wait(lambda: text(page, "text") == TEXT, 40)

        assert sockets(page) >= 2
        assert not any('"gsws.auth"' in sent for sent in page.sent)
        page.navigate("about:blank")


def test_a_cookie_that_is_a_token_is_enough_for_a_listed_origin(tmp_path: Path) -> None:
    """P4.3: the same page without a token function, served by the cookie; nobody without it."""
    page_text, source = files()["public/index.html"], files()["eventsources/websocket.yaml"]
    begun, _, ended = page_text.partition("    const client = await connect(")
    calls = f"{begun}    {block('js', 'await connect();').text}{ended.partition(chr(10))[2]}"
    changed = {
        "public/index.html": calls,
        "eventsources/websocket.yaml": source[: source.index("authn:")] + block("yaml", "cookie: session").text,
    }
    with example(tmp_path, changed) as (served, login), open_page(find_chromium()) as page:
        page.navigate(f"http://localhost:{served.port}/")
        page.wait(lambda: "closed" in text(page, "state"))
        page.evaluate("document.querySelector('a').click()")
        page.wait(lambda: text(page, "text").startswith("Hello, ann! 1 "))

        assert login
        assert not any("gsws.token" in url for url in page.requested)
        page.navigate("about:blank")


def _until_open(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("login.py does not listen")
