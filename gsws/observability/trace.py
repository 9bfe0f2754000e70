"""
An exception as a person at the console wants to read it: the project's own lines first, and none longer than a screen.

Logs for programs keep the whole trace of Python.
"""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO, TypeAlias

__all__ = ["WIDTH", "trace_formatter", "wrapped"]

WIDTH: Final = 100
"""Characters of a line, about."""

_MOST_FRAMES: Final = 12
_MOST_CAUSES: Final = 5
_MOST_TEXT: Final = 20

_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_OURS: Final = str(Path(__file__).parent.parent) + os.sep
_LIBRARIES: Final = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib")})
_STANDARD: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
_LOOP: Final = ("asyncio", "concurrent", "threading.py", "contextlib.py", "selectors.py", "runpy.py")

_FIELD: Final = re.compile(r" (?=(?:\x1b\[[0-9;]*m)*[A-Za-z_][\w.]*(?:\x1b\[[0-9;]*m)*=)")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


def trace_formatter(base: Path | None, *, coloured: bool) -> Callable[[TextIO, Any], None]:
    """
    Make what structlog calls with a stream and ``sys.exc_info()``.

    Args:
        base: The folder of the project's code; None if there is none.
        coloured: Whether to dim what is not the project's.
    """
    root = str(base.resolve()) + os.sep if base is not None else None

    def write(stream: TextIO, exc_info: _ExcInfo) -> None:
        lines = _exception(traceback.TracebackException(*exc_info, compact=True), root, coloured, 0)
        stream.write("\n" + "\n".join(lines))

    return write


def wrapped(text: str) -> str:
    """Break the first line of a rendered event between its fields; a line without an exception stays one line."""
    first, newline, rest = text.partition("\n")
    if not newline or len(_COLOUR.sub("", first)) <= WIDTH:
        return text
    lines = [""]
    for field in _FIELD.split(first):
        together = f"{lines[-1]} {field}" if lines[-1] else field
        if len(_COLOUR.sub("", together)) <= WIDTH or not lines[-1]:
            lines[-1] = together
        else:
            lines.append(f"         {field.strip()}")
    return "\n".join((*(_cut(line) for line in lines), rest))


def _exception(error: traceback.TracebackException, root: str | None, coloured: bool, depth: int) -> Iterator[str]:
    """The exception itself, with the frames that matter; then what it came of, and what a group holds."""
    own: list[str] = []
    others: list[str] = []
    inner = 0
    for frame in error.stack:
        kind = _kind(frame.filename, root)
        if kind == "project":
            own += _lines(frame, root)
            others = []
        elif kind == "library":
            others.append(f"    {_shown(frame.filename, None)}:{frame.lineno} in {frame.name}")
        else:
            inner += 1
    yield from _newest(own, "    … {} more lines")
    yield from (_dim(_cut(line), coloured) for line in _newest(others, "    … {} more calls"))
    if inner:
        yield _dim(f"    … {inner} {'frame' if inner == 1 else 'frames'} of gsws and asyncio", coloured)
    said = [line for text in error.format_exception_only() for line in text.rstrip("\n").split("\n")]
    for line in said[:_MOST_TEXT]:
        yield _cut(f"  {line}")
    for group in getattr(error, "exceptions", None) or ():
        if depth < _MOST_CAUSES:
            yield "  one of them:"
            yield from _exception(group, root, coloured, depth + 1)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth < _MOST_CAUSES:
        yield "  which came of:" if error.__cause__ is not None else "  while this was handled:"
        yield from _exception(cause, root, coloured, depth + 1)


def _kind(file: str, root: str | None) -> str:
    """Whose code a frame is: the project's, a library's, or of the machinery that runs it."""
    if file.startswith((_OURS, "<frozen")):
        return "machinery"
    if file.startswith(_LIBRARIES):
        return "library"
    if root is not None and file.startswith(root):
        return "project"
    if file.startswith(_STANDARD):
        parts = Path(file).parts
        return "machinery" if any(part in _LOOP for part in parts) else "library"
    return "library" if root is not None else "project"


def _lines(frame: traceback.FrameSummary, root: str | None) -> Iterator[str]:
    yield _cut(f"    {_shown(frame.filename, root)}:{frame.lineno} in {frame.name}")
    if frame.line:
        yield _cut(f"        {frame.line}")


def _shown(file: str, root: str | None) -> str:
    for folder in (root, *_LIBRARIES, *_STANDARD):
        if folder is not None and file.startswith(folder):
            return file[len(folder) :].lstrip("/\\")
    return file


def _newest(lines: list[str], left_out: str) -> Iterator[str]:
    if len(lines) > 2 * _MOST_FRAMES:
        yield left_out.format(len(lines) - 2 * _MOST_FRAMES)
    yield from lines[-2 * _MOST_FRAMES :]


def _cut(line: str) -> str:
    return line if len(_COLOUR.sub("", line)) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _dim(line: str, coloured: bool) -> str:
    return f"\x1b[2m{line}\x1b[0m" if coloured else line
