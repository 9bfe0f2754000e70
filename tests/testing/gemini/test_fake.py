"""`FakeGemini` as tests hold it: script, rules, records, waits, faults and life."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini import APIError, Call, Turn, TurnError
from tests.testing.gemini.support import MODEL, ask, says, stream, user


def open_stream(gemini: FakeGemini, text: str = "hi") -> socket.socket:
    """A client that has asked and reads nothing."""
    host, port = gemini.url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    body = b'{"contents": [{"parts": [{"text": "%b"}]}]}' % text.encode()
    client.sendall(
        b"POST /v1beta/models/%b:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: [::1]\r\nx-goog-api-key: fake-key\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (MODEL.encode(), len(body), body)
    )
    return client


def read_all(client: socket.socket) -> bytes:
    """What comes until the connection ends."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received


def test_turns_of_the_script_are_given_in_order():
    """Each request takes the next turn; then the stand-in answers by itself."""
    with FakeGemini("one two", Turn("three")) as gemini:
        gemini.script("four")
        assert gemini.unused == 3
        assert [says(stream(gemini, user("hi"))) for _ in range(3)] == ["one two", "three", "four"]
        assert gemini.unused == 0
        assert "You wrote: hi" in says(stream(gemini, user("hi")))


def test_each_token_is_a_chunk_of_its_own_and_the_last_chunk_says_why_it_ends():
    with FakeGemini("one two three") as gemini:
        events = stream(gemini, user("hi there")).events

    assert [event["candidates"][0]["content"].get("parts") for event in events] == [
        [{"text": "one"}], [{"text": " two"}], [{"text": " three"}], None,
    ]  # fmt: skip
    assert [event["candidates"][0].get("finishReason") for event in events] == [None, None, None, "STOP"]
    assert [event["usageMetadata"].get("candidatesTokenCount") for event in events] == [1, 2, 3, 3]
    assert events[-1]["usageMetadata"]["promptTokenCount"] == 2
    assert events[-1]["usageMetadata"]["totalTokenCount"] == 5


def test_a_function_makes_the_turn_of_the_request():
    with FakeGemini(lambda request: f"{request.model} was asked {request.text}") as gemini:
        assert says(stream(gemini, user("why"))) == f"{MODEL} was asked why"


def test_a_coroutine_function_makes_it_too():
    async def turn(request):
        return Turn(request.text.upper())

    with FakeGemini(answer=turn) as gemini:
        assert says(stream(gemini, user("why"))) == "WHY"


def test_rules_come_before_the_script_and_their_last_turn_stays():
    with FakeGemini("scripted") as gemini:
        gemini.when("weather", "rain", "sun")
        gemini.when("", "of the other model", model="gemini-2.5-flash")
        gemini.when(lambda request: request.text == "!", "matched")
        asked = ["the Weather?", "weather", "weather", "!", "tea"]
        assert [says(stream(gemini, user(text))) for text in asked] == ["rain", "sun", "sun", "matched", "scripted"]
        assert says(stream(gemini, user("tea"), name="gemini-2.5-flash")) == "of the other model"


def test_what_is_no_turn_is_refused_when_it_is_scripted():
    with pytest.raises(TurnError, match="a turn is a `Turn`, a text or a function, not 7"):
        FakeGemini(7)  # type: ignore[arg-type]


def test_a_function_that_raises_fails_the_test():
    """The client gets an error, and the block ends with what was raised."""

    def broken(request):
        raise KeyError("lost")

    with pytest.raises(AssertionError, match="KeyError: 'lost'"), FakeGemini(broken) as gemini:
        assert stream(gemini, user("hi")).status == 500


def test_a_failing_test_is_told_of_it_in_a_note():
    def broken(request):
        raise KeyError("lost")

    def fail():
        with FakeGemini(broken) as gemini:
            assert stream(gemini, user("hi")).status == 200

    with pytest.raises(AssertionError) as caught:
        fail()
    assert "assert 500 == 200" in str(caught.value)
    assert "KeyError: 'lost'" in caught.value.__notes__[0]


