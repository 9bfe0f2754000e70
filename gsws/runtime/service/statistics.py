"""
The numbers of a running service: what metrics, the control socket and a playground read.

Pulled, never pushed: a message costs nothing for being counted here. Values are a copy, of one moment of the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gsws.runtime.sources.source import Source

__all__ = ["ServiceStatistics", "SourceStatistics", "statistics_of"]


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """
    One event source.

    Attributes:
        connections: Open connections.
        sessions: Sessions, connected or not.
        in_flight: Requests that are queued or running.
        queued: Those of them that are plain and have not begun.
        rooms: Rooms with a member on this process.
        counters: What was refused, failed and closed so far, by name; see `gsws.runtime.counters`.
    """

    connections: int
    sessions: int
    in_flight: int
    queued: int
    rooms: int
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ServiceStatistics:
    """
    A service.

    Attributes:
        sources: By name.
        waiting: Sessions that wait for their clients.
        held_bytes: Bytes that all sessions hold of their streams and pushes.
        evicted: Sessions that were lost before their window was over.
    """

    sources: Mapping[str, SourceStatistics]
    waiting: int
    held_bytes: int
    evicted: int

    @property
    def connections(self) -> int:
        return sum(source.connections for source in self.sources.values())

    @property
    def sessions(self) -> int:
        return sum(source.sessions for source in self.sources.values())


def statistics_of(sources: Mapping[str, Source]) -> ServiceStatistics:
    """Read the numbers of the sources of a service; called on its loop."""
    shared = {id(source.registry.waiting): source.registry.waiting for source in sources.values()}
    return ServiceStatistics(
        {name: _of(source) for name, source in sources.items()},
        waiting=sum(len(waiting) for waiting in shared.values()),
        held_bytes=sum(waiting.pool.size for waiting in shared.values()),
        evicted=sum(waiting.evicted for waiting in shared.values()),
    )


def _of(source: Source) -> SourceStatistics:
    busy = source.executor.busy
    return SourceStatistics(
        connections=len(source.router.connections),
        sessions=len(source.registry.sessions),
        in_flight=sum(requests.in_flight for requests in busy),
        queued=sum(requests.queued for requests in busy),
        rooms=len(source.registry.hub),
        counters=source.counters.read(),
    )
