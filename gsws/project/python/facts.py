"""
What the rules need to know of one Python file, gathered while its syntax tree is at hand.

Costs a few searches in the bytes of a file that holds nothing of interest. Which functions it defines is told by
`gsws.project.python.module`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from gsws.diagnostics.finding import Finding
from gsws.project.python.blocking import blocking_calls
from gsws.project.python.secrets import secrets_in_python
from gsws.project.python.source import FunctionNode, PythonSource, nodes_of
from gsws.project.reporting.ignores import Ignore, ignores_in_python
from gsws.project.reporting.isolation import isolated
from gsws.text.span import Span

__all__ = ["CodeFacts", "Emit", "Import", "read_code"]

_HEAVY: Final = re.compile(
    r"(?:langgraph|langchain\w*|langsmith|torch\w*|transformers|tensorflow|keras|jax|diffusers|vllm|llama_index|"
    r"sentence_transformers|vertexai)(?:\.|$)|google\.(?:genai|generativeai|cloud\.aiplatform)(?:\.|$)"
)
_HEAVY_HINT: Final = re.compile(rb"lang|torch|transformers|tensorflow|keras|jax|diffusers|vllm|llama|google|vertexai")
_EMIT_HINT: Final = re.compile(rb"\b(?:emit|broadcast|push|Frame)\(")
_MENTION_HINT: Final = re.compile(rb"\bfunctions\b|import_module|__import__")
_FILE_RULES: Final[tuple[tuple[str, Callable[[PythonSource], Iterable[Finding]]], ...]] = (
    ("blocking_calls", blocking_calls),
    ("secrets_in_python", secrets_in_python),
)


@dataclass(frozen=True, slots=True)
class Import:
    """``from <level dots><module> import <name>``; ``name`` is empty for ``import module``."""

    level: int
    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Emit:
    """An event type that is sent, written as a literal; ``to_rooms`` is false for a frame of the request's answer."""

    eventtype: str
    span: Span
    to_rooms: bool = False


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """
    One file.

    Attributes:
        findings: What is wrong with the file by itself.
        heavy: Imports at module level that take seconds.
        emits: What each top-level function sends.
        calls: The functions of the same file that each top-level function names.
        variables: Environment variables that it reads, each once, and whether it has an answer for their absence.
        links: Imports that may lead to another file of the project.
        mentions: Texts and dotted names that may name another handler, as in ``ctx.functions["a.b"]``.
        ignores: Its comments that silence findings.
    """

    findings: tuple[Finding, ...] = ()
    heavy: tuple[tuple[str, Span], ...] = ()
    emits: dict[str, tuple[Emit, ...]] = field(default_factory=dict)
    calls: dict[str, frozenset[str]] = field(default_factory=dict)
    variables: dict[str, tuple[Span, bool]] = field(default_factory=dict)
    links: tuple[Import, ...] = ()
    mentions: frozenset[str] = frozenset()
    ignores: tuple[Ignore, ...] = ()

    def emitted_by(self, function: str) -> Iterator[Emit]:
        """What a function sends, itself or through functions of the same file."""
        todo, done = [function], set[str]()
        while todo:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            yield from self.emits.get(name, ())
            todo += sorted(self.calls.get(name, ()))


def read_code(path: str, raw: bytes, tree: ast.Module) -> CodeFacts:
    """Gather the facts of a file that parses."""
    source = PythonSource(path, raw, tree)
    findings: list[Finding] = []
    for name, rule in _FILE_RULES:
        findings += isolated(name, lambda rule=rule: rule(source), path)  # type: ignore[misc]  # bound at once
    emits: dict[str, tuple[Emit, ...]] = {}
    calls: dict[str, frozenset[str]] = {}
    if _EMIT_HINT.search(raw):
        for function in (node for node in tree.body if isinstance(node, FunctionNode)):
            inside = tuple(nodes_of([function]))
            emits[function.name] = tuple(_emits(source, function, inside))
            calls[function.name] = frozenset(
                node.id for node in inside if isinstance(node, ast.Name) and node.id != function.name
            )
    return CodeFacts(
        tuple(findings),
        tuple(_heavy(source)) if _HEAVY_HINT.search(raw) else (),
        emits,
        calls,
        _variables(source) if b"environ" in raw or b"getenv" in raw else {},
        tuple(_links(source)) if b"import ." in raw or b"from ." in raw or b"functions" in raw else (),
        frozenset(_mentions(source)) if _MENTION_HINT.search(raw) else frozenset(),
        ignores_in_python(path, raw),
    )


