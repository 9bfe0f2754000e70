"""The end of a load: what is said of a project without events, and the order in which findings are told."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from gsws.diagnostics.finding import Finding, Severity, warning

__all__ = ["collector_at_rest", "has_broken_events", "in_order", "no_events"]


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """
    Keep the cycle collector from walking, again and again, what lives as long as the project.

    It took a quarter to a half of the time of loading 1,000 events.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def has_broken_events(findings: Iterable[Finding]) -> bool:
    """Whether there are files of events that could not be read: then nothing is missing but their repair."""
    return any(
        one.span is not None
        and one.span.path.removeprefix("src/").startswith("events/")
        and one.severity is Severity.ERROR
        for one in findings
    )


def no_events(has_sources: bool) -> Finding:
    """GS005, with the first step that is missing."""
    help = "`gsws new event websocket.chat` writes one"
    return warning(
        "GS005",
        "the project has no events",
        None,
        "",
        help if has_sources else f"`gsws plugin add websocket`, then {help}",
    )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each once, errors about the whole project first, then by file and line."""

    def place(finding: Finding) -> tuple[Any, ...]:
        span = finding.span
        if span is None:
            return (0, "", 0, 0, finding.severity is not Severity.ERROR, finding.code)
        return (1, span.path, span.line, span.column, finding.severity is not Severity.ERROR, finding.code)

    found: dict[Any, Finding] = {}
    for finding in findings:
        found.setdefault(_cause(finding), finding)
    return tuple(sorted(found.values(), key=place))


def _cause(finding: Finding) -> Any:
    """What makes two findings one: a key that several events take from one anchor is wrong once."""
    if finding.span is None or finding.code not in ("GS305", "GS306", "GS307", "GS309"):
        return finding
    return finding.code, finding.span, re.sub(r"event `[^`]*`", "event", finding.message), finding.fix
