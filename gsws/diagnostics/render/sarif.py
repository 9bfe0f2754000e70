"""
Findings as SARIF 2.1.0, which code scanning services and editors read.

Columns are counted in code points, ends are exclusive, as in a `Span`. Rules are the whole catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from gsws.__about__ import __version__
from gsws.diagnostics.catalogue import CATALOGUE, Entry
from gsws.diagnostics.finding import Finding, Fix, Label, Severity
from gsws.diagnostics.mask import PROCESS
from gsws.text.span import Span
from gsws.types import JSONObject

__all__ = ["render_sarif"]

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_BASE: Final = "PROJECTROOT"


def render_sarif(findings: Sequence[Finding], *, prefix: str = "", base: str | None = None) -> str:
    """
    Render findings as one SARIF log with one run.

    Args:
        findings: In the order to show.
        prefix: What leads from the repository's root to the project, such as ``services/chat/``.
        base: The ``file:`` address of the folder that ``prefix`` begins at; paths are relative to it.

    Returns:
        One object, indented by two spaces, ASCII only, ended by a line break.
    """
    codes = dict.fromkeys([*CATALOGUE, *(finding.code for finding in findings)])
    index = {code: number for number, code in enumerate(codes)}
    run: JSONObject = {
        "tool": {
            "driver": {
                "name": "gsws",
                "semanticVersion": __version__,
                "rules": [_rule(code, CATALOGUE.get(code)) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(finding, index[finding.code], prefix, base is not None) for finding in PROCESS.findings(findings)
        ],
    }
    if base is not None:
        run["originalUriBaseIds"] = {_BASE: {"uri": base if base.endswith("/") else f"{base}/"}}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str, entry: Entry | None) -> JSONObject:
    if entry is None:
        return {"id": code}
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in _words(entry.title)) or code,
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.explanation},
        "help": {"text": entry.explanation, "markdown": entry.explanation},
        "defaultConfiguration": {"level": _LEVELS[entry.severity]},
    }


def _words(title: str) -> list[str]:
    return "".join(character if character.isalnum() and character.isascii() else " " for character in title).split()


def _result(finding: Finding, rule: int, prefix: str, based: bool) -> JSONObject:
    text = finding.message if not finding.help else f"{finding.message}\n{finding.help}"
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
    }
    if finding.span is not None:
        result["locations"] = [_location(finding.span, prefix, based)]
    else:
        # Code scanning refuses a whole log for one result without a place.
        result["locations"] = [{"physicalLocation": {"artifactLocation": _artifact("gsws.yaml", prefix, based)}}]
    if finding.related:
        result["relatedLocations"] = [
            _related(label, number, prefix, based) for number, label in enumerate(finding.related, 1)
        ]
    if finding.fix is not None and finding.fix.edits:
        result["fixes"] = [_fix(finding.fix, prefix, based)]
    return result


def _location(span: Span, prefix: str, based: bool) -> JSONObject:
    return {"physicalLocation": {"artifactLocation": _artifact(span.path, prefix, based), "region": _region(span)}}


def _related(label: Label, number: int, prefix: str, based: bool) -> JSONObject:
    return {"id": number, "message": {"text": label.text or "see here"}, **_location(label.span, prefix, based)}


def _artifact(path: str, prefix: str, based: bool) -> JSONObject:
    location: JSONObject = {"uri": quote(f"{prefix}{path}", safe="/~", errors="replace")}
    if based:
        location["uriBaseId"] = _BASE
    return location


def _region(span: Span) -> JSONObject:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fix(fix: Fix, prefix: str, based: bool) -> JSONObject:
    changes: dict[str, list[Any]] = {}
    for edit in fix.edits:
        replacement: JSONObject = {"deletedRegion": _region(edit.span)}
        if edit.replacement:
            replacement["insertedContent"] = {"text": edit.replacement}
        changes.setdefault(edit.span.path, []).append(replacement)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {"artifactLocation": _artifact(path, prefix, based), "replacements": replacements}
            for path, replacements in changes.items()
        ],
    }
