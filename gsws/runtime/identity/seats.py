"""
How many connections each subject has: what one connection may hold is bounded, and so is then what one user may.

Anonymous clients are not counted here; their addresses are (`gsws.runtime.transport.limits`).
"""

from __future__ import annotations

from gsws.runtime.counters import Counters
from gsws.runtime.transport import HTTPRefusal
from gsws.types import GSActor

__all__ = ["Seats"]


class Seats:
    """
    The connections of one source by subject. Every one is counted, also while there is no limit: one may be set later.

    Attributes:
        limit: Most connections of a subject; 0 for no limit.
    """

    __slots__ = ("_counters", "_taken", "limit")

    def __init__(self, counters: Counters) -> None:
        self.limit = 0
        self._counters = counters
        self._taken: dict[str, int] = {}

    def refusal(self, actor: GSActor | None) -> HTTPRefusal | None:
        """Tell why there is no seat for another connection of somebody, or None if there is one."""
        if not self.limit or actor is None or self._taken.get(actor.key, 0) < self.limit:
            return None
        self._counters.add("limits.connections_per_subject")
        return HTTPRefusal(429, "too many connections of this user\n", {"Retry-After": "5"})

    def take(self, actor: GSActor | None) -> str | None:
        """Count a connection; what is returned is what `leave` needs at its end."""
        if actor is None or not actor.authenticated:
            return None
        self._taken[actor.key] = self._taken.get(actor.key, 0) + 1
        return actor.key

    def leave(self, key: str | None) -> None:
        """A connection has ended."""
        if key is None:
            return
        left = self._taken[key] - 1
        if left:
            self._taken[key] = left
        else:
            del self._taken[key]

    def __len__(self) -> int:
        """How many subjects have a connection."""
        return len(self._taken)
