"""Recording a conversation from an API, the file it makes, and answering from it."""

from __future__ import annotations

import contextlib
import http.client
import json
import time

import pytest

from gsws.testing import FakeGemini
from gsws.testing.gemini import APIError, RecordingError, Turn
from gsws.testing.gemini.recording import normalised
from tests.testing.gemini.support import ask, call, response, says, stream, user
from tests.testing.gemini.test_fake import open_stream


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "conversation.json"


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def record(path, *turns, asked=(), **options):
    """Ask an upstream through a recording stand-in; returns the answers."""
    with FakeGemini(*turns, key="secret-of-upstream") as upstream:
        with FakeGemini.record(upstream.url, path, upstream_key="secret-of-upstream", **options) as gemini:
            return [stream(gemini, user(text)) for text in asked]


def test_what_upstream_said_is_passed_on_and_written_down(path):
    [answered] = record(path, "one two", asked=["hi"])
    assert says(answered) == "one two"

    [exchange] = json.loads(path.read_text())["exchanges"]
    assert exchange["request"]["body"] == {"contents": [user("hi")]}
    assert (exchange["response"]["status"], len(exchange["response"]["chunks"])) == (200, 3)


def test_the_file_is_for_people_and_has_no_key(path):
    """One line a chunk; neither the key of upstream nor the client's, not even where a text repeats it."""
    record(path, "my key is secret-of-upstream", "I had fake-key", asked=["hi", "what is fake-key?"])
    text = path.read_text()

    assert '\n    {"candidates": [{"content": {"role": "model", "parts": [{"text": "my"}]}' in text
    assert "secret-of-upstream" not in text
    assert "fake-key" not in text
    assert "what is ***?" in text


def test_vectors_are_written_on_one_line(path):
    with FakeGemini() as upstream, FakeGemini.record(upstream.url, path) as gemini:
        body = {"requests": [{"content": {"parts": [{"text": "[ 1 2 ]"}]}, "outputDimensionality": 8}]}
        answered = ask(gemini, "batchEmbedContents", body, name="gemini-embedding-001")
    text = path.read_text()
    [values] = [line for line in text.splitlines() if '"values"' in line]
    assert json.loads(values.partition(":")[2]) == answered.json["embeddings"][0]["values"]
    assert "[ 1 2 ]" in text


def test_a_recording_answers_without_upstream(path):
    record(path, "one", "two", Turn.failure(503), asked=["a", "b", "c"])
    with FakeGemini.replay(path) as gemini:
        assert gemini.unused == 3
        assert says(stream(gemini, user("b"))) == "two"
        assert says(stream(gemini, user("a"))) == "one"
        refused = stream(gemini, user("c"))
        assert (refused.status, refused.json["error"]["status"]) == (503, "UNAVAILABLE")
        assert gemini.unused == 0


def test_equal_requests_get_their_answers_in_order(path):
    record(path, "one", "two", asked=["a", "a"])
    with FakeGemini.replay(path) as gemini:
        assert [says(stream(gemini, user("a"))) for _ in range(2)] == ["one", "two"]


@pytest.mark.parametrize(
    "turn", [Turn("one two", error=APIError(503), error_after=1), Turn("one two", drop_after=1, drop="close")]
)
def test_what_broke_breaks_again(path, turn):
    def outcome(gemini):
        with contextlib.suppress(OSError, http.client.HTTPException):
            stream(gemini, user("a"))
        gemini.wait_closed()
        return gemini.requests[-1].outcome

    with FakeGemini(turn) as upstream, FakeGemini.record(upstream.url, path) as gemini:
        recorded = outcome(gemini)
    with FakeGemini.replay(path) as gemini:
        assert outcome(gemini) == recorded
    assert recorded in ("failed", "dropped")


def test_an_answer_that_nobody_waited_for_stays_open(path):
    with FakeGemini(Turn("word " * 100, delay=0.01)) as upstream, FakeGemini.record(upstream.url, path) as gemini:
        client = open_stream(gemini)
        gemini.wait_tokens(3)
        client.close()
        gemini.wait_closed()
        upstream.wait_closed()
        assert upstream.requests[0].outcome == "left"
    with FakeGemini.replay(path) as gemini:
        client = open_stream(gemini)
        gemini.wait_tokens(3)
        assert gemini.open_streams == 1
        client.close()
        gemini.wait_closed()
        assert gemini.requests[0].outcome == "left"


def test_a_request_that_was_not_recorded_fails_the_test_with_the_difference(path):
    record(path, "one", asked=["how do I make tea?"])
    with pytest.raises(AssertionError) as caught, FakeGemini.replay(path) as gemini:
        answered = stream(gemini, user("how do I make coffee?"))
    assert answered.status == 400
    text = str(caught.value)
    assert text.startswith("a request is not in the recording: streamGenerateContent of gemini-flash-latest; record `")
    assert '-            "text": "how do I make tea?"' in text
    assert '+            "text": "how do I make coffee?"' in text


def test_a_request_that_comes_too_often_is_named_as_that(path):
    record(path, "one", asked=["a"])
    with (
        pytest.raises(AssertionError, match="was recorded 1 time and asked once more"),
        FakeGemini.replay(path) as gemini,
    ):
        assert [stream(gemini, user("a")).status for _ in range(2)] == [200, 400]


def test_a_path_that_is_none_of_the_api_does_not_fail_a_replay(path):
    record(path, "one", asked=["a"])
    with FakeGemini.replay(path) as gemini:
        assert ask(gemini, "/favicon.ico", b"", method="GET", key=None).status == 404


