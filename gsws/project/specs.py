"""
What a loaded project consists of: frozen facts that routing and the runtime build on.

Nothing here reads files; durations are seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from gsws.defaults import RESUME_BYTES, RESUME_SESSIONS, RESUME_TOTAL, RESUME_WINDOW
from gsws.text.span import Span
from gsws.types import JSONValue

if TYPE_CHECKING:
    from gsws.schema import Validator
    from gsws.yaml.document import Document

__all__ = [
    "AuthzSpec",
    "BackplaneSpec",
    "Concurrency",
    "DatasourceSpec",
    "EventSpec",
    "HandlerRef",
    "LogSpec",
    "Parameter",
    "PluginFacts",
    "RateSpec",
    "ResumeSpec",
    "Settings",
    "SourceSpec",
]

Concurrency: TypeAlias = Literal["enqueue", "parallel", "reject", "interrupt"]
"""What happens to a request whose event is still running on the connection (protocol P9.1)."""


@dataclass(frozen=True, slots=True)
class PluginFacts:
    """
    What the project model knows about one type of plugin; read from its entry point by a higher floor.

    Attributes:
        type: The word after ``type:``.
        source_type: Which folders it serves.
        schema: JSON Schema of the file after look-ups, with the keywords of `gsws.project.shapes.shapes`.
        defaults: Values of keys that the file leaves out, merged deeply.
        origin: Where it comes from, for people: ``built in`` or ``gsws-plugin-x 1.0``.
        error: Why it cannot be used, one sentence; None if it can.
        error_code: Code of the finding that ``error`` becomes: GS701, GS702 (version) or GS703 (two plugins).
    """

    type: str
    source_type: Literal["eventsource", "datasource", "both"] = "eventsource"
    schema: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    origin: str = ""
    error: str | None = None
    error_code: Literal["GS701", "GS702", "GS703"] = "GS701"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a handler, as its source says."""

    name: str
    kind: Literal["positional-only", "positional", "var-positional", "keyword-only", "var-keyword"]
    required: bool


@dataclass(frozen=True, slots=True)
class HandlerRef:
    """
    A callable of the project, found without importing it.

    Attributes:
        name: What ``fn:`` may say to mean it: ``a.b.c`` or ``a.b.c.g``.
        module: Dotted name of the module under ``functions/``.
        path: The module's file, absolute.
        callable: Name of the function in the module.
        span: Where the function is defined.
        parameters: Its parameters, or None if the source does not tell (an assigned or imported name).
        is_async: Defined by ``async def``.
        is_generator: Its body yields.
        is_plain: Its body returns values and sends nothing by itself, so it cannot answer with a stream.
    """

    name: str
    module: str
    path: Path
    callable: str
    span: Span
    parameters: tuple[Parameter, ...] | None
    is_async: bool
    is_generator: bool
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class AuthzSpec:
    """
    Who may send an event; fails closed. With both, both must agree.

    Attributes:
        fn: A function of the project that decides, or None.
        scopes: Scopes that the actor must all have.
        broken: True if the function was not found; such a project has an error and is not served.
    """

    fn: HandlerRef | None = None
    scopes: tuple[str, ...] = ()
    broken: bool = False


@dataclass(frozen=True, slots=True)
class RateSpec:
    """At most ``messages`` every ``per`` seconds, ``burst`` at once; ``messages`` 0 is no limit."""

    messages: int
    per: float = 1.0
    burst: int = 0


@dataclass(frozen=True, slots=True)
class AccessSpec:
    """
    ``log.access``: which requests have a line of the log.

    Attributes:
        requests: Share of all that have one, from 0 to 1.
        failures: Whether those that fail or are refused all have one.
        slow: Seconds from which on all have one.
        rate: Lines a second at most.
    """

    requests: float = 0.01
    failures: bool = True
    slow: float = 1.0
    rate: int = 200


@dataclass(frozen=True, slots=True)
class LogSpec:
    """
    ``log`` of gsws.yaml; None leaves the choice to the command line.

    Attributes:
        access: Lines for requests; None takes the default of the environment, False is none.
    """

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    format: Literal["console", "json"] | None = None
    access: AccessSpec | Literal[False] | None = None


@dataclass(frozen=True, slots=True)
class ResumeSpec:
    """
    How much of a session is kept for a client that comes back (protocol P8.5).

    Attributes:
        window: Seconds that it waits for its client.
        bytes: Bytes of one session.
        total: Bytes of all sessions together.
        sessions: Sessions that may wait for their clients; 0 for no limit.
    """

    window: float = RESUME_WINDOW
    bytes: int = RESUME_BYTES
    total: int = RESUME_TOTAL
    sessions: int = RESUME_SESSIONS


