"""
A client that goes with its connection: whose requests and rooms these are, and what goes out to it.

What comes in is `gsws.runtime.dispatch`'s. An idle client owns no task and no container.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Set
from typing import Any, Final

from gsws.protocol.answer import Answer
from gsws.runtime.requests.executor import Executor
from gsws.runtime.requests.request import Request
from gsws.runtime.requests.scheduler import Scheduler
from gsws.runtime.rooms.membership import Membership
from gsws.runtime.sessions.registry import SessionRegistry
from gsws.runtime.transport import Connection
from gsws.text.urls import first_values, query_of
from gsws.types import GSActor, JSONObject

__all__ = ["Client", "label_of"]

_LABEL_LENGTH: Final = 128

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def label_of(query: str) -> str:
    """Read a connection's label from its query (P4.1); control characters are dropped, 128 characters are kept."""
    for key, value in query_of(query):
        if key == "clientId" and (label := _CONTROL.sub("", value)[:_LABEL_LENGTH]):
            return label
    return f"anon-{uuid.uuid4()}"


class Client:
    """
    Whom requests answer, and who is in rooms.

    Args:
        registry: What the clients of its source share.
        executor: What their requests share.
        connection: What goes out to it.
        actor: Who it is by its credential; None for one that has only its label.

    Attributes:
        label: The ``clientId`` (P4.1).
        scheduler: Its requests, or None before the first one.
    """

    __slots__ = ("_actor", "_counter", "_membership", "connection", "executor", "label", "registry", "scheduler")

    def __init__(
        self,
        registry: SessionRegistry[Any],
        executor: Executor,
        connection: Connection,
        actor: GSActor | None = None,
    ) -> None:
        self.registry = registry
        self.executor = executor
        self.connection = connection
        self.label = label_of(connection.query)
        self.scheduler: Scheduler | None = None
        self._actor = actor
        self._counter = 0
        self._membership: Membership | None = None

    @property
    def session_id(self) -> str | None:
        """The session's id; a plain client has none."""
        return None

    @property
    def id(self) -> str:
        return self.connection.id

    @property
    def is_open(self) -> bool:
        return self.connection.is_open

    @property
    def actor(self) -> GSActor:
        if self._actor is None:
            self._actor = GSActor(self.label)
        return self._actor

    @actor.setter
    def actor(self, actor: GSActor) -> None:
        self._actor = actor

    @property
    def is_proven(self) -> bool:
        """Whether it proved who it is."""
        return self._actor is not None and self._actor.authenticated

    @property
    def logger(self) -> Any:
        return self.registry.logger.bind(connection=self.id, client=self.label)

    @property
    def metadata(self) -> JSONObject:
        connection = self.connection
        return {
            "connection": connection.id,
            "path": connection.path,
            "query": first_values(connection.query),
            "host": connection.host,
            "subprotocol": connection.subprotocol,
        }

    def next_request_id(self) -> str:
        self._counter += 1
        return f"{self.id}-{self._counter}"

    # Requests.

    def take(self, request: Request) -> None:
        """Queue or start a request that was found good."""
        if self.scheduler is None:
            self.scheduler = Scheduler(self.executor, self)
        self.scheduler.schedule(request)

    def running(self, id: Any) -> Request | None:
        """The request with an id that has no terminal frame yet, or None."""
        return None if self.scheduler is None else self.scheduler.requests.get(id)

    def transmit(self, answer: Answer, data: bytes) -> None:
        """Send a frame of an answer, if the client is still there."""
        connection = self.connection
        if connection.is_open:
            connection.send_text(data)

    def abort_all(self, reason: str) -> None:
        """End everything that is queued or running, each with its terminal frame."""
        if self.scheduler is not None:
            self.scheduler.abort_all(reason)

    # Pushes and rooms.

    def push(self, prepared: bytes) -> bool:
        """Queue a whole frame without waiting, and tell whether it was; who does not keep up is closed (P9.3)."""
        if not self.connection.is_open:
            return False
        if self.connection.push(prepared):
            return True
        self._detach()
        return False

    def offer(self, prepared: bytes) -> bool:
        """The same, for somebody and not for a room: a session that is away keeps it."""
        return self.push(prepared)

    def join(self, room: str, *, is_announced: bool) -> None:
        """Join a room; a client that has left joins nothing."""
        if self.is_open:
            self._joined().join(room, is_connected=True, announced_as=self._person() if is_announced else None)

    def leave(self, room: str) -> None:
        if self._membership is not None:
            self._membership.leave(room)

    @property
    def rooms(self) -> Set[str]:
        """The rooms it is in, or was in when its connection ended; none once it is gone."""
        return frozenset() if self._membership is None else self._membership.rooms

    # Ends.

    def close(self, code: int, reason: str) -> None:
        """Close the connection; nothing of its rooms reaches it any more."""
        self.connection.close(code, reason)
        self._detach()

    def dismiss(self, code: int, reason: str) -> None:
        """Close, and end what would wait for it to come back."""
        self.close(code, reason)

    def left(self, connection: Connection, code: int, reason: str) -> None:
        """The connection has ended: end, or go on with, what runs, as each event says (P6.7)."""
        self._detach()
        for request in self._unfinished():
            self._disconnected(request)
        self.gone(code, reason)

    def gone(self, code: int, reason: str) -> None:
        """
        The client is gone for good, and nobody comes back for it; called exactly once for each.

        A plain client goes with its connection. A session goes after a goodbye (P6.7), when its window is over, when
        it has to make room, and at a shutdown; one that was opened only to resume another never was a client, and
        nothing is told of it. What events let go on without a client may still run, and `rooms` are those it was in.

        Args:
            code: How its last connection was closed (P7.4).
            reason: What was said with it.
        """
        if self._membership is not None:
            self._membership.end()
        self.registry.strike(self, code, reason)
        # What is no longer needed would keep it, in a circle, until a garbage collection.
        self._membership = None
        if self.scheduler is not None and not self.scheduler.in_flight:
            self.scheduler = None

    def _unfinished(self) -> list[Request]:
        return [] if self.scheduler is None else self.scheduler.unfinished()

    def _abort(self, request: Request, reason: str) -> None:
        assert self.scheduler is not None, "it has a request"
        self.scheduler.abort(request, reason)

    def _disconnected(self, request: Request) -> None:
        policy = request.route.on_disconnect
        if policy == "continue":
            return
        if isinstance(policy, int | float):
            self.registry.wheel.schedule(policy, lambda: self._abort(request, "disconnected"))
        else:
            self._abort(request, "disconnected")

    def _detach(self) -> None:
        if self._membership is not None:
            self._membership.detach()

    def _joined(self) -> Membership:
        if self._membership is None:
            self._membership = Membership(self, self.registry.hub, self.registry.presence)
        return self._membership

    def _person(self) -> tuple[str, str | None]:
        """As whom rooms are told of it."""
        actor = self.actor
        return self.label, actor.subject if actor.authenticated else None
