"""The agent of the template when its provider fails, its user stops and its server dies; over sockets, for real."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from gsws.testing import FakeGemini
from gsws.testing.gemini import APIError, Call, Turn
from tests.e2e.serving import Served, initialised
from tests.e2e.test_agent import KEYS, ask, project, rest, said, with_gemini

__all__ = ["project"]

pytestmark = pytest.mark.timeout(180)

WORDS = [f"w{number} " for number in range(200)]
SECRET = "what the provider says is for the log"
SEARCH = Turn.call("get_relevant_docs", query="LangGraph")
TWO_SEARCHES = Turn(
    calls=(Call("get_relevant_docs", {"query": "LangGraph"}), Call("get_relevant_docs", {"query": "streams"}))
)


def failing(code: int, times: int = 3, **more: Any) -> list[Turn]:
    return [Turn.failure(code, SECRET, **more)] * times


FAULTS = {
    "a tool": ([SEARCH, Turn("See [1].")], "stop"),
    "tools in parallel": ([TWO_SEARCHES, Turn("See [1] and [5].")], "stop"),
    "a tool that is not there": ([Turn.call("rm_rf", path="/"), Turn("Sorry.")], "stop"),
    "arguments without sense": ([Turn.call("get_relevant_docs", wrong=3), Turn("Sorry.")], "stop"),
    "a question that is blocked": ([Turn(blocked="PROHIBITED_CONTENT")], "blocked"),
    "an answer that is blocked": ([Turn("It begins", finish="SAFETY")], "blocked"),
    "blocked after a tool": ([SEARCH, Turn("", finish="SAFETY")], "blocked"),
    "an answer that is too long": ([Turn("a b c", finish="MAX_TOKENS")], "length"),
    "a call that cannot be read": ([Turn("", finish="MALFORMED_FUNCTION_CALL")], "empty_answer"),
    "429 once": ([*failing(429, 1, retry_after=0.1), Turn("Good.")], "stop"),
    "429 for ever": (failing(429, retry_after=0.1), "model_rate_limited"),
    "429 for a minute": (failing(429, 1, retry_after=60), "model_rate_limited"),
    "500": (failing(500), "model_unavailable"),
    "503 once": ([*failing(503, 1), Turn("Good.")], "stop"),
    "500 after a tool": ([SEARCH, *failing(500)], "model_unavailable"),
    "400": (failing(400, 1), "model_rejected"),
    "403": (failing(403, 1), "model_unauthorized"),
    "404": (failing(404, 1), "model_not_found"),
    "a reset before the first token": ([Turn("never", drop_after=0)] * 3, "model_unavailable"),
    "a reset in the middle": ([Turn("a b c d", drop_after=2)], "model_interrupted"),
    "an end in the middle": ([Turn("a b c d", drop_after=2, drop="close")], "model_interrupted"),
    "an error in the middle": ([Turn("a b c", error=APIError(503, SECRET), error_after=2)], "model_interrupted"),
    "nothing said": ([Turn.empty()], "empty_answer"),
    "nothing said after a tool": ([SEARCH, Turn.empty()], "empty_answer"),
    "tools without end": ([SEARCH] * 13, "step_limit"),
}


def check(frames: list[dict[str, Any]]) -> None:
    """What holds for every answer: one beginning, one end, no number left out, nothing that is not for the client."""
    kinds = [frame["eventtype"] for frame in frames]
    assert kinds[0] == "stream.start"
    assert kinds.count("stream.start") == 1
    assert [kind for kind in kinds if kind in ("stream.end", "stream.error", "reply")] == [kinds[-1]]
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    text = json.dumps(frames)
    for secret in (SECRET, "fake-key", "site-packages", "Traceback", "generativelanguage", "langchain"):
        assert secret not in text


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeGemini, Served]]:
    """One server for all faults: none may be felt by who comes next."""
    with pytest.MonkeyPatch.context() as patch:
        for name in KEYS:
            patch.delenv(name, raising=False)
        root = tmp_path_factory.mktemp("faults")
        initialised(root / "app", "agent")
        events = root / "app" / "events" / "websocket_stream.yaml"
        events.write_text(events.read_text().replace("messages: 20", "messages: 1000"))
        with FakeGemini() as gemini, with_gemini(root / "app", gemini) as server:
            yield gemini, server


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_its_turn_once_and_the_next_turn_of_the_thread_answers(
    shared: tuple[FakeGemini, Served], name: str
) -> None:
    """The stand-in refuses, like the real API, a conversation whose calls and answers do not pair up."""
    gemini, server = shared
    turns, expected = FAULTS[name]
    gemini.clear()
    gemini.script(*turns)

    frames = ask(server.port, f"Question: {name}", thread=name)

    check(frames)
    payload = frames[-1]["payload"]
    assert payload.get("error", payload.get("finish_reason")) == expected
    assert gemini.unused == 0
    gemini.wait_closed()
    gemini.script("Next.")
    frames = ask(server.port, "And now?", thread=name)
    check(frames)
    assert said(frames) == "Next."


@pytest.mark.parametrize("stage", ["before the first token", "in the middle", "while a retry waits", "after a tool"])
def test_a_cancel_reaches_the_provider_wherever_the_turn_stands(shared: tuple[FakeGemini, Served], stage: str) -> None:
    gemini, server = shared
    turns: dict[str, tuple[list[Turn], int]] = {
        "before the first token": ([Turn("never", stall_after=0, stall=60)], 1),
        "in the middle": ([Turn(WORDS, delay=0.02)], 1),
        "while a retry waits": (failing(429, 1, retry_after=9), 1),
        "after a tool": ([SEARCH, Turn("never", stall_after=0, stall=60)], 2),
    }
    script, requests = turns[stage]
    gemini.clear()
    gemini.script(*script)
    with connect(f"ws://127.0.0.1:{server.port}/?clientId=ann") as socket:
        payload = {"message": f"Cancelled {stage}", "thread": stage}
        socket.send(json.dumps({"eventtype": "websocket.stream", "id": 1, "payload": payload}))
        gemini.wait_requests(requests)
        frames = []
        if stage == "in the middle":
            while not frames or frames[-1]["eventtype"] != "stream.chunk":
                frames.append(json.loads(socket.recv(20)))
        socket.send(json.dumps({"eventtype": "gsws.cancel", "payload": {"id": 1}}))
        frames += rest(socket)
        assert frames[-1]["payload"]["reason"] == "cancelled"
        gemini.wait_closed()
        assert len(gemini.requests) == requests
    gemini.clear()
    gemini.script("Next.")
    assert said(ask(server.port, "And now?", thread=stage)) == "Next."


def test_two_quick_messages_on_one_thread_are_answered_one_after_the_other(shared: tuple[FakeGemini, Served]) -> None:
    """From two connections of one user; the second is asked with the first one's answer."""
    gemini, server = shared
    gemini.clear()
    gemini.script(Turn("first answer", delay=0.1), Turn("second answer"), Turn("third answer"))
    url = f"ws://127.0.0.1:{server.port}/?clientId=ann"
    with connect(url) as one, connect(url) as two:
        for socket, message in ((one, "first"), (two, "second")):
            payload = {"message": message, "thread": "quick"}
            socket.send(json.dumps({"eventtype": "websocket.stream", "id": 1, "payload": payload}))
            gemini.wait_requests(1)
        assert [said(rest(one)), said(rest(two))] == ["first answer", "second answer"]
    assert said(ask(server.port, "third", thread="quick")) == "third answer"
    asked = [part["text"] for turn in gemini.requests[-1].body["contents"] for part in turn["parts"]]
    assert asked == ["first", "first answer", "second", "second answer", "third"]


