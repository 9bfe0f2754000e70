"""
gsws: real-time WebSocket services and streaming AI agents, declared in files.

Handlers import from here what they need by name; importing it costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gsws.__about__ import __version__

if TYPE_CHECKING:
    from gsws.errors import ConnectionClosed as ConnectionClosed
    from gsws.protocol.answer import Frame as Frame
    from gsws.routing.context import GSContext as GSContext
    from gsws.types import GSActor as GSActor
    from gsws.types import GSCloudEvent as GSCloudEvent
    from gsws.types import GSStatus as GSStatus

__all__ = ["ConnectionClosed", "Frame", "GSActor", "GSCloudEvent", "GSContext", "GSStatus", "__version__"]

_LAZY = {
    "ConnectionClosed": "gsws.errors",
    "Frame": "gsws.protocol.answer",
    "GSActor": "gsws.types",
    "GSCloudEvent": "gsws.types",
    "GSContext": "gsws.routing.context",
    "GSStatus": "gsws.types",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_LAZY[name]), name)
        return value
    raise AttributeError(f"module `gsws` has no attribute `{name}`")
