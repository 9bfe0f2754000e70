"""
Rules about handler files that need more than one of them: GS207 unused modules, GS209 heavy imports, GS211 undeclared
emits. What one file shows by itself was gathered by `gsws.project.python.facts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gsws.diagnostics.finding import Finding, Label, Severity, warning
from gsws.diagnostics.suggest import nearest
from gsws.project.python.handlers import IndexedModule, module_of
from gsws.project.reporting.wording import quoted
from gsws.project.rules.scope import Scope
from gsws.project.specs import EventSpec
from gsws.text.span import Span

__all__ = ["heavy_imports", "undeclared_emits", "unused_modules"]

_TESTS: Final = ("test_", "conftest")
_PROTOCOL: Final = ("stream.", "gsws.")

_AGENT: Final = frozenset({"chat_model", "threads"})
"""Types of datasources that import LangGraph themselves."""

_AGENT_LIBRARIES: Final = frozenset({"langchain_core", "langgraph"})


def unused_modules(scope: Scope) -> Iterator[Finding]:
    """Public modules under ``functions/`` that nothing names and nothing imports (GS207)."""
    if scope.unresolved or not scope.drafts:
        # What a misspelt name means is unused until it is spelt right.
        return
    used = scope.handlers.asked()
    for helper in scope.helpers:
        used |= {name for link in helper.code.links for name in _names(link.module, link.name)} | helper.code.mentions
    for module in scope.handlers.modules():
        for link in module.facts.code.links:
            target = module_of(module, link)
            if target is not None:
                used |= {target, f"{target}.{link.name}".lstrip(".")} if link.name else {target}
        used |= module.facts.code.mentions
    parents = {name.rpartition(".")[0] for name in used}
    for module in scope.handlers.modules():
        parts = module.name.split(".")
        if module.package or any(part.startswith("_") for part in parts) or parts[-1].startswith(_TESTS):
            continue
        if module.name in used or module.name in parents or module.facts.failure is not None:
            continue
        yield warning(
            "GS207",
            f"no event uses `{module.name}`, and no other file imports it",
            _first_place(module),
            "unused",
            f"name it with `fn: {module.name}`, remove the file, or rename it to `_{parts[-1]}.py` if it is a helper",
        )


def heavy_imports(scope: Scope) -> Iterator[Finding]:
    """Imports that take seconds, at the top of modules that answer events (GS209)."""
    answering = scope.answering()
    declared = {document.data.get("type") for document in scope.files("datasources") if isinstance(document.data, dict)}
    for module in scope.handlers.modules():
        if module.name not in answering:
            continue
        for name, span in module.facts.code.heavy:
            if declared & _AGENT and name.partition(".")[0] in _AGENT_LIBRARIES:
                continue  # the datasource has paid for it before the first handler is imported
            yield warning(
                "GS209",
                f"`import {name}` at module level takes seconds at every start and reload",
                span,
                "heavy import",
                "import it inside the function that needs it, or build what needs it in a datasource",
            )


def undeclared_emits(scope: Scope) -> Iterator[Finding]:
    """Event types that a handler sends although ``emits``, or ``broadcasts`` for rooms, lists others (GS211)."""
    modules = {module.name: module for module in scope.handlers.modules()}
    told: set[tuple[object, str]] = set()
    pushed: dict[str, set[str]] = {}
    for event in scope.events:
        # What is sent to a room is held against what all events of the source declare.
        pushed.setdefault(event.source, set()).update(event.broadcasts_declared)
    for event in scope.events:
        handler = event.handler
        module = modules.get(handler.module) if handler is not None else None
        if handler is None or module is None or not (event.emits_declared or event.broadcasts_declared):
            continue
        for emit in module.facts.code.emitted_by(handler.callable):
            name = emit.eventtype
            key = "broadcasts" if emit.to_rooms else "emits"
            declared = event.broadcasts_declared if emit.to_rooms else event.emits_declared
            known = pushed[event.source] if emit.to_rooms else declared
            if not declared or name in known or name.startswith(_PROTOCOL) or (emit.span, event.path) in told:
                continue
            told.add((emit.span, event.path))
            near = nearest(name, sorted(known))
            yield Finding(
                "GS211",
                Severity.WARNING,
                f"the handler of {quoted(event.key)} sends {quoted(name)}, which `{key}` does not declare",
                emit.span,
                "sent here",
                f"did you mean `{near[0]}`?" if near else f"add `{name}:` with the schema of its payload to `{key}`",
                (Label(_declared(scope, event, key), "declared here"),),
            )


def _declared(scope: Scope, event: EventSpec, key: str) -> Span:
    draft = scope.draft_of(event)
    return event.span if draft is None else draft.document.key_span((draft.written, key))


def _names(module: str, name: str) -> set[str]:
    inner = module.removeprefix("functions.").removeprefix("functions")
    return {inner, f"{inner}.{name}" if inner else name}


def _first_place(module: IndexedModule) -> Span:
    for function in module.facts.functions.values():
        if function.defined and not function.name.startswith("_"):
            return function.span
    return Span.top(module.facts.path)