def test_requests_are_recorded_with_the_key_masked():
    with FakeGemini("one two") as gemini:
        stream(gemini, user("hi"), systemInstruction={"parts": [{"text": "be kind"}]})
        [request] = gemini.requests

    assert (request.operation, request.model, request.text, request.system) == (
        "streamGenerateContent", MODEL, "hi", "be kind",
    )  # fmt: skip
    assert request.headers["x-goog-api-key"] == "***"
    assert "fake-key" not in repr(request)
    assert (request.status, request.outcome, len(request.sent)) == (200, "answered", 2)
    assert request.received <= request.sent[0] <= request.sent[1] <= request.ended <= time.monotonic()
    assert request.left is None


def test_only_so_many_records_are_kept():
    with FakeGemini(keep=2) as gemini:
        for text in "abc":
            stream(gemini, user(text))
        assert [request.text for request in gemini.requests] == ["b", "c"]


def test_a_client_that_leaves_is_noticed_and_nothing_more_is_sent():
    with FakeGemini(Turn("word " * 1000, delay=0.01)) as gemini:
        client = open_stream(gemini)
        request = gemini.wait_tokens(3)
        assert gemini.open_streams == 1
        moment = time.monotonic()
        client.close()
        ended = gemini.wait_closed(5)

        assert (request.outcome, gemini.open_streams) == ("left", 0)
        assert moment <= request.left <= ended
        assert request.tokens_after(request.left) == 0


def test_a_client_that_leaves_before_the_first_token_is_noticed():
    with FakeGemini(Turn("word", stall_after=0)) as gemini:
        client = open_stream(gemini)
        request = gemini.wait_requests()
        client.close()
        gemini.wait_closed()
        assert (request.outcome, request.status, request.sent) == ("left", 0, [])


@pytest.mark.parametrize("after", [0, 1, 2, 9])
@pytest.mark.parametrize("drop", ["reset", "close"])
def test_a_connection_is_dropped_after_so_many_tokens(after, drop):
    with FakeGemini(Turn("one two three", drop_after=after, drop=drop)) as gemini:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            stream(gemini, user("hi"))
        gemini.wait_closed()
        [request] = gemini.requests
        assert (request.outcome, len(request.sent)) == ("dropped", min(after, 3))


def test_a_reset_is_an_rst_and_a_close_a_fin():
    with FakeGemini(Turn("a b", drop_after=1), Turn("a b", drop_after=1, drop="close")) as gemini:
        with open_stream(gemini) as client:
            gemini.wait_requests()
            gemini.wait_closed()
            with pytest.raises(ConnectionResetError):
                read_all(client)
        with open_stream(gemini) as client:
            received = read_all(client)
            assert b'"text":"a"' in received
            assert not received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("event", [False, True])
def test_an_error_object_comes_in_the_middle(event):
    with FakeGemini(Turn("one two", error=APIError(503), error_after=1, error_event=event)) as gemini:
        answered = stream(gemini, user("hi"))
        [request] = gemini.requests

    first, rest = answered.text.split("\r\n\r\n", 1)
    assert '"text":"one"' in first
    assert ('data: {"error"' if event else '{\n  "error"') in rest
    assert '"UNAVAILABLE"' in rest
    assert (answered.status, request.outcome, len(request.sent)) == (200, "failed", 1)
    assert request.error.startswith("UNAVAILABLE: ")


def test_a_silence_between_tokens_lasts_as_long_as_it_is_told():
    with FakeGemini(Turn("one two", stall_after=1, stall=0.3)) as gemini:
        stream(gemini, user("hi"))
        first, second = gemini.requests[0].sent
        assert second - first >= 0.29


def test_tokens_are_paced():
    with FakeGemini("one two three", delay=0.05) as gemini:
        stream(gemini, user("hi"))
        [request] = gemini.requests
        assert request.sent[0] - request.received >= 0.045
        assert request.sent[2] - request.sent[0] >= 0.09


