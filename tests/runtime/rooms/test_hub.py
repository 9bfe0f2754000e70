"""Rooms: one frame for all, in order, and who leaves is gone."""

from __future__ import annotations

import json

from gsws.runtime.rooms.hub import Hub
from gsws.runtime.transport import encode_frame
from tests.runtime.support import served


class Member:
    def __init__(self, label):
        self.label = label
        self.frames = []

    def push(self, frame):
        self.frames.append(frame)


def test_the_same_bytes_go_to_each_member():
    """P11.2."""
    hub, members = Hub(), [Member(str(n)) for n in range(3)]
    for member in members:
        hub.join("room", member)
        hub.join("room", member)
    text = b"{}"

    assert hub.publish("room", text) == 3
    assert all(member.frames == [encode_frame(text)] for member in members)
    assert len({id(member.frames[0]) for member in members}) == 1
    assert hub.publish("empty", text) == 0


def test_rooms_end_with_their_last_member():
    hub, member = Hub(), Member("a")
    hub.join("room", member)
    hub.leave("room", member)
    hub.leave("room", member)

    assert hub.labels("room") == []
    assert not hub._rooms


FILES = {
    "events/all.yaml": """
        websocket.join: {fn: rooms.join, payload: {}}
        websocket.leave: {fn: rooms.leave, payload: {}}
        websocket.say: {fn: rooms.say, payload: {}}
        websocket.who: {fn: rooms.who, payload: {}}
        """,
    "functions/rooms.py": """
        async def join(ctx, payload): await ctx.join(payload)
        async def leave(ctx, payload): await ctx.leave(payload)
        async def say(ctx, payload): return await ctx.broadcast(payload["room"], "room.said", {"text": payload["text"]})
        async def who(ctx, payload): return ctx.members(payload)
        """,
}


def test_handlers_join_broadcast_and_list(tmp_path):
    """P11.1, P9.4: in the order published."""
    with served(tmp_path, FILES) as running:
        with running.client(query="?clientId=a") as a, running.client(query="?clientId=b") as b:
            for client in (a, b):
                client.ask("websocket.join", "tea")
            assert a.ask("websocket.who", "tea")["payload"]["data"] == ["a", "b"]
            for number in range(20):
                a.send("websocket.say", {"room": "tea", "text": str(number)})
            frames = [json.loads(b.socket.recv(2)) for _ in range(20)]
            assert frames == [{"eventtype": "room.said", "payload": {"text": str(n)}} for n in range(20)]
            assert "id" not in frames[0]
            b.ask("websocket.leave", "tea")
            for _ in range(20):
                a.receive()
            assert a.ask("websocket.say", {"room": "tea", "text": "x"}, id="s")["eventtype"] in ("reply", "room.said")
            b.silence(0.05)
        hub = running.service.live["websocket"].registry.hub
        running.wait_for(lambda: not len(hub), "rooms of clients that left")


def test_a_member_that_does_not_read_is_closed_and_nobody_else_delayed(tmp_path):
    """P9.3: 4430."""
    files = {**FILES, "eventsources/websocket.yaml": "type: websocket\nport: 0\nlimits: {send_buffer: 64KiB}\n"}
    with served(tmp_path, files) as running, running.client(query="?clientId=a") as a:
        with running.client(query="?clientId=slow", max_queue=1) as slow:
            slow.ask("websocket.join", "tea")
            text = "x" * 60_000
            for _ in range(400):
                a.send("websocket.say", {"room": "tea", "text": text})
                if a.ask("websocket.who", "tea")["payload"]["data"] == []:
                    break
            running.wait_for(lambda: running.service.counters()["websocket"].get("closes.4430") == 1)
