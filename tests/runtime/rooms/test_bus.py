"""The seam between processes: what is sent to a room on one of them reaches the members on all, once."""

from __future__ import annotations

import pytest

from gsws.runtime.rooms.bus import MemoryBus
from gsws.runtime.rooms.hub import Hub
from gsws.runtime.transport import encode_frame


class Member:
    label = "ann"

    def __init__(self):
        self.frames = []

    def push(self, prepared):
        self.frames.append(prepared)


@pytest.fixture
def hubs():
    """The hubs of three processes."""
    ends = []
    return [Hub(MemoryBus(ends)) for _ in range(3)]


def test_a_message_reaches_the_members_of_every_process_once(hubs):
    """P11.2: in the order in which one process sent them; who sends is told of its own members."""
    members = [Member() for _ in hubs]
    for hub, member in zip(hubs, members, strict=True):
        hub.join("tea", member)
    texts = [b'{"n":%d}' % n for n in range(10)]

    assert [hubs[0].publish("tea", text) for text in texts] == [1] * 10

    assert [member.frames for member in members] == [[encode_frame(text) for text in texts]] * 3


def test_only_rooms_with_a_member_are_open(hubs):
    """A process without members of a room hears nothing of it, from the moment that the last one leaves."""
    here, there, _ = hubs
    first, second = Member(), Member()
    for member in (first, second):
        there.join("tea", member)
    here.publish("coffee", b"{}")
    here.publish("tea", b"{}")
    there.leave("tea", first)
    here.publish("tea", b"{}")
    there.leave("tea", second)
    here.publish("tea", b"{}")

    assert [len(member.frames) for member in (first, second)] == [1, 2]


def test_a_room_that_is_open_here_alone_is_served_without_the_bus(hubs):
    """Nothing comes back to who sent it."""
    member = Member()
    hubs[0].join("tea", member)

    assert hubs[0].publish("tea", b"{}") == 1
    assert len(member.frames) == 1
