"""Whom a request answers, as the request sees it: a client, a session, or whoever asked without a connection."""

from __future__ import annotations

from typing import Any, Protocol

from gsws.errors import ConnectionClosed
from gsws.protocol.answer import Answer
from gsws.runtime.requests.executor import Executor
from gsws.runtime.transport import Connection
from gsws.types import GSActor, JSONObject

__all__ = ["Outlet", "closed_error"]


class Outlet(Protocol):
    """
    Whom a request answers.

    Attributes:
        executor: What the requests of its source share.
        connection: The one it has now; a session that is resumed has another one.
        label: The ``clientId`` (P4.1).
    """

    executor: Executor
    connection: Connection
    label: str

    @property
    def actor(self) -> GSActor: ...
    @property
    def session_id(self) -> str | None: ...
    @property
    def logger(self) -> Any: ...
    @property
    def metadata(self) -> JSONObject:
        """What the server knows of the connection."""

    def next_request_id(self) -> str:
        """Make the server's own id of one more request."""

    def transmit(self, answer: Answer, data: bytes) -> None:
        """Send a frame of an answer, or keep it for who is owed it; called in order, the terminal frame last."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""

    def join(self, room: str, *, is_announced: bool) -> None: ...
    def leave(self, room: str) -> None: ...


def closed_error(connection: Connection) -> ConnectionClosed:
    """Make the exception for a send on a connection that is not open."""
    return ConnectionClosed(connection.close_code or 1006, connection.close_reason or "")
