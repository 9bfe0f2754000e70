"""
The bound over all sessions of a service: how much they hold, and how many wait for their clients (protocol P8.5).

What one session may hold is its own log's bound. Whoever has been away for longest gives way first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from gsws.backplane.pool import Pool

if TYPE_CHECKING:
    from gsws.runtime.session import SessionClient

__all__ = ["Away"]

_TELL: Final = 1000
"""One line in the log for so many sessions that had to give way."""


class Away:
    """
    Sessions whose clients are away, those that left first at the front.

    Args:
        total: Bytes that all sessions together may hold, connected ones included.
        limit: Sessions that may wait for their clients; 0 for no limit.

    Attributes:
        pool: Where their logs reserve.
        evicted: How many gave way so far.
    """

    __slots__ = ("_limit", "_sessions", "evicted", "pool")

    def __init__(self, total: int = 256 * 2**20, limit: int = 10_000) -> None:
        self.pool = Pool(total, self._evict)
        self.evicted = 0
        self._limit = limit
        self._sessions: OrderedDict[SessionClient, None] = OrderedDict()

    def bound(self, total: int, limit: int) -> None:
        """Take other bounds; who is over them gives way when the next one comes."""
        self.pool.limit = total
        self._limit = limit

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: SessionClient) -> None:
        """A client has left its session."""
        self._sessions[session] = None
        if self._limit and len(self._sessions) > self._limit:
            self._evict()

    def discard(self, session: SessionClient) -> None:
        """It has come back, or its session has ended."""
        self._sessions.pop(session, None)

    def _evict(self) -> bool:
        """Lose the session that has waited for longest; its running requests go on as their events say."""
        if not self._sessions:
            return False
        session, _ = self._sessions.popitem(last=False)
        session.drop()
        session.source.counters.add("limits.resume")
        if self.evicted % _TELL == 0:
            session.source.logger.warning(
                "sessions are lost before their window is over; see `resume.total` and `resume.sessions`",
                waiting=len(self._sessions),
                bytes=self.pool.size,
            )
        self.evicted += 1
        return True
