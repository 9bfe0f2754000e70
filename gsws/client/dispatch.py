"""From messages to consumers: which request a frame belongs to, and what is acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gsws.client.draining import Draining
from gsws.client.flow import Subscribers
from gsws.client.frames import Incoming, Push, read
from gsws.client.link import Link, LinkEnded
from gsws.client.outbox import Outbox
from gsws.client.pending import Pending, cancelled
from gsws.client.requests import Requests
from gsws.protocol.answer import TERMINAL

__all__ = ["Dispatch"]

_ACKNOWLEDGED_BYTES: Final = 65536
"""Bytes of one answer after which the server is told that they were seen (protocol P8.6)."""

_MAX_GAPS: Final = 3


class Dispatch:
    """
    Takes what arrives.

    Args:
        requests: Whose answers come.
        outbox: What is acknowledged goes there.
        subscribers: Take what belongs to no request.
        draining: Told when the server drains.
        on_frame: Told of every message as it arrives, decoded.

    Attributes:
        has_progressed: Whether something new arrived since this was reset: the next cut is the first one.
    """

    def __init__(
        self,
        requests: Requests,
        outbox: Outbox,
        subscribers: Subscribers,
        draining: Draining,
        on_frame: Callable[[object], None] | None,
    ) -> None:
        self.has_progressed = False
        self._requests = requests
        self._outbox = outbox
        self._subscribers = subscribers
        self._draining = draining
        self._on_frame = on_frame

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
                self._requests.unfollowed(str(incoming.payload.get("id")))
            return
        pending = self._requests.pending.get(id) if isinstance(id, str) else None
        if pending is not None:
            self._answer(pending, incoming)
        elif id is None or not (id in self._requests.orphans or eventtype[:7] == "stream." or eventtype == "reply"):
            self.has_progressed = True
            self._subscribers.put(Push(eventtype, incoming.payload), incoming.size)
        elif id in self._requests.orphans and eventtype in TERMINAL:
            if self._requests.orphans[str(id)]:
                return  # the server's word that it sends no more is still to come
            del self._requests.orphans[str(id)]
            self._requests.done(str(id))
            if incoming.seq is not None:
                self._outbox.acknowledge(str(id), incoming.seq)

    def _answer(self, pending: Pending, incoming: Incoming) -> None:
        if incoming.seq is None and incoming.eventtype == "stream.error" and self._refused(pending, incoming):
            return
        if self._outbox.is_session and incoming.is_too_late and not pending.is_followed:
            self._requests.lost(pending, is_unknown=True)
            return
        if not pending.seen and not pending.is_followed and not pending.is_cancelled:
            if incoming.eventtype == "stream.error" and incoming.payload.get("limit") == "in_flight":
                self._requests.put_off(pending, _seconds(incoming.payload.get("retry_after_ms")))
                return
            self._requests.unsent.learn(pending, incoming.eventtype)
        place = pending.place(incoming)
        if place == "seen":
            return
        if place == "gap":
            pending.gaps += 1
            if not self._outbox.is_session or pending.gaps > _MAX_GAPS:
                self._requests.lost(pending, is_unknown=False)
                return
            raise LinkEnded(1006, f"frames {pending.last + 1} to {incoming.seq} of `{pending.id}` are missing")
        self.has_progressed = True
        pending.put(incoming)
        if pending.is_ended:
            self._requests.finished(pending)
        if incoming.seq is not None and (pending.is_ended or pending.unacknowledged >= _ACKNOWLEDGED_BYTES):
            pending.unacknowledged = 0
            if not pending.is_followed:
                self._outbox.acknowledge(pending.id, incoming.seq)

    def _refused(self, pending: Pending, incoming: Incoming) -> bool:
        """Whether an error is about a request, but no part of its answer."""
        name = incoming.payload.get("error")
        if name == "resume_lost" or (name == "forbidden" and pending.is_followed and pending.seen):
            # What was followed before and may not be now has ended with its session.
            self._requests.lost(pending, is_unknown=incoming.payload.get("retryable") is True)
        elif name == "unknown_id" and pending.is_cancelled:
            del self._requests.pending[pending.id]
            self._requests.done(pending.id)
            pending.end(cancelled())
        else:
            return False
        return True

    def _drain(self, payload: dict[str, Any]) -> None:
        self._draining.begin(payload)
        taken = payload.get("taken")
        if isinstance(taken, int):
            self._requests.reclaim(taken)


def _seconds(milliseconds: object) -> float:
    known = isinstance(milliseconds, int | float) and 0 < milliseconds < 60_000
    return float(milliseconds) / 1000 if known else 1.0  # type: ignore[arg-type]  # a number, as `known` says
