"""
The plugin contract: what a plugin states and gives, and what gsws gives to it.

A plugin is any object (an instance, a class or a module) named by an entry point of the group
`gsws.plugins`; the entry point's name is the `type` that a project's YAML asks for:

    [project.entry-points."gsws.plugins"]
    ticker = "gsws_plugin_ticker:plugin"

Only shapes live here. Finding and checking plugins is `gsws.plugins.registry`; making sources and
calling them is the runtime's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from gsws.plugins.listening import ListenConfig
from gsws.types import GSActor, GSStatus

__all__ = [
    "ENTRY_POINT_GROUP",
    "Datasource",
    "EventHandle",
    "EventSource",
    "Health",
    "ListenerHandle",
    "Plugin",
    "Reconfigurable",
    "SourceContext",
    "SourceType",
]

ENTRY_POINT_GROUP = "gsws.plugins"

SourceType: TypeAlias = Literal["eventsource", "datasource", "both"]
"""Which folders of a project a plugin serves: ``eventsources/``, ``datasources/`` or both."""


@dataclass(frozen=True, slots=True)
class Health:
    """
    How a source is: what `/readyz` and `gsws serve` report of it.

    Attributes:
        ok: Whether the source does its work now.
        detail: One sentence for a person; empty when there is nothing to say.
        facts: Anything else worth a line, e.g. ``{"connections": 12}``; JSON values.
    """

    ok: bool
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class EventHandle(Protocol):
    """What a source calls with each thing that happened; safe to keep for the source's whole life."""

    def __call__(
        self,
        payload: Any,
        *,
        client_id: str | None = None,
        actor: GSActor | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Awaitable[GSStatus]:
        """
        Check the payload against the event's schema and run its handler.

        The handler that a reload put in place is found at call time, so a source never subscribes
        twice for it.

        Args:
            payload: A JSON value; ``ctx.inputs.data.payload`` of the handler.
            client_id: Who sent it, if the source knows; ``ctx.inputs.data.clientId``.
            actor: An authenticated sender, if the source knows one.
            metadata: Facts of the transport, e.g. ``{"topic": "orders"}``; ``ctx.inputs.metadata``.

        Returns:
            The handler's status. A schema violation, an unknown event, a handler that raised or timed
            out are statuses with ``success=False`` too: this never raises on account of a message.
        """


class ListenerHandle(Protocol):
    """A WebSocket and HTTP port that the runtime opens on behalf of a source."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and real port; the port is 0 until `start` when a free one was asked for."""

    async def start(self) -> None:
        """
        Bind and accept.

        Raises:
            ServeError: If the port is in use, privileged, or the host is none of this machine's.
        """

    def reconfigure(self, config: ListenConfig) -> None:
        """
        Take over another config: limits on requests count at once, all else for the connections that follow.

        Host, port and TLS stay what they are. Connections that the new ``authn`` or ``origins`` would not let in are
        closed.
        """

    async def stop(self) -> None:
        """Stop accepting, let running requests finish within the drain time, close every connection."""

    def health(self) -> Health:
        """Whether it accepts connections, and how many there are."""


class SourceContext(Protocol):
    """What gsws gives to `Plugin.create`; valid until the source has stopped."""

    @property
    def name(self) -> str:
        """The source's name: its file is ``eventsources/<name>.yaml``."""

    @property
    def environment(self) -> str:
        """``development``, ``production`` or what ``gsws serve --env`` said."""

    @property
    def base(self) -> Path:
        """The folder that holds ``events/`` and ``functions/``; relative paths of a config start here."""

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables that the project's YAML sees: the process's environment over those of ``.env``."""

    @property
    def logger(self) -> Any:
        """A structlog logger bound to the source's name."""

    @property
    def listen(self) -> Callable[[ListenConfig], ListenerHandle]:
        """
        ``listen(config) -> ListenerHandle``: a WebSocket port for this source.

        The runtime decodes, routes and answers the messages itself; nothing is bound before `ListenerHandle.start`.
        """

    def push(
        self,
        eventtype: str,
        payload: Any = None,
        *,
        room: str | None = None,
        subject: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        source: str | None = None,
    ) -> Awaitable[int]:
        """
        Push one frame to a room, a subject, a label or one connection, from the loop's thread or any other.

        It waits for nobody and need not be awaited; ``int()`` of what it returns is for how many connections it was
        queued. ``source`` is the event source whose clients are meant: this one if it has a port, else the only one.

        Raises:
            ValueError: If the name is the protocol's, there is not exactly one target, or the source is not clear.
        """

    def disconnect(
        self,
        *,
        subject: str | None = None,
        client_id: str | None = None,
        connection: str | None = None,
        code: int = 4504,
        reason: str = "",
        source: str | None = None,
    ) -> Awaitable[int]:
        """Close every connection of a subject or a label, or one connection, and end their sessions; as `push`."""


@runtime_checkable
class EventSource(Protocol):
    """
    A live event source, made by `Plugin.create` and owned by the runtime.

    Calls come in this order: `subscribe` for each event of the project, `start` once, `subscribe` for
    events that a reload adds, `stop` once. All on the event loop.

    A source may also have `reconfigure`; see `Reconfigurable`.
    """

    def subscribe(self, event: str, handle: EventHandle) -> None:
        """Take in an event key (``"ticker.second"``) and what to call when it happens."""

    async def start(self) -> None:
        """Begin; return when the source does its work. Raise `ServeError` with one sentence if it cannot."""

    async def stop(self) -> None:
        """
        End: no `handle` is called any more when this returns. Also called after a failed `start`.

        What was handed in before has the drain time to finish and then ends as ``draining``; what is handed in
        meanwhile is answered 503. So a source may wait here for what it handed in.
        """

    def health(self) -> Health:
        """How it is, at once: no waiting, no I/O."""


@runtime_checkable
class Reconfigurable(Protocol):
    """An event source that takes over changes of its file while it runs; any other needs a restart for them."""

    def reconfigure(self, config: Mapping[str, Any]) -> Iterable[str]:
        """
        Take over a changed file, checked as for `Plugin.create`; running requests go on.

        Returns:
            Keys of the file that were left as they are; gsws logs those that differ as in need of a restart.
        """


class Datasource(Protocol):
    """
    What a datasource plugin's `create` returns: any object, reached as ``ctx.datasources.<name>``.

    If it has ``close()`` or ``async aclose()``, that is called once when the service ends.
    """


class Plugin(Protocol):
    """
    The facts and the factory of one type of source.

    Two facts are optional: ``config_text`` (str), the YAML with comments that ``gsws plugin add`` writes
    instead of a dump of ``default_config``, and ``requires_gsws`` (str), versions of gsws it works with,
    e.g. ``">=0.1,<2"``.
    """

    @property
    def type(self) -> str:
        """The word after ``type:`` in YAML; equal to the entry point's name."""

    @property
    def source_type(self) -> SourceType:
        """Whether it makes event sources, datasources or both."""

    @property
    def config_file_name(self) -> str:
        """Name of the file that ``gsws plugin add`` writes, without ``.yaml``; usually the type."""

    @property
    def default_config(self) -> Mapping[str, Any]:
        """What ``gsws plugin add`` writes, and the values of keys that a file leaves out."""

    @property
    def config_schema(self) -> Mapping[str, Any]:
        """JSON Schema (draft 2020-12) of the YAML file after look-ups; ``type`` is checked before."""

    def create(self, config: Mapping[str, Any], context: SourceContext) -> Any:
        """
        Make a source from a checked config; nothing is opened or started yet.

        Returns:
            An `EventSource`, or any object for a datasource (see `Datasource`); a datasource may also be an
            awaitable of it. Both run on the loop's thread before anything is served, so that what belongs to a
            thread or a loop works in handlers.
        """
