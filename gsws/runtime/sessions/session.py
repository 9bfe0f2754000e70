"""
Profile *session* (protocol sections 3.2 and 8): a client whose requests outlive its connection.

A `SessionClient` is the session: it keeps its streams' frames and goes on while nobody is connected. Its connections
reach it through a `gsws.runtime.dispatch.dispatcher`; who else gets its frames is in `gsws.runtime.streams.followers`.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Set
from typing import TYPE_CHECKING, Any, Final

from gsws.protocol.answer import error_payload, frame
from gsws.protocol.closecodes import CloseCode, is_goodbye
from gsws.runtime.dispatch.admission import is_over_rate
from gsws.runtime.dispatch.claims import MOST, is_id, is_seq, refusals, told_streams, wanted_streams
from gsws.runtime.requests.request import Request
from gsws.runtime.sessions.away import ANONYMOUS, Owner
from gsws.runtime.sessions.client import Client
from gsws.runtime.sessions.kept import Kept
from gsws.runtime.streams.followers import Followers, Following, follow, unfollow
from gsws.runtime.streams.memory import MemorySessionLog
from gsws.runtime.streams.replay import replay
from gsws.types import GSActor, JSONObject, RequestId

if TYPE_CHECKING:
    from gsws.runtime.sources.source import LiveSource
    from gsws.runtime.transport import Connection
    from gsws.runtime.wheel import Timer

__all__ = ["SUBPROTOCOL", "SessionClient"]

SUBPROTOCOL: Final = "gsws.v1"

_NONE: Final[frozenset[RequestId]] = frozenset()

_SOONEST: Final = 0.1
_LATE: Final = 0.25
"""Seconds that a client has to leave by itself after the moment it was told."""

DEFAULT_GRACE: Final = 30.0
"""Seconds that a request goes on without its client if its event says nothing (P6.7)."""


class SessionClient(Client):
    """
    One session, connected or not.

    Attributes:
        secret: Proves that a client may resume it; sent once, in ``gsws.hello``, never logged.
        owner: By whom what it holds is counted.
        room: Where it reserves what it holds.
        log: The frames that a client may ask for again.
        taken: How many messages of its connection were read.
        followers: Who else gets frames of this session; None until somebody did.
        following: What its connection gets of other sessions; None until it asked.
    """

    __slots__ = (
        "_apart", "_expiry", "_graces", "_id", "_kept", "_muted", "_trimming",
        "followers", "following", "log", "owner", "room", "secret", "taken",
    )  # fmt: skip

    def __init__(self, source: LiveSource, connection: Connection, actor: GSActor | None = None) -> None:
        super().__init__(source, connection, actor)
        self._id = secrets.token_urlsafe(12)
        self.secret = secrets.token_urlsafe(32)
        self.owner: Owner = self._owner(actor)
        self.room = source.away.share(self.owner, is_proven=actor is not None and actor.authenticated)
        self.log = MemorySessionLog(source.resume_bytes, self.room)
        self.taken = 0
        self.followers: Followers | None = None
        self.following: Following | None = None
        self._muted: Set[RequestId] = _NONE
        # Ids that are muted or followed: what is neither is not asked twice about.
        self._apart: Set[RequestId] = _NONE
        source.sessions[self.session_id] = self
        self._graces: dict[float, tuple[Timer, list[Request]]] | None = None
        self._kept: Kept | None = None
        self._expiry: Timer | None = None
        self._trimming: Timer | None = None

    def _owner(self, actor: GSActor | None) -> Owner:
        """Who pays for it: a proven subject, or a label where nobody proves anything."""
        if actor is not None and actor.authenticated:
            return actor.key
        return ("label", self.label) if self.source.identity is None else ANONYMOUS

    @property
    def session_id(self) -> str:
        return self._id

    def schedule(self, request: Request) -> None:
        id = request.answer.id
        if id is not None:
            if self.following is not None and self._is_followed(id):
                text = "a stream with this id is followed on this connection"
                self._deny("duplicate_id", text, id)
                return
            # From now on it can be resumed, also while it waits in a queue and has no frame yet.
            self.log.begin(id)
        super().schedule(request)

    def forget(self, request: Request) -> None:
        super().forget(request)
        if request.answer.id in self._apart:
            self._muted -= {request.answer.id}
            self._apart -= {request.answer.id}

    def hello(self) -> None:
        """Send the server's first frame (P8.1)."""
        source = self.source
        payload = {
            "session": self.session_id,
            "secret": self.secret,
            "heartbeat_ms": int(source.heartbeat * 1000),
            "resume_window_ms": int(source.resume_window * 1000),
            "max_message_bytes": source.message_bytes,
            "max_in_flight": source.max_in_flight,
            "max_queued": source.max_queued,
            "server": "gsws",
        }
        self._send(frame("gsws.hello", payload))

    def transmit(self, request: Request, data: bytes) -> None:
        """Keep a frame of a request with an id, and send it if somebody listens."""
        answer = request.answer
        if answer.id is not None:
            self.log.append(answer.id, answer.seq - 1, data, self.source.loop.time() if answer.ended else None)
            if answer.ended and self._trimming is None and self.is_open:
                self._trim_later()
            if answer.id in self._apart and not self._relay(answer.id, data, is_last=answer.ended):
                return
        connection = self.connection
        if connection.is_open:
            connection.send_text(data)

    def left(self, connection: Connection, code: int, reason: str) -> None:
        """A connection of this session has ended; the session goes on if it was not replaced, and may be resumed."""
        if connection is not self.connection:
            return
        source = self.source
        if self.following is not None:
            self.following.stop_all(self)
        self._disconnect()
        is_over = source.sessions.get(self.session_id) is not self
        if is_over or is_goodbye(code, by_peer=connection.closed_by_peer):
            self.abort_all("cancelled")
            self.drop()
            return
        source.presence.away(self)
        for request in self._unfinished():
            self._disconnected(request)
        self.log.trim(source.loop.time() - self._holding())
        if self.in_flight or len(self.log) or self.rooms or source.keeps_sessions:
            self._expiry = source.wheel.schedule(source.resume_window, self.drop)
            source.away.add(self)
        else:
            self.drop()

    def attach(self, connection: Connection) -> None:
        """Go on over another connection; the older one, if it is still open, is closed (P8.7)."""
        if self.following is not None:
            self.following.stop_all(self)
            self.following = None
        before, self.connection = self.connection, connection
        if self.is_full:
            connection.hold()
        self._misuses = 0
        self.taken = 1  # what asked for the resume
        self._end_graces()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        self.source.away.discard(self)
        before.close(CloseCode.REPLACED, "replaced by a newer connection")
        self.source.enlist(self)
        for room in self.rooms:
            self.hub.join(room, self)
        self.source.presence.back(self)
        if self._trimming is None and len(self.log):
            self._trim_later()

    def resume(self, asked: object, *, compact: bool) -> None:
        """Answer ``gsws.resume``: say what follows, then send every missing frame in order (P8.3, P8.4)."""
        wanted = wanted_streams(asked, self)
        found = {id: state for id, seq in wanted.items() if (state := self.log.read(id, seq, compact=compact))}
        self._muted = {id for id in self.requests if id not in found}
        self._apart = self._muted | (self.followers.streams.keys() if self.followers is not None else set())
        facts: dict[RequestId, JSONObject] = {
            id: {"from": wanted[id] + 1, "state": "ended" if state.is_ended else "running"}
            for id, state in found.items()
        }
        self._send(frame("gsws.resumed", {"session": self.session_id, "streams": told_streams(asked, facts)}))
        lost: list[RequestId] = []
        never_came: list[RequestId] = []
        for id, seq in wanted.items():
            state = found.get(id)
            if state is not None:
                for data in replay(id, state):
                    self._send(data)
            elif seq == -1 and not (id in self.requests or self.log.holds(id) or self.log.has_forgotten):
                never_came.append(id)
            else:
                lost.append(id)
        self._lost(never_came, each=MOST, never_came=True)
        self._lost(lost, each=max(0, MOST - len(never_came)))
        kept, self._kept = self._kept, None
        if kept is not None:
            for prepared in kept.release():
                self.connection.send_prepared(prepared)
            if kept.missed:
                self._send(frame("gsws.lost", {"missed": kept.missed}))
        self.connection.mark_replay()

    def offer(self, prepared: bytes) -> bool:
        """Push a frame, or keep it for the client that may come back; False if there is no room for it."""
        if self.is_open:
            return super().offer(prepared)
        if self.source.sessions.get(self.session_id) is not self or self.source.is_stopped:
            return False
        if self._kept is None:
            self._kept = Kept(self.source.resume_bytes, self.room)
        return self._kept.add(prepared)

    def dismiss(self, code: int, reason: str) -> None:
        self.abort_all("cancelled")
        self.close(code, reason)
        self.drop()

    def refuse_resume(self, asked: object) -> None:
        """Answer ``gsws.resume`` of a session that is not held, or not this client's, whose ids are not its to know."""
        self.taken = 1  # what asked for it
        self._send(frame("gsws.resumed", {"session": self.session_id, "streams": told_streams(asked, {})}))
        self._lost(wanted_streams(asked, None), each=MOST)

    def join(self, room: str) -> None:
        """Join; without a connection, from the moment that somebody resumes."""
        if self.is_open:
            super().join(room)
        else:
            self._rooms = self._rooms or set()
            self._rooms.add(room)

    def _trim_later(self) -> None:
        self._trimming = self.source.wheel.schedule(self._holding(), self._trim)

    def _holding(self) -> float:
        """
        Seconds that a stream is held after its end (P8.5).

        Longer than the window: its last frames may be under way for as long as heartbeats let a slow network be, and
        a client that is cut then, having seen none of them, has its window from that moment on.
        """
        return self.source.resume_window + 2 * self.source.heartbeat

    def _trim(self) -> None:
        """Forget what ended long ago; of a session that nobody holds, all expires together."""
        self._trimming = None
        if self.is_open:
            self.log.trim(self.source.loop.time() - self._holding())
            if len(self.log):
                self._trim_later()

    def _lost(self, ids: Iterable[RequestId], *, each: int, never_came: bool = False) -> None:
        """Answer for streams that cannot be resumed; retryable if their requests provably never arrived (P8.4)."""
        payload = error_payload("resume_lost", "its frames are no longer held")
        if never_came:
            payload |= {"message": "this session has no such request", "retryable": True}
        for data in refusals(ids, payload, each=each):
            self.source.counters.add("errors.resume_lost")
            self._send(data)

    def _disconnected(self, request: Request) -> None:
        """Give a request its grace (P6.7); a client that comes back in time finds it running."""
        policy = request.route.on_disconnect
        if policy == "continue":
            return
        if policy == "cancel" or (request.answer.id is None and policy is None):
            self.abort(request, "disconnected" if request.answer.id is None else "cancelled")
            return
        # Nobody can come back for it once the window is over.
        grace = min(DEFAULT_GRACE, self.source.resume_window) if policy is None else float(policy)
        if self._graces is None:
            self._graces = {}
        if grace not in self._graces:
            # One deadline for all: who comes and goes all the time leaves none behind.
            requests: list[Request] = []
            self._graces[grace] = self.source.wheel.schedule(grace, lambda: self._grace_over(requests)), requests
        self._graces[grace][1].append(request)

    def _end_graces(self) -> None:
        graces, self._graces = self._graces, None
        for timer, _ in (graces or {}).values():
            timer.cancel()

    def end_graces(self) -> None:
        """End what runs only until its client is back, for it cannot come back."""
        graces, self._graces = self._graces, None
        for timer, requests in (graces or {}).values():
            timer.cancel()
            self._grace_over(requests)

    def _grace_over(self, requests: list[Request]) -> None:
        for request in requests:
            self.abort(request, "cancelled")
        requests.clear()

    def drop(self) -> None:
        """Forget the session: nobody comes back within its window, or there is nothing to come back for."""
        if self.source.sessions.pop(self.session_id, None) is None:
            return
        for timer in (self._expiry, self._trimming):
            if timer is not None:
                timer.cancel()
        self._expiry = self._trimming = None
        if not self.in_flight:
            self._end_graces()
        self.source.away.discard(self)
        self.log.close()
        if self._kept is not None:
            self._kept.close()
        connection = self.connection
        self.gone(connection.close_code or 1006, connection.close_reason or "")

    # Who follows (P8.8).

    @property
    def lingers(self) -> bool:
        return self.following is not None and bool(self.following.streams)

    def say(self, data: bytes) -> None:
        """Send a frame that is no part of an answer of this session."""
        self._send(data)

    def _is_followed(self, id: RequestId) -> bool:
        """Whether this connection follows a stream with this id."""
        return self.following is not None and id in self.following.streams

    def _is_taken(self, id: RequestId) -> bool:
        return self._is_followed(id) or super()._is_taken(id)

    def look_at(self, id: RequestId) -> None:
        """Who gets the frames of a stream has changed."""
        is_followed = self.followers is not None and id in self.followers.streams
        self._apart = self._apart | {id} if is_followed or id in self._muted else self._apart - {id}

    def _relay(self, id: RequestId, data: bytes, *, is_last: bool) -> bool:
        """Give a frame to those who follow; False if the session's own client does not want it."""
        if self.followers is not None:
            self.followers.relay(id, data, is_last=is_last)
        return id not in self._muted

    def _control(self, eventtype: str, id: RequestId | None, payload: Any) -> None:
        if eventtype == "gsws.ack":
            if isinstance(payload, dict) and is_seq(payload.get("seq")) and is_id(payload.get("id")):
                if not self.log.acknowledge(payload["id"], payload["seq"]) and self.source.rate is not None:
                    # One acknowledgement a frame is owed; those of nothing are messages like any other.
                    is_over_rate(self, "gsws.", self.source.rate, id)
            else:
                self.misused("`gsws.ack` needs `id` and `seq` in its payload", id)
        elif eventtype == "gsws.follow":
            follow(self, id, payload)
        elif eventtype == "gsws.unfollow":
            unfollow(self, id, payload)
        elif eventtype == "gsws.resume":
            self.misused("`gsws.resume` must be the first message of a connection", id)
        else:
            super()._control(eventtype, id, payload)

    def drain(self, spread: float) -> float:
        """Tell the client when to leave; spread, so that not all come back at once (P10.2)."""
        wait = random.uniform(min(_SOONEST, spread), spread)  # noqa: S311  # nothing secret
        self._send(frame("gsws.draining", {"reconnect_in_ms": int(1000 * wait)}))
        return wait + _LATE

    def shut(self) -> None:
        """Close, after saying how many messages of the connection were taken: what is under way was not."""
        self._send(frame("gsws.draining", {"reconnect_in_ms": 0, "taken": self.taken}))
        self.close(CloseCode.DRAINING, "draining")
