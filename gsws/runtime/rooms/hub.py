"""
Rooms of one event source on this process: encode once, write the same bytes to each member (protocol section 11).

A member that does not read is closed, and nobody else is delayed (P9.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

__all__ = ["Hub", "Member"]


class Member(Protocol):
    """A connection as a room sees it."""

    @property
    def label(self) -> str: ...
    def push(self, frame: bytes) -> None:
        """Queue a whole WebSocket frame without waiting; close the connection if it does not keep up."""
        ...


class Hub:
    """Who is in which room; rooms exist while they have members."""

    __slots__ = ("_rooms",)

    def __init__(self) -> None:
        self._rooms: dict[str, dict[Member, None]] = {}

    def join(self, room: str, member: Member) -> None:
        """Add a member; joining twice is joining once."""
        self._rooms.setdefault(room, {})[member] = None

    def leave(self, room: str, member: Member) -> None:
        """Remove a member; leaving a room it is not in does nothing."""
        members = self._rooms.get(room)
        if members is not None:
            members.pop(member, None)
            if not members:
                del self._rooms[room]

    def publish(self, room: str, frame: bytes) -> int:
        """Write one frame to every member in the order they joined, and tell how many there are."""
        members = tuple(self._rooms.get(room, ()))
        for member in members:
            member.push(frame)
        return len(members)

    def size(self, room: str) -> int:
        """How many members a room has."""
        return len(self._rooms.get(room, ()))

    def members(self, room: str) -> Iterator[Member]:
        """The members of a room in the order they joined."""
        return iter(tuple(self._rooms.get(room, ())))
