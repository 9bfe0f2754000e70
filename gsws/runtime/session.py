"""
Profile *session* (protocol sections 3.2 and 8): a client whose requests outlive its connection.

A `SessionClient` is the session: it keeps its streams' frames and goes on while nobody is connected. A
`SessionReceiver` stands between it and one connection; a resume puts another connection before the same session.
"""

from __future__ import annotations

import hmac
import random
import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gsws.backplane.memory import MemorySessionLog
from gsws.protocol.answer import chunk_text, error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.protocol.codec import decode, encode
from gsws.protocol.errors import WireError
from gsws.runtime.client import Client
from gsws.runtime.request import Request
from gsws.types import GSActor, RequestId

if TYPE_CHECKING:
    from gsws.runtime.source import LiveSource
    from gsws.runtime.transport import Connection, Timer

__all__ = ["SUBPROTOCOL", "SessionClient", "SessionReceiver"]

SUBPROTOCOL: Final = "gsws.v1"

DEFAULT_GRACE: Final = 30.0
"""Seconds that a request goes on without its client if its event says nothing (P6.7)."""


class SessionClient(Client):
    """
    One session, connected or not.

    Attributes:
        secret: Proves that a client may resume it; sent once, in ``gsws.hello``, never logged.
        log: The frames that a client may ask for again.
    """

    __slots__ = ("_away", "_expiry", "_id", "_joined", "_muted", "_trimming", "log", "secret")

    def __init__(self, source: LiveSource, connection: Connection, actor: GSActor | None = None) -> None:
        super().__init__(source, connection, actor)
        self._id = secrets.token_urlsafe(12)
        self.secret = secrets.token_urlsafe(32)
        self.log = MemorySessionLog(source.resume_bytes)
        self._muted: set[RequestId] = set()
        source.sessions[self.session_id] = self
        self._joined: frozenset[str] = frozenset()
        self._away = 0
        self._expiry: Timer | None = None
        self._trimming: Timer | None = None

    @property
    def session_id(self) -> str:
        return self._id

    def schedule(self, request: Request) -> None:
        if request.answer.id is not None:
            # From now on it can be resumed, also while it waits in a queue and has no frame yet.
            self.log.begin(request.answer.id)
        super().schedule(request)

    def forget(self, request: Request) -> None:
        super().forget(request)
        if request.answer.id is not None:
            self._muted.discard(request.answer.id)

    def hello(self) -> None:
        """Send the server's first frame (P8.1)."""
        source = self.source
        payload = {
            "session": self.session_id,
            "secret": self.secret,
            "heartbeat_ms": int(source.heartbeat * 1000),
            "resume_window_ms": int(source.resume_window * 1000),
            "max_message_bytes": source.message_bytes,
            "server": "gsws",
        }
        self._send(frame("gsws.hello", payload))

    def transmit(self, request: Request, data: bytes) -> None:
        """Keep a frame of a request with an id, and send it if somebody listens."""
        answer = request.answer
        if answer.id is not None:
            self.log.append(answer.id, answer.seq - 1, data, self.source.loop.time() if answer.ended else None)
            if answer.ended and self._trimming is None:
                self._trim_later()
            if answer.id in self._muted:
                return
        connection = self.connection
        if connection.is_open:
            connection.send_text(data)

    def left(self, connection: Connection, code: int, reason: str) -> None:
        """A connection of this session has ended; the session goes on if it was not replaced before."""
        if connection is not self.connection:
            return
        source = self.source
        self._away += 1
        self.closed(code, reason)
        self.log.trim(source.loop.time() - self._holding())
        if self.in_flight or len(self.log) or self._joined:
            self._expiry = source.wheel.schedule(source.resume_window, self._expire)
        else:
            source.sessions.pop(self.session_id, None)

    def attach(self, connection: Connection) -> None:
        """Go on over another connection; the older one, if it is still open, is closed (P8.7)."""
        before, self.connection = self.connection, connection
        self._away += 1
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        before.close(CloseCode.REPLACED, "replaced by a newer connection")
        self.source.clients.add(self)
        joined, self._joined = self._joined, frozenset()
        for room in joined:
            self.join(room)
        if self._trimming is None and len(self.log):
            self._trim_later()

    def resume(self, wanted: dict[RequestId, int], *, compact: bool) -> None:
        """Answer ``gsws.resume``: say what follows, then send every missing frame in order (P8.3, P8.4)."""
        found = {id: state for id, seq in wanted.items() if (state := self.log.read(id, seq)) is not None}
        self._muted = {id for id in self.requests if id not in found}
        streams = {
            str(id): {"from": wanted[id] + 1, "state": "ended" if state.is_ended else "running"}
            for id, state in found.items()
        }
        self._send(frame("gsws.resumed", {"session": self.session_id, "streams": streams}))
        for id in wanted:
            state = found.get(id)
            if state is None:
                is_known = id in self.requests or self.log.holds(id) or self.log.has_forgotten
                self._lost(id, never_came=not is_known and wanted[id] == -1)
                continue
            is_compact = compact and state.text is not None
            for data in _compacted(state.frames, state.text or "") if is_compact else state.frames:
                self._send(data)

    def lose(self, wanted: dict[RequestId, int]) -> None:
        """Answer ``gsws.resume`` of a session that is not held, or not this client's."""
        self._send(frame("gsws.resumed", {"session": self.session_id, "streams": {}}))
        for id in wanted:
            self._lost(id)

    def join(self, room: str) -> None:
        if self.is_open:
            super().join(room)
        else:
            self._joined |= {room}

    def leave(self, room: str) -> None:
        self._joined -= {room}
        super().leave(room)

    def _leave_rooms(self) -> None:
        """Leave while nobody is connected; whoever resumes is a member again."""
        self._joined |= self._rooms or frozenset()
        super()._leave_rooms()

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

    def _lost(self, id: RequestId, *, never_came: bool = False) -> None:
        """Answer for a stream that cannot be resumed; retryable if its request provably never arrived (P8.4)."""
        payload = error_payload("resume_lost", "its frames are no longer held")
        if never_came:
            payload |= {"message": "this session has no such request", "retryable": True}
        self._send(frame("stream.error", payload, id))

    def _disconnected(self, request: Request) -> None:
        """Give a request its grace (P6.7); a client that comes back in time finds it running."""
        policy = request.route.on_disconnect
        if policy == "continue":
            return
        if policy == "cancel" or (request.answer.id is None and policy is None):
            self.abort(request, "disconnected" if request.answer.id is None else "cancelled")
            return
        away = self._away
        grace = DEFAULT_GRACE if policy is None else float(policy)
        self.source.wheel.schedule(grace, lambda: self._grace_over(request, away))

    def _grace_over(self, request: Request, away: int) -> None:
        if away == self._away:
            self.abort(request, "cancelled")

    def _expire(self) -> None:
        """Nobody came back within the window."""
        self._expiry = None
        self.source.sessions.pop(self.session_id, None)

    def _control(self, eventtype: str, id: RequestId | None, payload: Any) -> None:
        if eventtype == "gsws.ack":
            if isinstance(payload, dict) and _is_seq(payload.get("seq")) and _is_id(payload.get("id")):
                self.log.acknowledge(payload["id"], payload["seq"])
        else:
            super()._control(eventtype, id, payload)

    def drain(self, seconds: float) -> None:
        """Tell the client when to come back; spread, so that not all come back at once (P10.2)."""
        wait = int(1000 * random.uniform(0.1, max(seconds, 1.0)))  # noqa: S311  # nothing secret
        self._send(frame("gsws.draining", {"reconnect_in_ms": wait}))

    def shut(self) -> None:
        self.close(CloseCode.DRAINING, "draining")


