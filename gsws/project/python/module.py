"""
What one Python file defines, read from its syntax tree; the file is never imported.

Which of its functions an event means is decided in `gsws.project.python.handlers`.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from gsws.project.python.facts import CodeFacts, Import, read_code
from gsws.project.specs import Parameter
from gsws.text.span import Span

__all__ = ["Function", "Import", "ModuleFacts", "read_module"]

MAX_BYTES: Final = 2_000_000
"""A larger Python file is a data file by mistake; its syntax tree would take seconds."""

_Def: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    """
    A function that a module defines, or a name that it assigns something callable to.

    Attributes:
        parameters: None if the source does not tell: a decorator or a call made it.
        defined: By ``def`` or ``lambda``, rather than assigned.
        is_plain: It returns values that stand in its body, and sends nothing by itself.
    """

    name: str
    span: Span
    parameters: tuple[Parameter, ...] | None
    is_async: bool = False
    is_generator: bool = False
    defined: bool = True
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """
    One Python file.

    Attributes:
        path: As spans carry it.
        functions: By name, in the order of the file.
        imports: Names that the module takes from others.
        others: What else stands at module level: classes and constants, by name.
        twice: Functions that a later one of the same name replaces: the earlier and the later place.
        needs: Top-level names of everything imported anywhere in the file.
        failure: Why it cannot be parsed, and where.
        text: The source, for excerpts; empty unless parsing failed.
        code: What the rules need to know.
    """

    path: str
    functions: dict[str, Function] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    others: dict[str, Span] = field(default_factory=dict)
    twice: tuple[tuple[str, Span, Span], ...] = ()
    needs: frozenset[str] = frozenset()
    failure: tuple[str, Span] | None = None
    text: str = ""
    code: CodeFacts = field(default_factory=CodeFacts)


def read_module(path: str, raw: bytes) -> ModuleFacts:
    """Parse one Python file; what is wrong with it is in ``failure``."""
    if len(raw) > MAX_BYTES:
        return _failed(path, raw[:1000], f"larger than {MAX_BYTES:,} bytes", None)
    try:
        with warnings.catch_warnings():
            # An invalid escape in a handler is the linter's business; it must not reach our stderr.
            warnings.simplefilter("ignore")
            tree = ast.parse(raw, path)
            # The tree of a valid file may still not compile: `return` outside a function, `nonlocal x`.
            compile(tree, path, "exec", dont_inherit=True)
    except SyntaxError as failure:
        return _failed(path, raw, failure.msg or "invalid syntax", failure)
    except (ValueError, RecursionError, MemoryError, OverflowError) as failure:
        reason = "nested too deeply" if isinstance(failure, RecursionError | MemoryError) else str(failure)
        return _failed(path, raw, reason, None)
    reader = _Reader(path, may_yield=b"yield" in raw)
    reader.statements(tree.body)
    return ModuleFacts(
        path,
        reader.functions,
        reader.imports,
        reader.others,
        tuple(reader.twice),
        frozenset(_needs(tree)),
        code=read_code(path, raw, tree),
    )


class _Reader:
    def __init__(self, path: str, *, may_yield: bool) -> None:
        self.path = path
        self.may_yield = may_yield
        self.functions: dict[str, Function] = {}
        self.imports: dict[str, Import] = {}
        self.others: dict[str, Span] = {}
        self.twice: list[tuple[str, Span, Span]] = []

    def statements(self, body: Iterable[ast.stmt], *, conditional: bool = False) -> None:
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self.define(node, conditional)
                case ast.ClassDef():
                    self.bind(node.name, node)
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        if isinstance(target, ast.Name):
                            self.assign(target, value)
                case ast.AnnAssign(target=ast.Name() as name, value=ast.expr() as value):
                    self.assign(name, value)
                case ast.ImportFrom(module=module, names=names, level=level):
                    for alias in names:
                        self.take(alias.asname or alias.name, Import(level, module or "", alias.name))
                case ast.Import(names=names):
                    for alias in names:
                        self.take(alias.asname or alias.name.partition(".")[0], Import(0, alias.name, ""))
                case ast.If(test=test, body=then, orelse=other):
                    if not _never_at_runtime(test):
                        self.statements(then, conditional=True)
                    self.statements(other, conditional=True)
                case ast.Try(body=tried, handlers=handlers, orelse=other, finalbody=last):
                    self.statements(tried, conditional=True)
                    for handler in handlers:
                        self.statements(handler.body, conditional=True)
                    self.statements([*other, *last], conditional=True)
                case ast.With(body=inner):
                    self.statements(inner, conditional=True)

    def define(self, node: _Def, conditional: bool) -> None:
        first = self.functions.get(node.name)
        span = self.span(node)
        plain = first is not None and first.defined and first.parameters is not None and not node.decorator_list
        if first is not None and plain and not conditional:
            self.twice.append((node.name, first.span, span))
        if conditional and first is not None:
            # Which of the two counts is known at run time only.
            self.functions[node.name] = Function(node.name, first.span, None)
            return
        self.unbind(node.name)
        self.functions[node.name] = Function(
            node.name,
            span,
            None if node.decorator_list else tuple(_parameters(node.args)),
            isinstance(node, ast.AsyncFunctionDef),
            self.may_yield and _yields(node),
            is_plain=not node.decorator_list and _is_plain(node),
        )

    def assign(self, target: ast.Name, value: ast.expr) -> None:
        name = target.id
        span = Span(self.path, target.lineno, target.col_offset + 1, target.lineno, (target.end_col_offset or 0) + 1)
        match value:
            case ast.Lambda():
                self.unbind(name)
                self.functions[name] = Function(name, span, tuple(_parameters(value.args)))
            case ast.Name(id=other) if other in self.functions:
                known = self.functions[other]
                self.unbind(name)
                self.functions[name] = Function(
                    name,
                    span,
                    known.parameters,
                    known.is_async,
                    known.is_generator,
                    defined=False,
                    is_plain=known.is_plain,
                )
            case ast.Call() | ast.Attribute() | ast.Name() | ast.Subscript():
                self.unbind(name)
                self.functions[name] = Function(name, span, None, defined=False)
            case _:
                self.unbind(name)
                self.others[name] = span

    def take(self, name: str, source: Import) -> None:
        self.unbind(name)
        self.imports[name] = source

    def bind(self, name: str, node: ast.ClassDef) -> None:
        self.unbind(name)
        self.others[name] = self.span(node)

    def unbind(self, name: str) -> None:
        for names in (self.functions, self.imports, self.others):
            names.pop(name, None)

    def span(self, node: _Def | ast.ClassDef) -> Span:
        """The name after ``def``; columns are bytes there, but only keywords and blanks come before."""
        offset = {"FunctionDef": 4, "AsyncFunctionDef": 10, "ClassDef": 6}[type(node).__name__]
        column = node.col_offset + offset + 1
        return Span(self.path, node.lineno, column, node.lineno, column + len(node.name))


def _parameters(arguments: ast.arguments) -> Iterator[Parameter]:
    by_position = [*arguments.posonlyargs, *arguments.args]
    without_default = len(by_position) - len(arguments.defaults)
    for index, argument in enumerate(by_position):
        kind = "positional-only" if index < len(arguments.posonlyargs) else "positional"
        yield Parameter(argument.arg, kind, index < without_default)  # type: ignore[arg-type]  # one of two literals
    if arguments.vararg is not None:
        yield Parameter(arguments.vararg.arg, "var-positional", False)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield Parameter(argument.arg, "keyword-only", default is None)
    if arguments.kwarg is not None:
        yield Parameter(arguments.kwarg.arg, "var-keyword", False)


def _yields(node: _Def) -> bool:
    """Whether the function's own body yields; what is nested in it does not count."""
    todo: list[ast.AST] = list(node.body)
    while todo:
        current = todo.pop()
        if isinstance(current, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(current))
    return False


