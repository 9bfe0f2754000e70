"""Who `gsws call` says that it is: credentials, headers, and the label that a project keeps."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import serve

from gsws.cli.caller import Identity, caller
from gsws.cli.output import Failure
from tests.cli.support import gsws


@contextmanager
def server(refuse: int | None = None) -> Iterator[tuple[str, list]]:
    """A server that answers with nothing but success, or refuses; yields its URL and the handshakes that it saw."""
    seen: list = []
    ready = threading.Event()
    facts: dict = {}

    async def main():
        async def handle(connection):
            async for text in connection:
                id = json.loads(text)["id"]
                await connection.send(json.dumps({"eventtype": "reply", "id": id, "payload": {"success": True}}))

        def look(connection, request):
            seen.append(request)
            return connection.respond(HTTPStatus(refuse), "no\n") if refuse else None

        async with serve(handle, "127.0.0.1", 0, process_request=look) as listening:
            facts.update(
                port=listening.sockets[0].getsockname()[1], loop=asyncio.get_running_loop(), stop=asyncio.Event()
            )
            ready.set()
            await facts["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(10)
    try:
        yield f"ws://127.0.0.1:{facts['port']}", seen
    finally:
        facts["loop"].call_soon_threadsafe(facts["stop"].set)
        thread.join(20)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "gsws.yaml").write_text("name: x\n")
    (tmp_path / "events").mkdir()
    (tmp_path / "eventsources").mkdir()
    (tmp_path / "eventsources" / "websocket.yaml").write_text("type: websocket\n")
    return tmp_path


def test_credentials_and_headers_travel(tmp_path):
    options = ["--token", "tok-123", "--api-key", "key-456", "-H", "X-Tenant: acme", "--header", "X-Empty:"]
    with server() as (url, seen):
        ran = gsws("call", "a.b", "--url", url, *options, "--client-id", "ann b", cwd=tmp_path)

    assert ran.code == 0, ran.err
    [request] = seen
    assert request.headers["Authorization"] == "Bearer tok-123"
    assert request.headers["X-API-Key"] == "key-456"
    assert request.headers["X-Tenant"] == "acme"
    assert request.headers["X-Empty"] == ""
    assert request.path == "/?clientId=ann+b"


def test_credentials_come_from_the_environment_too(tmp_path):
    with server() as (url, seen):
        ran = gsws("call", "a.b", "--url", url, cwd=tmp_path, GSWS_TOKEN="Bearer from-env", GSWS_API_KEY="k")

    assert ran.code == 0, ran.err
    assert (seen[0].headers["Authorization"], seen[0].headers["X-API-Key"]) == ("Bearer from-env", "k")


def test_a_project_keeps_one_label(project):
    with server() as (url, seen):
        for _ in range(2):
            assert gsws("call", "a.b", "--url", url, cwd=project).code == 0
        assert gsws("call", "a.b", "--url", f"{url}/?clientId=me", cwd=project).code == 0

    first, second, own = [request.path for request in seen]
    assert first == second
    assert first.startswith("/?clientId=cli-")
    assert own == "/?clientId=me"
    assert (project / ".gsws" / ".gitignore").read_text() == "*\n"


def test_a_damaged_label_is_replaced(project):
    (project / ".gsws").mkdir()
    (project / ".gsws" / "client-id").write_bytes(b"\xff\x00 not ours")

    label = caller(Identity(), root=project, url="ws://h/").client_id

    assert label is not None
    assert label.startswith("cli-")
    assert (project / ".gsws" / "client-id").read_text().strip() == label


def test_without_a_project_nothing_is_kept(tmp_path):
    with server() as (url, seen):
        assert gsws("call", "a.b", "--url", url, cwd=tmp_path).code == 0
    assert seen[0].path == "/"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"headers": ["no colon"]},
        {"headers": ["bad name: xyzzy"]},
        {"headers": ["X-A: one\r\nX-B: two"]},
        {"headers": ["Host: elsewhere"]},
        {"headers": ["Sec-WebSocket-Key: x"]},
        {"api_key": ""},
        {"api_key": "a\nb"},
        {"token": " "},
        {"token": "schlüssel\u2028"},
        {"client_id": ""},
    ],
)
def test_what_no_handshake_can_carry_is_refused_unshown(options):
    with pytest.raises(Failure) as caught:
        caller(Identity(**options), root=None, url="ws://h/")
    assert caught.value.exit_code == 2
    for value in options.values():
        for text in [value] if isinstance(value, str) else value:
            secret = text.partition(":")[2].strip() or text.strip()
            assert not secret or secret not in f"{caught.value.message} {caught.value.help}"


@pytest.mark.parametrize(("status", "word"), [(401, "refused the credential"), (403, "let"), (503, "again")])
def test_a_refusal_says_what_to_do_and_no_secret(tmp_path, status, word):
    with server(status) as (url, _):
        ran = gsws("call", "a.b", "--url", url, "--token", "s3cret-token", "--api-key", "s3cret-key", cwd=tmp_path)

    assert ran.code == 1
    assert f"HTTP {status}" in ran.err
    assert word in ran.err
    assert "s3cret" not in ran.err + ran.out


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "--api-key"),
        (["-H", "X-Tenant: acme"], "--api-key"),
        (["--api-key", "wrong"], "refused the credential"),
        (["--token", "wrong"], "refused the credential"),
        (["-H", "authorization: Bearer wrong"], "refused the credential"),
        (["-H", "Cookie: session=wrong"], "refused the credential"),
    ],
)
def test_a_refused_credential_is_not_a_missing_one(tmp_path, options, word):
    with server(401) as (url, _):
        ran = gsws("call", "a.b", "--url", url, *options, cwd=tmp_path)
        by_url = gsws("call", "a.b", "--url", f"{url}?access_token=wr0ng-one", cwd=tmp_path)
    assert ran.code == by_url.code == 1
    assert word in ran.err
    assert "HTTP 401" in ran.err
    assert "refused the credential" in by_url.err
    assert "wr0ng-one" not in by_url.err