@dataclass(frozen=True, slots=True)
class BackplaneSpec:
    """What carries rooms and sessions between processes; ``options`` are its other keys, as written."""

    type: Literal["memory", "nats", "redis"] = "memory"
    url: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """
    gsws.yaml.

    Attributes:
        name: The project's name; its folder's name when left out.
        version: Its own version, a text.
        drain_timeout: Seconds that running requests get at shutdown.
        lifespan: The function that runs as long as the service, as written; the project has it resolved.
        telemetry: As written; empty when left out.
        written: The keys that the file has.
    """

    name: str
    version: str = "0.0.0"
    drain_timeout: float = 30.0
    lifespan: str | None = None
    log: LogSpec = field(default_factory=LogSpec)
    resume: ResumeSpec = field(default_factory=ResumeSpec)
    backplane: BackplaneSpec = field(default_factory=BackplaneSpec)
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    written: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class SourceSpec:
    """
    One file of ``eventsources/``.

    Attributes:
        name: The file's name without its ending.
        type: The plugin.
        path: The file, relative to the root.
        document: The file with spans.
        config: All keys after look-ups, over the plugin's defaults; ``type`` included.
        written: The keys after look-ups, without defaults.
        strict: Unknown keys are refused in the schemas of its events.
        authz: Default for its events, or None.
        hook: ``on_request_validation_error``, default for its events, or None.
        authn_fn: ``authn.fn``, resolved, or None.
        on_connect: Runs for each new connection, or None.
        on_disconnect: Runs when one that ``on_connect`` let in is gone for good, or None.
        span: The value of ``type``.
    """

    name: str
    type: str
    path: str
    document: Document
    config: Mapping[str, Any]
    written: Mapping[str, Any]
    strict: bool
    authz: AuthzSpec | None
    hook: HandlerRef | None
    authn_fn: HandlerRef | None
    on_connect: HandlerRef | None
    on_disconnect: HandlerRef | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class DatasourceSpec:
    """One file of ``datasources/``: a plugin's (``type``) or made by a function of the project (``fn``)."""

    name: str
    path: str
    document: Document
    config: Mapping[str, Any]
    type: str | None
    handler: HandlerRef | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class EventSpec:
    """
    One event key of one source; ``a & b.name`` makes two of these.

    Attributes:
        key: What travels as ``eventtype``.
        source: Name of the source: a key of the project's ``sources``.
        fn: As written; empty if it was missing.
        handler: What ``fn`` names, or None if the project has an error there.
        validates: Whether ``inbound`` sees the whole message ``{"eventtype", "payload"}`` or the payload alone.
        inbound: Never None in a project without errors.
        inbound_schema: The schema behind ``inbound``, after look-ups and ``strict``.
        reply: Check of the reply's ``data``.
        responses: Checks of ``data`` by status code (``responses`` of the original framework).
        emits: Checks of payloads by event type; ``emits_declared`` has the schemas.
        broadcasts: Checks of what is sent to rooms, by event type; ``broadcasts_declared`` has the schemas.
        answers: What the file says of how it is answered; None leaves it to the code.
        query: Check of the connection's query, an object of texts.
        query_schema: The schema behind ``query``.
        authn: False lets anonymous clients send it.
        authz: None means no authorisation; the source's default is already taken in.
        concurrency: See protocol P9.1.
        timeout: Seconds; None is the default for the handler's kind, ``math.inf`` is none (written as 0).
        on_disconnect: None is the profile's default; a number is seconds of grace.
        rate: Own limit, or None.
        presence: Whether the rooms that its handler joins are told of it; a text is a pattern of their names.
        hook: ``on_request_validation_error``, own or the source's.
        log_attributes: Fields to bind to the log of each request.
        span: The key in the file.
        path: The file, relative to the root.
        order: Position among the project's events.
    """

    key: str
    source: str
    fn: str
    handler: HandlerRef | None
    validates: Literal["message", "payload"]
    inbound: Validator | None
    inbound_schema: JSONValue
    reply: Validator | None
    responses: Mapping[int, Validator]
    emits: Mapping[str, Validator]
    emits_declared: Mapping[str, JSONValue]
    broadcasts: Mapping[str, Validator]
    broadcasts_declared: Mapping[str, JSONValue]
    answers: Literal["stream", "reply"] | None
    query: Validator | None
    query_schema: JSONValue
    authn: bool
    authz: AuthzSpec | None
    concurrency: Concurrency
    timeout: float | None
    on_disconnect: Literal["cancel", "continue"] | float | None
    rate: RateSpec | None
    presence: bool | str
    hook: HandlerRef | None
    log_attributes: Mapping[str, Any]
    id: str | None
    summary: str | None
    description: str | None
    tags: tuple[str, ...]
    operation_id: str | None
    examples: tuple[JSONValue, ...]
    deprecated: bool
    span: Span
    path: str
    order: int
