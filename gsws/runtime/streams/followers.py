"""
Other connections of a subject that follow a session's streams (protocol P8.8).

A follower takes nothing over: it gets what it missed and then each frame as the session's own client does, the same
bytes for all. It belongs to one connection; one that reads too slowly is closed and delays nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from gsws.protocol.answer import error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.runtime.dispatch.claims import is_entitled, is_id, refusals, told_streams, wanted_streams
from gsws.runtime.streams.log import StreamState
from gsws.runtime.streams.replay import replay
from gsws.runtime.transport import encode_frame
from gsws.types import RequestId

if TYPE_CHECKING:
    from gsws.runtime.sessions.session import SessionClient

__all__ = ["FOLLOWERS", "Followers", "Following", "follow", "unfollow"]

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


class Followers:
    """Who follows which streams of one session."""

    __slots__ = ("streams",)

    def __init__(self) -> None:
        self.streams: dict[RequestId, dict[SessionClient, None]] = {}

    def clients(self) -> set[SessionClient]:
        """Everybody who follows at least one."""
        return {client for clients in self.streams.values() for client in clients}

    def relay(self, id: RequestId, data: bytes, *, is_last: bool) -> None:
        """Send a frame to all who follow its stream; encoded once (P11.2), and nobody is waited for (P9.3)."""
        clients = self.streams.get(id)
        if clients is None:
            return
        prepared = encode_frame(data)
        for client in tuple(clients):
            client.push(prepared)
        if is_last:
            del self.streams[id]
            for client in clients:
                if client.following is not None:
                    client.following.streams.pop(id, None)


class Following:
    """
    What one connection follows.

    Attributes:
        streams: Id → whose stream it is.
        attempts: How many wrong secrets were tried.
    """

    __slots__ = ("_at", "_credit", "attempts", "streams")

    def __init__(self, now: float) -> None:
        self.streams: dict[RequestId, SessionClient] = {}
        self.attempts = 0
        self._credit = float(_CREDIT)
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until something may be replayed again."""
        self._credit = min(_CREDIT, self._credit + (now - self._at) * _REFILL)
        self._at = now
        return max(0.0, -self._credit / _REFILL)

    def charge(self, size: int) -> None:
        """So many bytes were looked through."""
        self._credit -= max(size, _LEAST)

    def stop(self, client: SessionClient, id: RequestId) -> None:
        """Follow a stream no longer."""
        session = self.streams.pop(id, None)
        if session is None or session.followers is None:
            return
        clients = session.followers.streams.get(id)
        if clients is not None:
            clients.pop(client, None)
            if not clients:
                del session.followers.streams[id]
                session.look_at(id)

    def stop_all(self, client: SessionClient) -> None:
        """The connection is gone."""
        for id in tuple(self.streams):
            self.stop(client, id)


def follow(client: SessionClient, message_id: RequestId | None, payload: Any) -> None:
    """Answer ``gsws.follow``: ``gsws.following``, then all that was missed of each stream; or say why not."""
    streams = payload.get("streams") if isinstance(payload, dict) else None
    if not isinstance(streams, dict | list) or not streams or not isinstance(payload.get("session"), str):
        client.misused("`gsws.follow` needs `session`, `secret` and `streams` in its payload", message_id)
        return
    session = client.source.sessions.get(payload["session"])
    if session is client:
        client.misused("a session does not follow itself; it has the frames of its own requests", message_id)
        return
    now = client.source.loop.time()
    following = client.following = client.following or Following(now)
    if session is None or not is_entitled(session, client, payload.get("secret")):
        # Read without the session, whose ids are not this client's to know.
        wanted = wanted_streams(streams, None)
        _refuse(client, wanted, "forbidden", "there is no such session, or it may not be followed with this secret")
        following.attempts += session is not None
        if following.attempts >= _ATTEMPTS:
            client.close(CloseCode.FORBIDDEN, "too many wrong secrets")
        return
    wanted = wanted_streams(streams, session)
    if wait := following.wait(now):
        _refuse(client, wanted, "too_many_requests", "too much was replayed to this connection", int(1000 * wait) + 1)
        return
    followers = session.followers = session.followers or Followers()
    who = followers.clients()
    if client not in who and len(who) >= FOLLOWERS:
        _refuse(client, wanted, "too_many_requests", f"{FOLLOWERS} connections follow this session already", 1000)
        return
    free = {id: seq for id, seq in wanted.items() if id not in client.requests and id not in following.streams}
    if len(following.streams) + len(free) > _FOLLOWED:
        _refuse(client, wanted, "too_many_requests", f"a connection follows at most {_FOLLOWED} streams", 1000)
        return
    found = _begin(client, session, free, is_compact=payload.get("compact") is True)
    facts = {
        id: {"from": free[id] + 1, "state": "ended" if state.is_ended else "running"} for id, state in found.items()
    }
    told = {"session": session.session_id, "streams": told_streams(streams, facts)}
    client.say(frame("gsws.following", told, message_id))
    for id, state in found.items():
        for data in replay(id, state):
            client.say(data)
    client.connection.mark_replay()
    _refuse(client, [id for id in free if id not in found], "resume_lost", "its frames are not held")
    in_use = [id for id in wanted if id not in free]
    _refuse(client, in_use, "duplicate_id", "a request or a followed stream with this id is running here")


def unfollow(client: SessionClient, message_id: RequestId | None, payload: Any) -> None:
    """Answer ``gsws.unfollow`` with ``gsws.unfollowed``, after which no frame of the stream comes."""
    id = payload.get("id") if isinstance(payload, dict) else None
    if not is_id(id):
        client.misused("`gsws.unfollow` needs the `id` of a stream in its payload", message_id)
        return
    if client.following is not None:
        client.following.stop(client, id)
    client.say(frame("gsws.unfollowed", {"id": id}, message_id))


def _begin(
    client: SessionClient, session: SessionClient, wanted: dict[RequestId, int], *, is_compact: bool
) -> dict[RequestId, StreamState]:
    """Read what was missed and register for what comes; nothing can come in between."""
    assert client.following is not None
    assert session.followers is not None
    found = {id: state for id, seq in wanted.items() if (state := session.log.read(id, seq, compact=is_compact))}
    client.following.charge(sum(sum(map(len, state.frames)) + len(state.text or "") for state in found.values()))
    for id, state in found.items():
        session.log.share(id)
        if not state.is_ended:
            client.following.streams[id] = session
            session.followers.streams.setdefault(id, {})[client] = None
            session.look_at(id)
    return found


def _refuse(
    client: SessionClient, ids: Collection[RequestId], name: str, message: str, retry_after_ms: int | None = None
) -> None:
    """Say why streams are not followed; of many in as few bytes as they were asked for in."""
    for data in refusals(ids, error_payload(name, message, retry_after_ms=retry_after_ms), each=_REFUSED):
        client.source.counters.add(f"errors.{name}")
        client.say(data)
