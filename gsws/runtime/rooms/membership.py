"""
The rooms of one client: which they are, and whether it counts as being there. Nobody else keeps them.

`Hub` and `Presence` are indexes of what stands here: who gets a room's frames, and how many people are in it.
"""

from __future__ import annotations

from collections.abc import Set

from gsws.runtime.rooms.hub import Hub, Member
from gsws.runtime.rooms.presence import GRACE, Person, Presence
from gsws.runtime.wheel import Timer

__all__ = ["Membership"]


class Membership:
    """
    Made when a client first joins a room.

    Args:
        member: Who gets the frames of the rooms.
    """

    __slots__ = ("_hub", "_is_there", "_leaving", "_member", "_person", "_presence", "_rooms")

    def __init__(self, member: Member, hub: Hub, presence: Presence) -> None:
        self._member = member
        self._hub = hub
        self._presence = presence
        self._rooms: dict[str, bool] = {}
        """Each with whether its members are told who comes and goes."""
        self._person: Person | None = None
        self._is_there = False
        self._leaving: Timer | None = None

    @property
    def rooms(self) -> Set[str]:
        """The rooms it is in, or was in when its connection ended."""
        return self._rooms.keys()

    def join(self, room: str, *, is_connected: bool, announced_as: Person | None = None) -> None:
        """
        Join; joining twice is joining once.

        Args:
            room: Its name.
            is_connected: Whether there is a connection for its frames; if not, they come from `attach` on.
            announced_as: As whom the members are told of it; None if they are not.
        """
        is_announced = self._rooms.setdefault(room, False)
        if is_connected:
            self._hub.join(room, self._member)
        if announced_as is None or is_announced:
            return
        if self._person is None:
            self._person = announced_as
            self._is_there = is_connected
        self._rooms[room] = True
        if self._is_there:
            self._presence.enter(room, self._person)

    def leave(self, room: str) -> None:
        """Leave a room; one it is not in does nothing."""
        is_announced = self._rooms.pop(room, False)
        self._hub.leave(room, self._member)
        if is_announced and self._is_there and self._person is not None:
            self._presence.exit(room, self._person)

    def detach(self) -> None:
        """Get no more of what rooms are sent; which ones they are is kept."""
        for room in self._rooms:
            self._hub.leave(room, self._member)

    def away(self, window: float) -> None:
        """The client was cut, and has some seconds to `attach` again before it counts as gone."""
        if self._is_there and self._leaving is None:
            self._leaving = self._presence.wheel.schedule(min(GRACE, window), self._absent)

    def attach(self) -> None:
        """The client has a connection again."""
        for room in self._rooms:
            self._hub.join(room, self._member)
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        elif not self._is_there and self._person is not None:
            self._is_there = True
            for room in self._announced():
                self._presence.enter(room, self._person)

    def end(self) -> None:
        """The client does not come back: it is gone from its rooms, if it is not yet."""
        if self._leaving is not None:
            self._leaving.cancel()
        if self._is_there:
            self._absent()

    def _absent(self) -> None:
        self._leaving = None
        self._is_there = False
        if self._person is not None:
            for room in self._announced():
                self._presence.exit(room, self._person)

    def _announced(self) -> list[str]:
        return [room for room, is_announced in self._rooms.items() if is_announced]
