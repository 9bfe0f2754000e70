"""
A session (protocol sections 3.2 and 8): a client whose requests outlive its connection.

It keeps its streams' frames and goes on while nobody is connected. What a client says in order to go on with it is
`gsws.runtime.dispatch.resuming`'s, who else gets its frames is in `gsws.runtime.streams.followers`.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Final

from gsws.protocol.answer import Answer
from gsws.protocol.closecodes import CloseCode, is_goodbye
from gsws.runtime.requests.executor import Executor
from gsws.runtime.requests.request import Request
from gsws.runtime.requests.scheduler import Scheduler
from gsws.runtime.sessions.client import Client
from gsws.runtime.sessions.kept import Kept
from gsws.runtime.sessions.registry import SessionRegistry
from gsws.runtime.sessions.waiting import ANONYMOUS, Owner
from gsws.runtime.streams.followers import Followers
from gsws.runtime.streams.log import SessionLog
from gsws.runtime.streams.memory import MemorySessionLog
from gsws.runtime.transport import Connection
from gsws.runtime.wheel import Timer
from gsws.types import GSActor, RequestId

__all__ = ["Session"]

DEFAULT_GRACE: Final = 30.0
"""Seconds that a request goes on without its client if its event says nothing (P6.7)."""


class Session(Client):
    """
    One session, connected or not.

    Attributes:
        secret: Proves that a client may resume it; sent once, in ``gsws.hello``, never logged.
        owner: By whom what it holds is counted.
        log: The frames that a client may ask for again.
        followers: Who else gets its frames.
    """

    __slots__ = (
        "_expiry", "_graces", "_id", "_kept", "_muted", "_room", "_trimming",
        "followers", "log", "owner", "secret",
    )  # fmt: skip

    def __init__(
        self,
        registry: SessionRegistry[Session],
        executor: Executor,
        connection: Connection,
        actor: GSActor | None = None,
    ) -> None:
        super().__init__(registry, executor, connection, actor)
        self._id = secrets.token_urlsafe(12)
        self.secret = secrets.token_urlsafe(32)
        self.owner: Owner = self._owner()
        self._room = registry.waiting.share(self.owner, is_proven=self.is_proven)
        self.log: SessionLog = MemorySessionLog(registry.bytes, self._room)
        self.followers: Followers | None = None
        self._muted: set[RequestId] | None = None
        self._graces: dict[float, tuple[Timer, list[Request]]] | None = None
        self._kept: Kept | None = None
        self._expiry: Timer | None = None
        self._trimming: Timer | None = None
        registry.hold(self)

    def _owner(self) -> Owner:
        """Who pays for it: a proven subject, or a label where nobody proves anything."""
        if self.is_proven:
            return self.actor.key
        return ANONYMOUS if self.registry.is_proven else ("label", self.label)

    @property
    def session_id(self) -> str:
        return self._id

    def knows(self, id: RequestId) -> bool:
        """Whether an id names a request of this session, running or still held."""
        return self.running(id) is not None or self.log.holds(id)

    # Requests.

    def take(self, request: Request) -> None:
        id = request.answer.id
        if id is not None:
            # From now on it can be resumed, also while it waits in a queue and has no frame yet.
            self.log.begin(id)
            if self._muted is not None:
                self._muted.discard(id)
        if self.scheduler is None:
            self.scheduler = Scheduler(self.executor, self)
        self.scheduler.schedule(request)

    def transmit(self, answer: Answer, data: bytes) -> None:
        """Keep a frame of a request with an id, and send it if somebody listens."""
        id = answer.id
        if id is not None:
            self.log.append(id, answer.seq - 1, data, self.executor.loop.time() if answer.ended else None)
            if answer.ended and self._trimming is None and self.is_open:
                self._trim_later()
            if self.followers is not None:
                self.followers.relay(id, data, is_last=answer.ended)
            if self._muted is not None and id in self._muted:
                return
        connection = self.connection
        if connection.is_open:
            connection.send_text(data)

    def mute(self, resumed: Collection[RequestId]) -> None:
        """Send no frame of what runs but of the streams that a resume has asked for."""
        running = () if self.scheduler is None else self.scheduler.requests
        self._muted = {id for id in running if id not in resumed} or None

    # Connections.

    def left(self, connection: Connection, code: int, reason: str) -> None:
        """A connection of this session has ended; the session goes on if it was not replaced, and may be resumed."""
        if connection is not self.connection:
            return
        registry = self.registry
        self._detach()
        if not registry.holds(self) or is_goodbye(code, by_peer=connection.closed_by_peer):
            self.abort_all("cancelled")
            self.drop()
            return
        if self._membership is not None:
            self._membership.away(registry.window)
        for request in self._unfinished():
            self._disconnected(request)
        self.log.trim(registry.loop.time() - self._holding())
        is_busy = self.scheduler is not None and self.scheduler.in_flight > 0
        if is_busy or len(self.log) or self.rooms or registry.keeps_all:
            self._expiry = registry.wheel.schedule(registry.window, self.drop)
            registry.waiting.add(self)
        else:
            self.drop()

    def attach(self, connection: Connection) -> None:
        """Go on over another connection; the older one, if it is still open, is closed (P8.7)."""
        before, self.connection = self.connection, connection
        if self.scheduler is not None and self.scheduler.is_full:
            connection.hold()
        self._end_graces()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self.registry.waiting.discard(self)
        before.close(CloseCode.REPLACED, "replaced by a newer connection")
        self.registry.enlist(self)
        if self._membership is not None:
            self._membership.attach()
        if self._trimming is None and len(self.log):
            self._trim_later()

    def offer(self, prepared: bytes) -> bool:
        """Push a frame, or keep it for the client that may come back; False if there is no room for it."""
        if self.is_open:
            return super().offer(prepared)
        if not self.registry.holds(self) or self.executor.is_stopped:
            return False
        if self._kept is None:
            self._kept = Kept(self.registry.bytes, self._room)
        return self._kept.add(prepared)

    def take_kept(self) -> Kept | None:
        """What was pushed while nobody was connected; it is kept no longer."""
        kept, self._kept = self._kept, None
        return kept

    def join(self, room: str, *, is_announced: bool) -> None:
        """Join; without a connection, from the moment that somebody resumes."""
        announced_as = self._person() if is_announced else None
        self._joined().join(room, is_connected=self.is_open, announced_as=announced_as)

    # Ends.

    def dismiss(self, code: int, reason: str) -> None:
        self.abort_all("cancelled")
        self.close(code, reason)
        self.drop()

    def give_way(self) -> None:
        self.drop()
        self.registry.counters.add("limits.resume")

    def drop(self) -> None:
        """Forget the session: nobody comes back within its window, or there is nothing to come back for."""
        if not self.registry.forget(self):
            return
        for timer in (self._expiry, self._trimming):
            if timer is not None:
                timer.cancel()
        self._expiry = self._trimming = None
        if self.scheduler is None or not self.scheduler.in_flight:
            self._end_graces()
        self.registry.waiting.discard(self)
        self.log.close()
        if self._kept is not None:
            self._kept.close()
        connection = self.connection
        self.gone(connection.close_code or 1006, connection.close_reason or "")

    def _disconnected(self, request: Request) -> None:
        """Give a request its grace (P6.7); a client that comes back in time finds it running."""
        policy = request.route.on_disconnect
        if policy == "continue":
            return
        if policy == "cancel" or (request.answer.id is None and policy is None):
            self._abort(request, "disconnected" if request.answer.id is None else "cancelled")
            return
        # Nobody can come back for it once the window is over.
        grace = min(DEFAULT_GRACE, self.registry.window) if policy is None else float(policy)
        if self._graces is None:
            self._graces = {}
        if grace not in self._graces:
            # One deadline for all: who comes and goes all the time leaves none behind.
            requests: list[Request] = []
            self._graces[grace] = self.registry.wheel.schedule(grace, lambda: self._grace_over(requests)), requests
        self._graces[grace][1].append(request)

    def _end_graces(self) -> None:
        graces, self._graces = self._graces, None
        for timer, _ in (graces or {}).values():
            timer.cancel()

    def end_graces(self) -> None:
        """End what runs only until its client is back, for it cannot come back."""
        graces = self._graces or {}
        self._end_graces()
        for _, requests in graces.values():
            self._grace_over(requests)

    def _grace_over(self, requests: list[Request]) -> None:
        for request in requests:
            self._abort(request, "cancelled")
        requests.clear()

    # How long frames are held.

    def _trim_later(self) -> None:
        self._trimming = self.registry.wheel.schedule(self._holding(), self._trim)

    def _holding(self) -> float:
        """
        Seconds that a stream is held after its end (P8.5).

        Longer than the window: its last frames may be under way for as long as heartbeats let a slow network be, and
        a client that is cut then, having seen none of them, has its window from that moment on.
        """
        return self.registry.window + 2 * self.registry.heartbeat

    def _trim(self) -> None:
        """Forget what ended long ago; of a session that nobody holds, all expires together."""
        self._trimming = None
        if self.is_open:
            self.log.trim(self.registry.loop.time() - self._holding())
            if len(self.log):
                self._trim_later()
