"""
Schemas as the engine gets them: every reference that leaves a schema points into a registry of known texts.

References are rewritten here and nowhere else; whether they lead somewhere is decided in `gsws.schema.references`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from gsws.diagnostics.suggest import nearest
from gsws.schema.drafts import DATA, KEYWORDS, LIST, MAP, ONE
from gsws.schema.finding import SchemaFinding, no_value
from gsws.schema.references import (
    Files,
    Lost,
    Resource,
    Target,
    candidates_of,
    fragment_of,
    missing,
    pointer_tokens,
    resolve,
    uri_of,
)
from gsws.text.span import Pointer
from gsws.types import JSONValue

__all__ = ["Rewritten", "rewrite"]

_MAX_FINDINGS: Final = 50


@dataclass(slots=True)
class Rewritten:
    """
    A text with its references rewritten.

    Attributes:
        data: A copy without the keywords that have no value.
        reached: Paths of the definitions files it refers to.
        targets: Where each reference leads, by the place of the schema that has it.
        findings: References that lead nowhere and keywords without a value; neither is in ``data``.
        dynamic: Whether ``$dynamicRef`` or ``$recursiveRef`` occurs.
    """

    data: JSONValue = None
    reached: set[str] = field(default_factory=set)
    targets: dict[Pointer, Target] = field(default_factory=dict)
    findings: list[SchemaFinding] = field(default_factory=list)
    dynamic: bool = False


def rewrite(resource: Resource, files: Files, *, absolute: bool) -> Rewritten:
    """
    Rewrite the references of a resource.

    Args:
        resource: Whose.
        files: The definitions files.
        absolute: Whether references inside the resource become absolute too; so it must be in a definitions file,
            and in a part of a schema that is compiled on its own.

    Every reference becomes a place, so that ``$id`` and ``$anchor`` have done their work and go. In a schema with
    ``$dynamicRef``, or with parts of other drafts, they mean more than that: there they stay, unless ``absolute``.
    """
    result = Rewritten(dynamic=resource.dynamic)
    named = not absolute and (resource.dynamic or resource.mixed)
    rewriter = _Rewriter(resource, files, absolute, named, result)
    roots = set(resource.roots)
    result.data = rewriter.schema(resource.data, ()) if () in roots else rewriter.outside(resource.data, (), roots)
    return result


@dataclass(slots=True)
class _Rewriter:
    resource: Resource
    files: Files
    absolute: bool
    named: bool
    result: Rewritten

    def outside(self, data: JSONValue, pointer: Pointer, roots: set[Pointer]) -> JSONValue:
        """A part of a definitions file above its schemas."""
        if data is None and pointer:
            return self.nothing(pointer, f"the definition `{pointer[-1]}`")
        if pointer in roots or not isinstance(data, dict):
            return self.schema(data, pointer)
        return {key: self.outside(value, (*pointer, key), roots) for key, value in data.items()}

    def schema(self, schema: JSONValue, pointer: Pointer) -> JSONValue:
        if not isinstance(schema, dict):
            return schema
        out: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in DATA:
                out[keyword] = value
            elif value is None:
                if keyword in KEYWORDS:
                    self.nothing((*pointer, keyword), f"`{keyword}`")
            elif keyword == "$ref" and isinstance(value, str):
                reference = self.reference(value, pointer)
                if reference is not None:
                    out[keyword] = reference
            elif keyword in ("$id", "id", "$anchor") and isinstance(value, str) and not self.named:
                continue
            elif keyword in MAP and isinstance(value, dict):
                out[keyword] = {
                    name: self.inner(inner, (*pointer, keyword, name), f"`{name}` under `{keyword}`")
                    for name, inner in value.items()
                }
            elif keyword in ONE and isinstance(value, dict):
                out[keyword] = self.schema(value, (*pointer, keyword))
            elif keyword in LIST and isinstance(value, list):
                out[keyword] = [
                    self.inner(inner, (*pointer, keyword, number), f"item {number + 1} of `{keyword}`")
                    for number, inner in enumerate(value)
                ]
            else:
                out[keyword] = self.unknown(value, (*pointer, keyword))
        return out

    def inner(self, schema: JSONValue, pointer: Pointer, what: str) -> JSONValue:
        return self.nothing(pointer, what) if schema is None else self.schema(schema, pointer)

    def unknown(self, value: JSONValue, pointer: Pointer) -> JSONValue:
        """Below a keyword that is none a reference may still lead to a schema; what is null there is its own matter."""
        if not isinstance(value, dict):
            return value
        findings = self.result.findings
        self.result.findings = []
        out = self.schema(value, pointer)
        self.result.findings = [*findings, *(finding for finding in self.result.findings if not finding.empty)]
        return out

    def nothing(self, pointer: Pointer, what: str) -> JSONValue:
        """What stands in for a value that is not there; the finding keeps the schema from being used."""
        if len(self.result.findings) < _MAX_FINDINGS:
            self.result.findings.append(no_value(pointer, what))
        return True

    def reference(self, reference: str, pointer: Pointer) -> str | None:
        found = resolve(reference, self.resource, pointer, self.files)
        if found is None:
            return reference
        if isinstance(found, Lost):
            if len(self.result.findings) < _MAX_FINDINGS:
                self.result.findings.append(_lost(reference, found, pointer))
            return None
        self.result.targets[pointer] = found
        if found.resource:
            self.result.reached.add(found.resource)
        if self.absolute or found.resource != self.resource.path:
            return uri_of(found)
        if not self.named:
            return fragment_of(found.pointer)
        address, _, fragment = reference.partition("#")
        return f"{address}{fragment_of(pointer_tokens(unquote(fragment)))}" if fragment.startswith("/") else reference


def _lost(reference: str, lost: Lost, pointer: Pointer) -> SchemaFinding:
    candidates = [] if lost.remote else candidates_of(lost)
    near = nearest(reference, candidates)
    return SchemaFinding(
        "GS110" if lost.remote else "GS404",
        lost.message,
        (*pointer, "$ref"),
        label="points out of the project" if lost.remote else "not found",
        help=missing(lost, near, candidates),
        replacement=f"'{near[0]}'" if near else None,
    )