class SessionReceiver:
    """Hands one connection's messages to its session; the first message may choose another one."""

    __slots__ = ("_client", "_connection", "_is_first")

    def __init__(self, client: SessionClient, connection: Connection) -> None:
        self._client = client
        self._connection = connection
        self._is_first = True

    def message(self, data: bytes) -> None:
        if self._is_first:
            self._is_first = False
            if self._resumes(data):
                return
        if self._client.connection is self._connection:
            self._client.message(data)

    def binary(self, data: bytes) -> None:
        self.message(data)

    def closed(self, code: int, reason: str) -> None:
        self._client.left(self._connection, code, reason)

    def _resumes(self, data: bytes) -> bool:
        """Take ``gsws.resume``, which must be the first message (P8.2); False if it is something else."""
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
        wanted = _wanted(payload.get("streams"), session)
        if session is None or session is fresh or not _may_resume(session, fresh, payload.get("secret")):
            fresh.lose(wanted)
            return True
        fresh.source.sessions.pop(fresh.session_id, None)
        fresh.source.clients.discard(fresh)
        self._client = session
        session.attach(self._connection)
        if fresh.lease is not None:
            if session.lease is not None:
                session.lease.end()
            session.lease, fresh.lease = fresh.lease, None
            session.lease.move(session)
        session.resume(wanted, compact=payload.get("compact") is True)
        return True


def _may_resume(session: SessionClient, fresh: SessionClient, secret: object) -> bool:
    """Compare the secret in constant time; a session belongs to a subject where there is authentication (P8.7)."""
    if not isinstance(secret, str) or not hmac.compare_digest(session.secret.encode(), secret.encode()):
        return False
    ours, theirs = session.actor, fresh.actor
    if ours.authenticated != theirs.authenticated:
        # A label may be the name of somebody; it proves nothing.
        return False
    return not ours.authenticated or ours.subject == theirs.subject


def _wanted(streams: object, session: SessionClient | None) -> dict[RequestId, int]:
    """
    Read ``streams``: id → last sequence number seen.

    JSON has no integer keys: a key that names no stream held as text but does as a number is that number.
    """
    if not isinstance(streams, dict):
        return {}
    wanted: dict[RequestId, int] = {}
    for key, seq in list(streams.items())[:1000]:
        id: RequestId = key
        after = seq if _is_seq(seq) else -1
        if session is not None and session.log.read(key, after) is None and key not in session.requests:
            number = _as_integer(key)
            if number is not None and (number in session.requests or session.log.read(number, after) is not None):
                id = number
        wanted[id] = after
    return wanted


def _as_integer(text: str) -> int | None:
    try:
        number = int(text)
    except ValueError:
        return None
    return number if str(number) == text else None


def _is_seq(value: object) -> bool:
    return type(value) is int and value >= -1


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _compacted(frames: Sequence[bytes], text: str) -> Iterator[bytes]:
    """The missed frames, all text chunks of them as one snapshot in the place of the last (P8.3)."""
    last = next((number for number in range(len(frames) - 1, -1, -1) if chunk_text(frames[number]) is not None), None)
    for number, data in enumerate(frames):
        if number == last:
            chunk = msgspec.json.decode(data)
            snapshot = {"eventtype": "stream.snapshot", "id": chunk["id"], "seq": chunk["seq"]}
            yield encode({**snapshot, "payload": {"message": text}})
        elif chunk_text(data) is None:
            yield data
