"""
How the command line speaks: results on stdout, everything else on stderr, colour only for a person.

No command lives here, and nothing here decides what is a result. rich is imported when something is
drawn on a terminal, not before.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from gsws.diagnostics.mask import hide
from gsws.errors import Explained
from gsws.text.terminal import takes_colour
from gsws.text.urls import without_secrets

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "ENVIRONMENT",
    "FAILED",
    "GOOD",
    "INTERNAL",
    "USAGE",
    "Failure",
    "colour",
    "columns",
    "confirmed",
    "console",
    "is_terminal",
    "misuse",
    "note",
    "paint",
    "plain",
    "refusing",
    "result",
    "result_json",
    "show_failure",
    "silence_broken",
    "table",
    "warn",
]

GOOD, FAILED, USAGE, INTERNAL, ENVIRONMENT = 0, 1, 2, 3, 4
"""Exit codes: good; findings or failure; usage; a bug in gsws; something missing on this machine."""

_UNSAFE = ("Cc", "Cs", "Cf")
_ANSI = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


class Failure(Explained):
    """
    A command cannot do what was asked; ends the program with one sentence and no traceback.

    Attributes:
        exit_code: 1 failure, 2 usage, 4 environment.
        facts: More for ``--json``.
    """

    def __init__(
        self, message: str, help: str | None = None, *, exit_code: int = FAILED, facts: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, help)
        self.exit_code = exit_code
        self.facts = facts or {}


def misuse(message: str, help: str | None = None) -> Failure:
    """A failure of the arguments (exit 2)."""
    return Failure(message, help, exit_code=USAGE)


@contextlib.contextmanager
def refusing(what: str, help: str | None = None) -> Iterator[None]:
    """Make a failure of what the operating system refuses: ``cannot read `x`: Permission denied``."""
    try:
        yield
    except OSError as error:
        raise Failure(f"{what}: {error.strerror or error}", help) from None


def confirmed(question: str, unasked: Failure) -> bool:
    """
    Ask a person; anything but yes is no, and is told so.

    Raises:
        Failure: ``unasked``, if there is no terminal to ask at.
    """
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise unasked
    sys.stderr.write(f"{plain(question)} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    note("nothing changed")
    return False


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person reads ``stream`` (stdout by default)."""
    try:
        return (stream or sys.stdout).isatty()
    except ValueError:  # closed
        return False


def colour(stream: TextIO | None = None) -> bool:
    """Whether to colour ``stream`` (stdout by default)."""
    return takes_colour(stream or sys.stdout)


def console(stream: TextIO | None = None) -> Console:
    """A rich console for ``stream`` (stdout by default) that keeps these manners."""
    from rich.console import Console

    stream = stream or sys.stdout
    coloured = colour(stream)
    return Console(
        file=stream,
        force_terminal=coloured,
        color_system="auto" if coloured else None,
        width=None if is_terminal(stream) else 100,
        highlight=False,
        soft_wrap=not is_terminal(stream),
        emoji=False,
    )


def result(text: str) -> None:
    """Write one result to stdout."""
    sys.stdout.write(text + "\n")


def result_json(value: Any) -> int:
    """Write the one JSON object of ``--json`` to stdout; gives the exit code of a command that is done by that."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2 if is_terminal() else None, default=str) + "\n")
    return GOOD


def note(text: str = "") -> None:
    """Write progress for a person to stderr."""
    sys.stderr.write(without_secrets(hide(text)) + "\n")


def warn(message: str, help: str | None = None) -> None:
    """Write a warning to stderr."""
    _labelled("warning", "yellow", message, help)


def show_failure(message: str, help: str | None = None) -> None:
    """Write an error to stderr."""
    _labelled("error", "red", message, help)


def paint(text: str, *styles: str, stream: TextIO | None = None) -> str:
    """``text`` in colour if ``stream`` takes colour; styles are ``red``, ``green``, ``bold``, ``dim`` and such."""
    if not colour(stream):
        return text
    return f"\x1b[{';'.join(_ANSI[style] for style in styles)}m{text}\x1b[0m"


def columns(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Rows as plain text in columns two spaces apart; the last one is not padded."""
    cells = [tuple(str(cell) for cell in row) for row in rows]
    if not cells:
        return ""
    widths = [max(len(row[index]) for row in cells) for index in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(indent + line for line in lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """
    Write rows to stdout: drawn for a person, tab-separated lines under a header on a pipe.

    A terminal that is too narrow for the table gets a paragraph a row: no column is ever left out.
    The text of a cell is never read as markup.
    """
    if not is_terminal():
        for row in (header, *rows):
            result("\t".join(plain(cell).replace("\t", " ").replace("\n", " ") for cell in row))
        return
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    terminal = console()
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    if sum(widths) + 3 * (len(widths) - 1) > terminal.width:
        for row in rows:
            terminal.print(Text(plain(row[0]), style="bold"))
            cells = [
                Text.assemble((f"{name.lower()} ", "dim"), plain(cell))
                for name, cell in zip(header[1:], row[1:], strict=True)
            ]
            terminal.print(Padding(Text(" · ", style="dim").join(cells), (0, 0, 0, 2)))
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in header:
        drawn.add_column(name, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(cell), style="bold" if index == 0 else "") for index, cell in enumerate(row)))
    terminal.print(drawn)


def plain(text: str, *, keep: str = "\t") -> str:
    """
    ``text`` with control characters and lone surrogates spelled out: user text must not steer a terminal.

    Nor may it begin a line of its own, which a CI service would read as a command; ``keep`` names what stays.
    """
    return "".join(
        character if character in keep or unicodedata.category(character) not in _UNSAFE else _spelled(character)
        for character in text.replace("##[", "#\u00b7[")
    )


def silence_broken() -> None:
    """Point stdout and stderr at nothing where they cannot be written, so that nobody trips over them again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def _spelled(character: str) -> str:
    code = ord(character)
    return "\\n" if code == 10 else f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _labelled(label: str, style: str, message: str, help: str | None) -> None:
    note(f"{paint(f'{label}:', style, 'bold', stream=sys.stderr)} {plain(message)}")
    if help:
        note(f"  {paint('help:', 'cyan', stream=sys.stderr)} {plain(help)}")