def test_members_can_be_left_out_of_the_comparison(path):
    record(path, "one", asked=["a"])
    with FakeGemini.replay(path, ignore=["systemInstruction"]) as gemini:
        assert says(stream(gemini, user("a"), systemInstruction={"parts": [{"text": "today is Monday"}]})) == "one"


def test_what_differs_from_run_to_run_does_not_count():
    def key(number):
        calling = call("f", thoughtSignature=f"s{number}")
        calling["parts"][0]["functionCall"]["id"] = f"id-{number}"
        return normalised("o", "m", {"contents": [user("a"), calling, response("f")], "tools": [] if number else None})

    assert key(0) == key(1)
    assert normalised("o", "m", {"contents": [{"id": "1"}]}) != normalised("o", "m", {"contents": [{"id": "2"}]})


def test_a_key_comes_from_the_environment_or_the_client(path, monkeypatch):
    with FakeGemini(key="from-the-environment") as upstream:
        monkeypatch.setenv("GEMINI_API_KEY", "from-the-environment")
        with FakeGemini.record(upstream.url, path) as gemini:
            assert stream(gemini, user("a")).status == 200
        monkeypatch.delenv("GEMINI_API_KEY")
        with FakeGemini.record(upstream.url, path) as gemini:
            assert stream(gemini, user("a")).status == 400
            body = {"contents": [user("a")]}
            query = "?alt=sse&key=from-the-environment"
            assert ask(gemini, "streamGenerateContent", body, key=None, query=query).status == 200
    assert "from-the-environment" not in path.read_text()


def test_an_upstream_that_cannot_be_reached_fails_the_test(path):
    with FakeGemini() as upstream:
        url = upstream.url
    with pytest.raises(AssertionError, match=f"{url} cannot be asked: ConnectError"):
        with FakeGemini.record(url, path) as gemini:
            assert stream(gemini, user("a")).status == 503
    assert not path.exists()


def test_chunks_are_passed_on_as_they_come(path):
    with FakeGemini(Turn("one two", stall_after=1, stall=0.5)) as upstream:
        with FakeGemini.record(upstream.url, path) as gemini:
            client = open_stream(gemini)
            begun = time.monotonic()
            gemini.wait_tokens(1)
            assert upstream.open_streams == 1
            gemini.wait_closed()
            assert time.monotonic() - begun >= 0.4
            client.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "is no recording of version 1"),
        ('{"version": 2}', "is no recording of version 1"),
        ('{"version": 1}', "is no recording: KeyError 'exchanges'"),
        ('{"version": 1, "exchanges": [{}]}', "is no recording: KeyError 'request'"),
        ("[" * 5000, "is no JSON"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path, text, message):
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message):
        FakeGemini.replay(path)
    with pytest.raises(FileNotFoundError):
        FakeGemini.replay(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST", ":generateContent", {"Origin": "http://evil.example"}),
        ("POST", ":generateContent", {"Origin": "null", "Content-Type": "text/plain"}),
        ("POST", ":generateContent", {"Sec-Fetch-Site": "cross-site"}),
        ("POST", ":generateContent", {"Sec-Fetch-Site": "same-site"}),
        ("POST", ":generateContent", {"Referer": "https://evil.example/a"}),
        ("POST", ":generateContent", {"Host": "evil.example"}),
        ("POST", ":generateContent", {"Host": "evil.example:80"}),
        ("POST", ":generateContent", {"Host": "127.0.0.1.nip.io:8000"}),
        ("GET", "/v1beta/files", {}),
        ("DELETE", "/v1beta/files/abc", {}),
        ("POST", "/v1beta/tunedModels", {}),
    ],
)
def test_no_page_spends_the_key_of_who_records(path, method, target, headers):
    """What a browser sends, what asks for a foreign name, and what is no operation of a model stays here."""
    target = f"/v1beta/models/gemini-flash-latest{target}" if target.startswith(":") else target
    with FakeGemini("secret answer", key="secret-of-upstream") as upstream:
        with FakeGemini.record(upstream.url, path, upstream_key="secret-of-upstream") as gemini:
            connection = http.client.HTTPConnection(gemini.url.removeprefix("http://"), timeout=10)
            connection.putrequest(method, target, skip_host="Host" in headers)
            body = json.dumps({"contents": [user("spend")]}).encode()
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            assert answer.status == 403
            assert b"secret answer" not in answer.read()
            connection.close()
        assert upstream.requests == []
    assert not path.exists()


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "192.168.1.7"])
def test_a_program_on_this_machine_may(path, host):
    with FakeGemini("hello", key="secret-of-upstream") as upstream:
        with FakeGemini.record(upstream.url, path, upstream_key="secret-of-upstream") as gemini:
            connection = http.client.HTTPConnection(gemini.url.removeprefix("http://"), timeout=10)
            body = json.dumps({"contents": [user("hi")]})
            connection.request(
                "POST",
                "/v1beta/models/gemini-flash-latest:generateContent",
                body,
                {"Host": host, "x-goog-api-key": "k"},
            )
            assert connection.getresponse().status == 200
            connection.close()


def test_a_recording_is_for_its_owner_alone(path):
    record(path, "one", asked=["hi"])
    assert path.stat().st_mode & 0o777 == 0o600

    path.chmod(0o640)
    record(path, "two", asked=["hi"])
    assert path.stat().st_mode & 0o777 == 0o640
