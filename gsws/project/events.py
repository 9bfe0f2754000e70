"""
From event files to drafts: every event with its values typed and its schemas found, before other files are looked at.

A draft depends on its own file and its look-ups only, so that a reload parses one file. Names of functions and
sources are resolved in `gsws.project.link`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gsws.diagnostics.finding import Finding, error, warning
from gsws.project.files.lookups import Expanded, Unresolved
from gsws.project.reporting.wording import quoted
from gsws.project.shapes.eventshape import EVENT
from gsws.project.shapes.shapes import Check, check
from gsws.project.shapes.units import duration
from gsws.project.shapes.unsaid import once, unsaid
from gsws.project.specs import RateSpec
from gsws.text.span import Pointer, Span
from gsws.types import JSONValue, is_protocol_name
from gsws.yaml.document import Document

__all__ = ["DEFAULT_SCHEMA", "Draft", "DraftFile", "Part", "authz_contradictions", "draft_events", "key_names"]

DEFAULT_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["eventtype", "payload"],
    "properties": {
        "eventtype": {"type": "string"},
        "payload": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}},
    },
}
"""What a message must be when its event has neither ``schema`` nor ``payload``."""


@dataclass(frozen=True, slots=True)
class Part:
    """A schema of an event and where it stands; ``place`` is None for one that stands in no file."""

    schema: JSONValue
    place: Pointer | None


@dataclass(slots=True)
class Draft:
    """
    One event as its own file says.

    Attributes:
        written: The whole key, ``a & b.name`` included.
        keys: The source and the wire name of each event that the key declares.
        values: The event's keys after look-ups.
        whole: Whether ``inbound`` describes the whole message.
        key_findings: What is wrong with the key itself.
        findings: What is wrong inside; not told for events of a source that is not there.
        failed: Places whose look-up failed; a schema that holds one is not compiled.
    """

    document: Document
    written: str
    keys: tuple[tuple[str, str], ...]
    span: Span
    values: Mapping[str, Any]
    whole: bool = True
    inbound: Part = field(default_factory=lambda: Part(DEFAULT_SCHEMA, None))
    reply: Part | None = None
    responses: dict[int, Part] = field(default_factory=dict)
    emits: dict[str, Part] = field(default_factory=dict)
    broadcasts: dict[str, Part] = field(default_factory=dict)
    query: dict[str, Part] = field(default_factory=dict)
    required_query: tuple[str, ...] = ()
    key_findings: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    failed: set[Pointer] = field(default_factory=set)

    def text(self, key: str) -> str | None:
        """A text among the values; None if it is missing or something else."""
        value = self.values.get(key)
        return value if isinstance(value, str) and not isinstance(value, Unresolved) else None

    def at(self, *path: str | int) -> Span:
        """The value at a place inside the event."""
        return self.document.value_span((self.written, *path))

    def timeout(self) -> float | None:
        """Seconds; infinite for 0, None if not written."""
        seconds = duration(self.values.get("timeout"))
        return math.inf if seconds == 0 else seconds

    def on_disconnect(self) -> Literal["cancel", "continue"] | float | None:
        """``cancel``, ``continue``, seconds of grace, or None if not written."""
        match self.values.get("on_disconnect"):
            case "cancel":
                return "cancel"
            case "continue":
                return "continue"
            case {"grace": grace}:
                return duration(grace)
        return None

    def answers(self) -> Literal["stream", "reply"] | None:
        """How the event says that it is answered; None if its code decides."""
        value = self.values.get("answers")
        return "stream" if value == "stream" else "reply" if value == "reply" else None

    def rate(self) -> RateSpec | None:
        """The event's own rate limit."""
        rate = self.values.get("rate")
        if not isinstance(rate, dict) or not isinstance(messages := rate.get("messages"), int):
            return None
        burst = rate.get("burst")
        return RateSpec(
            messages, duration(rate.get("per", 1)) or 1.0, burst if isinstance(burst, int) and burst else messages
        )


@dataclass(slots=True)
class DraftFile:
    """The events of one file, and what is wrong with the file as a whole."""

    drafts: tuple[Draft, ...]
    findings: list[Finding]


