"""
The project's Python functions, found by reading their source and never by importing it.

``fn: a.b.c`` is ``functions/a/b/c.py``: the function named like the file, ``handler``, ``main``, or else the only
public function defined there. ``fn: a.b.c.g`` names ``g`` in that file. One file's facts come from
`gsws.project.python.module`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gsws.diagnostics.finding import Finding, Label, error
from gsws.diagnostics.suggest import nearest
from gsws.project.python.module import Function, Import, ModuleFacts
from gsws.project.python.naming import Unfound, refused_name
from gsws.project.reporting.wording import quoted
from gsws.project.specs import HandlerRef
from gsws.text.span import Span

__all__ = ["HandlerIndex", "IndexedModule", "module_of"]

_NESTED_IMPORTS = 5
"""How many `from .x import f` lead on to the function itself."""
_MAX_SUGGESTIONS = 100
"""Looking for the nearest of a thousand names takes milliseconds; a thousand times that is too long."""


@dataclass(frozen=True, slots=True)
class IndexedModule:
    """A file under ``functions/``; ``name`` is dotted, ``package`` tells an ``__init__.py``."""

    name: str
    path: Path
    facts: ModuleFacts
    package: bool


class HandlerIndex:
    """
    Every function that ``fn:`` may name.

    Args:
        modules: The files under ``functions/``.
        outside: Dotted names of links that leave the project.
        foreign: Dotted names of files in another language, with their path as shown.
        workflows: Dotted names of workflows in YAML, which have a finding of their own.
    """

    def __init__(
        self,
        modules: Iterable[IndexedModule] = (),
        *,
        outside: Iterable[str] = (),
        foreign: Mapping[str, str] | None = None,
        workflows: Iterable[str] = (),
    ) -> None:
        self._modules: dict[str, list[IndexedModule]] = {}
        for module in modules:
            self._modules.setdefault(module.name, []).append(module)
        self._outside = frozenset(outside)
        self._foreign = foreign or {}
        self._workflows = frozenset(workflows)
        self._found: dict[str, HandlerRef | Unfound] = {}
        self._names: tuple[str, ...] | None = None
        self._suggested = 0
        self._in_full: tuple[str, ...] | None = None

    def find(self, name: str) -> HandlerRef | None:
        """What ``fn: name`` means, or None if it means nothing or two things."""
        found = self.resolve(name)
        return found if isinstance(found, HandlerRef) else None

    def __contains__(self, name: str) -> bool:
        return self.find(name) is not None

    def names(self) -> tuple[str, ...]:
        """Every public dotted name that `find` knows, sorted: modules with a handler, and functions of modules."""
        if self._names is None:
            names = set()
            for name, (module, *more) in self._modules.items():
                if more or any(part.startswith("_") for part in name.split(".")):
                    continue
                chosen = _default(module)
                if isinstance(chosen, Function):
                    names.add(name)
                names |= {
                    f"{name}.{function}"
                    for function in module.facts.functions
                    if not function.startswith("_") and not (isinstance(chosen, Function) and chosen.name == function)
                }
            self._names = tuple(sorted(names))
        return self._names

    def _near(self, name: str) -> tuple[str, ...]:
        """What may be suggested for a name: a dotted one may have meant the one function of a module, in full."""
        if "." not in name:
            return self.names()
        if self._in_full is None:
            full = {
                f"{module}.{chosen.name}"
                for module, found in self._modules.items()
                if len(found) == 1 and isinstance(chosen := _default(found[0]), Function)
            }
            self._in_full = tuple(sorted({*self.names(), *full}))
        return self._in_full

    def modules(self) -> tuple[IndexedModule, ...]:
        """Every file of the index, by name."""
        return tuple(module for name in sorted(self._modules) for module in self._modules[name])

    def asked(self) -> frozenset[str]:
        """The names that `resolve` was asked for, and the modules that they led to."""
        return frozenset(self._found) | {
            found.module for found in self._found.values() if isinstance(found, HandlerRef)
        }

    def resolve(self, name: str) -> HandlerRef | Unfound:
        """What ``fn: name`` means, or why it means nothing."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._resolve(name)
        return found

    def findings(self) -> list[Finding]:
        """What is wrong with the files themselves, whether an event names them or not."""
        findings = []
        for name, modules in self._modules.items():
            for module in modules:
                if module.facts.failure is not None:
                    reason, span = module.facts.failure
                    findings.append(error("GS205", f"Python syntax error: {reason}", span, "here"))
                for function, first, second in module.facts.twice:
                    findings.append(
                        error(
                            "GS202",
                            f"two functions are named `{function}` in one module",
                            second,
                            "replaces the first one",
                            "rename or remove one of them",
                            [Label(first, "first one here")],
                        )
                    )
            if len(modules) > 1:
                first_module, second_module = modules[:2]
                findings.append(
                    error(
                        "GS202",
                        f"two files are named `{name}`: {first_module.facts.path} and {second_module.facts.path}",
                        Span.top(second_module.facts.path),
                        "same name",
                        "keep one of them",
                        [Label(Span.top(first_module.facts.path), "the other one")],
                    )
                )
        return findings

    def _resolve(self, name: str) -> HandlerRef | Unfound:
        refused = refused_name(name)
        if refused is not None:
            return refused
        if any(name == link or name.startswith(f"{link}.") for link in self._outside):
            return Unfound("GS110", f"`{name}` is a link that leaves the project", "copy the file into `functions/`")
        parent, _, tail = name.rpartition(".")
        as_module = self._in_module(name)
        as_function = self._function(parent, tail) if parent else None
        if isinstance(as_module, HandlerRef) and isinstance(as_function, HandlerRef):
            if as_function.callable == as_module.callable and self._reexports(parent, tail):
                return as_module
            return Unfound(
                "GS202",
                f"`{name}` means two functions",
                "rename one of them",
                (
                    Label(as_module.span, "the handler of this file"),
                    Label(as_function.span, "the function of this name"),
                ),
            )
        for found in (as_module, as_function):
            if isinstance(found, HandlerRef):
                return found
        return as_module or as_function or self._nothing(name)

    def _in_module(self, name: str) -> HandlerRef | Unfound | None:
        """The handler of the module ``name``; None if there is no such module."""
        module = self._only(name)
        if not isinstance(module, IndexedModule):
            return module
        if module.facts.failure is not None:
            return Unfound("", "the file does not parse")
        chosen = _default(module)
        if isinstance(chosen, Function):
            return self._ref(name, module, chosen)
        for wanted in (name.rpartition(".")[2], "handler", "main"):
            if wanted in module.facts.imports:
                found = self._function(name, wanted)
                if isinstance(found, HandlerRef):
                    return replace(found, name=name)
        stem = name.rpartition(".")[2]
        if chosen:
            candidates = ", ".join(f"`{function.name}`" for function in chosen)
            return Unfound(
                "GS202",
                f"`{module.facts.path}` defines several functions: {candidates}",
                f"name one of them `{stem}` or `handler`, or write `fn: {name}.{chosen[0].name}`",
                tuple(Label(function.span, "a candidate") for function in chosen[:5]),
            )
        return Unfound(
            "GS202",
            f"`{module.facts.path}` defines no public function",
            f"define `async def {stem if stem.isidentifier() else 'handler'}(ctx)` in it",
            (Label(Span.top(module.facts.path), "no function here"),),
        )

    def _function(self, name: str, function: str, depth: int = 0) -> HandlerRef | Unfound | None:
        """The function ``function`` of the module ``name``; None if there is no such module."""
        module = self._only(name)
        if not isinstance(module, IndexedModule):
            return module
        if module.facts.failure is not None:
            return Unfound("", "the file does not parse")
        found = module.facts.functions.get(function)
        if found is not None:
            return self._ref(f"{name}.{function}", module, found)
        taken = module.facts.imports.get(function)
        if taken is not None:
            return self._imported(module, function, taken, depth)
        if function in module.facts.others:
            return Unfound(
                "GS202",
                f"`{function}` in `{module.facts.path}` is no function",
                None,
                (Label(module.facts.others[function], "defined here"),),
            )
        candidates = [one for one in module.facts.functions if not one.startswith("_")]
        near = nearest(function, candidates)
        listed = ", ".join(f"`{one}`" for one in candidates[:5])
        return Unfound(
            "GS201",
            f"no function {quoted(function)} in `{module.facts.path}`",
            f"did you mean `{name}.{near[0]}`?" if near else (f"it defines {listed}" if listed else None),
            nearest=f"{name}.{near[0]}" if near else None,
        )

    def _imported(self, module: IndexedModule, name: str, source: Import, depth: int) -> HandlerRef | Unfound:
        """A function that a module of the project takes from another one of the project."""
        target = module_of(module, source)
        if target is not None and depth < _NESTED_IMPORTS and source.name:
            found = self._function(target, source.name, depth + 1) or self._in_module(f"{target}.{source.name}")
            if isinstance(found, HandlerRef):
                full = f"{module.name}.{name}"
                return replace(found, name=full, module=module.name, path=module.path, callable=name)
        return Unfound(
            "GS201",
            f"no function {quoted(name)} is defined in `{module.facts.path}`, it is imported there",
            "a handler is defined in the project: write a function that calls it",
        )

    def _reexports(self, name: str, function: str) -> bool:
        module = self._only(name)
        return isinstance(module, IndexedModule) and function in module.facts.imports

    def _only(self, name: str) -> IndexedModule | Unfound | None:
        modules = self._modules.get(name)
        if modules is None:
            return None
        # Two files of one name have a finding of their own.
        return modules[0] if len(modules) == 1 else Unfound("", "two files of this name")

    def _ref(self, name: str, module: IndexedModule, function: Function) -> HandlerRef:
        return HandlerRef(
            name,
            module.name,
            module.path,
            function.name,
            function.span,
            function.parameters,
            function.is_async,
            function.is_generator,
            function.is_plain,
        )

    def _nothing(self, name: str) -> Unfound:
        if name in self._workflows:
            return Unfound("", "a workflow in YAML")
        message = f"no function {quoted(name)} under functions/"
        if name in self._foreign:
            file = name.replace(".", "/")
            there = f"`{self._foreign[name]}` is there, but handlers are Python"
            begin = f": `gsws new function {name}` begins functions/{file}.py" if can_be_new(name) else ""
            return Unfound("GS201", message, there + begin)
        self._suggested += 1
        near = nearest(name, self._near(name)) if self._suggested <= _MAX_SUGGESTIONS else []
        if near:
            return Unfound("GS201", message, f"did you mean `{near[0]}`?", nearest=near[0])
        file = name.replace(".", "/")
        if can_be_new(name):
            return Unfound("GS201", message, f"`gsws new function {name}` writes functions/{file}.py")
        better = re.sub(r"[^A-Za-z0-9_.]+", "_", name).strip("_.")
        if can_be_new(better):
            return Unfound(
                "GS201", message, f"a new one needs a name of letters, digits and `_`: `gsws new function {better}`"
            )
        return Unfound("GS201", message, "a function's name has letters, digits and `_`, with dots for folders")


