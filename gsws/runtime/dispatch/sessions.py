"""
The connections of sessions: what a client of the profile *session* may send besides (protocol sections 3.2 and 8).

The first message may go on with another session (`gsws.runtime.dispatch.resuming`).
"""

from __future__ import annotations

import random
from typing import Any, Final

from gsws.protocol.answer import frame
from gsws.protocol.closecodes import CloseCode
from gsws.protocol.codec import decode
from gsws.protocol.errors import WireError
from gsws.runtime.dispatch.claims import is_entitled, is_id, is_seq
from gsws.runtime.dispatch.dispatcher import Dispatcher
from gsws.runtime.dispatch.following import Following
from gsws.runtime.dispatch.resuming import refuse_resume, resume
from gsws.runtime.dispatch.router import Router
from gsws.runtime.sessions.session import Session
from gsws.runtime.transport import Connection
from gsws.types import RequestId

__all__ = ["SessionDispatcher"]

_SOONEST: Final = 0.1
_LATE: Final = 0.25
"""Seconds that a client has to leave by itself after the moment it was told."""


class SessionDispatcher(Dispatcher):
    """
    What comes in over one connection of a session; the session may have another one meanwhile.

    Attributes:
        client: The session; its first message may choose another one.
        taken: How many messages of the connection were read.
    """

    __slots__ = ("_is_first", "taken")

    client: Session

    def __init__(self, router: Router, client: Session, connection: Connection, seat: str | None = None) -> None:
        super().__init__(router, client, connection, seat)
        self._is_first = True
        self.taken = 0

    def hello(self) -> None:
        """Send the server's first frame (P8.1)."""
        router, session = self.router, self.client
        payload = {
            "session": session.session_id,
            "secret": session.secret,
            "heartbeat_ms": int(router.registry.heartbeat * 1000),
            "resume_window_ms": int(router.registry.window * 1000),
            "max_message_bytes": router.message_bytes,
            "max_in_flight": router.executor.max_in_flight,
            "max_queued": router.executor.max_queued,
            "server": "gsws",
        }
        self.send(frame("gsws.hello", payload))

    def message(self, data: bytes) -> None:
        if self._is_first and self.resumes(data):
            return
        if self.client.connection is self.connection:
            self.taken += 1
            super().message(data)

    def resumes(self, data: bytes) -> bool:
        """Take ``gsws.resume``, which must be the first message (P8.2); False if it is something else."""
        self._is_first = False
        try:
            eventtype, _, _, message = decode(data, self.router.json_depth)
        except WireError:
            return False
        if eventtype != "gsws.resume":
            return False
        self.taken = 1
        payload = message.get("payload")
        if not isinstance(payload, dict):
            payload = {}
        fresh, registry = self.client, self.router.registry
        session = registry.sessions.get(str(payload.get("session")))
        if (
            session is None
            or session is fresh
            or not is_entitled(session.secret, payload.get("secret"), session.actor, fresh.actor)
        ):
            refuse_resume(fresh, payload.get("streams"))
            return True
        # The one that was opened for this never was a client.
        registry.forget(fresh)
        registry.strike(fresh, CloseCode.REPLACED, "went on with another session")
        self.client = session
        session.attach(self.connection)
        if self.expiry is not None:
            session.actor = fresh.actor
        resume(session, payload.get("streams"), compact=payload.get("compact") is True)
        return True

    def drain(self, spread: float) -> float:
        """Tell the client when to leave; spread, so that not all come back at once (P10.2)."""
        wait = random.uniform(min(_SOONEST, spread), spread)  # noqa: S311  # nothing secret
        self.send(frame("gsws.draining", {"reconnect_in_ms": int(1000 * wait)}))
        return wait + _LATE

    def shut(self) -> None:
        """Close, after saying how many messages of the connection were taken: what is under way was not."""
        self.send(frame("gsws.draining", {"reconnect_in_ms": 0, "taken": self.taken}))
        self.close(CloseCode.DRAINING, "draining")

    def _control(self, eventtype: str, id: RequestId | None, payload: Any) -> None:
        wrong: str | None = None
        if eventtype == "gsws.ack":
            wrong = self._acknowledge(id, payload)
        elif eventtype == "gsws.follow":
            if self.following is None:
                self.following = Following(self.client, self.router)
            wrong = self.following.follow(id, payload)
        elif eventtype == "gsws.unfollow":
            if self.following is None:
                self.following = Following(self.client, self.router)
            wrong = self.following.unfollow(id, payload)
        elif eventtype == "gsws.resume":
            wrong = "`gsws.resume` must be the first message of a connection"
        else:
            super()._control(eventtype, id, payload)
        if wrong is not None:
            self.misused(wrong, id)

    def _acknowledge(self, id: RequestId | None, payload: Any) -> str | None:
        """Take ``gsws.ack``; what is wrong with it if it has no sense."""
        if not (isinstance(payload, dict) and is_seq(payload.get("seq")) and is_id(payload.get("id"))):
            return "`gsws.ack` needs `id` and `seq` in its payload"
        if not self.client.log.acknowledge(payload["id"], payload["seq"]):
            # One acknowledgement a frame is owed; those of nothing are messages like any other.
            super()._is_over_rate("gsws.", id)
        return None

    def _is_over_rate(self, eventtype: str, id: RequestId | None) -> bool:
        """Acknowledgements are free as far as they say something new, which the session's log knows."""
        return eventtype != "gsws.ack" and super()._is_over_rate(eventtype, id)
