"""
What the clients and sessions of one event source share: who they are, how long they are kept, and their rooms.

Sessions are held by id whether or not their clients are connected (protocol section 8).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from gsws.defaults import HEARTBEAT, RESUME_BYTES, RESUME_WINDOW
from gsws.runtime.counters import Counters
from gsws.runtime.rooms.hub import Hub
from gsws.runtime.rooms.presence import Presence
from gsws.runtime.sessions.directory import Directory
from gsws.runtime.sessions.reachable import Reachable, Reached
from gsws.runtime.sessions.visits import Visits
from gsws.runtime.sessions.waiting import WaitingSessions
from gsws.runtime.wheel import Wheel

__all__ = ["SessionRegistry"]


class _Session(Reached, Protocol):
    @property
    def session_id(self) -> str: ...


S = TypeVar("S", bound=_Session)


@dataclass(slots=True, eq=False)
class SessionRegistry(Generic[S]):
    """
    The sessions of one event source, and what its clients share.

    Args:
        everybody: Gives the clients that are connected now.

    Attributes:
        sessions: By id, connected or not.
        waiting: Those of all sources that wait for their clients, and the bound over all.
        window: Seconds for which a session waits.
        bytes: What one session may hold.
        heartbeat: Seconds between two pings of a connection.
        visits: Who was let in, where the source has hooks.
        is_proven: Whether only a credential makes a subject; without ``authn`` a label does (protocol P4.2).
        directory: Where other processes find the sessions of this one; None for one process.
    """

    loop: asyncio.AbstractEventLoop
    wheel: Wheel
    counters: Counters
    logger: Any
    everybody: Callable[[], Iterable[Reached]] = tuple
    waiting: WaitingSessions = field(default_factory=WaitingSessions)
    window: float = RESUME_WINDOW
    bytes: int = RESUME_BYTES
    heartbeat: float = HEARTBEAT
    is_proven: bool = False
    directory: Directory | None = None
    hub: Hub = field(default_factory=Hub)
    sessions: dict[str, S] = field(default_factory=dict)
    visits: Visits | None = None
    presence: Presence = field(init=False)
    _reachable: Reachable | None = None

    def __post_init__(self) -> None:
        self.presence = Presence(self.hub, self.wheel)

    def hold(self, session: S) -> None:
        """A session has begun."""
        self.sessions[session.session_id] = session
        if self.directory is not None:
            self.directory.claim(session.session_id)

    def holds(self, session: S) -> bool:
        """Whether a session has not ended."""
        return self.sessions.get(session.session_id) is session

    def forget(self, session: S) -> bool:
        """A session has ended; False if it had before."""
        if self.sessions.pop(session.session_id, None) is None:
            return False
        if self.directory is not None:
            self.directory.release(session.session_id)
        return True

    def reachable(self) -> Reachable:
        """Who can be pushed to; kept from the first time on that somebody asks."""
        if self._reachable is None:
            everybody: dict[Reached, None] = dict.fromkeys((*self.everybody(), *self.sessions.values()))
            self._reachable = Reachable(everybody, is_proven=self.is_proven)
        return self._reachable

    def prove(self, *, is_proven: bool) -> None:
        """What a subject is may have changed."""
        self.is_proven = is_proven
        self._reachable = None

    @property
    def keeps_all(self) -> bool:
        """Whether a session without anything to resume is kept: for what is pushed to it, or since it was let in."""
        return self._reachable is not None or self.visits is not None

    def enlist(self, client: Reached) -> None:
        """A client has come, or a session has another connection."""
        if self._reachable is not None:
            self._reachable.add(client)

    def strike(self, client: Any, code: int, reason: str) -> None:
        """A client is gone for good."""
        if self._reachable is not None:
            self._reachable.discard(client)
        if self.visits is not None:
            self.visits.end(client, code, reason)
