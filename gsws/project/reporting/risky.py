"""
Which findings offer no repair, however near the word is that was probably meant.

A guess about who may do what, what is open to whom, or what a text must look like is a person's to make. So is a change
of a value that an alias takes elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from gsws.diagnostics.finding import Edit, Finding
from gsws.text.lines import LineIndex
from gsws.text.span import Pointer
from gsws.yaml.document import Document

__all__ = ["without_risky_fixes"]

_WORDS: Final = frozenset(
    {
        "authn", "authz", "auth", "authentication", "authorization", "origins", "origin", "scopes", "scope", "tls",
        "limits",
        "rate", "host", "strict", "anonymous", "api_keys", "jwt", "secret", "algorithms", "security", "roles",
        "permissions",
    }
)  # fmt: skip
"""Keys whose names and values are never repaired, nor what stands under them."""

_NAMES: Final = (("properties",), ("patternProperties",), ("$defs",), ("definitions",), ("emits",))
_EXACT: Final = frozenset({"GS004", "GS006", "GS101", "GS103", "GS106"})
"""What these repair says the same before and after, wherever it stands."""


def without_risky_fixes(findings: Iterable[Finding], documents: Iterable[Document]) -> list[Finding]:
    """The findings; those whose repair would guess, at security or at what an alias is for, are told without it."""
    found = list(findings)
    if not any(finding.fix is not None and finding.code not in _EXACT for finding in found):
        return found
    by_path = {document.path: document for document in documents}
    return [
        replace(finding, fix=None)
        if finding.fix is not None
        and finding.code not in _EXACT
        and any(_is_risky(edit, by_path.get(edit.span.path)) for edit in finding.fix.edits)
        else finding
        for finding in found
    ]


def _is_risky(edit: Edit, document: Document | None) -> bool:
    if _word(edit.replacement) in _WORDS:
        return True
    if document is None:
        return False
    lines = LineIndex(document.text)
    start = lines.offset(edit.span.line, edit.span.column)
    end = lines.offset(edit.span.end_line, edit.span.end_column)
    if _word(document.text[start:end]) in _WORDS:
        return True
    if any(start < last and first < max(end, start + 1) for first, last in document.shared):
        return True
    at = (edit.span.line, edit.span.column)
    return any(
        (_is_setting(pointer) and _holds(document, pointer, at))
        or (pointer[-1] == "format" and at == _start(document, pointer))
        for pointer in _pointers(document.data)
    )


def _is_setting(pointer: Pointer) -> bool:
    """Whether a place is a setting of that name, and not a property of a message that is called so."""
    return str(pointer[-1]).lower() in _WORDS and pointer[-2:-1] not in _NAMES


def _start(document: Document, pointer: Pointer) -> tuple[int, int]:
    span = document.value_span(pointer)
    return span.line, span.column


def _holds(document: Document, pointer: Pointer, at: tuple[int, int]) -> bool:
    key, value = document.key_span(pointer), document.value_span(pointer)
    return (key.line, key.column) <= at <= (value.end_line, value.end_column)


def _pointers(data: Any, pointer: Pointer = ()) -> Iterator[Pointer]:
    if pointer:
        yield pointer
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _pointers(value, (*pointer, key))


def _word(text: str) -> str:
    return text.strip().strip("\"'").lower()