def draft_events(expanded: Expanded) -> DraftFile:
    """Type the events of one file."""
    document = expanded.document
    findings = [*document.findings]
    data = expanded.data
    if data is None and document.data is None:
        return DraftFile((), findings)
    if not isinstance(data, dict):
        findings.append(
            error(
                "GS306",
                "an event file is a mapping of events",
                document.value_span(()),
                "not a mapping",
                'write `"websocket.name": {fn: …}`',
            )
        )
        return DraftFile((), findings)
    drafts = []
    # An event without anything was begun and forgotten; saying so helps more than passing it by.
    for written in document.data if isinstance(document.data, dict) else data:
        # Anchors are kept under such a key; with a dot it is an event of a source that is called so.
        if written.startswith("x-") and "." not in written:
            continue
        draft = _draft(expanded, written, data.get(written))
        draft.findings += [one for one in expanded.findings if _within(document, one, written)]
        drafts.append(draft)
    told = {id(one) for draft in drafts for one in draft.findings}
    findings += [one for one in expanded.findings if id(one) not in told]
    return DraftFile(tuple(drafts), findings)


def key_names(written: str) -> list[tuple[str, str]]:
    """Split ``a & b.name`` into ``("a", "a.name")`` and ``("b", "b.name")``; empty if it is no ``source.name``."""
    sources, dot, name = written.partition(".")
    names = [source.strip() for source in sources.split("&")]
    if not dot or not name or not all(names) or written != written.strip():
        return []
    return [(source, f"{source}.{name}") for source in dict.fromkeys(names)]


def _draft(expanded: Expanded, written: str, value: JSONValue) -> Draft:
    document = expanded.document
    span = document.key_span((written,))
    keys = tuple(key_names(written))
    draft = Draft(document, written, keys, span, value if isinstance(value, dict) else {}, failed=expanded.failed)
    draft.key_findings += _key_findings(draft)
    if value is None:
        draft.findings.append(
            error(
                "GS304", f"event {quoted(written)} lacks the required key `fn`", span, "`fn` is missing", "add `fn: …`"
            )
        )
        return draft
    outcome = check(expanded, EVENT, pointer=(written,), what=f"event {quoted(written)}")
    silent = list(unsaid(expanded, (written,)))
    draft.findings += [*once(outcome.findings, silent), *silent]
    if isinstance(value, dict):
        draft.values = value
        _schemas(draft, outcome)
        draft.findings += _commented_out(draft)
        draft.findings += _contradictions(draft)
    return draft


def _key_findings(draft: Draft) -> Iterator[Finding]:
    written, span = draft.written, draft.span
    for name in [key for _, key in draft.keys] or [written]:
        if is_protocol_name(name):
            yield error(
                "GS308",
                f"the event name {quoted(name)} belongs to the protocol",
                span,
                "reserved",
                "choose another name, such as `websocket.chat`",
            )
            return
    if not draft.keys:
        example = written.strip() if "." in written.strip(" .") else f"websocket.{written.strip(' .') or 'name'}"
        yield error(
            "GS302",
            f"the event key {quoted(written)} is not `source.name`",
            span,
            "no event source named" if "." not in written else "",
            f"write `{example}`" if len(example) < 60 and example != written else "write `websocket.name`",
        )


def _schemas(draft: Draft, outcome: Check) -> None:
    """Find the event's schemas: in its own keys first, then where the original framework has them."""
    values, place = draft.values, (draft.written,)
    usable = set(outcome.schemas)

    def part(*path: str | int) -> Part | None:
        value: Any = values
        for item in path:
            value = value[item]
        pointer = (*place, *path)
        return Part(value, pointer) if pointer in usable else None

    body = _media(values.get("body"))
    inbound = part("payload") if "payload" in values else part("schema") if "schema" in values else None
    if inbound is not None:
        draft.inbound = inbound
        draft.whole = "payload" not in values
    elif body and "payload" not in values and "schema" not in values:
        found = part("body", *body)
        if found is not None:
            draft.inbound, draft.whole = found, False
    if "reply" in values:
        draft.reply = part("reply")
    responses = values.get("responses")
    for code, response in responses.items() if isinstance(responses, dict) else ():
        media = _media(response)
        if media and len(code) == 3 and code.isascii() and code.isdigit():
            found = part("responses", code, *media)
            if found is not None:
                draft.responses[int(code)] = found
    for key, parts in (("emits", draft.emits), ("broadcasts", draft.broadcasts)):
        declared = values.get(key)
        for name in declared if isinstance(declared, dict) else ():
            found = part(key, name)
            if found is not None:
                parts[name] = found
    _query(draft, part)


