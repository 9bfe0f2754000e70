"""One line a finding: ``path:line:col: GS201 message``. For pipes, grep and editors."""

from __future__ import annotations

from collections.abc import Iterable

from gsws.diagnostics.finding import Finding
from gsws.diagnostics.mask import PROCESS
from gsws.source.text import visible

__all__ = ["render_concise"]


def render_concise(findings: Iterable[Finding]) -> str:
    """Render findings in the given order, each line ended; a finding without a place has no place."""
    return "".join(map(_line, PROCESS.findings(findings)))


def _line(finding: Finding) -> str:
    span = finding.span
    place = "" if span is None else f"{visible(span.path)}:{span.line}:{span.column}: "
    if place.lstrip().startswith(":"):
        place = f"./{place}"  # a line that begins with `::` is a command to a CI service
    return f"{place}{finding.code} {visible(finding.message)}\n"
