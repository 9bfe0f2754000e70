"""
Findings as one JSON object, for programs. The same keys on every finding; lines and columns from 1.

``schema_version`` grows when a key changes its meaning or goes away, not when one is added.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from gsws.diagnostics.finding import Finding, Fix, Severity
from gsws.diagnostics.mask import PROCESS
from gsws.text.span import Span
from gsws.types import JSONObject

__all__ = ["SCHEMA_VERSION", "finding_object", "render_json"]

SCHEMA_VERSION: Final = 1


def render_json(findings: Sequence[Finding], *, files: int, events: int, ok: bool | None = None) -> str:
    """
    Render findings as ``{"schema_version": 1, "ok": bool, "summary": {...}, "diagnostics": [...]}``.

    Args:
        findings: In the order to show.
        files: How many files were read.
        events: How many events were found.
        ok: Whether the whole counts as good; None for: there is no error.

    Returns:
        One object, indented by two spaces, ASCII only, ended by a line break.
    """
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = sum(finding.severity is Severity.WARNING for finding in findings)
    report = {
        "schema_version": SCHEMA_VERSION,
        "ok": errors == 0 if ok is None else ok,
        "summary": {"errors": errors, "warnings": warnings, "files": files, "events": events},
        "diagnostics": [finding_object(finding) for finding in findings],
    }
    return json.dumps(report, indent=2) + "\n"


def finding_object(finding: Finding) -> JSONObject:
    """One finding: ``code``, ``severity``, ``message``, its place, ``help``, ``related`` and ``fix``."""
    finding = PROCESS.finding(finding)
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        **_place(finding.span),
        "label": finding.label,
        "help": finding.help,
        "related": [{"message": label.text, **_place(label.span)} for label in finding.related],
        "fix": None if finding.fix is None else _fix(finding.fix),
    }


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return dict.fromkeys(("path", "line", "column", "end_line", "end_column"))
    return {
        "path": span.path,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _fix(fix: Fix) -> JSONObject:
    return {
        "title": fix.title,
        "edits": [{**_place(edit.span), "replacement": edit.replacement} for edit in fix.edits],
    }
