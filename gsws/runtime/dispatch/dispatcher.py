"""
Between one connection and its session: the first message may choose another session (protocol P8.2).

What a session is, and what a resume sends, is in `gsws.runtime.sessions.session`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gsws.protocol.closecodes import CloseCode
from gsws.protocol.codec import decode
from gsws.protocol.errors import WireError
from gsws.runtime.dispatch.claims import is_entitled

if TYPE_CHECKING:
    from gsws.runtime.sessions.session import SessionClient
    from gsws.runtime.transport import Connection

__all__ = ["SessionReceiver"]


class SessionReceiver:
    """Hands one connection's messages to its session; the first message may choose another one."""

    __slots__ = ("_client", "_connection", "_is_first", "_seat")

    def __init__(self, client: SessionClient, connection: Connection, seat: str | None = None) -> None:
        self._client = client
        self._seat = seat
        self._connection = connection
        self._is_first = True

    @property
    def client(self) -> SessionClient:
        """The session whose connection this is."""
        return self._client

    def message(self, data: bytes) -> None:
        if self._is_first and self.resumes(data):
            return
        client = self._client
        if client.connection is self._connection:
            client.taken += 1
            client.message(data)

    def binary(self, data: bytes) -> None:
        self.message(data)

    def closed(self, code: int, reason: str) -> None:
        self._client.source.seats.leave(self._seat)
        self._client.left(self._connection, code, reason)

    def resumes(self, data: bytes) -> bool:
        """Take ``gsws.resume``, which must be the first message (P8.2); False if it is something else."""
        self._is_first = False
        fresh = self._client
        try:
            eventtype, _, _, message = decode(data, fresh.source.json_depth)
        except WireError:
            return False
        if eventtype != "gsws.resume":
            return False
        payload = message.get("payload")
        if not isinstance(payload, dict):
            payload = {}
        session = fresh.source.sessions.get(str(payload.get("session")))
        if session is None or session is fresh or not is_entitled(session, fresh, payload.get("secret")):
            fresh.refuse_resume(payload.get("streams"))
            return True
        fresh.source.sessions.pop(fresh.session_id, None)
        fresh.source.clients.discard(fresh)
        fresh.source.strike(fresh, CloseCode.REPLACED, "went on with another session")
        self._client = session
        session.attach(self._connection)
        if fresh.expiry is not None:
            if session.expiry is not None:
                session.expiry.end()
            session.expiry, fresh.expiry = fresh.expiry, None
            session.expiry.move(session)
        session.resume(payload.get("streams"), compact=payload.get("compact") is True)
        return True
