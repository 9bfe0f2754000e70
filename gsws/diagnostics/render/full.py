"""
Findings with an excerpt of the file and carets under the place, for people at a terminal.

Text of the user never reaches the terminal raw: control characters are shown as pictures. The summary line is
the command line's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gsws.diagnostics.finding import Finding, Severity
from gsws.diagnostics.mask import PROCESS
from gsws.text.lines import split_lines
from gsws.text.span import Span
from gsws.text.terminal import expand, visible

__all__ = ["render_full"]

MAX_WIDTH: Final = 100
"""Cells of an excerpt's line; a longer line is cropped around the place."""

MAX_ELSEWHERE: Final = 2
"""Places in other files that are shown."""

_RESET: Final = "\x1b[0m"
_BOLD: Final = "\x1b[1m"
_BLUE: Final = "\x1b[1;34m"
_GREEN: Final = "\x1b[1;32m"
_SEVERITY: Final = {
    Severity.ERROR: "\x1b[1;31m",
    Severity.WARNING: "\x1b[1;33m",
    Severity.INFO: "\x1b[1;36m",
}
_MARGIN: Final = 20
_ELLIPSIS: Final = "…"


@dataclass(frozen=True, slots=True)
class _Mark:
    """What is drawn under one line: ``^^^^ label`` or ``---- label``."""

    line: int
    column: int
    end_column: int
    primary: bool
    label: str


def render_full(findings: Iterable[Finding], text_of: Callable[[str], str | None], *, colour: bool = False) -> str:
    """
    Render findings in the given order, an empty line between two of them.

    Args:
        findings: What to show.
        text_of: The text of a file by the path that spans carry, None if there is none (then no excerpt).
        colour: Whether to use ANSI colours.

    Returns:
        The text, ended by a line break; empty without findings.
    """
    paint = _ansi if colour else _plain
    lines: dict[str, list[str] | None] = {}

    def lines_of(path: str) -> list[str] | None:
        if path not in lines:
            text = text_of(path)
            lines[path] = None if text is None else split_lines(text)
        return lines[path]

    return "\n".join(_finding(finding, lines_of, paint) for finding in PROCESS.findings(findings))


_Paint = Callable[[str, str], str]
_LinesOf = Callable[[str], list[str] | None]


def _finding(finding: Finding, lines_of: _LinesOf, paint: _Paint) -> str:
    shade = _SEVERITY[finding.severity]
    out = [paint(f"{finding.severity.value}[{finding.code}]", shade) + paint(f": {_sentence(finding.message)}", _BOLD)]
    width = _gutter(finding)
    margin = " " * width
    if finding.span is not None:
        (path, marks), *others = _groups(finding)
        first = next(mark for mark in marks if mark.primary)
        out.append(f"{margin}{paint('-->', _BLUE)} {visible(path)}:{first.line}:{first.column}")
        excerpt = lines_of(path)
        if excerpt is not None:
            out.append(f"{margin} {paint('|', _BLUE)}")
            out.extend(_excerpt(excerpt, marks, width, paint, shade))
        out.extend(_elsewhere(others, lines_of, width, paint))
    if finding.help:
        bar = paint("=", _BLUE)
        first_line, *more = finding.help.split("\n")
        out.append(f"{margin} {bar} {paint('help:', _GREEN)} {visible(first_line)}")
        # A CI service takes a line that begins with `::` for a command, wherever it is indented.
        out.extend(f"{margin}         {'| ' if line.lstrip().startswith('::') else ''}{visible(line)}" for line in more)
    return "\n".join(out) + "\n"


def _sentence(message: str) -> str:
    return " ".join(visible(line) for line in message.split("\n"))


def _gutter(finding: Finding) -> int:
    """Cells of the line numbers: at least two, so that the arrow stands as people know it."""
    spans = [] if finding.span is None else [finding.span, *(label.span for label in finding.related)]
    return max([2, *(len(str(span.line)) + 1 for span in spans)])


def _groups(finding: Finding) -> list[tuple[str, list[_Mark]]]:
    """The marks by file, the primary one's file first, each in the order of lines."""
    assert finding.span is not None
    groups: dict[str, list[_Mark]] = {finding.span.path: [_mark(finding.span, finding.label, primary=True)]}
    for label in finding.related:
        groups.setdefault(label.span.path, []).append(_mark(label.span, label.text, primary=False))
    return [
        (path, sorted(marks, key=lambda mark: (mark.line, not mark.primary, mark.column)))
        for path, marks in groups.items()
    ]