def can_be_new(name: str) -> bool:
    """Whether `gsws new function` takes a name; what is there already may be called otherwise."""
    parts = name.split(".")
    return len(name) <= 100 and all(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", part, re.ASCII) and not keyword.iskeyword(part) for part in parts
    )


def _default(module: IndexedModule) -> Function | list[Function]:
    """The function that the module's name alone means, or the candidates that leave it open."""
    functions = module.facts.functions
    for name in (module.name.rpartition(".")[2], "handler", "main"):
        if name in functions:
            return functions[name]
        # What a file takes from elsewhere is no handler of the project, and hides none.
        taken = module.facts.imports.get(name)
        if taken is not None and module_of(module, taken) is not None:
            return []
    public = [function for function in functions.values() if function.defined and not function.name.startswith("_")]
    return public[0] if len(public) == 1 else public


def module_of(module: IndexedModule, source: Import) -> str | None:
    """Dotted name, under functions/, of the module that an import reads; None if it is not there."""
    if source.level == 0:
        if source.module == "functions":
            return ""
        return source.module.removeprefix("functions.") if source.module.startswith("functions.") else None
    parts = module.name.split(".")
    above = source.level - (1 if module.package else 0)
    if above > len(parts):
        return None
    kept = parts[: len(parts) - above]
    return ".".join([*kept, *source.module.split(".")] if source.module else kept)
