"""Rules about how YAML files are written: GS106 unquoted event keys, GS107 no editor schema, GS503 secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from gsws.diagnostics.finding import Finding, Severity, replace, warning
from gsws.project.files.customenv import VARIABLES
from gsws.project.files.discovery import file_inside
from gsws.project.reporting.secrets import secrets_by_shape, secrets_in_document
from gsws.project.reporting.wording import quoted
from gsws.project.rules.scope import Scope
from gsws.text.lines import LineIndex
from gsws.text.span import Span
from gsws.yaml.document import Document
from gsws.yaml.modeline import has_modeline, modeline

__all__ = ["no_editor_schema", "secrets", "unquoted_keys"]

_NEEDS_QUOTES: Final = re.compile(r"[^\w./-]|^[-.]|[.]$")
_BY_NAME: Final = frozenset({"", "eventsources", "datasources", "config"})
"""Folders whose values are used; elsewhere a text under `password` may be an example of one."""


def unquoted_keys(scope: Scope) -> Iterator[Finding]:
    """Event keys without quotes that have characters of YAML's own syntax (GS106)."""
    for document in scope.files("events"):
        yield from scope.of_file("unquoted_keys", document, _unquoted)


def no_editor_schema(scope: Scope) -> Iterator[Finding]:
    """Files that do not tell an editor which keys there are (GS107)."""
    if not scope.notes:
        return
    for document in scope.files():
        line = modeline(document.path)
        if line is not None and not has_modeline(document.text):
            at = Span.top(document.path)
            yield Finding(
                "GS107",
                Severity.INFO,
                "no line names a schema, so editors complete and check nothing in this file",
                at,
                "",
                "`gsws schema --write` writes the schemas and the lines",
            )


def secrets(scope: Scope) -> Iterator[Finding]:
    """Keys and passwords in YAML files and in `.env.example` (GS503)."""
    for folder, documents in scope.documents.items():
        by_name = folder in _BY_NAME
        for document in documents:
            names = folder == "config" and VARIABLES in document.path
            yield from scope.of_file("secrets", document, partial(_secrets, by_name=by_name and not names))
    example = file_inside(scope.root, ".env.example")
    try:
        text = "" if example is None else example.read_text("utf-8", "replace")
    except OSError:
        return
    yield from secrets_by_shape(".env.example", text)


def _secrets(document: Document, *, by_name: bool) -> tuple[Finding, ...]:
    return tuple(secrets_in_document(document, by_name=by_name))


def _unquoted(document: Document) -> tuple[Finding, ...]:
    found = []
    data = document.data if isinstance(document.data, dict) else {}
    lines: LineIndex | None = None
    for key in data:
        if _NEEDS_QUOTES.search(key) is None or (key.startswith("x-") and "." not in key):
            continue
        lines = lines or LineIndex(document.text)
        span = document.key_span((key,))
        written = document.text[lines.offset(span.line, span.column) : lines.offset(span.end_line, span.end_column)]
        if written[:1] in "\"'":
            continue
        literal = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
        found.append(
            warning(
                "GS106",
                f"the event key {quoted(key)} has characters that some YAML readers take for syntax",
                span,
                "not quoted",
                f"quote it: `{literal}`" if len(literal) <= 80 else "quote it",
                replace(span, literal),
            )
        )
    return tuple(found)