def test_a_server_that_is_killed_in_the_middle_of_an_answer_leaves_a_good_thread(project: Path) -> None:
    """The turn under way is lost, and nothing that was said before it."""
    with FakeGemini("The answer is 42.", Turn(WORDS, delay=0.02)) as gemini:
        with pytest.raises(AssertionError), with_gemini(project, gemini) as server:  # it ends with another status
            kill_in_the_middle(server)
        gemini.wait_closed()
        gemini.script("As I said: 42.")
        with with_gemini(project, gemini) as server:
            assert said(ask(server.port, "Say it again.")) == "As I said: 42."
        asked = [part["text"] for turn in gemini.requests[-1].body["contents"] for part in turn["parts"]]
        assert asked == ["What is the answer?", "The answer is 42.", "Say it again."]


def kill_in_the_middle(server: Served) -> None:
    """Ask twice, and kill the server while it answers for the second time."""
    ask(server.port, "What is the answer?")
    with connect(f"ws://127.0.0.1:{server.port}/?clientId=ann") as socket:
        socket.send(json.dumps({"eventtype": "websocket.stream", "payload": {"message": "Count."}}))
        while json.loads(socket.recv(20))["eventtype"] != "stream.chunk":
            pass
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(20)


def test_files_that_are_saved_while_an_answer_streams_do_not_cut_it(project: Path) -> None:
    """The running answer ends as it began; the next one has the new prompt."""
    with FakeGemini(Turn(WORDS, delay=0.02), "New.") as gemini, with_gemini(project, gemini) as server:
        with connect(f"ws://127.0.0.1:{server.port}/?clientId=ann") as socket:
            socket.send(json.dumps({"eventtype": "websocket.stream", "id": 1, "payload": {"message": "Count."}}))
            gemini.wait_tokens(5)
            (project / "helper" / "prompts.py").write_text('SYSTEM_PROMPT = "Speak Latin."\n')
            server.wait_for("reloaded")
            agent = project / "functions" / "stream_gemini.py"
            agent.write_text(agent.read_text() + "\n\nSAVED = True\n")
            server.wait_for("reloaded")
            frames = rest(socket)
        check(frames)
        assert said(frames) == "".join(WORDS)
        assert said(ask(server.port, "And now?", thread="new")) == "New."
        assert "Speak Latin." in json.dumps(gemini.requests[-1].body["systemInstruction"])
