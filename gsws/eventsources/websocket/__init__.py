"""
The built-in `websocket` event source, made with nothing but the plugin contract.

Its keys are in `schema`, what they say of the port in `config`; sockets, frames and routing are the runtime's.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, Final

from gsws.eventsources.websocket.config import parse
from gsws.eventsources.websocket.schema import CONFIG_SCHEMA, DEFAULTS
from gsws.plugins.contract import EventHandle, Health, ListenerHandle, SourceContext, SourceType

__all__ = ["WebSocketPlugin", "WebSocketSource", "plugin"]

_FIXED: Final = frozenset({"host", "port", "tls"})
"""Keys of the file that a port keeps until it is bound anew."""


class WebSocketSource:
    """One WebSocket port; the runtime's listener does the work."""

    __slots__ = ("_listener",)

    def __init__(self, listener: ListenerHandle) -> None:
        self._listener = listener

    @property
    def address(self) -> tuple[str, int]:
        """Host and real port."""
        return self._listener.address

    def subscribe(self, event: str, handle: EventHandle) -> None:
        """Nothing: the listener finds the route of a message by its name."""

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

    def reconfigure(self, config: Mapping[str, Any]) -> Set[str]:
        """Take over a changed file; the port keeps its address and its certificate."""
        self._listener.reconfigure(parse(config))
        return _FIXED

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
        return DEFAULTS

    @property
    def config_schema(self) -> Mapping[str, Any]:
        """JSON Schema of ``eventsources/<name>.yaml``."""
        return CONFIG_SCHEMA

    @property
    def config_text(self) -> str:
        """The file that ``gsws plugin add websocket`` writes."""
        return Path(__file__).with_name("default.yaml").read_text("utf-8")

    def create(self, config: Mapping[str, Any], context: SourceContext) -> WebSocketSource:
        """Make the source of one file; nothing is bound yet."""
        return WebSocketSource(context.listen(parse(config)))


plugin = WebSocketPlugin()
