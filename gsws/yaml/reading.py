"""
The one way from a file's bytes to a `Document`.

Nothing that a user writes raises: what is wrong is a `Problem`. Two liberties beside YAML 1.2, both described
in the reference: merge keys (``<<``) are honoured, and ``${NAME}`` may stand unquoted in ``{…}`` and ``[…]``.
"""

from __future__ import annotations

from ruamel.yaml.error import YAMLError

from gsws.text.lines import LineIndex
from gsws.yaml.build import MAX_ALIASED, Builder
from gsws.yaml.decode import MAX_BYTES, decode, forbidden
from gsws.yaml.document import Document
from gsws.yaml.notes import MAX_DEPTH, MAX_NODES, Unusable
from gsws.yaml.syntax import Problem, ProblemKind, syntax_problem

__all__ = [
    "MAX_ALIASED",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "Problem",
    "ProblemKind",
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
        not UTF-8 leave ``data`` None; other problems do not end it: of duplicate keys the first counts.
    """
    text, problem = decode(path, raw)
    if problem is not None and problem.replacement is None:
        return Document(path, text, None, (problem,))
    lines = LineIndex(text)
    character = forbidden(path, lines)
    if character is not None:
        return Document(path, text, None, (character,))
    builder = Builder(path, lines)
    if problem is not None:
        builder.notes.add(problem)
    data = None
    try:
        data = builder.build()
    except Unusable:
        pass
    except YAMLError as error:
        builder.notes.add(syntax_problem(path, lines, error))
    problems = tuple(sorted(builder.notes.problems, key=lambda each: each.span)) if builder.notes.problems else ()
    shared = tuple(builder.shared.items())
    return Document(path, text, data, problems, builder.root, builder.places, builder.marks, [lines], data, shared)
