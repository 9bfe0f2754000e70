"""HTTP as clients speak it, and as they should not."""

from __future__ import annotations

import http.client
import json
import socket

import pytest

from gsws.testing import FakeGemini
from tests.testing.gemini.support import MODEL, ask, user

BODY = json.dumps({"contents": [user("hi")]}).encode()
PATH = f"/v1beta/models/{MODEL}:countTokens"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nx-goog-api-key: fake-key\r\n".encode()


@pytest.fixture(scope="module")
def gemini():
    with FakeGemini() as gemini:
        yield gemini


def converse(gemini, *pieces: bytes) -> bytes:
    """Send pieces one after another, then read until the server closes or is silent after an answer."""
    host, port = gemini.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        for piece in pieces:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while data := client.recv(65536):
            received += data
        return received


def test_one_connection_carries_many_requests(gemini):
    connection = http.client.HTTPConnection(gemini.url.removeprefix("http://"), timeout=5)
    for _ in range(3):
        connection.request("POST", PATH, BODY, {"x-goog-api-key": "fake-key"})
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["totalTokens"]) == (200, 1)
    connection.close()


def test_a_chunked_body_and_one_that_waits_for_leave_are_taken(gemini):
    host, port = gemini.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
        received = b""
        while data := client.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b'"totalTokens":1' in received


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GARBAGE\r\n\r\n",),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n",),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 200_000,),
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_closed(gemini, pieces):
    received = converse(gemini, *pieces)
    assert received.startswith(b"HTTP/1.1 400 ")


def test_a_client_that_leaves_in_its_request_leaves_nothing_behind(gemini):
    count = len(gemini.requests)
    assert converse(gemini) == b""
    assert converse(gemini, HEAD, b"Content-Length: 100\r\n\r\n", b'{"cont').startswith(b"HTTP/1.1 400 ")
    assert len(gemini.requests) == count


def test_a_body_over_the_bound_is_refused_though_it_is_still_being_sent(gemini):
    answered = ask(gemini, "countTokens", b"x" * 21_000_000)
    assert (answered.status, answered.error) == (400, "Request payload size exceeds the limit: 20971520 bytes.")
