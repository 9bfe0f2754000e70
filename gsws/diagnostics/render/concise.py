"""One line a finding: ``path:line:col: GS201 message``. For pipes, grep and editors."""

from __future__ import annotations

from collections.abc import Iterable

from gsws.diagnostics.finding import Finding
from gsws.diagnostics.mask import PROCESS
from gsws.text.terminal import visible

__all__ = ["render_concise"]


def render_concise(findings: Iterable[Finding], *, prefix: str = "") -> str:
    """
    Render findings in the given order, each line ended; a finding without a place has no place.

    Args:
        findings: What to show.
        prefix: What leads from the working directory to the project, such as ``services/chat/`` or ``../``.
    """
    return "".join(_line(finding, prefix) for finding in PROCESS.findings(findings))


def _line(finding: Finding, prefix: str) -> str:
    span = finding.span
    place = "" if span is None else f"{visible(prefix + span.path)}:{span.line}:{span.column}: "
    if place.lstrip().startswith(":"):
        place = f"./{place}"  # a line that begins with `::` is a command to a CI service
    return f"{place}{finding.code} {visible(finding.message)}\n"