def _commented_out(draft: Draft) -> Iterator[Finding]:
    """Schemas that YAML takes for a comment: ``payload: #/definitions/chat/Message``."""
    written: Any = draft.document.data
    written = written[draft.written]
    if not isinstance(written, dict):
        return
    places: list[Pointer] = [(key,) for key in ("schema", "payload", "reply") if written.get(key, "") is None]
    for key in ("emits", "broadcasts"):
        types = written.get(key)
        places += [(key, name) for name, schema in (types.items() if isinstance(types, dict) else ()) if schema is None]
    for place in places:
        if draft.document.swallowed((draft.written, *place)) is not None:
            # Only a project with events needs the engine.
            from gsws.schema.finding import no_value
            from gsws.schema.finding import place as placed

            yield placed(no_value(place, f"`{place[-1]}`"), draft.document, (draft.written,))


def _query(draft: Draft, part: Any) -> None:
    params = draft.values.get("params")
    required = []
    for index, param in enumerate(params if isinstance(params, list) else ()):
        if not isinstance(param, dict) or not isinstance(param.get("name"), str) or "in" not in param:
            continue
        if param["in"] != "query":
            draft.findings.append(
                warning(
                    "GS309",
                    f"a parameter in `{param['in']}` does nothing here: a WebSocket message has none",
                    draft.at("params", index, "in"),
                    "no effect",
                    "`in: query` is checked against the connection's query",
                )
            )
            continue
        found = part("params", index, "schema") if "schema" in param else Part({}, None)
        if found is not None:
            draft.query[param["name"]] = found
            if param.get("required") is True:
                required.append(param["name"])
    draft.required_query = tuple(required)


def _media(value: JSONValue) -> tuple[str, ...]:
    """The way from a body or response of the original framework to its schema; empty if there is none."""
    match value:
        case {"content": {"application/json": {"schema": _}}}:
            return ("content", "application/json", "schema")
    return ()


def _contradictions(draft: Draft) -> Iterator[Finding]:
    values, document = draft.values, draft.document

    def key(*path: str) -> Span:
        return document.key_span((draft.written, *path))

    if "schema" in values and "payload" in values:
        yield error(
            "GS310",
            "`schema` and `payload` both say what a message must be",
            key("payload"),
            "`schema` is there too",
            "keep one: `schema` for the whole message, `payload` for the payload alone",
        )
    if "body" in values and ("payload" in values or "schema" in values):
        wins = "payload" if "payload" in values else "schema"
        yield warning("GS309", f"`body` does nothing beside `{wins}`", key("body"), "no effect", "remove `body`")
    grace, timeout = draft.on_disconnect(), draft.timeout()
    if isinstance(grace, float) and timeout is not None and grace > timeout:
        yield error(
            "GS310",
            "the grace after a disconnect is longer than the event's timeout",
            draft.at("on_disconnect", "grace"),
            "longer than `timeout`",
            "make `timeout` longer or `grace` shorter",
        )
    authz = values.get("authz")
    if isinstance(authz, dict):
        yield from authz_contradictions(authz, document, (draft.written, "authz"))
        if values.get("authn") is False and "scopes" in authz:
            yield error(
                "GS310",
                "an anonymous client has no scopes: `authn: false` and `authz.scopes` exclude each other",
                key("authn"),
                "lets anonymous clients in",
                "remove one of the two",
            )
    reserved = [("emits", name) for name in draft.emits if name.startswith("gsws.")]
    reserved += [("broadcasts", name) for name in draft.broadcasts if is_protocol_name(name)]
    for place in reserved:
        yield error(
            "GS308",
            f"the event name {quoted(place[1])} belongs to the protocol",
            key(*place),
            "reserved",
            "choose another name",
        )


def authz_contradictions(authz: Mapping[str, Any], document: Document, place: Pointer) -> Iterator[Finding]:
    """What is wrong with the mapping form of ``authz``, beside its types."""
    if "fn" in authz and "scopes" in authz:
        yield error(
            "GS310",
            "`authz` names a function and scopes",
            document.key_span((*place, "scopes")),
            "`fn` is there too",
            "keep one; the function can look at `ctx.actor.scopes`",
        )
    elif not authz and not any(document.has((*place, key)) for key in ("fn", "scopes")):
        yield error(
            "GS304", "`authz` lacks `scopes`", document.key_span(place), "", "write `authz: {scopes: [chat:write]}`"
        )


def _within(document: Document, finding: Finding, key: str) -> bool:
    span = finding.span
    if span is None:
        return False
    first, last = document.key_span((key,)), document.value_span((key,))
    return (first.line, first.column) <= (span.line, span.column) <= (last.end_line, last.end_column)
