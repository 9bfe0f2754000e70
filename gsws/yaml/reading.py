"""
The one way from a file's bytes to a `Document`.

Nothing that a user writes raises: what is wrong is a finding. Two liberties beside YAML 1.2, both described
in the reference: merge keys (``<<``) are honoured, and ``${NAME}`` may stand unquoted in ``{…}`` and ``[…]``.
"""

from __future__ import annotations

from ruamel.yaml.error import YAMLError

from gsws.text.lines import LineIndex
from gsws.yaml.build import MAX_ALIASED, Builder
from gsws.yaml.decode import MAX_BYTES, decode, forbidden
from gsws.yaml.document import Document
from gsws.yaml.notes import MAX_DEPTH, MAX_NODES, Unusable
from gsws.yaml.syntax import syntax_error

__all__ = [
    "MAX_ALIASED",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "parse_yaml",
]


def parse_yaml(path: str, raw: bytes) -> Document:
    """
    Parse one file.

    Args:
        path: POSIX path relative to the project's root; appears in spans.
        raw: The file's bytes, UTF-8.

    Returns:
        The document. Syntax errors, nesting beyond 64 levels, too many aliases, files over 1 MB and what is
        not UTF-8 leave ``data`` None; other findings do not end it: of duplicate keys the first counts.
    """
    text, damage = decode(path, raw)
    if damage is not None and damage.fix is None:
        return Document(path, text, None, (damage,))
    lines = LineIndex(text)
    character = forbidden(path, lines)
    if character is not None:
        return Document(path, text, None, (character,))
    builder = Builder(path, lines)
    if damage is not None:
        builder.notes.add(damage)
    data = None
    try:
        data = builder.build()
    except Unusable:
        pass
    except YAMLError as error:
        builder.notes.add(syntax_error(path, lines, error))
    findings = tuple(builder.notes.findings)
    if len(findings) > 1:
        findings = tuple(sorted(findings, key=lambda one: (one.span.line, one.span.column) if one.span else (0, 0)))
    shared = tuple(builder.shared.items())
    return Document(path, text, data, findings, builder.root, builder.places, builder.marks, [lines], data, shared)
