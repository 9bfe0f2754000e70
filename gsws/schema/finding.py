"""
What is wrong with a schema, as a place inside the schema; a `Finding` once it is known where the schema stands.

They are cached with the compiled schema: a span moves when a line is added above it, a place in the schema does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from gsws.diagnostics.finding import Edit, Finding, Fix, Label, Severity
from gsws.text.span import Pointer, Span
from gsws.yaml.document import Document

__all__ = ["SchemaFinding", "no_value", "place"]


@dataclass(frozen=True, slots=True)
class SchemaFinding:
    """
    One thing that is wrong.

    Attributes:
        code: As in a finding.
        message: As in a finding.
        pointer: The place inside the schema.
        on_key: Whether the key is meant, not its value.
        label: As in a finding.
        help: As in a finding.
        severity: As in a finding.
        replacement: What to write instead of the place.
        related: Other places inside the schema, each with the text for it; keys are meant.
        instead: The place that ``replacement`` is for; then the place of the finding is removed.
        empty: Whether there is no value; it may stand in a comment.
    """

    code: str
    message: str
    pointer: Pointer
    on_key: bool = False
    label: str = ""
    help: str | None = None
    severity: Severity = Severity.ERROR
    replacement: str | None = None
    related: tuple[tuple[Pointer, str], ...] = ()
    instead: Pointer | None = None
    empty: bool = False


def no_value(pointer: Pointer, what: str) -> SchemaFinding:
    """GS401: nothing, or null, where a schema needs something."""
    return SchemaFinding(
        "GS401", f"{what} has no value", pointer, True, "nothing here", "give it one, or remove it", empty=True
    )


def place(finding: SchemaFinding, document: Document, base: Pointer) -> Finding:
    """The finding that a finding is for a schema that stands at ``base``."""
    pointer = base + finding.pointer
    comment = document.swallowed(pointer) if finding.empty else None
    if comment is not None:
        return _in_comment(finding, document, pointer, comment)
    span = document.key_span(pointer) if finding.on_key else document.value_span(pointer)
    fix = None
    if finding.replacement is not None and finding.instead is not None:
        removal = document.entry_span(pointer)
        if removal is not None:
            other = document.value_span(base + finding.instead)
            fix = Fix(f"write `{finding.replacement}`", (Edit(other, finding.replacement), Edit(removal, "")))
    elif finding.replacement is not None and document.has(pointer):
        fix = Fix(f"write `{finding.replacement}`", (Edit(span, finding.replacement),))
    related = tuple(Label(document.key_span(base + other), text) for other, text in finding.related)
    return Finding(finding.code, finding.severity, finding.message, span, finding.label, finding.help, related, fix)


def _in_comment(finding: SchemaFinding, document: Document, pointer: Pointer, comment: Span) -> Finding:
    """The finding for a value that YAML took for a comment, because its `#` is not quoted."""
    text = document.text_of(comment)
    quoted = "'" + text.replace("'", "''") + "'"
    fix = None
    if pointer and pointer[-1] in ("$ref", "$dynamicRef"):
        help = f"quote it: `{pointer[-1]}: {quoted}`"
        fix = Fix(f"write `{quoted}`", (Edit(comment, quoted),))
    elif text.startswith("#/"):
        help = f"write `$ref: {quoted}` under it; `#` after a space starts a comment"
    else:
        help = f"quote it: `{quoted}`"
    message = f"{finding.message}: in YAML `{text}` is a comment"
    return Finding(finding.code, finding.severity, message, comment, "a comment, without quotes", help, (), fix)
