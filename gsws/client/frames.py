"""
What arrives, as values: frames of answers, chunks of text, pushes.

Bytes to values and back; nothing here knows connections.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gsws.protocol.answer import TERMINAL
from gsws.types import JSONObject

__all__ = ["Chunk", "Frame", "Incoming", "Push", "expiry_of", "read"]


@dataclass(frozen=True, slots=True)
class Frame:
    """
    One frame of an answer.

    Attributes:
        eventtype: ``stream.start``, ``stream.chunk``, ``tool.call`` …; with `compact` also ``stream.snapshot``, whose
            ``message`` is all text of the stream so far.
        payload: Its payload.
        seq: Its number in the answer, or None if the server sent none.
    """

    eventtype: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    seq: int | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether it is the last one."""
        return self.eventtype in TERMINAL


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    One ``stream.chunk``.

    Attributes:
        text: What to append; may be empty.
        payload: The whole payload, ``message`` included.
        seq: Its number in the answer, or None.
    """

    text: str
    payload: Mapping[str, Any]
    seq: int | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Push:
    """
    A frame that answers no request of this client: a broadcast, or what a handler sent by itself.

    Attributes:
        eventtype: Its type.
        payload: Its payload.
    """

    eventtype: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message of the server, read."""

    eventtype: str
    id: str | int | None
    seq: int | None
    payload: JSONObject
    size: int

    @property
    def is_too_late(self) -> bool:
        """Whether it ends a request that came too late for a server that drains: no handler was called (P10.2)."""
        said = self.payload.get("error" if self.eventtype == "stream.error" else "reason")
        return said == "draining" and self.payload.get("taken") is False and self.eventtype in TERMINAL

    @property
    def is_text(self) -> bool:
        """Whether it is a chunk of text and nothing more; such are what a snapshot stands for."""
        return self.eventtype == "stream.chunk" and self.payload.keys() == {"message"}


def read(data: bytes) -> tuple[object, Incoming | None]:
    """
    Read a message.

    Returns:
        What it decodes to (its text if that is no JSON), and the frame, or None if it is none (protocol P2.3).
    """
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "backslashreplace"), None
    if not isinstance(value, dict):
        return value, None
    eventtype, payload, id, seq = value.get("eventtype"), value.get("payload"), value.get("id"), value.get("seq")
    if not isinstance(eventtype, str) or not isinstance(payload, dict):
        return value, None
    if not isinstance(id, str | int) or isinstance(id, bool):
        id = None
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
        seq = None
    return value, Incoming(eventtype, id, seq, payload, len(data))


def expiry_of(token: str) -> float | None:
    """
    Read when a JWT says that it expires, as Unix time; None for anything else.

    Nothing is verified: it only decides when to ask for a new one.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    expires = claims.get("exp") if isinstance(claims, dict) else None
    if not isinstance(expires, int | float) or isinstance(expires, bool) or not 0 < expires < 1e11:
        return None
    return float(int(expires))  # servers cut fractions off too
