"""
A finding is a value: what is wrong with a project, where, and how to repair it.

Rendering lives in `gsws.diagnostics.render`; who finds what, in `gsws.yaml`, `gsws.schema` and `gsws.project`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from gsws.text.span import Span

__all__ = ["Edit", "Finding", "Fix", "Label", "Severity", "error", "replace", "warning"]


class Severity(enum.StrEnum):
    """How bad a finding is; only an error keeps a project from being served."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that a finding talks about, e.g. the first of two duplicate keys."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of ``span`` by ``replacement``."""

    span: Span
    replacement: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A repair that a program may carry out."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong.

    Attributes:
        code: Stable code, e.g. ``GS201``; never changes its meaning.
        severity: Error, warning or info.
        message: What was found and what was expected; lower-case, backticks around user text.
        span: The narrowest place, or None when the finding is about the project as a whole.
        label: Short text under the caret, e.g. ``named here``.
        help: What to do.
        related: Other places involved.
        fix: A mechanical repair, if there is one.
    """

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    label: str = ""
    help: str | None = None
    related: tuple[Label, ...] = ()
    fix: Fix | None = None


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


def replace(span: Span, text: str) -> Fix:
    """The repair that writes ``text`` in place of ``span``."""
    shown = f"`{text}`" if text else "nothing"
    return Fix(f"write {shown}", (Edit(span, text),))
