"""A rule that fails is a finding of its own (GS901), and the others run."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable

from gsws.diagnostics.finding import Finding, error
from gsws.text.span import Span

__all__ = ["isolated"]


def isolated(name: str, rule: Callable[[], Iterable[Finding]], path: str | None = None) -> list[Finding]:
    """
    What a rule finds; if it raises, what it found before and GS901.

    Args:
        name: The rule's name, for the report.
        rule: Called once.
        path: The file that it looks at, if it is one.
    """
    found: list[Finding] = []
    try:
        found.extend(rule())
    except Exception as failure:
        last = traceback.extract_tb(failure.__traceback__)[-1:]
        where = "".join(f" at {frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in last)
        found.append(
            error(
                "GS901",
                f"the rule `{name}` failed{where}: {type(failure).__name__}; the other rules ran",
                None if path is None else Span.top(path),
                "" if path is None else "looking at this file",
                "this is a mistake in gsws: please report it with the file; `gsws validate --ignore GS901` goes on",
            )
        )
    return found
