"""GS503 in Python files; what a secret is, is told by `gsws.project.reporting.secrets`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gsws.diagnostics.finding import Finding
from gsws.project.python.source import PythonSource
from gsws.project.reporting.secrets import has_shape, is_secret, may_name_a_secret, secret_finding, secrets_by_shape

__all__ = ["secrets_in_python"]


def secrets_in_python(source: PythonSource) -> Iterator[Finding]:
    """Secrets of a Python file: by their shape, or given to a name such as ``api_key``."""
    yield from secrets_by_shape(source.path, source.text, python=True)
    if not may_name_a_secret(source.raw):
        return
    for node in source.nodes:
        pairs: list[tuple[str, ast.expr | None]] = []
        match node:
            case ast.Assign(targets=targets, value=value):
                pairs = [(_target(target), value) for target in targets]
            case ast.AnnAssign(target=target, value=value):
                pairs = [(_target(target), value)]
            case ast.keyword(arg=str(name), value=value):
                pairs = [(name, value)]
            case ast.Dict(keys=keys, values=values):
                pairs = [
                    (key.value, value)
                    for key, value in zip(keys, values, strict=True)
                    if isinstance(key, ast.Constant) and isinstance(key.value, str)
                ]
            case ast.arguments():
                positional = [*node.posonlyargs, *node.args]
                given = positional[len(positional) - len(node.defaults) :]
                pairs = [(one.arg, value) for one, value in zip(given, node.defaults, strict=True)]
                pairs += [(one.arg, value) for one, value in zip(node.kwonlyargs, node.kw_defaults, strict=True)]
        for name, value in pairs:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                text = value.value
                if not has_shape(text) and is_secret(name, text, strict=True):
                    yield secret_finding(f"the value of `{name}`", source.span(value), name=name, python=True)


def _target(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return ""