def _heavy(source: PythonSource) -> Iterator[tuple[str, Span]]:
    for node in _at_module_level(source.tree.body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _HEAVY.match(alias.name):
                    yield alias.name, source.span(alias)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if _HEAVY.match(node.module) or _HEAVY.match(name):
                    yield (node.module if _HEAVY.match(node.module) else name), source.span(node)
                    break


def _at_module_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that an import of the module runs; not what only a type checker sees."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            match node.test:
                case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
                    yield from _at_module_level(node.orelse)
                case ast.Compare(left=ast.Name(id="__name__")):
                    continue
                case _:
                    yield from _at_module_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _at_module_level([*node.body, *node.orelse, *node.finalbody])
            for handler in node.handlers:
                yield from _at_module_level(handler.body)
        elif isinstance(node, ast.With):
            yield from _at_module_level(node.body)


def _emits(source: PythonSource, function: FunctionNode, inside: Iterable[ast.AST]) -> Iterator[Emit]:
    for node in inside:
        if not isinstance(node, ast.Call):
            continue
        index, to_rooms = 0, False
        match node.func:
            case ast.Attribute(attr="emit" | "broadcast" | "push" as verb, value=ast.Name(id=receiver)) if receiver in (
                "ctx",
                "context",
                "self",
            ) or _is_first(function, receiver):
                index, to_rooms = int(verb == "broadcast"), verb != "emit"
                if any(one.arg == "source" for one in node.keywords):
                    continue  # to the clients of another source, perhaps
            case ast.Name(id="Frame") | ast.Attribute(attr="Frame") if source.full_name(node.func) in (
                "gsws.Frame",
                "gsws.protocol.answer.Frame",
            ):
                pass
            case _:
                continue
        keywords = [one.value for one in node.keywords if one.arg == "eventtype"]
        for argument in [*node.args[index : index + 1], *keywords][:1]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield Emit(argument.value, source.span(argument), to_rooms)


def _is_first(function: FunctionNode, name: str) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args]
    return bool(arguments) and arguments[0].arg == name


def _variables(source: PythonSource) -> dict[str, tuple[Span, bool]]:
    found: dict[str, tuple[Span, bool]] = {}
    for node in source.nodes:
        name: ast.expr | None = None
        answered = True
        match node:
            case ast.Subscript(value=target, slice=key) if source.full_name(target) == "os.environ":
                name, answered = key, not isinstance(node.ctx, ast.Load)
            case ast.Call(func=function, args=[key, *more]):
                called = source.full_name(function)
                if called in ("os.environ.get", "os.getenv"):
                    name, answered = key, True
                elif called in ("os.environ.setdefault", "os.environ.pop"):
                    name, answered = key, bool(more)
        if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value not in found:
            found[name.value] = (source.span(name), answered)
    return found


def _links(source: PythonSource) -> Iterator[Import]:
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level or module.partition(".")[0] == "functions":
                for alias in node.names:
                    yield Import(node.level, module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "functions":
                    yield Import(0, alias.name, "")


def _mentions(source: PythonSource) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if len(node.value) < 200:
                yield node.value.removeprefix("functions.")
        elif isinstance(node, ast.Attribute):
            parts: list[str] = []
            inner: ast.expr = node
            while isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name):
                parts.append(inner.id)
            parts.reverse()
            if "functions" in parts:
                yield ".".join(parts[parts.index("functions") + 1 :])