def test_two_hundred_streams_at_once_all_get_their_answer():
    with FakeGemini(answer=lambda request: Turn(f"{request.text} " * 20, delay=0.01)) as gemini:
        clients = [open_stream(gemini, f"n{number}") for number in range(200)]
        try:
            gemini.wait_requests(200, 20)
            for number, client in enumerate(clients):
                received = b""
                while not received.endswith(b"0\r\n\r\n"):
                    received += client.recv(65536)
                assert received.count(f'n{number}"'.encode()) == 20
        finally:
            for client in clients:
                client.close()
        gemini.wait_closed(20)
        assert {request.outcome for request in gemini.requests} == {"answered"}


def test_open_streams_are_cut_when_it_stops():
    with FakeGemini(Turn("word " * 1000, delay=0.01)) as gemini:
        client = open_stream(gemini)
        gemini.wait_tokens(2)
    [request] = gemini.requests
    assert request.outcome == "stopped"
    client.close()


def test_cut_resets_what_is_open_now():
    with FakeGemini(Turn("word " * 1000, delay=0.01), "again") as gemini:
        with open_stream(gemini) as client:
            gemini.wait_tokens(2)
            gemini.cut()
            with pytest.raises(ConnectionResetError):
                read_all(client)
        gemini.wait_closed()
        assert says(stream(gemini, user("hi"))) == "again"


def test_clear_forgets_script_rules_and_records():
    with FakeGemini("one", "two") as gemini:
        gemini.when("x", "y")
        stream(gemini, user("hi"))
        gemini.clear()
        assert (gemini.requests, gemini.unused) == ([], 0)
        assert "You wrote: x" in says(stream(gemini, user("x")))


def test_a_wait_that_is_over_its_deadline_says_what_came():
    with FakeGemini("one") as gemini:
        stream(gemini, user("hi"))
        with pytest.raises(TimeoutError, match=r"within 0.01 s; 1 requests: streamGenerateContent answered \(1 tokens"):
            gemini.wait_tokens(2, 0.01)


def test_the_environment_names_key_and_address():
    with FakeGemini(key="other") as gemini:
        assert gemini.env == {"GOOGLE_API_KEY": "other", "GOOGLE_GEMINI_BASE_URL": gemini.url}


def test_a_port_that_is_taken_raises_and_a_server_that_does_not_run_says_so():
    with FakeGemini() as gemini:
        port = int(gemini.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            FakeGemini(port=port).start()
    with pytest.raises(RuntimeError, match="not running"):
        _ = FakeGemini().url
    with pytest.raises(RuntimeError, match="started before"):
        gemini.start()


def test_nothing_is_left_when_it_has_stopped():
    before = set(threading.enumerate())
    with FakeGemini(Turn("word " * 100, delay=0.01)) as gemini:
        client = open_stream(gemini)
        gemini.wait_tokens()
    client.close()
    assert set(threading.enumerate()) <= before
    gemini.stop()


def test_the_callback_hears_of_every_request():
    heard = []
    with FakeGemini("one", on_end=lambda request: heard.append((request.operation, request.outcome))) as gemini:
        stream(gemini, user("hi"))
        ask(gemini, "countTokens", {"contents": [user("hi")]})
        gemini.wait_closed()
    assert heard == [("streamGenerateContent", "answered"), ("countTokens", "answered")]


def test_parallel_calls_come_one_by_one_and_the_first_is_signed():
    with FakeGemini(Turn("Let me see.", calls=(Call("a", {"x": 1}), Call("b", id="mine")))) as gemini:
        events = stream(gemini, user("hi")).events

    parts = [event["candidates"][0]["content"].get("parts", [{}])[0] for event in events[3:5]]
    assert [part["functionCall"]["name"] for part in parts] == ["a", "b"]
    assert ["thoughtSignature" in part for part in parts] == [True, False]
    assert (parts[0]["functionCall"]["args"], parts[1]["functionCall"]["id"]) == ({"x": 1}, "mine")
