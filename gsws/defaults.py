"""What holds where nothing is said, as far as several parts must agree on it: sizes in bytes, times in seconds."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CONNECTIONS",
    "HEARTBEAT",
    "IN_FLIGHT",
    "JSON_DEPTH",
    "MESSAGE_BYTES",
    "QUEUE",
    "QUEUE_BYTES",
    "RESUME_BYTES",
    "RESUME_SESSIONS",
    "RESUME_TOTAL",
    "RESUME_WINDOW",
    "SEND_BUFFER",
]

MESSAGE_BYTES: Final = 2**20
"""The largest message."""

JSON_DEPTH: Final = 64
IN_FLIGHT: Final = 32
"""Streams and parallel requests of one client that run; as many more wait."""

QUEUE: Final = 1000
"""Plain requests of one client that wait, and the bytes of their messages."""

QUEUE_BYTES: Final = 2**20
SEND_BUFFER: Final = 2**20
"""What waits for a slow reader."""

CONNECTIONS: Final = 10_000
HEARTBEAT: Final = 20.0
"""Between pings, and until a missed answer ends the connection."""

RESUME_WINDOW: Final = 120.0
"""How long a session waits for its client, what is kept of its answers, of all sessions', and how many wait."""

RESUME_BYTES: Final = 2**20
RESUME_TOTAL: Final = 256 * 2**20
RESUME_SESSIONS: Final = 10_000
