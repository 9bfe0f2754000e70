"""
From drafts to `EventSpec`: names of sources and functions resolved, schemas compiled, duplicates found.

The one place where files meet; it runs whole on every load, and costs microseconds an event when nothing changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gsws.diagnostics.finding import Edit, Finding, Fix, Label, error, warning
from gsws.diagnostics.suggest import nearest
from gsws.project.declarations import declaration_findings
from gsws.project.envelope import envelope_findings
from gsws.project.events import Draft, Part
from gsws.project.files.cache import ProjectCache
from gsws.project.files.lookups import Unresolved
from gsws.project.missing import without_plugin
from gsws.project.python.handlers import HandlerIndex
from gsws.project.python.naming import check_signature, unfound
from gsws.project.reporting.wording import quoted
from gsws.project.sources import KNOWN_TYPES
from gsws.project.specs import AuthzSpec, EventSpec, HandlerRef, SourceSpec
from gsws.text.span import Pointer
from gsws.types import JSONValue
from gsws.yaml.document import Document

if TYPE_CHECKING:
    from gsws.schema import Definitions, Validator

__all__ = ["Linker", "resolve_authz", "resolve_function"]

_MAX_SUGGESTIONS = 100


@dataclass(slots=True)
class Linker:
    """
    Makes the specs of one load.

    Attributes:
        sources: Sources whose file names a plugin that is there.
        absent: Those of them whose plugin is not installed.
        declared: Names of all files in ``eventsources/``, right or wrong.
        definitions: Where ``$ref`` lead.
        definitions_token: A number that changes with them.
    """

    sources: Mapping[str, SourceSpec]
    declared: frozenset[str]
    handlers: HandlerIndex
    definitions: Definitions
    definitions_token: int
    cache: ProjectCache
    plugins: frozenset[str]
    absent: frozenset[str] = frozenset()
    findings: list[Finding] = field(default_factory=list)
    _suggested: int = 0

    def link(self, drafts: list[Draft]) -> tuple[EventSpec, ...]:
        """The events of all files; what is wrong is added to ``findings``."""
        specs: list[EventSpec] = []
        first: dict[str, Draft] = {}
        missing: dict[str, list[Draft]] = {}
        for draft in drafts:
            self.findings += draft.key_findings
            lost = [source for source, _ in draft.keys if source not in self.declared or source in self.absent]
            for source in lost:
                if source not in self.declared:
                    missing.setdefault(source, []).append(draft)
            # Keys of a plugin that is not there are not ours to judge.
            if len(lost) < len(draft.keys) or not draft.keys:
                self.findings += draft.findings
                self.findings += self.duplicates(draft, first)
                specs += self.events(draft, len(specs))
            elif name := draft.text("fn"):
                self.handlers.resolve(name)  # its module is in use all the same
        self.findings += self.no_source(missing)
        self.findings += declaration_findings(specs, drafts)
        return tuple(specs)

    def duplicates(self, draft: Draft, first: dict[str, Draft]) -> Iterator[Finding]:
        for _, key in draft.keys:
            other = first.setdefault(key, draft)
            if other is not draft:
                yield error(
                    "GS301",
                    f"the event {quoted(key)} is declared twice",
                    draft.span,
                    "again here",
                    "rename or remove one of them",
                    [Label(other.span, "first here")],
                )

    def no_source(self, missing: dict[str, list[Draft]]) -> Iterator[Finding]:
        for source, drafts in missing.items():
            self._suggested += 1
            near = nearest(source, sorted(self.declared)) if self._suggested <= _MAX_SUGGESTIONS else []
            first, *others = drafts
            named = ", ".join(quoted(draft.written) for draft in drafts[:20])
            more = f" ({len(drafts)} events need it: {named}{', …' if len(drafts) > 20 else ''})" if others else ""
            labels = [Label(draft.span, "here too") for draft in others]
            label = f"`eventsources/{source}.yaml` is not there"
            if near:
                edits = [
                    Edit(draft.span, _yaml_key(near[0] + draft.written[len(source) :]))
                    for draft in drafts
                    if draft.written.startswith(f"{source}.")
                ]
                fix = Fix(f"write `{near[0]}`", tuple(edits)) if len(edits) == len(drafts) else None
                message, help = f"no event source `{source}`{more}", f"did you mean `{near[0]}`?"
                yield error("GS303", message, first.span, label, help, labels, fix)
                continue
            plugin = source.lower()
            about = ""
            if plugin in self.plugins:
                help = f"`gsws plugin add {plugin}` adds it"
            elif plugin in KNOWN_TYPES:
                about = f": the {KNOWN_TYPES[plugin]} plugin `{plugin}` is not part of this project"
                help = without_plugin(plugin, "remove its events")
            elif _is_name(source):
                help = f"`gsws new source {source}` makes one"
            else:
                help = "write `websocket.name`; `gsws new source NAME` makes another source"
            yield error("GS303", f"no event source {quoted(source)}{about}{more}", first.span, label, help, labels)

    def events(self, draft: Draft, order: int) -> Iterator[EventSpec]:
        handler = self.function(draft, "fn")
        own_authz = draft.values.get("authz")
        place: Pointer = (draft.written, "authz")
        authz = resolve_authz(own_authz, draft.document, place, self.handlers, self.findings)
        hook = self.function(draft, "on_request_validation_error")
        whole = tuple(key for _, key in draft.keys)
        if draft.whole and draft.inbound.place is not None and not self.has_failed(draft, draft.inbound.place):
            self.findings += envelope_findings(draft.inbound.schema, whole, draft.document, draft.inbound.place)
        for source_name, key in draft.keys:
            source = self.sources.get(source_name)
            strict = source is not None and source.strict
            inbound = self.compiled(draft, draft.inbound, strict=strict)
            self.findings += _bad_examples(draft, inbound, key)
            query_schema, query = self.query(draft)
            yield EventSpec(
                key=key,
                source=source_name,
                fn=draft.text("fn") or "",
                handler=handler,
                validates="message" if draft.whole else "payload",
                inbound=inbound,
                inbound_schema=draft.inbound.schema,
                reply=self.compiled(draft, draft.reply),
                responses=self.compiled_all(draft, draft.responses),
                emits=self.compiled_all(draft, draft.emits),
                emits_declared={name: part.schema for name, part in draft.emits.items()},
                broadcasts=self.compiled_all(draft, draft.broadcasts),
                broadcasts_declared={name: part.schema for name, part in draft.broadcasts.items()},
                answers=draft.answers(),
                query=query,
                query_schema=query_schema,
                authn=draft.values.get("authn") is not False,
                authz=authz if own_authz is not None else source.authz if source is not None else None,
                concurrency=_choice(draft.values.get("concurrency")),
                timeout=draft.timeout(),
                on_disconnect=draft.on_disconnect(),
                rate=draft.rate(),
                presence=draft.text("presence") or draft.values.get("presence") is True,
                hook=hook if hook is not None else source.hook if source is not None else None,
                log_attributes=_mapping(_mapping(draft.values.get("log")).get("attributes")),
                id=str(draft.values["id"]) if isinstance(draft.values.get("id"), str | int) else None,
                summary=draft.text("summary"),
                description=draft.text("description"),
                tags=tuple(tag for tag in _list(draft.values.get("tags")) if isinstance(tag, str)),
                operation_id=draft.text("operationId"),
                examples=tuple(value for _, value in _examples(draft)),
                deprecated=draft.values.get("deprecated") is True,
                span=draft.span,
                path=draft.document.path,
                order=order,
            )
            order += 1

    def function(self, draft: Draft, key: str) -> HandlerRef | None:
        name = draft.text(key)
        if not name:
            return None
        return resolve_function(name, draft.document, (draft.written, key), self.handlers, self.findings)

    def compiled(self, draft: Draft, part: Part | None, *, strict: bool = False) -> Validator | None:
        if part is None or (part.place is not None and self.has_failed(draft, part.place)):
            return None
        token = self.definitions_token if "$ref" in draft.document.text or "$dynamicRef" in draft.document.text else 0
        key = ("schema", draft.document.path, part.place, strict, token)
        if part.place is None:
            # The default schema is the same object everywhere.
            key = ("schema", "", part.place, strict, 0)
        compiled = self.cache.derived(key, part.schema, lambda: self.compile(draft, part, strict))
        self.findings += compiled.findings
        validator: Validator | None = compiled.validator
        return validator

    def compile(self, draft: Draft, part: Part, strict: bool) -> Any:
        # Only a project with events needs the engine.
        from gsws.schema import compile_schema

        return compile_schema(
            part.schema,
            document=draft.document,
            pointer=part.place if part.place is not None else (draft.written,),
            definitions=self.definitions,
            sound=self.cache.sound,
            strict=strict,
        )

    def compiled_all(self, draft: Draft, parts: Mapping[Any, Part]) -> dict[Any, Validator]:
        validators = {}
        for name, part in parts.items():
            validator = self.compiled(draft, part)
            if validator is not None:
                validators[name] = validator
        return validators

    def query(self, draft: Draft) -> tuple[JSONValue, Validator | None]:
        if not draft.query:
            return None, None
        for part in draft.query.values():
            if part.place is not None and self.compiled(draft, part) is None:
                return None, None
        schema = {
            "type": "object",
            "properties": {name: part.schema for name, part in draft.query.items()},
            "required": list(draft.required_query),
        }
        made = self.cache.derived(
            ("query", draft.document.path, draft.written, self.definitions_token),
            draft,
            lambda: self.compile(draft, Part(schema, (draft.written, "params")), strict=False),
        )
        return schema, made.validator

    def has_failed(self, draft: Draft, place: Pointer) -> bool:
        return any(failed[: len(place)] == place for failed in draft.failed)


def resolve_function(
    name: str,
    document: Document,
    place: Pointer,
    handlers: HandlerIndex,
    findings: list[Finding],
    *,
    signature: bool = True,
) -> HandlerRef | None:
    """
    The function that a value names, or None after a finding.

    Args:
        name: What the value is after look-ups.
        document: The file.
        place: Where the value stands.
        handlers: The project's functions.
        findings: Takes what is wrong.
        signature: Whether it is called like a handler.
    """
    at = document.value_span(place)
    found = handlers.resolve(name)
    if isinstance(found, HandlerRef):
        wrong = check_signature(found, at) if signature else None
        if wrong is not None:
            findings.append(wrong)
        return found
    written: Any = document.data
    for item in place:
        written = written[item]
    finding = unfound(found, written, name, at)
    if finding is not None:
        findings.append(finding)
    return None


def resolve_authz(
    value: JSONValue, document: Document, place: Pointer, handlers: HandlerIndex, findings: list[Finding]
) -> AuthzSpec | None:
    """``authz`` of an event or a source; None for ``false`` and for nothing. What cannot be resolved lets nobody in."""
    if value is None or value is False:
        return None
    if isinstance(value, Unresolved):
        return AuthzSpec(broken=True)
    if isinstance(value, str):
        ref = resolve_function(value, document, place, handlers, findings) if value else None
        return AuthzSpec(fn=ref, broken=ref is None)
    if isinstance(value, dict):
        fn, scopes = value.get("fn"), value.get("scopes")
        ref = None
        if isinstance(fn, str) and fn and not isinstance(fn, Unresolved):
            ref = resolve_function(fn, document, (*place, "fn"), handlers, findings)
        texts = tuple(scope for scope in _list(scopes) if isinstance(scope, str))
        broken = (
            ("fn" in value and ref is None) or ("fn" not in value and not texts) or len(texts) != len(_list(scopes))
        )
        return AuthzSpec(ref, texts, broken)
    return AuthzSpec(broken=True)


def _bad_examples(draft: Draft, inbound: Validator | None, key: str) -> Iterator[Finding]:
    """Examples that their own event would refuse; one may be a message, a payload, or hold one as `payload`."""
    if inbound is None:
        return
    for place, example in _examples(draft):
        at = (draft.written, "examples", *place)
        if any(failed[: len(at)] == at for failed in draft.failed):
            continue
        shapes = [example]
        if isinstance(example, dict):
            shapes += [example[name] for name in ("payload", "value") if name in example]
        messages = [*shapes, *({"eventtype": key, "payload": shape} for shape in shapes)] if draft.whole else shapes
        if not any(inbound.check(shape) for shape in messages):
            yield warning(
                "GS409",
                f"this example does not fit the schema of {quoted(key)}",
                draft.at("examples", *place),
                "refused",
                "an example is a payload, or `{name: …, payload: …}`",
            )


def _examples(draft: Draft) -> Iterator[tuple[Pointer, JSONValue]]:
    examples = draft.values.get("examples")
    if isinstance(examples, list):
        yield from (((index,), example) for index, example in enumerate(examples))
    elif isinstance(examples, dict):
        yield from (((name,), example) for name, example in examples.items())


def _choice(value: JSONValue) -> Any:
    return value if value in ("parallel", "reject", "interrupt") else "enqueue"


def _mapping(value: JSONValue) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: JSONValue) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_name(text: str) -> bool:
    return text.isascii() and text.replace("-", "_").isidentifier()


def _yaml_key(key: str) -> str:
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