def _mark(span: Span, label: str, *, primary: bool) -> _Mark:
    """A stretch over several lines is marked on its first line, up to the line's end."""
    end = span.end_column if span.end_line == span.line else 1 << 30
    return _Mark(span.line, span.column, max(end, span.column + 1), primary, label)


def _elsewhere(groups: list[tuple[str, list[_Mark]]], lines_of: _LinesOf, width: int, paint: _Paint) -> Iterator[str]:
    """
    Places in other files, a line each; the line that stands there as well if it is the only place.

    A whole excerpt for each would bury the finding: with its first place it has eight lines at most.
    """
    places = [(path, mark) for path, marks in groups for mark in marks]
    for path, mark in places[:MAX_ELSEWHERE]:
        label = f" {_sentence(mark.label)}" if mark.label else ""
        place = f"{visible(path)}:{mark.line}:{mark.column}"
        yield f"{' ' * width}{paint(':::', _BLUE)} {place}{paint(label, _BLUE)}"
        lines = lines_of(path) if len(places) == 1 else None
        if lines is not None:
            shown, cells = expand(_line(lines, mark.line))
            start, end = _cells(mark, len(_line(lines, mark.line)), cells)
            shown = _crop(shown, cells, start, end)[0]
            yield f"{_number(mark.line, width, paint)} {paint('|', _BLUE)} {shown}".rstrip()
    if len(places) > MAX_ELSEWHERE:
        yield f"{' ' * width}{paint(':::', _BLUE)} and {len(places) - MAX_ELSEWHERE} more"


def _excerpt(lines: list[str], marks: list[_Mark], width: int, paint: _Paint, shade: str) -> list[str]:
    out: list[str] = []
    bar = paint("|", _BLUE)
    for number in dict.fromkeys(mark.line for mark in marks):
        here = [mark for mark in marks if mark.line == number]
        line = _line(lines, number)
        shown, cells = expand(line)
        places = [_cells(mark, len(line), cells) for mark in here]
        shown, shift = _crop(shown, cells, places[0][0], places[0][1])
        out.append(f"{_number(number, width, paint)} {bar} {shown}".rstrip())
        for mark, (start, end) in zip(here, places, strict=True):
            start = max(start - shift, 0)
            end = min(max(end - shift, start + 1), MAX_WIDTH + 1)
            if start > MAX_WIDTH:
                continue
            tone = shade if mark.primary else _BLUE
            label = f" {_sentence(mark.label)}" if mark.label else ""
            under = ("^" if mark.primary else "-") * max(end - start, 1)
            out.append(f"{' ' * width} {bar} {' ' * start}{paint(under + label, tone)}")
    return out


def _line(lines: list[str], number: int) -> str:
    return lines[number - 1] if 1 <= number <= len(lines) else ""


def _number(number: int, width: int, paint: _Paint) -> str:
    return paint(f"{number:>{width}}", _BLUE)


def _cells(mark: _Mark, length: int, cells: list[int]) -> tuple[int, int]:
    """The cells from and to which a mark reaches; at least one, also past the line's end."""
    start = min(mark.column - 1, length)
    end = min(max(mark.end_column - 1, start), length)
    return cells[start], max(cells[end], cells[start] + 1)


def _crop(shown: str, cells: list[int], start: int, end: int) -> tuple[str, int]:
    """
    Shorten a line to `MAX_WIDTH` cells around ``start``.

    Returns:
        The text, and how many cells the marks under it move to the left.
    """
    if cells[-1] <= MAX_WIDTH:
        return shown, 0
    room = MAX_WIDTH - 2
    left = 0 if end <= room else max(0, min(start - _MARGIN, cells[-1] - room))
    kept: list[str] = []
    at = first = -1
    position = 0
    for character in shown:
        at = position
        position += _width(character)
        if at < left:
            continue
        if first < 0:
            first = at
        if position - first > room:
            break
        kept.append(character)
    else:
        position = cells[-1] + 1
    first = max(first, 0)
    tail = "" if position > cells[-1] else _ELLIPSIS
    if first == 0:
        return "".join(kept) + tail, 0
    return _ELLIPSIS + "".join(kept) + tail, first - 1


def _width(character: str) -> int:
    return expand(character)[1][-1]


def _plain(text: str, _style: str) -> str:
    return text


def _ansi(text: str, style: str) -> str:
    return f"{style}{text}{_RESET}"
