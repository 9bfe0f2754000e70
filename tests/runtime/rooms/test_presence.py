"""Presence: the members of a room are told who comes and goes, where an event asks for it, and never in a storm."""

from __future__ import annotations

import json

import pytest

from gsws.runtime.requests.request import announces
from gsws.runtime.rooms.hub import Hub
from gsws.runtime.rooms.membership import Membership
from gsws.runtime.rooms.presence import GRACE, NAMED, Presence
from gsws.runtime.sources.detached import make_handle
from gsws.runtime.wheel import Wheel
from gsws.types import GSActor
from tests.runtime.support import served
from tests.runtime.test_counters import Clock


class Member:
    """A client as presence sees it: in the hub, with a label, perhaps with a session."""

    def __init__(self, world, label="", *, subject=None, session_id=None):
        self.world, self.label, self.session_id = world, label, session_id
        self.actor = GSActor(subject or label, authenticated=subject is not None)
        self.frames = []
        self.membership = Membership(self, world.hub, world.presence)

    def push(self, frame):
        self.frames.append(frame)

    def enter(self, room="tea"):
        person = (self.label, self.actor.subject if self.actor.authenticated else None)
        self.membership.join(room, is_connected=True, announced_as=person)
        return self

    def exit(self, room="tea"):
        self.membership.leave(room)

    def away(self):
        self.membership.detach()
        self.membership.away(120.0)

    def gone(self):
        self.membership.detach()
        self.membership.end()

    def told(self):
        """The payloads that it was sent since the last look."""
        frames, self.frames = self.frames, []
        return [json.loads(frame[frame.index(b"{") :])["payload"] for frame in frames]


class World:
    """A hub and its presence on a clock that stands still."""

    def __init__(self):
        self.clock = Clock()
        self.hub = Hub()
        self.presence = Presence(self.hub, Wheel(self.clock, patience=1e9))
        self.watcher = Member(self, "watcher")
        self.hub.join("tea", self.watcher)

    def member(self, label, **more):
        return Member(self, label, **more).enter()

    def told(self, seconds=5.0):
        self.clock.go(seconds)
        return self.watcher.told()


@pytest.fixture
def world():
    return World()


def names(people):
    return [person["clientId"] for person in people]


def test_members_are_told_who_came_and_who_went(world):
    """One frame names those who joined and those who left, and counts who is there."""
    ann, bob = world.member("ann"), world.member("bob", subject="user-7")
    joined = [{"clientId": "ann"}, {"clientId": "bob", "subject": "user-7"}]
    expected = {"room": "tea", "joined": joined, "left": [], "members": 2}
    assert world.told() == [expected]
    assert ann.told() == bob.told() == [expected]

    ann.exit()
    assert world.told() == [{"room": "tea", "joined": [], "left": [{"clientId": "ann"}], "members": 1}]
    assert ann.told() == []


def test_every_member_gets_the_same_bytes(world):
    """P11.2: encoded once."""
    ann = world.member("ann")
    world.clock.go(1)

    assert ann.frames[0] is world.watcher.frames[0]


def test_two_tabs_are_one_person(world):
    """The second connection of somebody is no news, nor is the end of one of two; another subject is another person."""
    first, second = world.member("ann"), world.member("ann")
    assert [frame["members"] for frame in world.told()] == [1]
    first.exit()
    assert world.told() == []
    second.exit()
    assert names(world.told()[0]["left"]) == ["ann"]

    world.member("ann", subject="a")
    world.member("ann", subject="b")
    assert world.told()[0]["members"] == 2


def test_who_came_and_went_in_between_is_no_news(world):
    """Coming and going within one frame cancels out."""
    for _ in range(100):
        world.member("ann").exit()
    assert world.told() == []


def test_joining_or_leaving_twice_is_once(world):
    ann = world.member("ann").enter()
    ann.exit()
    ann.exit()
    assert world.told() == []
    assert not world.presence._rooms


def test_a_crowd_costs_in_proportion_to_its_size(world):
    """A thousand that arrive one by one within ten seconds cause a hundred thousand deliveries, not half a million."""
    members = []
    for number in range(1000):
        members.append(world.member(f"m{number}"))
        world.clock.go(0.01)
    world.clock.go(1)
    delivered = sum(len(member.frames) for member in members)

    assert delivered <= 110_000
    assert {name for frame in world.watcher.told() for name in names(frame["joined"])} == {
        f"m{number}" for number in range(1000)
    }


def test_a_frame_names_a_bounded_number(world):
    """Of a burst, a hundred are named and all are counted."""
    for number in range(1000):
        world.member(f"m{number}")
    (frame,) = world.told()

    assert (len(frame["joined"]), frame["members"]) == (NAMED, 1000)


def test_a_session_that_was_cut_is_there_until_its_grace_is_over(world):
    """Who resumes in time never left; who does not, leaves then, and comes again with a later resume."""
    ann = world.member("ann", session_id="s")
    world.told()
    ann.away()
    assert world.told(GRACE - 1) == []
    ann.membership.attach()
    assert world.told(GRACE + 1) == []

    ann.away()
    assert world.told(GRACE + 1) == []
    assert names(world.told()[0]["left"]) == ["ann"]
    ann.membership.attach()
    assert names(world.told()[0]["joined"]) == ["ann"]


