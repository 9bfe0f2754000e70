"""
Presence: telling the members of a room who comes and goes, for events that ask for it (``presence`` of an event).

A person is a ``clientId`` and, where there is authentication, a subject: the second tab of somebody who is there
already is no news. Changes are collected and sent as one frame, ``presence {"room", "joined": [PERSON, …], "left":
[PERSON, …], "members": int}`` with PERSON ``{"clientId": str, "subject"?: str}``, so that a crowd that arrives costs
deliveries in proportion to its size and not to its square. Who gets the room's frames is the hub's business.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from gsws.protocol.answer import frame
from gsws.runtime.rooms.hub import Hub
from gsws.runtime.wheel import Timer, Wheel

__all__ = ["GRACE", "NAMED", "Person", "Presence"]

GRACE: Final = 30.0
"""Seconds that a session whose connection was cut still counts as being there."""

NAMED: Final = 100
"""People that one frame names at most, of those who came and of those who left each; ``members`` counts all."""

_SOONEST: Final = 0.05
_DELIVERIES: Final = 10_000
"""Deliveries of presence frames a second that one room causes at most."""

Person: TypeAlias = tuple[str, str | None]
"""``clientId``, and the subject if it was authenticated."""


class _Room:
    """Who is in a room by how many connections, and what its members were not told yet."""

    __slots__ = ("changed", "people", "timer")

    def __init__(self) -> None:
        self.people: dict[Person, int] = {}
        self.changed: dict[Person, bool] = {}
        self.timer: Timer | None = None


class Presence:
    """
    Presence in the rooms of one event source.

    Args:
        hub: Who gets the frames.
        wheel: For the moments at which frames are due.
    """

    __slots__ = ("_hub", "_rooms", "wheel")

    def __init__(self, hub: Hub, wheel: Wheel) -> None:
        self._hub = hub
        self.wheel = wheel
        self._rooms: dict[str, _Room] = {}

    def enter(self, room: str, person: Person) -> None:
        """Somebody has another connection that is in a room."""
        self._count(room, person, 1)

    def exit(self, room: str, person: Person) -> None:
        """Somebody has one connection less in a room."""
        self._count(room, person, -1)

    def _count(self, name: str, person: Person, by: int) -> None:
        """Count a connection of somebody; the first and the last one are news."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = _Room()
        connections = room.people.get(person, 0) + by
        if connections:
            room.people[person] = connections
        else:
            del room.people[person]
        if connections == (1 if by > 0 else 0):
            if person in room.changed:
                del room.changed[person]  # came and went between two frames
            else:
                room.changed[person] = by > 0
            if room.timer is None:
                # What a large room is told is told less often: so many frames a second go to so many members.
                wait = max(_SOONEST, self._hub.size(name) / _DELIVERIES)
                room.timer = self.wheel.schedule(wait, lambda: self._tell(name, room))

    def _tell(self, name: str, room: _Room) -> None:
        room.timer = None
        changed, room.changed = room.changed, {}
        if not room.people:
            self._rooms.pop(name, None)
        if changed:
            payload: dict[str, Any] = {
                "room": name,
                "joined": [_shown(person) for person, came in changed.items() if came][:NAMED],
                "left": [_shown(person) for person, came in changed.items() if not came][:NAMED],
                "members": len(room.people),
            }
            self._hub.publish(name, frame("presence", payload))


def _shown(person: Person) -> dict[str, str]:
    label, subject = person
    return {"clientId": label} if subject is None else {"clientId": label, "subject": subject}
