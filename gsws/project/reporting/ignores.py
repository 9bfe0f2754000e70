"""
``# gsws: ignore[GS406]``: comments that silence findings, and what is wrong with them (GS006, GS007).

A comment counts for its own line; one that has a line to itself counts for the next line that is none.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gsws.diagnostics.catalogue import CATALOGUE
from gsws.diagnostics.finding import Edit, Finding, Fix, Severity, warning
from gsws.diagnostics.suggest import nearest
from gsws.project.reporting.wording import quoted
from gsws.text.lines import LineIndex, split_lines
from gsws.text.span import Span
from gsws.yaml.comments import comments_of
from gsws.yaml.document import Document

__all__ = ["Ignore", "apply", "can_ignore", "ignores_in_document", "ignores_in_python"]

_MARK: Final = re.compile(r"#\s*gsws:\s*ignore\b[ \t]*(?P<list>\[(?P<codes>[^\]#]*)\])?", re.IGNORECASE)
_CODE: Final = re.compile(r"[^\s,]+")
_MAX_IGNORES: Final = 1000


@dataclass(frozen=True, slots=True)
class Ignore:
    """
    One comment.

    Attributes:
        line: The line whose findings it silences.
        span: The comment's mark, ``# gsws: ignore[…]``.
        codes: What it names, each with its place; empty if it names nothing.
        whole: The comment with the blanks before it, or its whole line; what a repair removes.
        instead: What a repair leaves in its place: the beginning of a comment that says more.
    """

    line: int
    span: Span
    codes: tuple[tuple[str, Span], ...]
    whole: Span
    instead: str = ""


def ignores_in_document(document: Document) -> tuple[Ignore, ...]:
    """The comments of a YAML file."""
    if "gsws:" not in document.text:
        return ()
    return tuple(_ignores(document.path, document.text, comments_of(document)))


def ignores_in_python(path: str, raw: bytes) -> tuple[Ignore, ...]:
    """The comments of a Python file that parses."""
    if b"gsws:" not in raw:
        return ()
    text = raw.decode("utf-8-sig", "replace")
    lines = LineIndex(text)
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                start = lines.offset(token.start[0], token.start[1] + 1)
                found.append((start, start + len(token.string)))
    except (tokenize.TokenError, SyntaxError):
        return ()
    return tuple(_ignores(path, text, found))


def can_ignore(finding: Finding) -> bool:
    """
    Whether a comment may silence a finding.

    An error after which the project cannot be served, or would not do what it says, stays.
    """
    entry = CATALOGUE.get(finding.code)
    return finding.severity is not Severity.ERROR or (entry is not None and entry.ignorable)


def apply(
    findings: Iterable[Finding], ignores: Mapping[str, tuple[Ignore, ...]], *, judged: Iterable[str]
) -> list[Finding]:
    """
    Leave out what is silenced, and add what is wrong with the comments.

    Args:
        findings: All of the project.
        ignores: The comments by file.
        judged: The codes that were looked for; a comment about another one may be of use another time.
    """
    by_place: dict[tuple[str, int], list[Ignore]] = {}
    for path, comments in ignores.items():
        for comment in comments:
            by_place.setdefault((path, comment.line), []).append(comment)
    if not by_place:
        return list(findings)
    kept: list[Finding] = []
    used: set[tuple[Span, str]] = set()
    refused: set[tuple[Span, str]] = set()
    for finding in findings:
        silenced = False
        span = finding.span
        lines = () if span is None else (span.line, span.end_line) if span.path.endswith(".py") else (span.line,)
        for line in dict.fromkeys(lines):
            for comment in by_place.get((span.path if span is not None else "", line), ()):
                named = [place for code, place in comment.codes if code.upper() == finding.code]
                (used if can_ignore(finding) else refused).update((place, finding.code) for place in named)
                silenced = silenced or (bool(named) and can_ignore(finding))
        if not silenced:
            kept.append(finding)
    looked_for = frozenset(judged)
    for comments in ignores.values():
        for comment in comments:
            kept += _judge(comment, used, refused, looked_for)
    return kept


def _judge(
    comment: Ignore, used: set[tuple[Span, str]], refused: set[tuple[Span, str]], looked_for: frozenset[str]
) -> Iterator[Finding]:
    if not comment.codes:
        yield warning(
            "GS007",
            "the comment names no code, so it silences nothing",
            comment.span,
            "names nothing",
            "write `# gsws: ignore[GS208]` with the codes that are meant",
        )
        return
    unused: list[tuple[str, Span]] = []
    for written, place in comment.codes:
        code = written.upper()
        entry = CATALOGUE.get(code)
        if entry is None:
            near = nearest(code, CATALOGUE)
            help = f"did you mean `{near[0]}`?" if near else "`gsws validate` shows the code of every finding"
            yield warning("GS007", f"there is no finding {quoted(written)}", place, "not a code", help)
        elif (place, code) in refused:
            yield warning(
                "GS007",
                f"`{code}` stays: such a project cannot be served as it is written",
                place,
                "cannot be silenced",
                "repair what it is about",
            )
        elif code in looked_for and (place, code) not in used:
            unused.append((code, place))
    if len(unused) == len(comment.codes):
        names = ", ".join(f"`{code}`" for code, _ in unused)
        fix = Fix("remove the comment", (Edit(comment.whole, comment.instead),))
        yield warning(
            "GS006", f"nothing to silence here: no finding {names}", comment.span, "unused", "remove the comment", fix
        )
        return
    for code, place in unused:
        left = ", ".join(written for written, at in comment.codes if at != place)
        inner = Span(comment.span.path, comment.codes[0][1].line, comment.codes[0][1].column,
                     comment.codes[-1][1].end_line, comment.codes[-1][1].end_column)  # fmt: skip
        fix = Fix(f"write `{left}`", (Edit(inner, left),))
        yield warning("GS006", f"nothing to silence here: no finding `{code}`", place, "unused", "remove the code", fix)


def _ignores(path: str, text: str, comments: Iterable[tuple[int, int]]) -> Iterator[Ignore]:
    index = LineIndex(text)
    lines = split_lines(text)
    count = 0
    for start, end in comments:
        for match in _MARK.finditer(text, start, end):
            count += 1
            if count > _MAX_IGNORES:
                return
            line, _ = index.position(match.start())
            first = index.offset(line, 1)
            alone = not text[first:start].strip()
            target = line
            if alone:
                target = line + 1
                while target <= len(lines) and (not lines[target - 1].strip() or lines[target - 1].lstrip()[0] == "#"):
                    target += 1
            codes: tuple[tuple[str, Span], ...] = ()
            if match["list"] is not None:
                at = match.start("codes")
                codes = tuple(
                    (one.group(), index.span(path, at + one.start(), at + one.end()))
                    for one in _CODE.finditer(match["codes"])
                )
            blanks = len(text[first:start]) - len(text[first:start].rstrip())
            rest = text[match.end() : end].strip()
            instead = ""
            if match.start() != start:
                whole = index.span(path, match.start(), match.end())
            elif rest:
                # What follows stays a comment.
                instead = "" if rest[0] == "#" else "# "
                whole = index.span(path, match.start(), end - len(text[match.end() : end].lstrip()))
            elif alone:
                whole = index.span(path, first, index.offset(line + 1, 1) if line < len(lines) else end)
            else:
                whole = index.span(path, start - blanks, end)
            yield Ignore(target, index.span(path, match.start(), match.end()), codes, whole, instead)
