"""
Schemas as the engine gets them: every reference that leaves a schema points into a registry of known texts.

References are rewritten here and nowhere else; whether they lead somewhere is decided in `gsws.schema.references`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gsws.diagnostics.suggest import nearest
from gsws.schema.drafts import LIST, MAP, ONE
from gsws.schema.references import Lost, Resource, Target, missing, resolve, uri_of
from gsws.schema.remark import Remark
from gsws.source.span import Pointer
from gsws.types import JSONValue

__all__ = ["Rewritten", "rewrite"]

_NULL_MATTERS: Final = frozenset(("const", "default", "example", "examples", "enum"))
_AS_THEY_ARE: Final = frozenset(("const", "default", "example", "examples", "enum"))


@dataclass(slots=True)
class Rewritten:
    """
    A text with its references rewritten.

    Attributes:
        data: A copy; keys whose value is null are left out, as everywhere in a project.
        reached: Paths of the definitions files it refers to.
        targets: Where each reference leads, by the place of the schema that has it.
        remarks: References that lead nowhere; they are left out of ``data``.
        dynamic: Whether ``$dynamicRef`` or ``$recursiveRef`` occurs.
    """

    data: JSONValue = None
    reached: set[str] = field(default_factory=set)
    targets: dict[Pointer, Target] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    dynamic: bool = False


def rewrite(resource: Resource, files: Mapping[str, Resource], *, absolute: bool) -> Rewritten:
    """
    Rewrite the references of a resource.

    Args:
        resource: Whose.
        files: The definitions files by path.
        absolute: Whether references inside the resource become absolute too, and ``$id`` and ``$anchor`` go; so
            it must be in a definitions file, and in a part of a schema that is compiled on its own.
    """
    result = Rewritten()
    rewriter = _Rewriter(resource, files, absolute, result)
    roots = set(resource.roots)
    result.data = rewriter.schema(resource.data, ()) if () in roots else rewriter.outside(resource.data, (), roots)
    return result


@dataclass(slots=True)
class _Rewriter:
    resource: Resource
    files: Mapping[str, Resource]
    absolute: bool
    result: Rewritten

    def outside(self, data: JSONValue, pointer: Pointer, roots: set[Pointer]) -> JSONValue:
        """A part of a definitions file above its schemas."""
        if pointer in roots or not isinstance(data, dict):
            return self.schema(data, pointer)
        return {key: self.outside(value, (*pointer, key), roots) for key, value in data.items()}

    def schema(self, schema: JSONValue, pointer: Pointer) -> JSONValue:
        if not isinstance(schema, dict):
            return schema
        out: dict[str, Any] = {}
        for keyword, value in schema.items():
            if value is None and keyword not in _NULL_MATTERS:
                continue
            if keyword == "$ref" and isinstance(value, str):
                reference = self.reference(value, pointer)
                if reference is not None:
                    out[keyword] = reference
            elif self.absolute and keyword in ("$id", "id", "$anchor") and isinstance(value, str):
                continue
            elif keyword in MAP and isinstance(value, dict):
                out[keyword] = {
                    name: self.schema(inner, (*pointer, keyword, name))
                    for name, inner in value.items()
                    if inner is not None
                }
            elif keyword in ONE and isinstance(value, dict):
                out[keyword] = self.schema(value, (*pointer, keyword))
            elif keyword in LIST and isinstance(value, list):
                out[keyword] = [self.schema(inner, (*pointer, keyword, number)) for number, inner in enumerate(value)]
            else:
                if keyword in ("$dynamicRef", "$recursiveRef"):
                    self.result.dynamic = True
                out[keyword] = value if keyword in _AS_THEY_ARE else self.unknown(value, (*pointer, keyword))
        return out

    def unknown(self, value: JSONValue, pointer: Pointer) -> JSONValue:
        """Below a keyword that is none a reference may still lead to a schema."""
        if isinstance(value, dict):
            return self.schema(value, pointer)
        return value

    def reference(self, reference: str, pointer: Pointer) -> str | None:
        found = resolve(reference, self.resource, pointer, self.files)
        if found is None:
            return reference
        if isinstance(found, Lost):
            near = [] if found.remote else nearest(reference, found.candidates)
            self.result.remarks.append(
                Remark(
                    "GS110" if found.remote else "GS404",
                    found.message,
                    (*pointer, "$ref"),
                    label="points out of the project" if found.remote else "not found",
                    help=missing(found, near),
                    replacement=f"'{near[0]}'" if near else None,
                )
            )
            return None
        self.result.targets[pointer] = found
        if found.resource:
            self.result.reached.add(found.resource)
        if found.resource == self.resource.path and not self.absolute:
            return reference
        return uri_of(found)
