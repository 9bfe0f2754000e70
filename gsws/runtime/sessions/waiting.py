"""
The bound over all sessions of a service: how much they hold, and how many wait for their clients (protocol P8.5).

What one session may hold is its own log's bound, and what one subject's sessions may hold is bounded before the total
is: whoever fills the memory loses sessions of its own. Of those that must give way the one away for longest does.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final, Protocol

from gsws.defaults import RESUME_SESSIONS, RESUME_TOTAL
from gsws.runtime.shares import Shares
from gsws.runtime.streams.pool import Pool, Share

__all__ = ["ANONYMOUS", "Held", "Owner", "WaitingSessions"]

_TELL: Final = 1000
"""One line in the log for so many sessions that had to give way."""

_PART: Final = 8
"""One subject's sessions hold at most this part of the bytes of all."""

_SESSIONS_OF_ONE: Final = 100
"""Sessions of one subject that wait for their clients at most."""

Owner = Hashable

ANONYMOUS: Final = "anonymous"
"""The owner of all sessions without a credential where others have one: a label costs nothing."""


class Held(Protocol):
    """A session as the bound over all sees it."""

    owner: Owner

    @property
    def is_proven(self) -> bool:
        """Whether its owner proved who it is."""

    @property
    def logger(self) -> Any: ...

    def end_graces(self) -> None:
        """End what runs only until its client is back, for it cannot come back."""

    def give_way(self) -> None:
        """Be lost before its window is over, and count that."""


class WaitingSessions:
    """
    Sessions whose clients are away, by owner, those that left first at the front.

    Args:
        total: Bytes that all sessions together may hold, connected ones included.
        limit: Sessions that may wait for their clients; 0 for no limit.

    Attributes:
        pool: Where their logs reserve.
        evicted: How many gave way so far.
    """

    __slots__ = ("_counts", "_limit", "_of_one", "_sessions", "evicted", "pool")

    def __init__(self, total: int = RESUME_TOTAL, limit: int = RESUME_SESSIONS) -> None:
        self.pool = Pool(total, self._evict, self._evict_of)
        self.evicted = 0
        self._limit = limit
        self._of_one = min(_SESSIONS_OF_ONE, max(limit // _PART, 1)) if limit else _SESSIONS_OF_ONE
        self._sessions: dict[Owner, OrderedDict[Held, None]] = {}
        self._counts: Shares[Owner] = Shares()

    def bound(self, total: int, limit: int) -> None:
        """Take other bounds; who is over them gives way when the next one comes."""
        self.pool.limit = total
        self._limit = limit

    def __len__(self) -> int:
        return self._counts.total

    def share(self, owner: Owner, *, is_proven: bool) -> Share:
        """What the sessions of an owner may hold; names that anybody may choose are bounded by the total only."""
        return Share(self.pool, owner, self.pool.limit // _PART if is_proven else sys.maxsize)

    def add(self, session: Held) -> None:
        """A client has left its session."""
        owner = session.owner
        sessions = self._sessions.setdefault(owner, OrderedDict())
        if session not in sessions:
            sessions[session] = None
            self._counts.add(owner, 1)
        if session.is_proven and len(sessions) > self._of_one:
            # Else one subject could have any number of requests running for sessions that nobody can resume.
            next(iter(sessions)).end_graces()
            self._evict_of(owner)
        elif self._limit and len(self) > self._limit:
            largest = self._counts.largest()
            assert largest is not None
            self._evict_of(largest)

    def discard(self, session: Held) -> None:
        """It has come back, or its session has ended."""
        sessions = self._sessions.get(session.owner)
        if sessions is not None and session in sessions:
            del sessions[session]
            self._counts.add(session.owner, -1)
            if not sessions:
                del self._sessions[session.owner]

    def _evict(self) -> bool:
        """Make room for somebody: who holds most loses a session, or if none of its own waits, who has most waiting."""
        owner = self.pool.shares.largest()
        if owner not in self._sessions:
            owner = self._counts.largest()
        return self._evict_of(owner)

    def _evict_of(self, owner: Owner) -> bool:
        """Lose the session of an owner that has waited for longest; its requests go on as their events say."""
        sessions = self._sessions.get(owner)
        if sessions is None:
            return False
        session = next(iter(sessions))
        self.discard(session)
        session.give_way()
        if self.evicted % _TELL == 0:
            session.logger.warning(
                "sessions are lost before their window is over; see `resume.total` and `resume.sessions`",
                waiting=len(self),
                bytes=self.pool.size,
            )
        self.evicted += 1
        return True
