"""
Makes the pictures of the README from the real thing: `python tests/tools/pictures.py`.

Lives here: `docs/images/terminal.svg`, what `gsws serve` and `gsws call` print on a terminal, and the pages of the
templates in a headless Chromium, if there is one: `docs/images/starter.png` and `docs/images/agent.png`, the agent
offline. Not here: any drawing by hand.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
GSWS = str(Path(sys.executable).with_name("gsws"))
COLUMNS = 84
DEADLINE = 20.0
MESSAGE = "gsws streams this back, word by word"
QUESTION = "What is LangGraph and how does it work?"


def main() -> int:
    """Serve fresh projects, talk to them, and save what is seen."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        parent = Path(folder)
        with serving(parent, "starter") as (project, shown):
            call, other = spawn(["call", "websocket.stream", f"message={MESSAGE}"], project)
            answer = read_until(other, None)
            call.wait(DEADLINE)
            os.close(other)
            draw(shown, answer)
            browse("starter.png", (680, 400), MESSAGE, "word by")
        with serving(parent, "agent"):
            browse("agent.png", (1120, 760), QUESTION, "langgraph.md")
    return 0


@contextmanager
def serving(parent: Path, template: str) -> Iterator[tuple[Path, str]]:
    """A project of a template, served on a terminal until the block ends; its folder and what the terminal shows."""
    project = parent / ("app" if template == "starter" else "assistant")
    command = [GSWS, "init", project.name, "--template", template]
    subprocess.run(command, cwd=parent, capture_output=True, timeout=DEADLINE, check=True)
    server, terminal = spawn(["serve"], project)
    try:
        yield project, read_until(terminal, "Ctrl-C stops")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(DEADLINE)
        os.close(terminal)


def spawn(arguments: list[str], folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command on a terminal of its own; returns the process and the terminal's other end."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "40", "COLORTERM": "truecolor"}
    process = subprocess.Popen([GSWS, *arguments], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environ)
    os.close(theirs)
    return process, ours


def read_until(terminal: int, text: str | None) -> str:
    """What a terminal shows up to a text and the rest of its line, or up to its end."""
    shown, end = "", time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.3)[0]:
            if text is not None and text in shown:
                break
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        shown += data.decode("utf-8", "replace")
    return shown.replace("\r\n", "\n").strip("\n")


def draw(shown: str, answer: str) -> None:
    """Save the two terminals as one picture, without fonts from elsewhere."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        for line in ("gsws init app && cd app", "gsws serve"):
            console.print(Text.assemble(("$ ", "green"), (line, "bold")))
        console.print(Text.from_ansi(shown))
        console.print()
        console.print(Text.assemble(("$ ", "green"), (f'gsws call websocket.stream message="{MESSAGE}"', "bold")))
        console.print(Text.from_ansi(answer))
        svg = console.export_svg(title="gsws", theme=MONOKAI, unique_id="gsws")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace")
    (IMAGES / "terminal.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def browse(name: str, size: tuple[int, int], message: str, answered: str) -> None:
    """Type a message into a template's page and save what it shows once the answer has come."""
    sys.path.insert(0, str(ROOT))
    from tests.e2e.available import BROWSERS
    from tests.e2e.chromium import open_page

    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        print(f"no browser here: docs/images/{name} stays as it is", file=sys.stderr)
        return
    width, height = size
    with open_page(browser) as page:
        page.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1.5, mobile=False
        )
        page.navigate("http://localhost:8000/")
        page.wait(lambda: page.evaluate("document.getElementById('state')?.textContent") == "connected")
        time.sleep(0.5)  # the agent's page looks for an earlier conversation first
        page.evaluate(f"document.getElementById('message').value = {message!r}")
        page.evaluate("document.getElementById('form').requestSubmit()")
        page.wait(lambda: answered in page.evaluate("document.body.innerText"))
        time.sleep(0.5)
        page.screenshot(IMAGES / name)
        page.navigate("about:blank")


if __name__ == "__main__":
    sys.exit(main())
