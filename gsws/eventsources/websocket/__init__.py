"""
The built-in `websocket` event source, made with nothing but the plugin contract.

Its keys and their typed form are in `config`; sockets, frames and routing are the runtime's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gsws.eventsources.websocket import config as settings
from gsws.plugins.contract import EventHandle, Health, ListenerHandle, SourceContext, SourceType

__all__ = ["WebSocketPlugin", "WebSocketSource", "plugin"]


class WebSocketSource:
    """One WebSocket port; the runtime's listener does the work."""

    __slots__ = ("_events", "_listener")

    def __init__(self, listener: ListenerHandle) -> None:
        self._listener = listener
        self._events: dict[str, EventHandle] = {}

    @property
    def address(self) -> tuple[str, int]:
        """Host and real port."""
        return self._listener.address

    @property
    def events(self) -> tuple[str, ...]:
        """The event keys subscribed so far."""
        return tuple(self._events)

    def subscribe(self, event: str, handle: EventHandle) -> None:
        """Note an event; the listener finds its route by name when a message arrives."""
        self._events[event] = handle

    async def start(self) -> None:
        """
        Bind the port and accept.

        Raises:
            ServeError: If the port cannot be bound.
        """
        await self._listener.start()

    async def stop(self) -> None:
        """Drain and close every connection."""
        await self._listener.stop()

    def health(self) -> Health:
        """Whether the port accepts connections, and how many there are."""
        return self._listener.health()


class WebSocketPlugin:
    """Facts and factory of ``type: websocket``."""

    type = "websocket"
    source_type: SourceType = "eventsource"
    config_file_name = "websocket"

    @property
    def default_config(self) -> Mapping[str, Any]:
        """Every key that has a default."""
        return settings.DEFAULTS

    @property
    def config_schema(self) -> Mapping[str, Any]:
        """JSON Schema of ``eventsources/<name>.yaml``."""
        return settings.CONFIG_SCHEMA

    @property
    def config_text(self) -> str:
        """The file that ``gsws plugin add websocket`` writes."""
        return Path(__file__).with_name("default.yaml").read_text("utf-8")

    def create(self, config: Mapping[str, Any], context: SourceContext) -> WebSocketSource:
        """Make the source of one file; nothing is bound yet."""
        return WebSocketSource(context.listen(settings.parse(config)))


plugin = WebSocketPlugin()