@pytest.mark.parametrize("was_cut", [False, True])
def test_a_session_that_is_gone_leaves_at_once(world, was_cut):
    """And once: whoever waits for a session that was cut waits no more."""
    ann = world.member("ann", session_id="s")
    world.told()
    if was_cut:
        ann.away()
    ann.gone()
    assert names(world.told(1)[0]["left"]) == ["ann"]
    ann.gone()
    assert world.told(GRACE + 1) == []


def test_a_plain_connection_leaves_when_it_is_cut(world):
    ann = world.member("ann")
    world.told()
    ann.gone()
    assert names(world.told(1)[0]["left"]) == ["ann"]
    ann.exit()
    assert world.told() == []


def test_a_room_that_was_joined_while_away_counts_from_the_return(world):
    """What a handler joins for a session that is not connected is announced when it is."""
    ann = Member(world, "ann", session_id="s")
    ann.membership.join("tea", is_connected=False, announced_as=("ann", None))
    assert world.told() == []
    ann.membership.attach()
    assert world.told()[0]["members"] == 1


@pytest.mark.parametrize(
    ("wanted", "room", "expected"),
    [
        (False, "tea", False),
        (True, "tea", True),
        ("chat.*", "chat.tea", True),
        ("chat.*", "secret", False),
        ("tea", "Tea", False),
    ],
)
def test_a_pattern_says_which_rooms(wanted, room, expected):
    assert announces(wanted, room) is expected


FILES = {
    "events/rooms.yaml": """
        websocket.enter: {fn: rooms.enter, payload: {}, presence: "chat.*"}
        websocket.watch: {fn: rooms.enter, payload: {}}
        websocket.exit: {fn: rooms.exit, payload: {}}
        """,
    "functions/rooms.py": """
        async def enter(ctx, payload):
            await ctx.join(payload)
            return ctx.members(payload)
        async def exit(ctx, payload): await ctx.leave(payload)
        """,
}


def presence(client):
    frame = client.receive()
    assert frame["eventtype"] == "presence", frame
    assert frame.keys() == {"eventtype", "payload"}
    return frame["payload"]


def test_an_event_that_asks_for_it_announces_its_rooms(tmp_path):
    """By YAML alone: who enters a room that fits is announced, who leaves it or the server too; others are not."""
    with served(tmp_path, FILES) as running, running.client(query="?clientId=watcher") as watcher:
        watcher.ask("websocket.watch", "chat.tea")
        with running.client(query="?clientId=ann") as ann:
            ann.ask("websocket.enter", "chat.tea")
            ann.ask("websocket.enter", "other")
            expected = {"room": "chat.tea", "joined": [{"clientId": "ann"}], "left": [], "members": 1}
            assert presence(watcher) == presence(ann) == expected
            ann.ask("websocket.exit", "chat.tea")
            assert presence(watcher) == {"room": "chat.tea", "joined": [], "left": [{"clientId": "ann"}], "members": 0}
            ann.ask("websocket.enter", "chat.tea")
            assert presence(watcher)["members"] == 1
        assert presence(watcher)["left"] == [{"clientId": "ann"}]
        watcher.silence()


def test_a_session_that_resumes_never_left(tmp_path):
    """A cut and a resume are no news for the room; the resumed connection goes on getting its frames."""
    with served(tmp_path, FILES) as running, running.client(query="?clientId=watcher") as watcher:
        watcher.ask("websocket.watch", "chat.tea")
        with running.client(query="?clientId=ann", subprotocols=["gsws.v1"]) as ann:
            hello = ann.receive()["payload"]
            ann.send("websocket.enter", "chat.tea", id=1)
            assert presence(watcher)["joined"] == [{"clientId": "ann"}]
            ann.socket.socket.shutdown(2)
            running.wait_for(lambda: len(running.service.live["websocket"].router.connections) == 1)
            with running.client(query="?clientId=ann", subprotocols=["gsws.v1"]) as again:
                again.receive()
                again.send("gsws.resume", {"session": hello["session"], "secret": hello["secret"], "streams": {}})
                assert again.receive()["eventtype"] == "gsws.resumed"
                with running.client(query="?clientId=bob") as bob:
                    bob.ask("websocket.enter", "chat.tea")
                    told = presence(again)
                    assert (told["joined"], told["left"], told["members"]) == ([{"clientId": "bob"}], [], 2)
                    assert presence(watcher) == told
        # It closed properly: it leaves without waiting for its grace. Both may be told in one frame.
        left = []
        while len(left) < 2:
            left += presence(watcher)["left"]
        assert sorted(names(left)) == ["ann", "bob"]


def test_a_request_without_a_connection_leaves_its_rooms(tmp_path):
    """What a source other than WebSocket hands in joins for as long as its handler runs."""
    with served(tmp_path, FILES) as running:
        live = running.service.live["websocket"]
        status = running.call(lambda: make_handle(live, "websocket.enter")("chat.tea", client_id="cron"))
        assert status.data == ["cron"]
        assert not live.registry.hub._rooms
