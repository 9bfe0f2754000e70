"""
From messages to consumers: which request a frame belongs to, what is acknowledged, when to stop reading.

`Dispatch` is the part of a session that does not connect.
"""

from __future__ import annotations

import asyncio
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from gsws.client.errors import ClientError
from gsws.client.frames import TERMINAL, Frame, Incoming, Push, read
from gsws.client.link import Link, LinkEnded
from gsws.client.pending import Pending
from gsws.client.pushes import Pushes
from gsws.protocol.codec import encode

__all__ = ["Dispatch", "cancelled"]

_ACKNOWLEDGED_BYTES: Final = 65536
"""Bytes of one answer after which the server is told that they were seen (protocol P8.6)."""

_ACKNOWLEDGE_AFTER: Final = 1.0
_ACKNOWLEDGE_MANY: Final = 64

_MAX_GAPS: Final = 3

_COME_BACK: Final = 4000
"""Close code of a client that comes back (protocol P6.7)."""

_HARD: Final = 16
"""How many times its buffer a client reads while some consumer starves."""


class Dispatch(ABC):
    """
    Requests by id, subscribers, and what waits to be said.

    Attributes:
        pending: Requests whose terminal frame has not come, by id.
        orphans: Ids of cancelled requests whose consumers are gone → whether they were followed.
        control: Control frames to be sent.
        acknowledged: Id → number up to which frames were seen, not yet said.
        draining_until: Loop time before which the server wants no new connection, or None.
        is_leaving: Whether the connection is being closed because the server drains.
    """

    link: Link | None

    def __init__(self, buffer: int, on_frame: Callable[[object], None] | None) -> None:
        self.link = None
        self.pending: dict[str, Pending] = {}
        self.orphans: dict[str, bool] = {}
        self.control: deque[bytes] = deque()
        self.ready = asyncio.Event()
        self.acknowledged: dict[str, int] = {}
        self.draining_until: float | None = None
        self.is_leaving = False
        self._buffer = buffer
        self._on_frame = on_frame
        self._buffered = 0
        self._starving = 0
        self._room = asyncio.Event()
        self._subscribers: weakref.WeakSet[Pushes] = weakref.WeakSet()
        self._flushing: asyncio.TimerHandle | None = None

    @property
    @abstractmethod
    def is_session(self) -> bool:
        """Whether frames can be asked for again."""

    @abstractmethod
    def lost(self, pending: Pending, *, is_unknown: bool, error: ClientError | None = None) -> None:
        """The rest of an answer will not come."""

    @abstractmethod
    def reclaim(self, taken: int) -> None:
        """The server takes no more messages of this connection, and took so many of it."""

    @abstractmethod
    def done(self, id: str) -> None:
        """The server has ended a request, or never had it."""

    @abstractmethod
    def learn(self, pending: Pending, first: str) -> None:
        """The first frame of an answer has come."""

    @abstractmethod
    def put_off(self, pending: Pending, seconds: float) -> None:
        """The server runs too many requests of this client: send this one again after a while."""

    @abstractmethod
    def unfollowed(self, id: str) -> None:
        """No further frame of a followed stream comes."""

    @abstractmethod
    def progressed(self) -> None:
        """Something new arrived."""

    @abstractmethod
    def chore(self, work: Any) -> None:
        """Run something beside."""

    # Writing.

    def say(self, eventtype: str, payload: dict[str, Any]) -> None:
        """Queue a control frame."""
        self.tell(encode({"eventtype": eventtype, "payload": payload}))

    def tell(self, message: bytes) -> None:
        """Queue a control frame that is encoded already."""
        self.control.append(message)
        self.ready.set()

    def flush(self) -> None:
        """Tell the server what was seen."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self.link is not None and self.is_session:
            for id, seq in self.acknowledged.items():
                self.say("gsws.ack", {"id": id, "seq": seq})
            self.acknowledged.clear()

    # Reading.

    async def has_room(self) -> None:
        """Wait until consumers have taken enough; nobody who waits for a frame is kept waiting by one who is slow."""
        while self._buffered > self._buffer and (not self._starving or self._buffered > self._buffer * _HARD):
            self._room.clear()
            await self._room.wait()

    def took(self, size: int) -> None:
        """A consumer took this many bytes."""
        self._buffered -= size
        self._room.set()

    def waits(self, change: int) -> None:
        """One consumer more, or less, waits for a frame."""
        self._starving += change
        if change > 0:
            self._room.set()

    async def expect(self, link: Link, eventtype: str) -> dict[str, Any]:
        """Read up to a control frame; what comes before it is dispatched."""
        while True:
            value, incoming = read(await link.receive())
            if self._on_frame is not None:
                self._on_frame(value)
            if incoming is not None:
                if incoming.eventtype == eventtype:
                    return incoming.payload
                self._dispatch(incoming)

    def take(self, data: bytes) -> None:
        """
        Take one message.

        Raises:
            LinkEnded: If a frame is missing before it; the connection is to be made again.
        """
        value, incoming = read(data)
        if self._on_frame is not None:
            self._on_frame(value)
        if incoming is not None:
            self._dispatch(incoming)

    def _dispatch(self, incoming: Incoming) -> None:
        eventtype, id = incoming.eventtype, incoming.id
        if eventtype[:5] == "gsws.":
            if eventtype == "gsws.draining":
                self._drain(incoming.payload)
            elif eventtype == "gsws.unfollowed":
                self.unfollowed(str(incoming.payload.get("id")))
            return
        pending = self.pending.get(id) if isinstance(id, str) else None
        if pending is not None:
            self._answer(pending, incoming)
        elif id is None or not (id in self.orphans or eventtype[:7] == "stream." or eventtype == "reply"):
            self.progressed()
            self._push(Push(eventtype, incoming.payload), incoming.size)
        elif id in self.orphans and eventtype in TERMINAL:
            if self.orphans[str(id)]:
                return  # the server's word that it sends no more is still to come
            del self.orphans[str(id)]
            self.done(str(id))
            if incoming.seq is not None:
                self._acknowledge(str(id), incoming.seq)

    def _answer(self, pending: Pending, incoming: Incoming) -> None:
        if incoming.seq is None and incoming.eventtype == "stream.error" and self._refused(pending, incoming):
            return
        if self.is_session and incoming.is_too_late and not pending.is_followed:
            self.lost(pending, is_unknown=True)
            return
        if not pending.seen and not pending.is_followed and not pending.is_cancelled:
            if incoming.eventtype == "stream.error" and incoming.payload.get("limit") == "in_flight":
                self.put_off(pending, _seconds(incoming.payload.get("retry_after_ms")))
                return
            self.learn(pending, incoming.eventtype)
        place = pending.place(incoming)
        if place == "seen":
            return
        if place == "gap":
            pending.gaps += 1
            if not self.is_session or pending.gaps > _MAX_GAPS:
                self.lost(pending, is_unknown=False)
                return
            raise LinkEnded(1006, f"frames {pending.last + 1} to {incoming.seq} of `{pending.id}` are missing")
        self.progressed()
        self._buffered += incoming.size
        pending.put(incoming)
        if pending.is_ended:
            del self.pending[pending.id]
            self.done(pending.id)
            self.leave_if_idle()
        if incoming.seq is not None and (pending.is_ended or pending.unacknowledged >= _ACKNOWLEDGED_BYTES):
            pending.unacknowledged = 0
            if not pending.is_followed:
                self._acknowledge(pending.id, incoming.seq)

    def _refused(self, pending: Pending, incoming: Incoming) -> bool:
        """Whether an error is about a request, but no part of its answer."""
        name = incoming.payload.get("error")
        if name == "resume_lost" or (name == "forbidden" and pending.is_followed and pending.seen):
            # What was followed before and may not be now has ended with its session.
            self.lost(pending, is_unknown=incoming.payload.get("retryable") is True)
        elif name == "unknown_id" and pending.is_cancelled:
            del self.pending[pending.id]
            self.done(pending.id)
            pending.end(cancelled())
        else:
            return False
        return True

    def _acknowledge(self, id: str, seq: int) -> None:
        if not self.is_session:
            return
        self.acknowledged[id] = seq
        if len(self.acknowledged) >= _ACKNOWLEDGE_MANY:
            self.flush()
        elif self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(_ACKNOWLEDGE_AFTER, self.flush)

    # Draining (protocol P10.2).

    def _drain(self, payload: dict[str, Any]) -> None:
        wait = payload.get("reconnect_in_ms")
        seconds = min(wait / 1000, 600.0) if isinstance(wait, int | float) and wait > 0 else 0.0
        loop = asyncio.get_running_loop()
        self.draining_until = loop.time() + seconds
        loop.call_later(seconds, self.leave_if_idle)
        taken = payload.get("taken")
        if isinstance(taken, int):
            self.reclaim(taken)

    def leave_if_idle(self) -> None:
        """Leave a server that drains once nothing runs there and the time that it named has come."""
        until, link = self.draining_until, self.link
        if until is None or link is None or self.is_leaving or asyncio.get_running_loop().time() < until:
            return
        if not any(pending.is_sent for pending in self.pending.values()):
            self.is_leaving = True
            self.chore(link.close(_COME_BACK))

    # Pushes.

    def subscribe(self) -> Pushes:
        """Begin to collect pushes."""
        pushes = Pushes(self)
        self._subscribers.add(pushes)
        return pushes

    def end_pushes(self, error: ClientError) -> None:
        """No push will come any more."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        for pushes in tuple(self._subscribers):
            pushes.end(error)

    def _push(self, push: Push, size: int) -> None:
        for pushes in tuple(self._subscribers):
            self._buffered += size
            pushes.put(push, size)


def _seconds(milliseconds: object) -> float:
    known = isinstance(milliseconds, int | float) and 0 < milliseconds < 60_000
    return float(milliseconds) / 1000 if known else 1.0  # type: ignore[arg-type]  # a number, as `known` says


def cancelled() -> Frame:
    """Make the terminal frame of a request that the server does not have."""
    return Frame("stream.end", {"message": "", "reason": "cancelled", "chunks": 0})
