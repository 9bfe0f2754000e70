"""
The pages of the documentation as data, and a temporary project in which one of them is lived through.

A fenced block says after its language what it is: ``title="…"`` is a file, ``run`` a command that succeeds, ``run
fails`` one that does not, ``output`` what the command before it prints (``…`` stands for anything), ``serve`` the
service, ``client`` what the browser client prints.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.e2e.serving import Served, serve

__all__ = ["DOCS", "ROOT", "Block", "Stage", "blocks", "pages", "prose", "title"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DEADLINE = 60.0

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, the words after it, its file if it is one, its text."""

    language: str
    words: tuple[str, ...]
    title: str | None
    text: str


@cache
def pages() -> tuple[Path, ...]:
    """Every page that users read."""
    return (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))


def title(page: Path) -> str:
    """A page's name in a test's id."""
    return page.relative_to(ROOT).as_posix()


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page, in order."""
    found = []
    for match in _FENCE.finditer(page.read_text(encoding="utf-8")):
        info = match["info"]
        file = re.search(r'title="([^"]+)"', info)
        words = re.sub(r'title="[^"]*"', "", info).split()
        found.append(Block(words[0] if words else "", tuple(words[1:]), file[1] if file else None, match["text"]))
    return tuple(found)


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


class Stage:
    """
    A folder, a port and perhaps a running service, in which blocks are run in order.

    Attributes:
        folder: The working directory; commands may change it.
        reloads: What the service said to each written file: ``reloaded`` or ``not reloaded``.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.port = _free_port()
        self.reloads: list[str] = []
        self.served: Served | None = None
        self._top = folder
        self._stack = stack

    def write(self, block: Block) -> None:
        """Write a file as an editor does: whole, then put in place."""
        assert block.title is not None
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.served is None or path.suffix not in (".yaml", ".py"):
            self._put(path, block.text)
            return
        deadline = time.monotonic() + DEADLINE
        while True:
            self._put(path, block.text)
            try:
                self.reloads.append(self.served.wait_for(r"(not )?reloaded", 4).group())
            except AssertionError:
                # Nothing is watched in the first moments of a service; a person is not that quick.
                if time.monotonic() > deadline:
                    raise
            else:
                return

    def serve(self) -> None:
        """Start the service in the working directory, until the test ends."""
        self.served = self._stack.enter_context(serve(self.folder, "--port", str(self.port)))

    def run(self, block: Block, expected: str | None) -> None:
        """Run a command; what it prints must match, at once or, for a reload's sake, soon."""
        deadline = time.monotonic() + DEADLINE
        while True:
            done = self._shell(block.text)
            output = "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines()).strip()
            fits = (done.returncode != 0) == ("fails" in block.words) and (
                expected is None or re.fullmatch(_pattern(expected), output, re.DOTALL) is not None
            )
            if fits:
                return
            waits = self.served is not None and time.monotonic() < deadline
            assert waits, f"$ {block.text}exit {done.returncode}, printed:\n{output}\n\nexpected:\n{expected}"

    def _shell(self, script: str) -> subprocess.CompletedProcess[str]:
        where = self._top / "where"
        done = subprocess.run(
            ["bash", "-e", "-c", f"trap 'pwd > {where}' EXIT\n{self._here(script)}"],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "NO_COLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,  # it may run the tests of an agent
            check=False,
        )
        self.folder = Path(where.read_text().strip())
        for source in self.folder.glob("eventsources/*.yaml"):
            if "port: 8000" in (text := source.read_text(encoding="utf-8")):
                source.write_text(self._here(text), encoding="utf-8")
        return done

    def _put(self, path: Path, text: str) -> None:
        draft = self._top / "draft"
        draft.write_text(self._here(text), encoding="utf-8")
        draft.replace(path)

    def _here(self, text: str) -> str:
        return re.sub(r"\b8000\b", str(self.port), text)


def _pattern(expected: str) -> str:
    lines = "\n".join(line.rstrip() for line in expected.splitlines()).strip()
    return ".*".join(re.escape(part) for part in lines.split("…"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
