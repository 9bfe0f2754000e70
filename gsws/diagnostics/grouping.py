"""
Findings of one habit as one: what a generator of schemas writes everywhere is said once, with a count.

For those who read; repairs are made from the findings themselves, each at its own place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gsws.diagnostics.finding import Finding, Label, Severity

__all__ = ["grouped"]

_HABITS: Final = frozenset({"GS402"})
_SHOWN: Final = 3


def grouped(findings: Sequence[Finding]) -> list[Finding]:
    """
    Fold warnings about a habit that say the same.

    Returns:
        The findings in their order; the first of several alike stands for all, with their number and the places of
        the next three.
    """
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if _is_habit(finding):
            alike.setdefault((finding.code, finding.message), []).append(finding)
    shown = []
    for finding in findings:
        several = alike.get((finding.code, finding.message), []) if _is_habit(finding) else []
        if len(several) < 2:
            shown.append(finding)
        elif several[0] is finding:
            places = tuple(Label(one.span, "here too") for one in several[1 : _SHOWN + 1] if one.span is not None)
            message = f"{finding.message} ({len(several)} places)"
            shown.append(replace(finding, message=message, related=(*finding.related, *places)))
    return shown


def _is_habit(finding: Finding) -> bool:
    return finding.code in _HABITS and finding.severity is Severity.WARNING
