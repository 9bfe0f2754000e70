"""
Making findings: the constructors, the collector and the wording of values that all rules share.

What is wrong is decided by the rules; how a finding looks on a terminal by `gsws.diagnostics.render`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from gsws.diagnostics.finding import Edit, Finding, Fix, Label, Severity
from gsws.diagnostics.suggest import nearest
from gsws.text.span import Span
from gsws.yaml.document import Document
from gsws.yaml.syntax import ProblemKind

__all__ = ["article", "did_you_mean", "error", "problems_of", "quoted", "replace", "type_name", "warning"]

_CODES: Final[Mapping[ProblemKind, str]] = {
    "unreadable": "GS003",
    "encoding": "GS004",
    "syntax": "GS101",
    "duplicate-key": "GS102",
    "ambiguous-scalar": "GS103",
    "alias-limit": "GS104",
    "several-documents": "GS105",
    "tag": "GS108",
    "depth": "GS101",
    "size": "GS003",
    "key-type": "GS306",
    "value-type": "GS306",
}


def error(
    code: str,
    message: str,
    span: Span | None,
    label: str = "",
    help: str | None = None,
    related: Iterable[Label] = (),
    fix: Fix | None = None,
) -> Finding:
    """A finding that keeps the project from being served."""
    return Finding(code, Severity.ERROR, message, span, label, help, tuple(related), fix)


def warning(
    code: str, message: str, span: Span | None, label: str = "", help: str | None = None, fix: Fix | None = None
) -> Finding:
    """A finding that is reported and served all the same."""
    return Finding(code, Severity.WARNING, message, span, label, help, (), fix)


def problems_of(document: Document) -> list[Finding]:
    """What is wrong with a YAML text, as findings."""
    findings = []
    for problem in document.problems:
        fix = None
        if problem.replacement is not None:
            fix = replace(problem.span, problem.replacement)
        severity = Severity.WARNING if problem.kind == "ambiguous-scalar" else Severity.ERROR
        findings.append(
            Finding(
                _CODES[problem.kind],
                severity,
                problem.message,
                problem.span,
                problem.label,
                problem.help,
                tuple(Label(span, text) for span, text in problem.related),
                fix,
            )
        )
    return findings


def replace(span: Span, text: str) -> Fix:
    """The repair that writes ``text`` in place of ``span``."""
    shown = f"`{text}`" if text else "nothing"
    return Fix(f"write {shown}", (Edit(span, text),))


def did_you_mean(word: str, candidates: Iterable[str]) -> tuple[str | None, str | None]:
    """The nearest candidate and the help line that names it, or a pair of None."""
    found = nearest(word, list(candidates))
    return (found[0], f"did you mean `{found[0]}`?") if found else (None, None)


def type_name(value: object) -> str:
    """What a person calls the type of a YAML value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "mapping"


def article(noun: str) -> str:
    """``an integer``, ``a list``; ``text`` and ``null`` take none."""
    if noun in {"text", "null"}:
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def quoted(value: object) -> str:
    """A value between backticks on one line, cut to what an eye takes in."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split())
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"
