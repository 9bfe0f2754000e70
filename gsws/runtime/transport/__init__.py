"""
The transport: sockets, HTTP handshakes, WebSocket framing, back-pressure and heartbeats.

A `Listener` accepts connections for one `Application`; each upgraded socket is a `Connection`, and what arrives on
it goes to the `Receiver` that the application gave for it. Nothing here knows JSON, events or handlers, and
nothing outside of this package imports `websockets`.
"""

from __future__ import annotations

from gsws.runtime.transport.interface import Application, Handshake, Headers, HTTPRefusal, ListenOptions, Receiver
from gsws.runtime.transport.listener import Listener
from gsws.runtime.transport.websocket.connection import Connection, encode_frame

__all__ = [
    "Application",
    "Connection",
    "HTTPRefusal",
    "Handshake",
    "Headers",
    "ListenOptions",
    "Listener",
    "Receiver",
    "encode_frame",
]
