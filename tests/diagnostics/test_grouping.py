"""What a generator writes everywhere is one finding with a count."""

from __future__ import annotations

from gsws.diagnostics.finding import Finding, Severity
from gsws.diagnostics.grouping import grouped
from gsws.text.span import Span


def habit(message: str, line: int, severity: Severity = Severity.WARNING, code: str = "GS402") -> Finding:
    return Finding(code, severity, message, Span("events/a.yaml", line, 1, line, 5))


def test_a_habit_is_told_once_with_its_places() -> None:
    findings = [habit("`nullable` does nothing", line) for line in range(1, 8)]
    other = habit("`xml` does nothing", 3)

    first, second = grouped([*findings[:2], other, *findings[2:]])

    assert first.message == "`nullable` does nothing (7 places)"
    assert [label.span.line for label in first.related] == [2, 3, 4]
    assert second == other


def test_errors_and_other_findings_stay_apart() -> None:
    """Each of them is to be mended by itself."""
    findings = [
        habit("x", 1, Severity.ERROR),
        habit("x", 2, Severity.ERROR),
        *(habit("y", n, code="GS409") for n in (3, 4)),
    ]

    assert grouped(findings) == findings
