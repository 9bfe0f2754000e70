"""
A client of the wire protocol: calls, streams and pushes over a connection that repairs itself.

``async with gsws.client.connect("ws://127.0.0.1:8000") as client: await client.call("websocket.greet", {...})``
"""

from __future__ import annotations

from gsws.client.client import Client, connect
from gsws.client.errors import (
    AnswerTimeout,
    ClientClosed,
    ClientError,
    ConnectFailed,
    ConnectionLost,
    Interrupted,
    RemoteError,
    ResumeLost,
)
from gsws.client.flow import Pushes
from gsws.client.frames import Chunk, Frame, Push
from gsws.client.pending import Share
from gsws.client.policy import Backoff
from gsws.client.stream import Stream

__all__ = [
    "AnswerTimeout",
    "Backoff",
    "Chunk",
    "Client",
    "ClientClosed",
    "ClientError",
    "ConnectFailed",
    "ConnectionLost",
    "Frame",
    "Interrupted",
    "Push",
    "Pushes",
    "RemoteError",
    "ResumeLost",
    "Share",
    "Stream",
    "connect",
]
