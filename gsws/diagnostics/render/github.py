"""
Findings as workflow commands of GitHub Actions, which shows them beside the lines of a pull request.

``::error file=…,line=…,col=…,endLine=…,endColumn=…,title=…::message``, one line a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from gsws.diagnostics.catalogue import CATALOGUE
from gsws.diagnostics.finding import Finding, Severity
from gsws.diagnostics.mask import PROCESS
from gsws.text.terminal import visible

__all__ = ["render_github"]

_COMMANDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render_github(findings: Iterable[Finding], *, prefix: str = "") -> str:
    """
    Render findings in the given order, each line ended.

    Args:
        findings: What to show.
        prefix: What leads from the repository's root to the project, such as ``services/chat/``.
    """
    return "".join(_command(finding, prefix) for finding in PROCESS.findings(findings))


def _safe(path: str) -> str:
    """A path without what acts on a terminal; line breaks are escaped as a property's are."""
    return re.sub(r"[^\r\n]+", lambda part: visible(part[0]), path)


def _command(finding: Finding, prefix: str) -> str:
    entry = CATALOGUE.get(finding.code)
    properties: dict[str, str | int] = {}
    span = finding.span
    if span is not None:
        properties = {"file": _safe(f"{prefix}{span.path}"), "line": span.line}
        if span.end_line == span.line:
            properties |= {"col": span.column, "endLine": span.line, "endColumn": span.end_column}
        else:
            # Columns of a stretch over several lines are refused, the annotation with them.
            properties["endLine"] = span.end_line
    properties["title"] = finding.code if entry is None else f"{finding.code}: {entry.title}"
    written = ",".join(f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items())
    lines = finding.message.split("\n") + (finding.help.split("\n") if finding.help else [])
    # A control character in a user's file must not begin another command in the log.
    text = "\n".join(visible(line) for line in lines)
    return f"::{_COMMANDS[finding.severity]} {written}::{text.translate(_DATA)}\n"
