"""
From a schema in a project to a `Validator`, or to findings about it.

What was compiled is kept by content: a reload compiles only what has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from posixpath import dirname
from typing import Any, Final, Protocol

import orjson

from gsws.diagnostics.finding import Finding, Severity
from gsws.schema.bundle import rewrite
from gsws.schema.check import check_schema, has_fancy_pattern, isolated
from gsws.schema.closing import close
from gsws.schema.cycles import endless
from gsws.schema.definitions import Definitions
from gsws.schema.drafts import draft_of
from gsws.schema.engine import EngineError, build, registry_of
from gsws.schema.explain import Explainer, SchemaError
from gsws.schema.finding import SchemaFinding, place
from gsws.schema.references import Resource, Target, uri_of
from gsws.schema.work import Work
from gsws.text.span import Pointer
from gsws.types import JSONValue
from gsws.yaml.document import Document

__all__ = ["Compiled", "SoundSchemas", "Validator", "compile_schema"]

_MAX_KEPT: Final = 8192
_HARMLESS: Final = frozenset({"GS402", "GS409", "GS410"})
"""Errors that a comment may silence: the schema means something all the same, and is enforced as it stands."""


class Validator:
    """
    A compiled schema.

    Attributes:
        check: Whether a value fits; the engine's own bound method, for the hot path. Values come from the codec,
            which has refused deep nesting and lone surrogates.
    """

    __slots__ = ("_explainer", "_make_explainer", "check")

    def __init__(self, check: Callable[[Any], bool], make_explainer: Callable[[], Explainer]) -> None:
        self.check = check
        self._make_explainer = make_explainer
        self._explainer: Explainer | None = None

    def explain(self, instance: JSONValue, limit: int = 10, prefix: str = "") -> list[SchemaError]:
        """
        Tell why a value does not fit; empty if it does.

        Bounded in errors, in the length of what is quoted, and in processor time (about 0.05 s), whatever the value.

        Args:
            instance: What `check` refused.
            limit: Most errors to return.
            prefix: JSON pointer put before every error's, e.g. ``/payload``.
        """
        try:
            if self.check(instance):
                return []
        except EngineError:  # a lone surrogate: no value that any schema fits
            return [SchemaError(prefix, "schema", "has text that is no valid Unicode")]
        if self._explainer is None:
            self._explainer = self._make_explainer()
        return self._explainer.explain(instance, limit, prefix)


class _Later(Validator):
    """A validator of a schema that is known to be good; compiled when it is first asked for ``check``."""

    __slots__ = ("_compile",)

    def __init__(self, compile: Callable[[], Validator]) -> None:
        self._compile = compile
        self._explainer = None

    def __getattr__(self, name: str) -> Any:
        # Reached only while the slot is empty.
        if name not in ("check", "_make_explainer"):
            raise AttributeError(name)
        made = self._compile()
        self.check, self._make_explainer = made.check, made._make_explainer
        return getattr(made, name)


class SoundSchemas(Protocol):
    """Schemas that an earlier process found nothing wrong with."""

    def good(self, key: bytes) -> tuple[tuple[str, str], ...] | None:
        """The definitions files that it reached, with their digests; None if it is not known."""

    def learn(self, key: bytes, digests: tuple[tuple[str, str], ...]) -> None:
        """Remember one."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """
    What became of a schema.

    Attributes:
        validator: None if there is an error, here or in a definition that it refers to.
        findings: What is wrong with the schema itself; definitions have their own, `Definitions.findings`.
    """

    validator: Validator | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    validator: Validator | None
    findings: tuple[SchemaFinding, ...]
    digests: tuple[tuple[str, str], ...]


_kept: Final[dict[tuple[bytes, str, str], _Kept]] = {}


def compile_schema(
    schema: JSONValue,
    *,
    document: Document,
    pointer: Pointer,
    definitions: Definitions,
    sound: SoundSchemas | None = None,
    strict: bool = False,
) -> Compiled:
    """
    Compile one schema of a project.

    Args:
        schema: As read.
        document: Where it stands, for spans and for relative references.
        pointer: Its place in the document.
        definitions: What its references may lead to.
        sound: What is known from before; for whoever checks schemas and hardly uses them.
        strict: Whether the validator refuses keys that the schema does not describe; what is found is the same.
    """
    folder = dirname(document.path)
    key = ((b"strict " if strict else b"") + _written(schema), folder, definitions.names)
    kept = _kept.get(key)
    if kept is None or any(definitions.digest(path) != digest for path, digest in kept.digests):
        if sound is not None:
            return _judged(schema, key, folder, document, pointer, definitions, sound, strict)
        kept = _compile(schema, folder, definitions, strict)
        if len(_kept) >= _MAX_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = kept
    return _placed(kept, document, pointer)


def _placed(kept: _Kept, document: Document, pointer: Pointer) -> Compiled:
    findings = [place(finding, document, pointer) for finding in kept.findings]
    findings.sort(key=lambda finding: finding.span or document.key_span(pointer))
    return Compiled(kept.validator, tuple(findings))


def _judged(
    schema: JSONValue,
    key: tuple[bytes, str, str],
    folder: str,
    document: Document,
    pointer: Pointer,
    definitions: Definitions,
    sound: SoundSchemas,
    strict: bool,
) -> Compiled:
    """By what is known from before if that still holds; nothing is kept in memory."""
    text, folder, names = key
    short = hashlib.blake2b(b"\0".join((folder.encode(), names.encode(), text)), digest_size=16).digest()
    digests = sound.good(short)
    if digests is not None and all(definitions.digest(path) == digest for path, digest in digests):

        def compiled() -> Validator:
            made = _compile(schema, folder, definitions, strict).validator
            if made is None:
                raise ValueError("the schema was good before")
            return made

        return Compiled(_Later(compiled), ())
    kept = _compile(schema, folder, definitions, strict)
    if not kept.findings and kept.validator is not None:
        sound.learn(short, kept.digests)
    return _placed(kept, document, pointer)


def _written(schema: JSONValue) -> bytes:
    """The schema as text, the same for equal ones with keys in the same order."""
    try:
        return orjson.dumps(schema)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate
        return json.dumps(schema, default=str).encode()


def _compile(schema: JSONValue, folder: str, definitions: Definitions, strict: bool) -> _Kept:
    """Compile and judge; a mistake in here is a finding about this schema, and the others are judged."""
    kept: list[_Kept] = []

    def rule() -> tuple[SchemaFinding, ...]:
        kept.append(_compiled(schema, folder, definitions, strict))
        return kept[0].findings

    findings = isolated("compile_schema", (), rule)
    return kept[0] if kept else _Kept(None, tuple(findings), ())


def _compiled(schema: JSONValue, folder: str, definitions: Definitions, strict: bool) -> _Kept:
    resource = Resource("", folder, schema, [()])
    files = definitions.files
    rewritten = rewrite(resource, files, absolute=False)
    reach = definitions.reach(rewritten.reached)
    draft = draft_of(schema)
    work = Work("", resource, definitions, rewritten.targets)
    circles = isolated("endless", (), lambda: endless("", resource, definitions, rewritten.targets))
    heavy = isolated("too_much", (), lambda: work.too_much(resource.roots))
    fancy = reach.fancy or has_fancy_pattern(rewritten.data, draft)
    registry = reach.registry(fancy=fancy)
    findings = list(rewritten.findings)
    findings += check_schema(
        schema,
        rewritten.data,
        (),
        draft=draft,
        registry=registry,
        fancy=fancy,
        work=None if rewritten.findings or circles or heavy else work,
        own=True,
    )
    findings += circles
    findings += heavy
    # A reference that leads nowhere may lead somewhere when any file changes.
    every = tuple((path, definitions.digest(path) or "") for path in files.resources) if rewritten.findings else ()
    digests = every or reach.digests
    if draft is None or any(
        finding.severity is Severity.ERROR and finding.code not in _HARMLESS for finding in findings
    ):
        return _Kept(None, tuple(findings), digests)
    own = uri_of(Target("", ())).rstrip("#")

    def whole() -> tuple[JSONValue, dict[str, JSONValue], bool]:
        """The schema with absolute references, what they lead to, and whether some are dynamic."""
        text = rewrite(resource, files, absolute=True)
        contents = {**reach.contents, own: text.data}
        if strict:
            texts = {"": text, **{path: definitions.rewritten(path) for path, _ in reach.digests}}
            made = close(texts, contents)
            return made.data, made.contents, text.dynamic or reach.dynamic
        return text.data, contents, text.dynamic or reach.dynamic

    try:
        if strict:
            data, contents, _ = whole()
            engine = build(data, draft, registry_of(contents, fancy=fancy), fancy=fancy)
        else:
            engine = build(rewritten.data, draft, registry, fancy=fancy)
    except EngineError as error:
        if not any(definitions.findings_of(path) for path, _ in reach.digests):
            findings.append(SchemaFinding("GS401", f"the schema does not compile: {_reason(error)}", ()))
        return _Kept(None, tuple(findings), digests)

    def explainer() -> Explainer:
        """Made at the first refusal: parts are compiled alone, so every reference must be absolute."""
        data, contents, dynamic = whole()
        alone = engine if dynamic else None
        return Explainer(data, contents, draft, registry_of(contents, fancy=fancy), fancy=fancy, whole=alone)

    return _Kept(Validator(engine.is_valid, explainer), tuple(findings), digests)


def _reason(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:160]
