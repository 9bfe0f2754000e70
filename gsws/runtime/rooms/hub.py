"""
Rooms of one event source on this process: encode once, write the same bytes to each member (protocol section 11).

A member that does not read is closed, and nobody else is delayed (P9.3). What the same rooms have on other processes is
behind a `Bus`.
"""

from __future__ import annotations

from typing import Protocol

from gsws.runtime.rooms.bus import Bus
from gsws.runtime.transport import encode_frame

__all__ = ["Hub", "Member"]


class Member(Protocol):
    """A connection as a room sees it."""

    @property
    def label(self) -> str: ...
    def push(self, prepared: bytes) -> object:
        """Queue a whole WebSocket frame without waiting; close the connection if it does not keep up."""


class Hub:
    """
    Who is in which room; rooms exist while they have members.

    Args:
        bus: What carries messages to the same rooms on other processes; None for one process.
    """

    __slots__ = ("_bus", "_rooms")

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus
        self._rooms: dict[str, dict[Member, None]] = {}
        if bus is not None:
            bus.subscribe(self.deliver)

    def __len__(self) -> int:
        return len(self._rooms)

    def join(self, room: str, member: Member) -> None:
        """Add a member; joining twice is joining once."""
        members = self._rooms.get(room)
        if members is None:
            members = self._rooms[room] = {}
            if self._bus is not None:
                self._bus.open(room)
        members[member] = None

    def leave(self, room: str, member: Member) -> None:
        """Remove a member; leaving a room it is not in does nothing."""
        members = self._rooms.get(room)
        if members is not None:
            members.pop(member, None)
            if not members:
                del self._rooms[room]
                if self._bus is not None:
                    self._bus.close(room)

    def publish(self, room: str, text: bytes) -> int:
        """Send a JSON text to every member in the order they joined, and tell how many there are on this process."""
        if self._bus is not None:
            self._bus.publish(room, text)
        return self.deliver(room, text)

    def deliver(self, room: str, text: bytes) -> int:
        """The same for the members on this process alone."""
        members = tuple(self._rooms.get(room, ()))
        if members:
            prepared = encode_frame(text)
            for member in members:
                member.push(prepared)
        return len(members)

    def size(self, room: str) -> int:
        """How many members a room has on this process."""
        return len(self._rooms.get(room, ()))

    def labels(self, room: str) -> list[str]:
        """The labels of a room's members on this process, in the order they joined."""
        return [member.label for member in self._rooms.get(room, ())]
