"""
``gsws.follow`` and ``gsws.unfollow``: one connection gets the frames of another session's streams (protocol P8.8).

It takes nothing over. Who gets which frames is kept in `gsws.runtime.streams.followers`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from gsws.protocol.answer import error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.runtime.dispatch.claims import is_entitled, is_id, refusals, told_streams, wanted_streams
from gsws.runtime.dispatch.router import Router
from gsws.runtime.sessions.session import Session
from gsws.runtime.streams.followers import Followers
from gsws.runtime.streams.log import StreamState
from gsws.runtime.streams.replay import replay
from gsws.types import RequestId

__all__ = ["FOLLOWERS", "Following"]

FOLLOWERS: Final = 16
"""Connections that may follow streams of one session at a time."""

_FOLLOWED: Final = 1000
"""Streams that one connection may follow at a time."""

_CREDIT: Final = 16 * 2**20
"""Bytes that may be replayed to one connection at once; to replay is cheap to ask for and not so to do."""

_REFILL: Final = 4 * 2**20
"""Bytes of that which come back in a second."""

_LEAST: Final = 4096
"""Bytes that asking costs at least."""

_REFUSED: Final = 16
"""Streams of one message that are refused each by a frame of its own; more of them share one."""

_ATTEMPTS: Final = 8
"""Wrong secrets after which a connection is closed with 4504."""


class Following:
    """
    What one connection follows.

    Args:
        client: Whose connection it is.
        router: Where sessions are found.

    Attributes:
        streams: Id → who else gets that stream.
    """

    __slots__ = ("_at", "_attempts", "_client", "_connection", "_credit", "_router", "streams")

    def __init__(self, client: Session, router: Router) -> None:
        self._client = client
        self._connection = client.connection
        self._router = router
        self.streams: dict[RequestId, Followers] = {}
        self._attempts = 0
        self._credit = float(_CREDIT)
        self._at = router.executor.loop.time()

    # What `gsws.runtime.streams.followers` does with a follower.

    @property
    def is_open(self) -> bool:
        return self._connection.is_open

    def push(self, prepared: bytes) -> None:
        if self._client.connection is self._connection:
            self._client.push(prepared)

    def ended(self, id: RequestId) -> None:
        self.streams.pop(id, None)

    # What the client asks for.

    def follow(self, message_id: RequestId | None, payload: Any) -> str | None:
        """
        Answer ``gsws.follow``: ``gsws.following``, then all that was missed of each stream; or say why not.

        Returns:
            What is wrong with the frame if it has no sense; nothing was answered then.
        """
        streams = payload.get("streams") if isinstance(payload, dict) else None
        named = wanted_streams(streams)  # read without the session, whose ids are not this client's to know
        if not named or not isinstance(payload.get("session"), str):
            return "`gsws.follow` needs `session`, `secret` and `streams` in its payload"
        client = self._client
        session = self._router.registry.sessions.get(payload["session"])
        if session is client:
            return "a session does not follow itself; it has the frames of its own requests"
        if session is None or not is_entitled(session.secret, payload.get("secret"), session.actor, client.actor):
            text = "there is no such session, or it may not be followed with this secret"
            self._refuse(named, "forbidden", text)
            self._attempts += session is not None
            if self._attempts >= _ATTEMPTS:
                client.close(CloseCode.FORBIDDEN, "too many wrong secrets")
            return None
        wanted = wanted_streams(streams, session.knows)
        free = {id: seq for id, seq in wanted.items() if client.running(id) is None and id not in self.streams}
        refused = self._too_much(session, free)
        if refused is not None:
            self._refuse(wanted, "too_many_requests", *refused)
            return None
        found = self._begin(session, free, is_compact=payload.get("compact") is True)
        facts = {
            id: {"from": free[id] + 1, "state": "ended" if state.is_ended else "running"} for id, state in found.items()
        }
        told = {"session": session.session_id, "streams": told_streams(streams, facts)}
        self._say(frame("gsws.following", told, message_id))
        for id, state in found.items():
            for data in replay(id, state):
                self._say(data)
        self._connection.mark_replay()
        self._refuse([id for id in free if id not in found], "resume_lost", "its frames are not held")
        in_use = [id for id in wanted if id not in free]
        self._refuse(in_use, "duplicate_id", "a request or a followed stream with this id is running here")
        return None

    def unfollow(self, message_id: RequestId | None, payload: Any) -> str | None:
        """Answer ``gsws.unfollow`` with ``gsws.unfollowed``, after which no frame of the stream comes."""
        id = payload.get("id") if isinstance(payload, dict) else None
        if not is_id(id):
            return "`gsws.unfollow` needs the `id` of a stream in its payload"
        self._stop(id)
        self._say(frame("gsws.unfollowed", {"id": id}, message_id))
        return None

    def stop_all(self) -> None:
        """The connection is gone."""
        for id in tuple(self.streams):
            self._stop(id)

    def _stop(self, id: RequestId) -> None:
        followers = self.streams.pop(id, None)
        if followers is not None:
            followers.discard(id, self)

    def _too_much(self, session: Session, free: Collection[RequestId]) -> tuple[str, int] | None:
        """Why nothing more may be followed now, with the milliseconds to wait; None if it may."""
        if wait := self._wait():
            return "too much was replayed to this connection", int(1000 * wait) + 1
        who = set() if session.followers is None else session.followers.connected()
        if self not in who and len(who) >= FOLLOWERS:
            return f"{FOLLOWERS} connections follow this session already", 1000
        if len(self.streams) + len(free) > _FOLLOWED:
            return f"a connection follows at most {_FOLLOWED} streams", 1000
        return None

    def _wait(self) -> float:
        """Seconds until something may be replayed again."""
        now = self._router.executor.loop.time()
        self._credit = min(_CREDIT, self._credit + (now - self._at) * _REFILL)
        self._at = now
        return max(0.0, -self._credit / _REFILL)

    def _begin(
        self, session: Session, wanted: dict[RequestId, int], *, is_compact: bool
    ) -> dict[RequestId, StreamState]:
        """Read what was missed and register for what comes; nothing can come in between."""
        log = session.log
        found = {id: state for id, seq in wanted.items() if (state := log.read(id, seq, compact=is_compact))}
        read = sum(sum(map(len, state.frames)) + len(state.text or "") for state in found.values())
        self._credit -= max(read, _LEAST)
        followers = session.followers = session.followers or Followers()
        for id, state in found.items():
            log.share(id)
            if not state.is_ended:
                self.streams[id] = followers
                followers.add(id, self)
        return found

    def _refuse(self, ids: Iterable[RequestId], name: str, message: str, retry_after_ms: int | None = None) -> None:
        """Say why streams are not followed; of many in as few bytes as they were asked for in."""
        for data in refusals(ids, error_payload(name, message, retry_after_ms=retry_after_ms), each=_REFUSED):
            self._router.executor.counters.add(f"errors.{name}")
            self._say(data)

    def _say(self, data: bytes) -> None:
        if self._connection.is_open:
            self._connection.send_text(data)
