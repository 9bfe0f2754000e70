"""
How much a client may have at its server at a time (protocol P9.2), and what waits until there is room.

The server tells its bounds in ``gsws.hello``: of plain requests so many wait there in order, of streams and requests
that run beside others fewer run and wait. Which of the two an event is, its first answer tells; until then its
requests count as the latter. Within one kind the order is that of the calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from gsws.client.pending import Pending
from gsws.defaults import IN_FLIGHT, QUEUE

__all__ = ["Window"]

Kind: TypeAlias = Literal["control", "queued", "bounded", "unknown"]

_MOST_EVENTS: Final = 1000


class Window:
    """
    Requests that are not sent yet, and how many of each kind are at the server.

    Attributes:
        largest: Bytes of the largest message that the server takes; None if it did not say.
    """

    __slots__ = ("_at_server", "_bounded", "_count", "_kinds", "_queued", "_waiting", "largest")

    def __init__(self) -> None:
        self.largest: int | None = None
        self._bounded = 2 * IN_FLIGHT
        self._queued = QUEUE
        self._kinds: dict[str, Kind] = {}
        self._at_server: dict[str, tuple[Kind, str]] = {}
        self._count: dict[Kind, int] = {"control": 0, "queued": 0, "bounded": 0, "unknown": 0}
        self._waiting: dict[Kind, deque[Pending]] = {kind: deque() for kind in self._count}

    def hello(self, payload: Mapping[str, Any]) -> None:
        """Take the bounds from the server's first frame."""
        self.largest = _bound(payload.get("max_message_bytes")) or None
        # As many may wait as may run.
        self._bounded = 2 * (_bound(payload.get("max_in_flight")) or IN_FLIGHT)
        self._queued = _bound(payload.get("max_queued")) or QUEUE

    # What waits.

    def append(self, pending: Pending) -> None:
        """Let a request wait for room, behind others of its kind."""
        self._waiting[self._kind(pending)].append(pending)

    def appendleft(self, pending: Pending) -> None:
        """Let a request wait for room, before others of its kind."""
        self._waiting[self._kind(pending)].appendleft(pending)

    def remove(self, pending: Pending) -> None:
        """Forget a request that waits, if it does."""
        for waiting in self._waiting.values():
            if pending in waiting:
                waiting.remove(pending)
                return

    def clear(self) -> None:
        """Forget all that waits."""
        for waiting in self._waiting.values():
            waiting.clear()

    def next(self) -> Pending | None:
        """Take out the request to be sent next; None if nothing waits, or nothing for which there is room."""
        for kind, waiting in self._waiting.items():
            if waiting and self._has_room(kind):
                pending = waiting.popleft()
                self._at_server[pending.id] = kind, pending.eventtype
                self._count[kind] += 1
                return pending
        return None

    # What is at the server.

    def done(self, id: str) -> None:
        """The server has ended a request, or never had it."""
        known = self._at_server.pop(id, None)
        if known is not None:
            self._count[known[0]] -= 1

    def keep(self, ids: set[str]) -> None:
        """A connection is new: the server has these of what it had."""
        for id in self._at_server.keys() - ids:
            self.done(id)

    def learn(self, pending: Pending, first: str) -> None:
        """
        See what an event is by the first frame of an answer.

        Args:
            pending: The request.
            first: The frame's type; ``too_many_requests`` for a refusal because too many run.
        """
        kind: Kind = "queued" if first == "reply" else "bounded"
        event = pending.eventtype
        if first not in ("reply", "stream.start", "too_many_requests") or self._kind(pending) in (
            "control",
            "bounded",
            kind,
        ):
            return
        if event not in self._kinds and len(self._kinds) >= _MOST_EVENTS:
            self._kinds.clear()
        former = self._kind(pending)
        self._kinds[event] = kind
        for id, known in self._at_server.items():
            if known == (former, event):
                self._at_server[id] = kind, event
                self._count[former] -= 1
                self._count[kind] += 1
        before = self._waiting[former]
        moved = [one for one in before if one.eventtype == event]
        if moved:
            kept = [one for one in before if one.eventtype != event]
            before.clear()
            before.extend(kept)
            self._waiting[kind].extend(moved)

    def refused(self, pending: Pending) -> bool:
        """
        See that the server took no more than it has now, and let the request wait for one of those to end.

        Returns:
            False if nothing is there whose end it could wait for.
        """
        self.done(pending.id)
        self.learn(pending, "too_many_requests")
        running = self._count["unknown"] + self._count["bounded"]
        self._bounded = max(1, running)
        return running > 0

    def _kind(self, pending: Pending) -> Kind:
        return "control" if pending.is_followed else self._kinds.get(pending.eventtype, "unknown")

    def _has_room(self, kind: Kind) -> bool:
        count = self._count
        if kind == "control":
            return True
        if kind == "queued":
            return count["queued"] < self._queued
        # One of an event that nobody knows is tried in any case: it may be a plain one, which waits elsewhere.
        return count["unknown"] + count["bounded"] < self._bounded or (kind == "unknown" and not count["unknown"])


def _bound(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
