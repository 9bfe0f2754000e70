"""
The findings of one YAML document in the making, worded where the parser's events are known.
"""

from __future__ import annotations

import re
from typing import Any, Final

from gsws.diagnostics.finding import Finding, Label, Severity, error, replace
from gsws.text.lines import LineIndex
from gsws.text.span import Span
from gsws.yaml.scalars import misread_as, resolve
from gsws.yaml.syntax import swallowed_comment

__all__ = ["MAX_DEPTH", "MAX_NODES", "Notes", "Unusable", "short"]

MAX_DEPTH: Final = 64
"""Deepest nesting of mappings and lists, counted after alias expansion."""

MAX_NODES: Final = 100_000
"""Most keys and values in a file, counted after alias expansion."""

_MAX_FINDINGS: Final = 100
_WRITTEN_TAG: Final = re.compile(r"(?:&\S+\s+)?(!\S*)")


class Unusable(Exception):
    """Ends the building of a document; why has been noted."""


class Notes:
    """
    What was found so far.

    Attributes:
        findings: At most 100.
    """

    __slots__ = ("_lines", "_path", "findings")

    def __init__(self, path: str, lines: LineIndex) -> None:
        self._path = path
        self._lines = lines
        self.findings: list[Finding] = []

    def add(self, finding: Finding) -> None:
        """Add a finding unless it is known or there are too many already."""
        if len(self.findings) < _MAX_FINDINGS and finding not in self.findings[-1:]:
            self.findings.append(finding)

    def at(
        self,
        code: str,
        message: str,
        event: Any,
        label: str = "",
        help: str | None = None,
        *,
        related: tuple[Label, ...] = (),
        replacement: str | None = None,
    ) -> None:
        """Add a finding about what an event stands for; GS103 is a warning, everything else an error."""
        span = self.span(event)
        severity = Severity.WARNING if code == "GS103" else Severity.ERROR
        fix = None if replacement is None else replace(span, replacement)
        self.add(Finding(code, severity, message, span, label, help, related, fix))

    def misread(self, event: Any, text: str, *, key: bool = False) -> None:
        """Note what a plain text may be mistaken for, and ``//`` comments that have become part of it."""
        if text.startswith("//") or event.start_mark.line != event.end_mark.line:
            comment = swallowed_comment(self._path, self._lines, event.start_mark.index, event.end_mark.index)
            if comment is not None:
                self.add(comment)
            return
        taken_for = misread_as(text, key=key)
        if taken_for is not None:
            # Quotes would make a text of a number; which of the two is meant, only a person knows.
            value = text if key else resolve(text)
            help = f"quote it: `'{text}'`" if value == text else f"write `{value}`, or `'{text}'` for a text"
            self.at(
                "GS103",
                f"other YAML readers take `{text}` for {taken_for}",
                event,
                "ambiguous",
                help,
                replacement=f"'{text}'" if value == text else None,
            )

    def refuse_tag(self, event: Any) -> None:
        """Note a tag that asks for more than JSON has."""
        start = event.start_mark.index
        written = _WRITTEN_TAG.match(self._lines.text[start : start + 200])
        first, last = (start + written.start(1), start + written.end(1)) if written else (start, start + 1)
        self.add(
            error(
                "GS108",
                f"the tag `{short(self._lines.text[first:last])}` is not allowed",
                self._lines.span(self._path, first, last),
                "this tag",
                "remove the tag; quote a value that is meant as text",
            )
        )

    def too_deep(self, event: Any) -> Unusable:
        """Note nesting beyond the limit; the exception is to be raised."""
        help = "move inner schemas into `definitions/`"
        self.at("GS101", f"nested deeper than {MAX_DEPTH} levels", event, "too deep from here", help)
        return Unusable()

    def too_many(self, event: Any) -> Unusable:
        """Note more values than allowed; the exception is to be raised."""
        message = f"the file has more than {MAX_NODES:,} keys and values"
        self.at("GS003", message, event, "over the limit here", "split the file")
        return Unusable()

    def span(self, event: Any) -> Span:
        """The place of an event, at least one character."""
        return self.span_of(event.start_mark.index, event.end_mark.index)

    def span_of(self, start: int, end: int) -> Span:
        """The place from one offset up to another, at least one character."""
        return self._lines.span(self._path, start, max(end, start + 1))


def short(text: str) -> str:
    """At most 60 characters of a text, in one line."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"