_VALUES: Final = (
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.Constant,
    ast.Dict,
    ast.DictComp,
    ast.JoinedStr,
    ast.List,
    ast.ListComp,
    ast.UnaryOp,
)
"""Expressions that are no iterator whatever is in them."""


def _is_plain(node: _Def) -> bool:
    """Whether all that a function returns are values, and what it was given, by which it could send, stays with it."""
    given = {argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    returns = False
    todo: list[ast.AST] = list(node.body)
    while todo:
        current = todo.pop()
        match current:
            case ast.Yield() | ast.YieldFrom():
                return False
            case ast.Return(value=value):
                if value is not None and not isinstance(value, _VALUES):
                    return False
                returns = returns or value is not None
            case ast.Attribute(attr="emit" | "send" | "send_json"):
                return False
            case ast.Call(args=arguments, keywords=keywords):
                passed = [*arguments, *(one.value for one in keywords)]
                if any(isinstance(one, ast.Name) and one.id in given - {"payload", "body"} for one in passed):
                    return False
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
                continue
        todo.extend(ast.iter_child_nodes(current))
    return returns


def _needs(tree: ast.Module) -> Iterator[str]:
    """Imports stand in statements only: walking these alone takes a fifth of the time of `ast.walk`."""
    todo: list[ast.stmt] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield node.module.partition(".")[0]
        else:
            for name in ("body", "orelse", "finalbody"):
                todo += getattr(node, name, ())
            for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                todo += part.body


def _never_at_runtime(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.Compare(left=ast.Name(id="__name__")):
            return True
    return False


def _failed(path: str, raw: bytes, reason: str, failure: SyntaxError | None) -> ModuleFacts:
    text = raw.decode("utf-8", "replace")
    lines = text.splitlines() or [""]
    line = min(max((failure.lineno if failure else None) or 1, 1), len(lines))
    width = len(lines[line - 1])
    column = min(max((failure.offset if failure else None) or 1, 1), width + 1)
    end = column + 1
    if failure is not None and failure.end_lineno == failure.lineno and failure.end_offset:
        end = max(min(failure.end_offset, width + 1), column + 1)
    return ModuleFacts(path, failure=(reason, Span(path, line, column, line, end)), text=text)
