"""The rules in their order, each run on its own; what they find, and which codes they look for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from gsws.diagnostics.catalogue import CATALOGUE
from gsws.diagnostics.finding import Finding, Severity
from gsws.project.reporting.ignores import Ignore, apply, ignores_in_document
from gsws.project.reporting.isolation import isolated
from gsws.project.rules.capacity import too_small_limits
from gsws.project.rules.environment import development_in_production, exposed_dotenv, incomplete_example
from gsws.project.rules.files import no_editor_schema, secrets, unquoted_keys
from gsws.project.rules.handlers import heavy_imports, undeclared_emits, unused_modules
from gsws.project.rules.misplaced import misplaced_files
from gsws.project.rules.notes import loose_schemas
from gsws.project.rules.scope import Scope

__all__ = ["RULES", "run_rules", "silenced"]

RULES: Final[tuple[tuple[str, Callable[[Scope], Iterable[Finding]]], ...]] = (
    ("misplaced_files", misplaced_files),
    ("unquoted_keys", unquoted_keys),
    ("no_editor_schema", no_editor_schema),
    ("unused_modules", unused_modules),
    ("heavy_imports", heavy_imports),
    ("undeclared_emits", undeclared_emits),
    ("loose_schemas", loose_schemas),
    ("secrets", secrets),
    ("exposed_dotenv", exposed_dotenv),
    ("incomplete_example", incomplete_example),
    ("too_small_limits", too_small_limits),
    ("development_in_production", development_in_production),
)
"""The rules that look at the whole project, by name."""

_ELSEWHERE: Final = frozenset({"GS214", "GS215"})


def run_rules(scope: Scope) -> list[Finding]:
    """What the rules find, the ones that were run file by file included."""
    found: list[Finding] = []
    for facts in scope.python():
        found += facts.code.findings
    for name, rule in RULES:
        found += isolated(name, partial(rule, scope))
    return found


def silenced(scope: Scope, findings: Iterable[Finding]) -> list[Finding]:
    """The findings of a project without those that a comment silences, and what is wrong with the comments."""
    ignores: dict[str, tuple[Ignore, ...]] = {}
    for document in scope.files():
        if "gsws:" in document.text:
            ignores[document.path] = scope.of_file("ignores", document, ignores_in_document)
    for facts in scope.python():
        if facts.code.ignores:
            ignores[facts.path] = facts.code.ignores
    if not ignores:
        return list(findings)
    return apply(findings, ignores, judged=_judged(scope))


def _judged(scope: Scope) -> frozenset[str]:
    """The codes that were looked for in this load."""
    notes = {code for code, entry in CATALOGUE.items() if entry.severity is Severity.INFO}
    only_production = {"GS608"} if scope.env != "production" else set()
    return frozenset(CATALOGUE) - _ELSEWHERE - only_production - (frozenset() if scope.notes else notes)
