"""
Syntax errors of YAML, worded for the person who wrote the file.
"""

from __future__ import annotations

import re
from typing import Any, Final

from gsws.diagnostics.finding import Finding, Label, error, replace
from gsws.text.lines import LineIndex
from gsws.yaml.blame import blamed_line

__all__ = ["swallowed_comment", "syntax_error"]

_WORDING: Final[dict[str, tuple[str, str, str | None]]] = {
    "mapping values are not allowed in this context": (
        "a `:` cannot stand here",
        "not expected",
        "quote a value that contains `: `, and check that the keys of one mapping are indented alike",
    ),
    "could not find expected ':'": (
        "this line is neither `key: value` nor part of a value",
        "a `:` is missing before here",
        "write `key: value`, or check the indentation",
    ),
    "did not find expected key": (
        "a key was expected here",
        "not a key of this mapping",
        "the keys of one mapping start in one column, and nothing may follow a quoted value",
    ),
    "did not find expected '-' indicator": (
        "a `-` was expected here",
        "not an item of this list",
        "the items of one list start in the same column",
    ),
    "did not find expected ',' or ']'": (
        "expected `,` or `]`",
        "the list is still open here",
        "close the list with `]`",
    ),
    "did not find expected ',' or '}'": (
        "expected `,` or `}`",
        "the mapping is still open here",
        "close the mapping with `}`",
    ),
    "did not find expected node content": ("a value was expected here", "no value", None),
    "block sequence entries are not allowed in this context": (
        "a list item `- ` cannot stand here",
        "not expected",
        "start the list on a line of its own, under its key",
    ),
    "found unexpected end of stream": (
        "the quoted text never ends",
        "the file ends here",
        "add the closing quote",
    ),
    "found unknown escape character": (
        "unknown escape in a double-quoted text",
        "this escape",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    "found invalid Unicode character escape code": (
        "the escape names no character",
        "this escape",
        "write the character itself, or `\\UXXXXXXXX`; one half of a surrogate pair is none",
    ),
    "found undefined tag handle": (
        "unknown tag prefix",
        "this tag",
        "tags are not used here; quote the value",
    ),
    "found incompatible YAML document": ("this YAML version is not supported", "", "remove the `%YAML` line"),
}
_CONTEXT: Final[dict[str, str]] = {
    "while parsing a flow sequence": "the list opens here",
    "while parsing a flow mapping": "the mapping opens here",
    "while parsing a block mapping": "the mapping starts here",
    "while parsing a block collection": "the list starts here",
    "while scanning a quoted scalar": "the quote opens here",
    "while parsing a quoted scalar": "the quote opens here",
    "while scanning a simple key": "this line",
}
_OPEN: Final = ("while parsing a flow sequence", "while parsing a flow mapping", "while scanning a quoted scalar")
_CUT_OFF: Final = re.compile(r"[ \t](#/[^\s,\]}]*)")
_INDENTED_BY_TAB: Final = re.compile(r"[ ]*\t")


def syntax_error(path: str, lines: LineIndex, failure: Any) -> Finding:
    """
    Word a parser error for the person who wrote the file.

    Args:
        path: As in a span.
        lines: The text's lines.
        failure: A marked error of the parser: ``problem``, ``problem_mark``, ``context``, ``context_mark``.
    """
    found = str(getattr(failure, "problem", None) or "the text is no YAML")
    mark = getattr(failure, "problem_mark", None)
    context_mark = getattr(failure, "context_mark", None)
    offset = len(lines.text) if mark is None else min(mark.index, len(lines.text))
    line, _ = lines.position(offset)
    first = line if context_mark is None else lines.position(context_mark.index)[0]

    special = _tab(path, lines, first, line) or _slashes(path, lines, first, line) or _cut_off(path, lines, first, line)
    if special is not None:
        return special

    if getattr(failure, "context", None) not in _OPEN:
        blamed = blamed_line(lines, line)
        if blamed is not None:
            return _elsewhere(path, lines, blamed, line)
    offset = _onto_text(lines.text, offset)
    span = lines.span(path, offset, offset + 1 if offset < len(lines.text) else offset)
    if found == "found character that cannot start any token":
        character = lines.text[offset : offset + 1]
        named = "a backtick" if character == "`" else f"`{character}`"
        return error("GS101", f"{named} cannot start a value", span, "not expected", "quote the value")
    message, label, help = _WORDING.get(found, (found, "here", None))
    related: tuple[Label, ...] = ()
    opens = _CONTEXT.get(str(getattr(failure, "context", None)))
    if context_mark is not None and opens is not None and context_mark.index != offset:
        related = (Label(lines.span(path, context_mark.index, context_mark.index + 1), opens),)
    return error("GS101", message, span, label, help, related)


def _cut_off(path: str, lines: LineIndex, first: int, last: int) -> Finding | None:
    """A bracket that a comment hides, which was meant as a reference: ``{$ref: #/a}``."""
    for number in dict.fromkeys((first, *range(last - 3, last + 1))):
        row = lines.line(number) if number > 0 else ""
        match = _CUT_OFF.search(row) if "#/" in row else None
        if match is None or "'" in row[: match.start()] or '"' in row[: match.start()]:
            continue
        before, after = row[: match.start()], row[match.end() :]
        if ("{" in before or "[" in before) and ("}" in after or "]" in after):
            start = lines.offset(number, match.start(1) + 1)
            return error(
                "GS101",
                f"`{match[1][:60]}` and what follows it is a comment in YAML",
                lines.span(path, start, start + len(match[1])),
                "a comment, without quotes",
                f"quote it: `'{match[1][:60]}'`",
            )
    return None


def _elsewhere(path: str, lines: LineIndex, blamed: int, line: int) -> Finding:
    """A line that keeps a later one from being read."""
    row = lines.line(blamed)
    start = lines.offset(blamed, len(row) - len(row.lstrip()) + 1)
    end = lines.offset(blamed, len(row.rstrip()) + 1)
    stumble = lines.line(line)
    at = lines.offset(line, len(stumble) - len(stumble.lstrip()) + 1)
    key = re.match(r"\s*(?:- +)?[^\s:]+:(\s|$)", row)
    message = (
        "this line is not indented like its neighbours"
        if key
        else "this line is neither `key: value` nor part of a value"
    )
    return error(
        "GS101",
        message,
        lines.span(path, start, max(end, start + 1)),
        "check this line",
        "the keys of one mapping start in one column" if key else "write `key: value`, with a space after the colon",
        (Label(lines.span(path, at, at + 1), "so this cannot be read"),),
    )


def swallowed_comment(path: str, lines: LineIndex, start: int, end: int) -> Finding | None:
    """A ``//`` comment that has become part of the plain text between two offsets."""
    offset = start
    for line in lines.text[start:end].splitlines(keepends=True):
        stripped = line.lstrip()
        if stripped.startswith("//"):
            return _slash_comment(path, lines, offset + len(line) - len(stripped))
        offset += len(line)
    return None


def _tab(path: str, lines: LineIndex, first: int, last: int) -> Finding | None:
    for number in (last, first, last - 1):
        match = _INDENTED_BY_TAB.match(lines.line(number)) if number > 0 else None
        if match is not None:
            start = lines.offset(number, match.end())
            return error(
                "GS101",
                "a tab indents this line, YAML knows only spaces",
                lines.span(path, start, start + 1),
                "this is a tab",
                "indent with spaces",
            )
    return None


def _slashes(path: str, lines: LineIndex, first: int, last: int) -> Finding | None:
    for number in (*range(last, max(first - 1, last - 20, 0), -1), last - 1, last + 1):
        text = lines.line(number) if number > 0 else ""
        if text.lstrip().startswith("//"):
            return _slash_comment(path, lines, lines.offset(number, len(text) - len(text.lstrip()) + 1))
    return None


def _slash_comment(path: str, lines: LineIndex, offset: int) -> Finding:
    """A ``//`` at ``offset`` that was meant as a comment."""
    span = lines.span(path, offset, offset + 2)
    return error(
        "GS101",
        "`//` starts no comment in YAML",
        span,
        "meant as a comment",
        "a comment starts with `#`",
        fix=replace(span, "#"),
    )


def _onto_text(text: str, offset: int) -> int:
    """Move an offset at the end of the text or of a line back onto its last visible character."""
    if offset < len(text) and text[offset] not in "\r\n":
        return offset
    back = len(text[:offset].rstrip())
    return max(back - 1, 0) if back else offset
