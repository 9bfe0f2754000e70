"""Gemini's embedding model: the real client, against a stand-in on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gsws.ai.retrieval import gemini_embeddings
from gsws.errors import EnvironmentFailure
from tests.ai.retrieval.support import Folder, sources

pytest.importorskip("langchain_google_genai", reason="needs the extra `ai`")


class StandIn(ThreadingHTTPServer):
    """Answers batches of texts with vectors, after the status codes in ``refuse``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.refuse: list[int] = []
        self.asked: list[dict] = []
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append({"path": self.path, "body": body})
        self.server.keys.append(self.headers["x-goog-api-key"])
        code = self.server.refuse.pop(0) if self.server.refuse else 200
        texts = [one["content"]["parts"][0]["text"].lower() for one in body["requests"]]
        vectors = [{"values": [float("car" in text), float("sun" in text), 0.01]} for text in texts]
        answer = {"embeddings": vectors} if code == 200 else {"error": {"code": code, "message": "no", "status": "NO"}}
        raw = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing to stderr."""


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_documents_and_questions_are_sent_as_such(folder: Folder, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LANGSMITH_GATEWAY", "http://127.0.0.1:9")
    folder.write("a.md", "# A\n\na car of steel\n")
    folder.write("b.md", "# B\n\nsun and rain\n")
    model = gemini_embeddings("gemini-embedding-001", dimensions=3, api_key="k", base_url=stand_in.url)
    index = folder.index(embeddings=model)
    assert index.refresh().vectors == 2
    assert sources(index.search("sunny")) == ["b.md"]
    first, second = stand_in.asked
    assert first["path"].endswith("/models/gemini-embedding-001:batchEmbedContents")
    assert {one["taskType"] for one in first["body"]["requests"]} == {"RETRIEVAL_DOCUMENT"}
    assert {one["outputDimensionality"] for one in first["body"]["requests"]} == {3}
    assert {one["taskType"] for one in second["body"]["requests"]} == {"RETRIEVAL_QUERY"}
    assert set(stand_in.keys) == {"k"}


def test_a_busy_provider_is_asked_again(folder: Folder, stand_in: StandIn):
    """The client's exception tells that trying again helps: 429 once, then the vectors."""
    folder.write("a.md", "# A\n\na car of steel\n")
    stand_in.refuse = [429]
    model = gemini_embeddings(dimensions=3, api_key="k", base_url=stand_in.url)
    assert folder.index(embeddings=model).refresh().vectors == 1
    assert len(stand_in.asked) == 2


def test_a_refused_key_is_not_tried_again(folder: Folder, stand_in: StandIn):
    folder.write("a.md", "# A\n\na car of steel\n")
    stand_in.refuse = [400]
    model = gemini_embeddings(dimensions=3, api_key="k", base_url=stand_in.url)
    report = folder.index(embeddings=model).refresh()
    assert (report.vectors, len(stand_in.asked)) == (0, 1)
    assert sources(folder.index(embeddings=model).search("steel")) == ["a.md"]


def test_a_missing_key_is_said_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    with pytest.raises(EnvironmentFailure, match="needs a key") as failure:
        gemini_embeddings()
    assert "GOOGLE_API_KEY" in (failure.value.help or "")
