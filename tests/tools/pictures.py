"""
Makes the pictures of the README from the real thing: `python tests/tools/pictures.py`.

Lives here: `docs/images/terminal.svg`, what `gsws serve` and `gsws call` print on a terminal, and
`docs/images/starter.png`, the starter's page in a headless Chromium, if there is one. Not here: any drawing by hand.
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


def main() -> int:
    """Serve a fresh starter project, call it, and save what is seen."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        parent = Path(folder)
        made = subprocess.run([GSWS, "init", "app"], cwd=parent, capture_output=True, timeout=DEADLINE, check=True)
        assert made.returncode == 0
        project = parent / "app"
        server, terminal = spawn(["serve"], project)
        try:
            shown = read_until(terminal, "Ctrl-C stops")
            call, other = spawn(["call", "websocket.stream", f"message={MESSAGE}"], project)
            answer = read_until(other, None)
            call.wait(DEADLINE)
            os.close(other)
            draw(shown, answer)
            browse(parent / "profile")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(DEADLINE)
            os.close(terminal)
    return 0


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


def browse(profile: Path) -> None:
    """Type into the starter's page and save what it shows."""
    sys.path.insert(0, str(ROOT))
    from tests.e2e.available import BROWSERS
    from tests.e2e.chromium import open_page

    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        print("no browser here: docs/images/starter.png stays as it is", file=sys.stderr)
        return
    with open_page(browser, profile) as page:
        page.command("Emulation.setDeviceMetricsOverride", width=680, height=340, deviceScaleFactor=1.5, mobile=False)
        page.navigate("http://localhost:8000/")
        page.wait(lambda: page.evaluate("document.getElementById('state')?.textContent") == "connected")
        page.evaluate(f"document.getElementById('message').value = {MESSAGE!r}")
        page.evaluate("document.getElementById('form').requestSubmit()")
        page.wait(lambda: "word by" in page.evaluate("document.getElementById('answer').textContent"))
        page.screenshot(IMAGES / "starter.png")
        page.navigate("about:blank")


if __name__ == "__main__":
    sys.exit(main())
