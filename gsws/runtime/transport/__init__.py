"""
The transport: sockets, HTTP handshakes, WebSocket framing, back-pressure and heartbeats.

A `Port` is what the sockets of one `Application` share, and a `Listener` lets them in; each one that is upgraded is a
`Connection`, and what arrives on it goes to the `Receiver` that the application gave for it. Nothing here knows JSON,
events or handlers, and nothing outside of this package imports `websockets`.
"""

from __future__ import annotations

from gsws.runtime.transport.interface import (
    Application,
    Connection,
    Handshake,
    Headers,
    HTTPRefusal,
    ListenOptions,
    Page,
    Receiver,
    RequestHead,
)
from gsws.runtime.transport.listener import Listener
from gsws.runtime.transport.port import Port
from gsws.runtime.transport.websocket.framing import encode_frame

__all__ = [
    "Application",
    "Connection",
    "HTTPRefusal",
    "Handshake",
    "Headers",
    "ListenOptions",
    "Listener",
    "Page",
    "Port",
    "Receiver",
    "RequestHead",
    "encode_frame",
]
