"""
Presence: telling the members of a room who comes and goes, for events that ask for it (``presence`` of an event).

A person is a ``clientId`` and, where there is authentication, a subject: the second tab of somebody who is there
already is no news. Changes are collected and sent as one frame, ``presence {"room", "joined": [PERSON, …], "left":
[PERSON, …], "members": int}`` with PERSON ``{"clientId": str, "subject"?: str}``, so that a crowd that arrives costs
deliveries in proportion to its size and not to its square. Who gets the room's frames is the hub's business.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gsws.protocol.answer import frame
from gsws.runtime.transport import encode_frame

if TYPE_CHECKING:
    from gsws.runtime.rooms.hub import Hub
    from gsws.runtime.sessions.client import Client
    from gsws.runtime.wheel import Timer, Wheel

__all__ = ["GRACE", "NAMED", "Attendance", "Presence", "announces"]

GRACE: Final = 30.0
"""Seconds that a session whose connection was cut still counts as being there."""

NAMED: Final = 100
"""People that one frame names at most, of those who came and of those who left each; ``members`` counts all."""

_SOONEST: Final = 0.05
_DELIVERIES: Final = 10_000
"""Deliveries of presence frames a second that one room causes at most."""

Person: TypeAlias = tuple[str, str | None]
"""``clientId``, and the subject if it was authenticated."""


def announces(wanted: bool | str, room: str) -> bool:
    """Whether an event whose ``presence`` is ``wanted`` announces who joins a room; a text is a pattern with ``*``."""
    return wanted if isinstance(wanted, bool) else fnmatch.fnmatchcase(room, wanted)


class Attendance:
    """The announced rooms of one client, and whether it counts as being there."""

    __slots__ = ("is_there", "leaving", "person", "rooms")

    def __init__(self, person: Person) -> None:
        self.person = person
        self.rooms: set[str] = set()
        self.is_there = True
        self.leaving: Timer | None = None


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

    __slots__ = ("_hub", "_rooms", "_wheel")

    def __init__(self, hub: Hub, wheel: Wheel) -> None:
        self._hub = hub
        self._wheel = wheel
        self._rooms: dict[str, _Room] = {}

    def enter(self, room: str, client: Client) -> None:
        """A client joined a room that is announced; joining twice is joining once."""
        attendance = client.attendance
        if attendance is None:
            actor = client.actor
            attendance = Attendance((client.label, actor.subject if actor.authenticated else None))
            attendance.is_there = client.is_open
            client.attendance = attendance
        if room not in attendance.rooms:
            attendance.rooms.add(room)
            if attendance.is_there:
                self._count(room, attendance.person, 1)

    def exit(self, room: str, client: Client) -> None:
        """A client left a room; one that was not announced there does nothing."""
        attendance = client.attendance
        if attendance is not None and room in attendance.rooms:
            attendance.rooms.discard(room)
            if attendance.is_there:
                self._count(room, attendance.person, -1)

    def away(self, client: Client) -> None:
        """A session was cut: it has `GRACE` seconds to come `back` before it leaves its rooms."""
        attendance = client.attendance
        if attendance is None or not attendance.is_there or attendance.leaving is not None:
            return
        grace = min(GRACE, client.source.resume_window)
        attendance.leaving = self._wheel.schedule(grace, lambda: self._gone(attendance))

    def gone(self, client: Client) -> None:
        """A client does not come back: it leaves its rooms, if it has not yet."""
        attendance = client.attendance
        if attendance is None or not attendance.is_there:
            return
        if attendance.leaving is not None:
            attendance.leaving.cancel()
        self._gone(attendance)

    def back(self, client: Client) -> None:
        """A session has a connection again."""
        attendance = client.attendance
        if attendance is None:
            return
        if attendance.leaving is not None:
            attendance.leaving.cancel()
            attendance.leaving = None
        elif not attendance.is_there:
            attendance.is_there = True
            for room in attendance.rooms:
                self._count(room, attendance.person, 1)

    def _gone(self, attendance: Attendance) -> None:
        attendance.leaving = None
        attendance.is_there = False
        for room in attendance.rooms:
            self._count(room, attendance.person, -1)

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
                room.timer = self._wheel.schedule(wait, lambda: self._tell(name, room))

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
            self._hub.publish(name, encode_frame(frame("presence", payload)))


def _shown(person: Person) -> dict[str, str]:
    label, subject = person
    return {"clientId": label} if subject is None else {"clientId": label, "subject": subject}
