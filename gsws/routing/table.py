"""
The table of routes: one immutable look-up from event key to everything its messages need.

Handlers are imported here, when the table is built; a message only looks up and calls.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias

from gsws.diagnostics import Finding, Label, Severity
from gsws.diagnostics.mask import hide
from gsws.project.project import Project
from gsws.project.specs import AuthzSpec, EventSpec, HandlerRef, SourceSpec
from gsws.routing.adapt import HandlerKind, SignatureError, bind, kind_of
from gsws.routing.context import Invocation
from gsws.routing.modules import Functions, ModuleSet
from gsws.schema.compile import Validator
from gsws.text.span import Span
from gsws.types import FrozenDict, frozen

__all__ = ["Authz", "Build", "Hooks", "Route", "RouteTable", "SharedState", "build_table", "violations"]

DEFAULT_TIMEOUT = 60.0
"""Seconds a plain handler may run if its event says nothing; a stream may run for ever."""

_STREAMS = ("stream", "thread-stream")

_OF_EXTRA_AI = frozenset({"aiosqlite", "langchain_core", "langchain_google_genai", "langgraph", "langsmith"})

Check: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Authz:
    """Who may call: a function of the request, scopes, or both, which must agree."""

    kind: HandlerKind | None = None
    call: Callable[[Invocation], Any] | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedState:
    """What all requests of one revision have in common."""

    config: Any
    mappings: Any
    datasources: Any
    functions: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """
    One event, ready to be called.

    Attributes:
        key: The event key, ``eventtype`` on the wire.
        source: The event source's name.
        fn: The handler as the event names it.
        kind: How the handler is called.
        streams: Whether it is known before the call that a stream comes of it.
        answers: What the event declares of that; a generator that contradicts it is an error.
        call: The handler as a function of one request.
        check: Whether the message (or its payload) fits; the bare function of the engine.
        explain: Why it does not, as the ``errors`` of ``stream.error``.
        whole: Whether ``check`` takes the whole message instead of its payload.
        timeout: Seconds, or None.
        stream_timeout: The same once a stream has come of a call.
        authn: Whether an anonymous client may not send it, where its source has ``authn``.
        presence: Which rooms that its handler joins are told of it: none, all, or those that fit a pattern.
        checks_reply: Whether there is ``reply`` or ``responses``.
        reply: Check on the ``data`` of a successful status.
        responses: Checks on ``data`` by status code; they win over ``reply``.
        emits: Checks on emitted payloads by event type.
        broadcasts: Checks on what is sent to rooms, by event type.
        on_invalid: The route that answers messages which do not fit, if the project has such a hook.
    """

    key: str
    source: str
    fn: str
    kind: HandlerKind
    call: Callable[[Invocation], Any]
    shared: SharedState
    streams: bool = False
    answers: Literal["stream", "reply"] | None = None
    check: Check | None = None
    explain: Callable[[Any], list[dict[str, str]]] | None = None
    whole: bool = True
    query: Check | None = None
    concurrency: Literal["enqueue", "parallel", "reject", "interrupt"] = "enqueue"
    timeout: float | None = DEFAULT_TIMEOUT
    stream_timeout: float | None = None
    on_disconnect: float | Literal["cancel", "continue"] | None = None
    authn: bool = True
    authz: Authz | None = None
    presence: bool | str = False
    checks_reply: bool = False
    reply: Validator | None = None
    responses: Mapping[int, Validator] = field(default_factory=dict)
    emits: Mapping[str, Validator] = field(default_factory=dict)
    broadcasts: Mapping[str, Validator] = field(default_factory=dict)
    on_invalid: Route | None = None
    log_attributes: Mapping[str, Any] = field(default_factory=dict)

    def as_stream(self) -> Route:
        """The route of a request whose call, as it turned out, gave a generator."""
        return replace(self, streams=True, timeout=self.stream_timeout)


RouteTable: TypeAlias = Mapping[str, Mapping[str, Route]]
"""Event source's name → event key → route."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """
    What runs for the connections of a source instead of for a message.

    Attributes:
        on_connect: For each new one, before its first message.
        on_disconnect: When one that was let in is gone for good.
    """

    on_connect: Route | None = None
    on_disconnect: Route | None = None

    @property
    def are_any(self) -> bool:
        """Whether there is anything to run."""
        return self.on_connect is not None or self.on_disconnect is not None


@dataclass(frozen=True, slots=True)
class Build:
    """
    The outcome of building a table.

    Attributes:
        table: The routes, or None if a finding is an error.
        findings: What importing the handlers brought to light.
        authn: The function of ``authn.fn`` of each source that has one.
        hooks: What runs when clients of a source come and go, of each source that has such.
        lifespan: The function that runs as long as the service, or None.
        shared: What all of them have in common.
    """

    table: RouteTable | None
    findings: tuple[Finding, ...]
    authn: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    hooks: Mapping[str, Hooks] = field(default_factory=dict)
    lifespan: Callable[[Any], Any] | None = None
    shared: SharedState | None = None


def build_table(
    project: Project,
    modules: ModuleSet,
    datasources: Mapping[str, Any],
    load: Callable[[str], ModuleType] | None = None,
) -> Build:
    """
    Import the handlers of a project without errors and build its routes.

    Args:
        project: A project whose `ok` is true.
        modules: Where handlers are imported from, already open.
        datasources: The project's long-lived clients, by name.
        load: Imports a handler module; the modules' own `load` if None.
    """
    shared = SharedState(
        config=frozen(project.config),
        mappings=frozen(project.mappings),
        datasources=FrozenDict(datasources),
        functions=Functions(project, modules),
    )
    builder = _Builder(project, modules, shared, load or modules.load)
    table: dict[str, dict[str, Route]] = {name: {} for name in project.sources}
    for event in project.events:
        route = builder.route(event)
        if route is not None:
            table.setdefault(event.source, {})[event.key] = route
    authn = {
        name: function
        for name, source in project.sources.items()
        if (function := builder.function(source.authn_fn, source.span)) is not None
    }
    hooks = {name: found for name, source in project.sources.items() if (found := builder.hooks(source)) is not None}
    lifespan = builder.lifespan(project.lifespan)
    findings = tuple(builder.findings)
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    return Build(None if failed else table, findings, authn, hooks, lifespan, shared)


class _Builder:
    """Imports every handler module once and collects what goes wrong."""

    def __init__(
        self, project: Project, modules: ModuleSet, shared: SharedState, load: Callable[[str], ModuleType]
    ) -> None:
        self.project = project
        self.modules = modules
        self.shared = shared
        self.load = load
        self.findings: list[Finding] = []
        self._failed: set[str] = set()

    def route(self, event: EventSpec) -> Route | None:
        """Build one route; None if a part of it could not be imported."""
        function = self.function(event.handler, event.span)
        authz = self._authz(event.authz, event.span)
        hook = self.function(event.hook, event.span)
        if function is None or (event.authz is not None and authz is None):
            return None
        try:
            kind, call = kind_of(function, written=_written(event.handler)), bind(function)
            on_invalid = self._hook(event, hook, authz)
        except SignatureError as error:
            self._add("GS204", f"handler `{event.fn}` cannot be called: {error}", event.span, "named here")
            return None
        inbound = event.inbound
        prefix = "" if event.validates == "message" else "/payload"
        # What an event says counts where the code does not tell: a generator that comes out of a call.
        streams = kind in _STREAMS or event.answers == "stream"
        return Route(
            key=event.key,
            source=event.source,
            fn=event.fn,
            kind=kind,
            call=call,
            shared=self.shared,
            streams=streams,
            answers=event.answers,
            check=None if inbound is None else inbound.check,
            explain=None if inbound is None else partial(violations, inbound, prefix=prefix),
            whole=event.validates == "message",
            query=event.query.check if event.query is not None else None,
            concurrency=event.concurrency,
            timeout=_timeout(event.timeout, streams),
            stream_timeout=_timeout(event.timeout, True),
            on_disconnect=event.on_disconnect,
            authn=event.authn,
            authz=authz,
            presence=event.presence,
            checks_reply=event.reply is not None or bool(event.responses),
            reply=event.reply,
            responses=event.responses,
            emits=event.emits,
            broadcasts=event.broadcasts,
            on_invalid=on_invalid,
            log_attributes=event.log_attributes,
        )

    def hooks(self, source: SourceSpec) -> Hooks | None:
        """The hooks of a source; None if it has none."""
        if source.on_connect is None and source.on_disconnect is None:
            return None
        return Hooks(
            self._source_hook(source, "on_connect", source.on_connect),
            self._source_hook(source, "on_disconnect", source.on_disconnect),
        )

    def _source_hook(self, source: SourceSpec, key: str, reference: HandlerRef | None) -> Route | None:
        function = self.function(reference, source.span)
        if function is None or reference is None:
            return None
        fn = f"{reference.module}.{reference.callable}"
        kind = kind_of(function, written=_written(reference))
        if kind not in ("async", "thread"):
            self._add("GS204", f"`{key}` cannot be `{fn}`: it is a generator", source.span, "named here")
            return None
        try:
            call = bind(function)
        except SignatureError as error:
            self._add("GS204", f"`{key}` of `{source.name}` cannot be called: {error}", source.span, "named here")
            return None
        return Route(key=key, source=source.name, fn=fn, kind=kind, call=call, shared=self.shared)

    def lifespan(self, reference: HandlerRef | None) -> Callable[[Any], Any] | None:
        """The function of ``lifespan``, adapted to one argument that stands where a request would."""
        function = None if reference is None else self.function(reference, reference.span)
        if function is None or reference is None:
            return None
        try:
            return bind(function)
        except SignatureError as error:
            self._add("GS204", f"`lifespan` cannot be called: {error}", reference.span, "defined here")
            return None

    def _hook(self, event: EventSpec, function: Callable[..., Any] | None, authz: Authz | None) -> Route | None:
        """The route of ``on_request_validation_error``; it runs for those alone who may send the event."""
        reference = event.hook
        if function is None or reference is None:
            return None
        kind = kind_of(function, written=_written(reference))
        return Route(
            key=event.key,
            source=event.source,
            fn=f"{reference.module}.{reference.callable}",
            kind=kind,
            call=bind(function),
            shared=self.shared,
            streams=kind in _STREAMS,
            authn=event.authn,
            authz=authz,
            presence=event.presence,
            log_attributes=event.log_attributes,
        )

    def _authz(self, spec: AuthzSpec | None, span: Span) -> Authz | None:
        if spec is None:
            return None
        if spec.fn is None:
            return Authz(scopes=spec.scopes)
        function = self.function(spec.fn, span)
        if function is None:
            return None
        try:
            return Authz(kind=kind_of(function), call=bind(function), scopes=spec.scopes)
        except SignatureError as error:
            self._add("GS204", f"authz function cannot be called: {error}", span, "named here")
            return None

    def function(self, reference: HandlerRef | None, span: Span) -> Callable[..., Any] | None:
        """Import what a reference names; None without a reference, or after a finding."""
        if reference is None:
            return None
        module = self._module(reference, span)
        if module is None:
            return None
        function = getattr(module, reference.callable, None)
        if not callable(function):
            self._add(
                "GS202",
                f"`{reference.callable}` in `{self._shown(reference.path)}` is not callable once it is imported",
                span,
                "named here",
            )
            return None
        return function  # type: ignore[no-any-return]  # callable() narrowed Any

    def _module(self, reference: HandlerRef, span: Span) -> ModuleType | None:
        if reference.module in self._failed:
            return None
        try:
            return self.load(reference.module)
        except BaseException as error:  # user code may raise anything, SystemExit too
            self._failed.add(reference.module)
            self._imported_badly(reference, error, span)
            return None

    def _imported_badly(self, reference: HandlerRef, error: BaseException, span: Span) -> None:
        """Report an exception at import at the project's own innermost line."""
        place = span
        related: tuple[Label, ...] = ()
        for entry in reversed(traceback.extract_tb(error.__traceback__)):
            path = Path(entry.filename)
            if entry.lineno and path.is_relative_to(self.modules.base):
                column = (entry.colno or 0) + 1
                end = (entry.end_colno or column) + 1
                place = Span(
                    self._shown(path), entry.lineno, column, entry.end_lineno or entry.lineno, max(end, column + 1)
                )
                related = (Label(span, "the event that needs it"),)
                break
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self.findings.append(
            Finding(
                "GS214",
                Severity.ERROR,
                f"handler module `{self._shown(reference.path)}` raised while it was imported: {text}",
                place,
                "raised here",
                _import_help(error),
                related,
            )
        )

    def _add(self, code: str, message: str, span: Span, label: str) -> None:
        self.findings.append(Finding(code, Severity.ERROR, message, span, label))

    def _shown(self, path: Path) -> str:
        for root in (self.project.root, self.project.root.resolve()):
            if path.is_relative_to(root):
                return path.relative_to(root).as_posix()
        return path.as_posix()


def _written(reference: HandlerRef | None) -> HandlerKind | None:
    """What a module writes by ``def``, whatever its decorators make of it."""
    if reference is None or not reference.is_generator:
        return None
    return "stream" if reference.is_async else "thread-stream"


def _timeout(seconds: float | None, streams: bool) -> float | None:
    """Seconds a handler may run: what the event says, where infinity is no limit, or the default of its kind."""
    if seconds is None:
        return None if streams else DEFAULT_TIMEOUT
    return None if seconds == math.inf else seconds


def _import_help(error: BaseException) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name:
        name = error.name.partition(".")[0]
        if name in _OF_EXTRA_AI:
            return 'pip install "gsws[ai]"'
        return f"install `{name}` into the environment that runs gsws, or put it beside functions/"
    return None


def violations(validator: Validator, instance: Any, *, prefix: str = "") -> list[dict[str, str]]:
    """Why an instance does not fit, as the ``errors`` of ``stream.error``: without a secret of this process."""
    return [
        {"pointer": hide(error.pointer), "keyword": error.keyword, "message": hide(error.message)}
        for error in validator.explain(instance, prefix=prefix)
    ]
