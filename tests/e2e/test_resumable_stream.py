"""The tutorial about resumable streams, lived through in a real browser: its files, its tunnel, its page, the cut."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, Stage, blocks
from tests.e2e.available import ROOT, find_chromium
from tests.e2e.chromium import Page, open_page

TUTORIAL = DOCS / "tutorial" / "resumable-stream.md"
NUMBERS = "".join(f"{number} " for number in range(1, 101))
FILES = {"events/count.yaml", "functions/count.py", "public/index.html", "tunnel.py"}

pytestmark = pytest.mark.browser


@contextmanager
def tunnel(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The reader's `python tunnel.py`: the address that it prints, and the process whose Enter key cuts."""
    process = subprocess.Popen(
        [sys.executable, "-u", "tunnel.py"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        printed = process.stdout.readline()
        address = re.fullmatch(r"open (http://127\.0\.0\.1:\d+)\n", printed)
        assert address is not None, printed
        yield address[1], process
    finally:
        process.terminate()
        process.wait(10)
        process.communicate(timeout=10)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """The tutorial's project as it is when the tunnel is opened, served."""
    with ExitStack() as stack:
        stage = Stage(tmp_path, stack)
        script = blocks(TUTORIAL)
        stage.run(script[0], None)
        written = set()
        for block in script:
            if block.title in FILES - written:
                written.add(block.title)
                stage.write(block)
        assert written == FILES
        # However long a busy machine takes to be back, the stream still runs then.
        count = stage.folder / "functions" / "count.py"
        whole = f"while number == 95 and not Path({str(stage.folder / 'whole')!r}).exists():"
        line = '        yield f"{number} "\n'
        assert line in count.read_text()
        held = f"        {whole}\n            await asyncio.sleep(0.05)\n{line}"
        count.write_text("from pathlib import Path\n" + count.read_text().replace(line, held))
        stage.serve()
        yield stage


def text(page: Page, name: str) -> str:
    """What an element of the page says."""
    said = page.evaluate(f"document.getElementById({name!r})?.textContent")
    return said or ""


def start(page: Page, url: str) -> None:
    """Open the page, press *Start*, and wait until it has counted to 20."""
    page.navigate(url)
    page.wait(lambda: text(page, "state") == "connected")
    page.evaluate("document.getElementById('start').click()")
    page.wait(lambda: " 20 " in text(page, "numbers"))


def frames(messages: list[str], eventtype: str) -> list[dict[str, Any]]:
    """The payloads of the messages of one type."""
    return [frame["payload"] for frame in map(json.loads, messages) if frame["eventtype"] == eventtype]


def test_a_stream_goes_on_exactly_where_the_tunnel_was_cut(stage: Stage) -> None:
    """P8.3: the page's transcript after a cut of three seconds is the one of an undisturbed page."""
    with open_page(find_chromium()) as page, tunnel(stage.folder) as (url, process):
        start(page, url)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        page.wait(lambda: text(page, "state") == "reconnecting")
        seen = text(page, "numbers")
        assert NUMBERS.startswith(seen)
        assert seen != NUMBERS
        page.screenshot(ROOT / "build" / "screenshots" / "resumable-reconnecting.png")
        page.wait(lambda: text(page, "state") == "connected")
        (stage.folder / "whole").touch()
        page.wait(lambda: text(page, "outcome"))

        assert text(page, "numbers") == NUMBERS
        assert text(page, "outcome") == "complete: 100 numbers, 2 connections"
        (resume,) = frames(page.sent, "gsws.resume")
        (last,) = resume["streams"].values()
        assert last == len(seen.split()), "stream.start is 0, so a number's seq is the number"
        (resumed,) = frames(page.received, "gsws.resumed")
        assert list(resumed["streams"].values()) == [{"from": last + 1, "state": "running"}]
        assert stage.served is not None
        assert stage.served.output.count("counted") == 10, "the handler went on while nobody listened"
        assert all("WebSocket connection" in error for error in page.exceptions)
        page.navigate("about:blank")


def test_a_stream_goes_on_after_the_browser_was_offline(stage: Stage) -> None:
    """P8.3: the developer tools' *Offline*, of which no connection is told: noticed all the same, and repaired."""
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    with open_page(find_chromium()) as page:
        start(page, f"http://127.0.0.1:{stage.port}/")
        page.command("Network.emulateNetworkConditions", offline=True, **offline)
        page.wait(lambda: page.evaluate("navigator.onLine") is False)
        page.wait(lambda: text(page, "state") == "reconnecting")
        page.command("Network.emulateNetworkConditions", offline=False, **offline)
        (stage.folder / "whole").touch()
        page.wait(lambda: text(page, "outcome"))

        assert text(page, "numbers") == NUMBERS
        assert text(page, "outcome").startswith("complete: 100 numbers, ")
        page.navigate("about:blank")


def test_stop_ends_the_answer_at_once(stage: Stage) -> None:
    """P6.6: the page's *Stop*; what was shown stays, and another answer can be asked for."""
    with open_page(find_chromium()) as page:
        start(page, f"http://127.0.0.1:{stage.port}/")
        page.evaluate("document.getElementById('stop').click()")
        page.wait(lambda: text(page, "outcome").startswith("cancelled: "))

        assert NUMBERS.startswith(text(page, "numbers"))
        assert page.evaluate("document.getElementById('start').disabled") is False
        page.navigate("about:blank")
