"""From a checked file of ``eventsources/`` to a `SourceSpec`: the functions that it names are resolved here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gsws.diagnostics.finding import Finding
from gsws.project.events import authz_contradictions
from gsws.project.hooks import HOOKS, hook_findings
from gsws.project.link import resolve_authz, resolve_function
from gsws.project.python.handlers import HandlerIndex
from gsws.project.sources import CheckedFile
from gsws.project.specs import AuthzSpec, HandlerRef, SourceSpec
from gsws.text.span import Pointer

__all__ = ["source_specs"]


def source_specs(
    checked: Mapping[str, CheckedFile], handlers: HandlerIndex, findings: list[Finding]
) -> dict[str, SourceSpec]:
    """The sources by name, as far as their files tell a type; what is wrong is added to ``findings``."""
    sources = {}
    for name, one in checked.items():
        authz, refs = _functions(one, handlers, findings)
        if one.type:
            sources[name] = SourceSpec(
                name=name,
                type=one.type,
                path=one.expanded.document.path,
                document=one.expanded.document,
                config=MappingProxyType(dict(one.config)),
                written=MappingProxyType(dict(one.written)),
                strict=one.config.get("strict") is True,
                authz=authz,
                hook=refs.get(("on_request_validation_error",)),
                authn_fn=refs.get(("authn", "fn")),
                on_connect=refs.get(("on_connect",)),
                on_disconnect=refs.get(("on_disconnect",)),
                span=one.type_span,
            )
    return sources


def _functions(
    one: CheckedFile, handlers: HandlerIndex, findings: list[Finding]
) -> tuple[AuthzSpec | None, dict[Pointer, HandlerRef | None]]:
    document = one.expanded.document
    value = one.written.get("authz")
    authz = resolve_authz(value, document, ("authz",), handlers, findings)
    if isinstance(value, dict):
        findings += authz_contradictions(value, document, ("authz",))
    refs: dict[Pointer, HandlerRef | None] = {}
    for place in one.functions:
        if place[0] != "authz":
            named: Any = one.written
            for item in place:
                named = named[item]
            # `authn.fn` takes a handshake; only whether it is there can be told here.
            like_handler = place[0] in ("on_request_validation_error", *HOOKS)
            refs[place] = resolve_function(named, document, place, handlers, findings, signature=like_handler)
    findings += hook_findings(one, refs)
    return authz, refs
