"""
Sessions and streams as a state machine: whatever is done in whatever order, every answer is whole.

A client that sends, reads, cancels, acknowledges, loses its connection with frames under way, comes back in time or too
late, from one that the server still takes for open or not; without sockets, and with a clock that jumps.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gsws import Frame
from tests.runtime.virtual import FakeConnection, VirtualLoop, make_source, open_connection, route

WINDOW = 5.0
TERMINAL = ("reply", "stream.end", "stream.error")
EVENTS = ("count", "echo", "cancels", "continues", "short", "reject", "interrupt", "parallel")


async def count(payload: Any) -> Any:
    for n in range(payload["n"]):
        yield Frame("note", {"n": n}) if n % 5 == 4 else str(n)
        await asyncio.sleep(payload["pace"])


async def echo(payload: Any) -> Any:
    await asyncio.sleep(payload["pace"])
    return payload["n"]


ROUTES = [
    route("count", count),
    route("echo", echo),
    route("cancels", count, on_disconnect="cancel"),
    route("continues", count, on_disconnect="continue"),
    route("short", count, on_disconnect=0.2),
    route("reject", count, concurrency="reject"),
    route("interrupt", count, concurrency="interrupt"),
    route("parallel", count, concurrency="parallel"),
]


@dataclass
class Asked:
    """One request as the client sees it."""

    event: str
    n: int
    seq: int = -1
    text: str = ""
    ahead: dict[int, dict[str, Any]] = field(default_factory=dict)
    last: dict[str, Any] | None = None
    compact: bool = False
    awaits_loss: bool = False
    is_gone: bool = False
    cancelled: bool = False
    lost: bool = False

    def add(self, frame: dict[str, Any]) -> None:
        """The next frame in order."""
        assert self.last is None, "a frame after the terminal one"
        assert frame["seq"] == self.seq + 1
        self.seq += 1
        kind, payload = frame["eventtype"], frame["payload"]
        if kind == "stream.start":
            assert self.seq == 0
        elif kind == "stream.chunk":
            assert payload == {"message": str(self.seq - 1)}
            self.text += payload["message"]
        elif kind == "note":
            assert payload == {"n": self.seq - 1}
        else:
            assert kind in TERMINAL
            self.last = frame
        if self.seq + 1 in self.ahead:
            self.add(self.ahead.pop(self.seq + 1))

    @property
    def is_open(self) -> bool:
        return self.last is None and not self.lost

    def check(self) -> None:
        """The answer is over: it is what it had to be."""
        if self.last is None:
            return
        kind, payload = self.last["eventtype"], self.last["payload"]
        if kind == "reply":
            assert self.event == "echo"
            assert (self.seq, payload["data"]) == (0, self.n)
        elif kind == "stream.error":
            assert payload["error"] in ("busy", "too_many_requests", "timeout"), payload
        elif payload["reason"] == "complete":
            # start, so many items, end; the first item starts the stream even if it is a note
            assert self.seq == self.n + 1
            assert self.text == "".join(str(n) for n in range(self.n) if n % 5 != 4)
        else:
            assert payload["reason"] in ("cancelled", "superseded", "timeout"), payload
            assert payload["reason"] != "cancelled" or self.cancelled, "nobody cancelled it"
            assert payload["reason"] != "superseded" or self.event == "interrupt"


class SessionMachine(RuleBasedStateMachine):
    """One session, one client, one virtual clock."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.source = make_source(self.loop, ROUTES, window=WINDOW, bytes=2**20, heartbeat=1000.0)
        self.asked: dict[str, Asked] = {}
        self.connection: FakeConnection | None = None
        self.deaf: list[FakeConnection] = []
        self.followed: list[tuple[FakeConnection, str]] = []
        self.read_to = 0
        self.left_at: float | None = None
        self.session: dict[str, str] = {}
        self.number = 0
        self.connect()

    # What a client does.

    @precondition(lambda self: self.connection is None)
    @rule(compact=st.booleans())
    def come_back(self, compact: bool) -> None:
        """Connect and resume."""
        self.connect(compact)

    @precondition(lambda self: self.connection is not None)
    @rule(
        event=st.sampled_from(EVENTS),
        n=st.integers(0, 12),
        pace=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    )
    def ask(self, event: str, n: int, pace: float) -> None:
        assert self.connection is not None
        self.number += 1
        id = f"r{self.number}"
        self.asked[id] = Asked(event, n)
        self.connection.message(event, {"n": n, "pace": pace}, id=id)

    @precondition(lambda self: self.connection is not None)
    @rule(count=st.integers(1, 40))
    def read(self, count: int) -> None:
        """Read some of the frames that are under way."""
        self.loop.settle()
        assert self.connection is not None
        for frame in self.connection.sent[self.read_to : self.read_to + count]:
            self.read_to += 1
            self.take(frame)

    @precondition(lambda self: self.connection is not None and any(one.is_open for one in self.asked.values()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """P6.6: the terminal frame is the very next of that request, if it still runs."""
        assert self.connection is not None
        id = data.draw(st.sampled_from([id for id, one in self.asked.items() if one.is_open]))
        before = len(self.connection.sent)
        self.asked[id].cancelled = True
        self.connection.message("gsws.cancel", {"id": id})
        self.loop.advance(0.3)
        after = [frame for frame in self.connection.sent[before:] if frame.get("id") == id]
        assert len(after) == 1
        assert after[0]["eventtype"] in TERMINAL

    @precondition(lambda self: self.connection is not None and any(one.is_open for one in self.asked.values()))
    @rule(data=st.data())
    def ask_with_an_id_in_use(self, data: st.DataObject) -> None:
        """P5.4: refused without a word about the one that runs."""
        assert self.connection is not None
        id = data.draw(st.sampled_from([id for id, one in self.asked.items() if one.is_open]))
        self.loop.settle()
        client = self.connection.receiver.client
        if client.running(id) is not None:
            self.connection.message("echo", {"n": 1, "pace": 0}, id=id)
            assert self.connection.sent[-1]["payload"]["error"] == "duplicate_id"

    @precondition(lambda self: self.connection is not None)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """P8.6."""
        assert self.connection is not None
        seen = [id for id, one in self.asked.items() if one.seq >= 0 and not one.lost]
        if seen:
            id = data.draw(st.sampled_from(seen))
            self.connection.message("gsws.ack", {"id": id, "seq": self.asked[id].seq})

    @precondition(lambda self: self.connection is not None)
    @rule(half_open=st.booleans())
    def lose_the_connection(self, half_open: bool) -> None:
        """What was not read is gone; half open, the server does not know."""
        assert self.connection is not None
        connection, self.connection = self.connection, None
        if half_open:
            self.deaf.append(connection)
            self.left_at = None
        else:
            self.noticed(connection)

    @precondition(lambda self: self.connection is not None)
    @rule(half_open=st.booleans(), seconds=st.sampled_from([0.0, 0.1, 0.5, 2.0, 4.0, 6.0]), compact=st.booleans())
    def be_away(self, half_open: bool, seconds: float, compact: bool) -> None:
        """Lose the connection, and come back: in time, or not."""
        self.lose_the_connection(half_open)
        self.wait(seconds)
        self.come_back(compact)

    @precondition(lambda self: bool(self.deaf))
    @rule()
    def the_server_notices(self) -> None:
        """A heartbeat is missed, long after."""
        connection = self.deaf.pop()
        if connection.is_open and self.connection is None:
            self.noticed(connection)
        else:
            connection.cut()

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.1, 0.25, 1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.loop.advance(seconds)

    @precondition(lambda self: self.left_at is not None)
    @rule()
    def wait_beyond_the_window(self) -> None:
        self.loop.advance(WINDOW + 0.3)

    @rule()
    def somebody_else_tries(self) -> None:
        """P8.7: without the secret a session cannot be told from none, and nothing happens to it."""
        thief = open_connection(self.loop, self.source, session=True)
        wanted = dict.fromkeys(self.asked, -1)
        thief.message("gsws.resume", {**self.session, "secret": "x" * 43, "streams": wanted})
        assert thief.sent[1]["payload"]["streams"] == {}
        assert {frame["payload"]["error"] for frame in thief.sent[2:]} <= {"resume_lost"}
        thief.cut()

    @precondition(lambda self: bool(self.asked))
    @rule(data=st.data())
    def somebody_follows(self, data: st.DataObject) -> None:
        """P8.8: another connection with the secret, which takes nothing over."""
        id = data.draw(st.sampled_from(list(self.asked)))
        connection = open_connection(self.loop, self.source, session=True)
        connection.message("gsws.follow", {**self.session, "streams": {id: -1}})
        answer = connection.sent[1]
        if answer["eventtype"] == "gsws.following" and answer["payload"]["streams"]:
            self.followed.append((connection, id))
        else:
            assert connection.sent[-1]["payload"]["error"] in ("resume_lost", "forbidden", "too_many_requests")
            connection.cut()

    @precondition(lambda self: bool(self.followed))
    @rule(data=st.data())
    def a_follower_leaves(self, data: st.DataObject) -> None:
        connection, id = data.draw(st.sampled_from(self.followed))
        self.followed.remove((connection, id))
        connection.cut()
        self.loop.settle()

    # What must hold.

    @invariant()
    def followers_have_everything_once(self) -> None:
        """P8.8: no duplicate, no gap, nothing after the end, and the end that its own client got."""
        for connection, id in self.followed:
            frames = [frame for frame in connection.sent[2:] if "seq" in frame]
            assert connection.is_open
            assert {frame["id"] for frame in frames} <= {id}
            assert [frame["seq"] for frame in frames] == list(range(len(frames)))
            assert all(frame["eventtype"] not in TERMINAL for frame in frames[:-1])
            one = self.asked[id]
            if one.last is not None:
                assert frames[-1] == one.last

    @invariant()
    def counts_are_right(self) -> None:
        """P9.2: requests in flight are those that have no terminal frame, and those that still wind up."""
        for arrived in self.source.router.connections:
            scheduler = arrived.client.scheduler
            if scheduler is not None:
                assert scheduler.in_flight >= len(scheduler.requests) >= 0
                assert (scheduler in self.source.executor.busy) == (scheduler.in_flight > 0)

    @invariant()
    def who_is_connected_is_a_client(self) -> None:
        """P10.2: whoever is not is not closed at shutdown."""
        if self.connection is not None:
            assert self.connection.receiver in self.source.router.connections

    @invariant()
    def at_most_one_connection_is_served(self) -> None:
        assert sum(connection.is_open for connection in self.deaf) <= 1

    def teardown(self) -> None:
        """In the end every request is answered, and nothing is kept."""
        try:
            self.end()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.settle()
            self.loop.close()

    def end(self) -> None:
        """Let everything come to its end."""
        if self.connection is None:
            self.connect()
        self.loop.advance(60.0)
        self.read(10**6)
        open_ones = {id: one for id, one in self.asked.items() if one.is_open}
        assert not open_ones, open_ones
        for one in self.asked.values():
            one.check()
        for connection in (self.connection, *self.deaf, *(connection for connection, _ in self.followed)):
            if connection is not None:
                connection.cut()
        self.loop.advance(WINDOW + 65.0)
        assert not self.source.executor.busy
        assert not self.source.registry.sessions
        assert not self.source.router.connections
        assert not self.source.registry.waiting.pool.size
        assert not asyncio.all_tasks(self.loop)

    # Parts.

    def noticed(self, connection: FakeConnection) -> None:
        """The server sees that nobody is connected any more (P6.7)."""
        self.left_at = self.loop.now
        for one in self.asked.values():
            one.cancelled = one.cancelled or one.event in ("cancels", "short")
        connection.cut()

    def connect(self, compact: bool = False) -> None:
        """Connect; with a session, resume it."""
        connection = self.connection = open_connection(self.loop, self.source, session=True)
        hello = connection.sent[0]["payload"]
        fresh = {"session": hello["session"], "secret": hello["secret"]}
        self.read_to = 1
        if not self.session:
            self.session = fresh
            return
        wanted = {id: one for id, one in self.asked.items() if one.is_open}
        streams = {id: one.seq for id, one in wanted.items()}
        away = None if self.left_at is None else self.loop.now - self.left_at
        connection.message("gsws.resume", {**self.session, "streams": streams, "compact": compact})
        resumed = connection.sent[1]["payload"]
        assert connection.sent[1]["eventtype"] == "gsws.resumed"
        self.read_to = 2
        self.left_at = None
        for id, one in wanted.items():
            one.compact = compact
            one.ahead.clear()
            if id in resumed["streams"]:
                assert away is None or away < WINDOW + 0.2, "held beyond the window"
                assert resumed["streams"][id]["from"] == one.seq + 1
                if away is not None and (one.event == "cancels" or (one.event == "short" and away > 0.3)):
                    assert resumed["streams"][id]["state"] == "ended", "it goes on beyond its grace"
            elif not one.is_gone:
                assert away is not None, "lost from a connection that the server took for open"
                assert away > WINDOW - 0.1, f"lost {away} seconds after the cut"
                one.is_gone = True
            one.awaits_loss = one.is_gone
        if resumed["session"] != self.session["session"]:
            assert not resumed["streams"]
            self.session = fresh
        self.loop.settle()

    def take(self, frame: dict[str, Any]) -> None:
        """One frame reaches the client."""
        one = self.asked[frame["id"]]
        if one.awaits_loss:
            assert frame["payload"]["error"] == "resume_lost"
            one.awaits_loss, one.lost = False, True
        elif "seq" not in frame:
            assert frame["payload"]["error"] in ("duplicate_id", "unknown_id")
        elif frame["eventtype"] == "stream.snapshot":
            assert one.compact
            until = frame["seq"]
            assert frame["payload"] == {"message": "".join(str(n) for n in range(until) if n % 5 != 4)}
            while one.seq < until:
                seq = one.seq + 1
                if seq == 0:
                    raise AssertionError("the start is no text")
                assert (seq - 1) % 5 != 4, "a note is missing"
                one.add({"eventtype": "stream.chunk", "seq": seq, "payload": {"message": str(seq - 1)}})
        elif one.compact and frame["seq"] > one.seq + 1:
            one.ahead[frame["seq"]] = frame
        else:
            one.add(frame)


SessionMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSessionMachine = SessionMachine.TestCase
