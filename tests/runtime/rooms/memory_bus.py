"""A `Bus` in memory: the example of what others guarantee."""

from __future__ import annotations

from gsws.runtime.rooms.hub import Bus, Deliver


class MemoryBus:
    """
    A `Bus` between hubs of one process; each end is made by `end`.

    Delivers before `publish` returns, so that nothing is ever under way.
    """

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: list[_End] = []

    def end(self) -> Bus:
        """Make the end of one more hub."""
        end = _End(self._ends)
        self._ends.append(end)
        return end


class _End:
    __slots__ = ("_all", "_deliver", "_open")

    def __init__(self, ends: list[_End]) -> None:
        self._all = ends
        self._open: set[str] = set()
        self._deliver: Deliver | None = None

    def subscribe(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def open(self, room: str) -> None:
        self._open.add(room)

    def close(self, room: str) -> None:
        self._open.discard(room)

    def publish(self, room: str, text: bytes) -> None:
        for end in self._all:
            if end is not self and room in end._open and end._deliver is not None:
                end._deliver(room, text)
