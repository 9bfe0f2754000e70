"""
The seam between processes: what is sent to a room on one of them reaches the members on all.

`MemoryBus` connects hubs of one process, which is what tests of it need and the example of what others guarantee.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

__all__ = ["Bus", "Deliver", "MemoryBus"]

Deliver: TypeAlias = Callable[[str, bytes], object]
"""Takes a room and a JSON text in UTF-8 that another process sent to it."""


class Bus(Protocol):
    """
    One process's end.

    Guarantees of every implementation: a message reaches each other process that has the room open at most once, and
    never the one that sent it; messages of one process to one room arrive in the order they were sent. A message that
    was under way while a room was opened, or while the bus was not connected, may be lost. No call waits; each comes
    from the event loop, and so does each delivery.
    """

    def subscribe(self, deliver: Deliver) -> None:
        """Name who takes what arrives for the rooms that are open; called once, before any other."""
        ...

    def open(self, room: str) -> None:
        """The first member of a room is here."""
        ...

    def close(self, room: str) -> None:
        """The last member of a room has gone."""
        ...

    def publish(self, room: str, text: bytes) -> None:
        """Send to the members of a room on all other processes."""
        ...


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
