"""Conversations of one connection: answered side by side, each of them in its order, no more than may run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from gsws.testing import FakeGemini
from gsws.testing.gemini import Turn
from tests.e2e.serving import GSWS, Served
from tests.e2e.test_agent import KEYS, ask, said, with_gemini

pytestmark = pytest.mark.timeout(180)

PLACES = 3
HELD = Turn(["w0 ", "never"], stall_after=1, stall=60)
TERMINAL = ("stream.end", "stream.error", "reply")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeGemini, Served]]:
    """One server for all; so many streams of a connection run, and as many wait."""
    with pytest.MonkeyPatch.context() as patch:
        for name in KEYS:
            patch.delenv(name, raising=False)
        root = tmp_path_factory.mktemp("threads")
        subprocess.run([GSWS, "init", "app", "--template", "agent"], cwd=root, check=True, timeout=60)
        events = root / "app" / "events" / "websocket_stream.yaml"
        events.write_text(events.read_text().replace("messages: 20", "messages: 1000"))
        source = root / "app" / "eventsources" / "websocket.yaml"
        source.write_text(f"{source.read_text()}limits: {{in_flight: {PLACES}}}\n")
        with FakeGemini() as gemini, with_gemini(root / "app", gemini) as server:
            yield gemini, server


@pytest.fixture
def gemini(shared: tuple[FakeGemini, Served]) -> FakeGemini:
    shared[0].clear()
    return shared[0]


@pytest.fixture
def socket(shared: tuple[FakeGemini, Served]) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{shared[1].port}/?clientId=ann") as opened:
        yield opened


def send(socket: ClientConnection, id: str, thread: str, message: str = "Go on.") -> None:
    socket.send(
        json.dumps({"eventtype": "websocket.stream", "id": id, "payload": {"message": message, "thread": thread}})
    )


def cancel(socket: ClientConnection, id: str) -> None:
    socket.send(json.dumps({"eventtype": "gsws.cancel", "payload": {"id": id}}))


def until(socket: ClientConnection, id: str, *kinds: str) -> list[dict[str, Any]]:
    """All frames up to one of these of a request; up to its last one if none is named."""
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1].get("id") != id or frames[-1]["eventtype"] not in (kinds or TERMINAL):
        frames.append(json.loads(socket.recv(20)))
    return frames


def of(frames: list[dict[str, Any]], id: str) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame.get("id") == id]


def questions(gemini: FakeGemini) -> list[str]:
    """All that was said in the thread of the last request to the provider."""
    return [part["text"] for turn in gemini.requests[-1].body["contents"] for part in turn["parts"]]


def test_a_question_in_another_conversation_is_answered_meanwhile(gemini: FakeGemini, socket: ClientConnection) -> None:
    """The first goes on after it, as if there were no other."""
    gemini.script(HELD, "Beside it.")
    send(socket, "one", "aside-1")
    until(socket, "one", "stream.chunk")
    send(socket, "two", "aside-2")
    frames = until(socket, "two")
    assert said(of(frames, "two")) == "Beside it."
    assert of(frames, "one") == []
    cancel(socket, "one")
    assert until(socket, "one")[-1]["payload"]["reason"] == "cancelled"
    gemini.wait_closed()


def test_questions_of_one_conversation_are_answered_in_their_order(
    gemini: FakeGemini, socket: ClientConnection
) -> None:
    """Asked at once, no frame of one comes before the last of the one before, and each knows what was answered."""
    gemini.script(*(Turn(f"answer {name}", delay=0.02) for name in "abc"))
    for name in "abc":
        send(socket, name, "order", f"question {name}")
    frames = until(socket, "c")
    assert [frame["id"] for frame in frames] == sorted(frame["id"] for frame in frames)
    assert [said(of(frames, name)) for name in "abc"] == ["answer a", "answer b", "answer c"]
    assert questions(gemini) == ["question a", "answer a", "question b", "answer b", "question c"]


def test_a_question_that_waits_is_cancelled_without_a_trace(
    gemini: FakeGemini, shared: tuple[FakeGemini, Served], socket: ClientConnection
) -> None:
    """At once, though the one before it goes on; who waits behind it is next."""
    gemini.script(HELD, "Third.")
    send(socket, "one", "queued", "first")
    until(socket, "one", "stream.chunk")
    send(socket, "two", "queued", "second")
    send(socket, "three", "queued", "third")
    cancel(socket, "two")
    frames = until(socket, "two")
    assert frames[-1]["payload"]["reason"] == "cancelled"
    assert of(frames, "one") == []
    cancel(socket, "one")
    assert said(of(until(socket, "three"), "three")) == "Third."
    assert questions(gemini) == ["first", "w0 ", "third"]
    assert len(gemini.requests) == 2


def test_no_more_run_than_may_and_the_next_of_them_waits(
    gemini: FakeGemini, shared: tuple[FakeGemini, Served], socket: ClientConnection
) -> None:
    """Whatever conversations they belong to; one too many is refused, and another connection feels nothing."""
    gemini.script(*[HELD] * PLACES)
    names = [f"{number}" for number in range(2 * PLACES + 1)]
    for name in names[:PLACES]:
        send(socket, name, f"bound-{name}")
        until(socket, name, "stream.chunk")
    for name in names[PLACES:]:
        send(socket, name, f"bound-{name}")
    frames = until(socket, names[-1])
    assert frames[-1]["payload"]["error"] == "too_many_requests"
    assert len(frames) == 1
    gemini.script("Elsewhere.", *["Next."] * PLACES)
    assert said(ask(shared[1].port, "And here?", thread="bound-elsewhere")) == "Elsewhere."
    for name in names[:PLACES]:
        cancel(socket, name)
    frames = []
    while sum(frame["eventtype"] in TERMINAL for frame in frames) < 2 * PLACES:
        frames.append(json.loads(socket.recv(20)))
    assert [said(of(frames, name)) for name in names[PLACES:-1]] == ["Next."] * PLACES
