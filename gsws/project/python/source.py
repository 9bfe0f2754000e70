"""
One Python file as rules read it: its syntax tree with places in code points, and the full names of what it calls.

Nothing is imported or run. What is wrong in a file is told by `gsws.project.rules`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TypeAlias

from gsws.text.lines import split_lines
from gsws.text.span import Span

__all__ = ["FunctionNode", "PythonSource", "nodes_of", "own_nodes"]

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class PythonSource:
    """
    A file that parses.

    Attributes:
        path: As spans carry it.
        raw: The file's bytes; rules look here first whether a closer look can find anything.
        tree: The whole file.
    """

    def __init__(self, path: str, raw: bytes, tree: ast.Module) -> None:
        self.path = path
        self.raw = raw
        self.tree = tree

    @cached_property
    def text(self) -> str:
        """The source; bytes that are no UTF-8 are U+FFFD."""
        return self.raw.decode("utf-8-sig", "replace")

    @cached_property
    def functions(self) -> tuple[FunctionNode, ...]:
        """Every function of the file, methods and inner ones included, from the outside in."""
        return tuple(node for node in self.nodes if isinstance(node, FunctionNode))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the file, what holds another before it; made once for all rules."""
        return tuple(nodes_of([self.tree]))

    @cached_property
    def names(self) -> dict[str, str]:
        """What imports bind anywhere in the file: ``{"sleep": "time.sleep", "np": "numpy"}``."""
        bound: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    bound[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                for alias in node.names:
                    bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return bound

    def full_name(self, node: ast.expr) -> str | None:
        """``time.sleep`` for what an expression names through imports; None for anything else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        first = self.names.get(node.id)
        return None if first is None else ".".join([first, *reversed(parts)])

    def span(self, node: ast.expr | ast.stmt | ast.alias) -> Span:
        """Where a node stands, up to the end of its first line if it has several."""
        line = node.lineno
        start = self._column(line, node.col_offset)
        if node.end_lineno == line and node.end_col_offset is not None:
            return Span(self.path, line, start, line, max(self._column(line, node.end_col_offset), start + 1))
        return Span(self.path, line, start, line, max(len(self._lines[line - 1].rstrip()) + 1, start + 1))

    @cached_property
    def _lines(self) -> list[str]:
        return split_lines(self.text)

    def _column(self, line: int, offset: int) -> int:
        """The column of a byte offset; the tree counts bytes of UTF-8."""
        if self.raw.isascii() or line > len(self._lines):
            return offset + 1
        return len(self._lines[line - 1].encode()[:offset].decode("utf-8", "ignore")) + 1


def own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """The nodes of a function's own body; functions, lambdas and classes inside it run at another time."""
    return nodes_of(function.body, stop=(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef))


def nodes_of(roots: Sequence[ast.AST], *, stop: tuple[type[ast.AST], ...] = ()) -> Iterator[ast.AST]:
    """
    Nodes and what they hold, from the outside in and in the order of the file.

    A third of the time of `ast.walk`: what says only whether a name is read or written is passed by.

    Args:
        roots: Where to begin.
        stop: Kinds of nodes that are yielded without what they hold.
    """
    todo: list[ast.AST] = list(reversed(roots))
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, stop):
            continue
        held: list[ast.AST] = []
        for name in node._fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                held += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and name != "ctx":
                held.append(value)
        held.reverse()
        todo += held
