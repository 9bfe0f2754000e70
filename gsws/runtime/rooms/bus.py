"""
The seam between processes: what is sent to a room on one of them reaches the members on all.

`MemoryBus` connects hubs of one process: what tests of it need, and the example of what others guarantee.
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

    def open(self, room: str) -> None:
        """The first member of a room is here."""

    def close(self, room: str) -> None:
        """The last member of a room has gone."""

    def publish(self, room: str, text: bytes) -> None:
        """Send to the members of a room on all other processes."""


class MemoryBus:
    """
    A `Bus` that delivers before `publish` returns, so that nothing is ever under way.

    Args:
        ends: Those of all hubs that it connects; this one is added.
    """

    __slots__ = ("_deliver", "_ends", "_open")

    def __init__(self, ends: list[MemoryBus]) -> None:
        self._ends = ends
        self._open: set[str] = set()
        self._deliver: Deliver | None = None
        ends.append(self)

    def subscribe(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def open(self, room: str) -> None:
        self._open.add(room)

    def close(self, room: str) -> None:
        self._open.discard(room)

    def publish(self, room: str, text: bytes) -> None:
        for end in self._ends:
            if end is not self and room in end._open and end._deliver is not None:
                end._deliver(room, text)
