"""`gsws call` against scripted servers: what it prints, where, and when it gives up."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import serve

from tests.cli.support import environment, gsws, inside


@contextmanager
def server(answer: Callable) -> Iterator[str]:
    """A server that answers each message by ``await answer(connection, message)``; yields its URL."""
    ready = threading.Event()
    facts: dict[str, object] = {}

    async def main():
        async def handle(connection):
            async for text in connection:
                await answer(connection, json.loads(text))

        async with serve(handle, "127.0.0.1", 0) as listening:
            facts["port"] = listening.sockets[0].getsockname()[1]
            facts["loop"], facts["stop"] = asyncio.get_running_loop(), asyncio.Event()
            ready.set()
            await facts["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(10)
    try:
        yield f"ws://127.0.0.1:{facts['port']}"
    finally:
        facts["loop"].call_soon_threadsafe(facts["stop"].set)
        thread.join(20)


def frame(eventtype: str, id: object = None, **payload: object) -> str:
    return json.dumps({"eventtype": eventtype, "payload": payload} | ({} if id is None else {"id": id}))


async def stream(connection, message):
    id = message["id"]
    await connection.send(frame("stream.start", id, message="[STREAM_START]"))
    for word in message["payload"]["message"].split():
        await connection.send(frame("stream.chunk", id, message=f"{word} "))
    await connection.send(frame("tool.call", id, name="search"))
    await connection.send(frame("stream.end", id, message="[STREAM_END]", reason="complete", chunks=2))


async def reply(connection, message):
    await connection.send(frame("reply", message["id"], success=True, code=200, data=message["payload"]))


def test_stream(tmp_path):
    with server(stream) as url:
        ran = gsws("call", "websocket.stream", "message=hello there", "--url", url, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, "hello there \n", 'tool.call {"name": "search"}\n')


def test_stream_is_printed_live(tmp_path):
    """A chunk is on stdout before the next one was sent."""
    seen = threading.Event()

    async def slow(connection, message):
        await connection.send(frame("stream.chunk", message["id"], message="first"))
        assert await asyncio.to_thread(seen.wait, 20)
        await connection.send(frame("stream.end", message["id"], reason="complete"))

    with server(slow) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "gsws", "call", "a.b", "--url", url],
            cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout.read(5) == "first"
        seen.set()
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "\n")


def test_reply(tmp_path):
    with server(reply) as url:
        ran = gsws("call", "a.b", "user.name=Ann", "n=3", "--url", url, cwd=tmp_path)
    assert (ran.code, json.loads(ran.out), ran.err) == (0, {"user": {"name": "Ann"}, "n": 3}, "")


@pytest.mark.parametrize(
    ("payload", "out", "err"),
    [
        ({"data": "plain text"}, "plain text\n", ""),
        ({}, "", "done (200)\n"),
        ({"message": "saved", "code": 201}, "", "saved (201)\n"),
    ],
)
def test_replies_of_other_kinds(tmp_path, payload, out, err):
    async def answer(connection, message):
        await connection.send(frame("reply", message["id"], success=True, **payload))

    with server(answer) as url:
        ran = gsws("call", "a.b", "--url", url, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, out, err)


def test_json(tmp_path):
    with server(stream) as url:
        ran = gsws("call", "a.b", "message=x", "--id", "mine", "--json", "--url", url, cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["ok"] is True
    assert ran.json["id"] == "mine"
    assert [one["eventtype"] for one in ran.json["frames"]] == [
        "stream.start",
        "stream.chunk",
        "tool.call",
        "stream.end",
    ]
    assert ran.json["result"]["chunks"] == 2


def test_error(tmp_path):
    async def fail(connection, message):
        errors = [{"pointer": "/payload/name", "keyword": "type", "message": "1 is not a string"}]
        body = {"message": "does not fit", "error": "schema_violation", "code": 400, "errors": errors}
        await connection.send(frame("stream.error", message["id"], **body))

    with server(fail) as url:
        ran = gsws("call", "a.b", "--url", url, cwd=tmp_path)
        as_json = gsws("call", "a.b", "--json", "--url", url, cwd=tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: does not fit (schema_violation 400)\n  at /payload/name: 1 is not a string\n"
    assert as_json.code == 1
    assert (as_json.json["ok"], as_json.json["result"]["error"]) == (False, "schema_violation")


def test_unknown_event_suggests(starter):
    async def unknown(connection, message):
        name = message["eventtype"]
        text = f"Unknown or unconfigured event type: {name}"
        await connection.send(frame("stream.error", message["id"], message=text, error="unknown_event", code=404))

    with server(unknown) as url:
        ran = gsws("call", "websocket.gret", "--url", url, cwd=starter)
    assert ran.code == 1
    assert "help: did you mean `websocket.greet`?" in ran.err


def test_stream_that_ends_early(tmp_path):
    async def superseded(connection, message):
        await connection.send(frame("stream.chunk", message["id"], message="half"))
        await connection.send(frame("stream.end", message["id"], reason="superseded"))

    with server(superseded) as url:
        ran = gsws("call", "a.b", "--url", url, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (1, "half\n", "error: the stream ended early: superseded\n")


def test_frames_of_others_do_not_end_it(tmp_path):
    """Only the last frame with our id ends the call; odd frames are shown and survived."""

    async def noisy(connection, message):
        await connection.send(frame("stream.end", "another", reason="complete"))
        await connection.send(frame("stream.error", message="not about you"))
        await connection.send("no json")
        await connection.send("[1]")
        await connection.send(b"\xff\xfe")
        await connection.send(json.dumps({"eventtype": "reply", "id": message["id"], "payload": 3}))
        await connection.send(frame("stream.chunk", message["id"], n=3))
        await connection.send(frame("stream.chunk", message="from ws.send"))
        await reply(connection, message)

    with server(noisy) as url:
        ran = gsws("call", "a.b", "--url", url, cwd=tmp_path)
    assert ran.code == 0
    assert ran.out == '{"n": 3}\nfrom ws.send\n{}\n'
    assert "no json" in ran.err


def test_server_that_closes(tmp_path):
    async def close(connection, message):
        await connection.close(4501, "unauthorized")

    with server(close) as url:
        ran = gsws("call", "a.b", "--url", url, cwd=tmp_path)
    assert (ran.code, ran.err) == (1, "error: the connection was closed (4501 unauthorized) before the answer ended\n")


async def many_chunks(connection, message):
    for number in range(2000):
        await connection.send(frame("stream.chunk", message["id"], message=f"{number} {'x' * 200}\n"))
    await connection.send(frame("stream.end", message["id"], message="[STREAM_END]", reason="complete", chunks=2000))


def piped(url, tmp_path, rest):
    command = f'"{sys.executable}" -m gsws call a.b --url {url} {rest}'
    return subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )


def test_a_reader_that_had_enough(tmp_path):
    """`gsws call … | head -1` ends quietly and does not blame the network."""
    with server(many_chunks) as url:
        done = piped(url, tmp_path, "| head -1; echo ${PIPESTATUS[0]}")
    assert done.stdout.splitlines()[0].startswith("0 xxx")
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_answer_that_cannot_be_written(tmp_path):
    with server(many_chunks) as url:
        done = piped(url, tmp_path, "> /dev/full")
    assert (done.returncode, done.stderr) == (1, "error: cannot write the output: No space left on device\n")


def test_a_secure_url_of_a_server_that_is_not_secure(tmp_path):
    with server(reply) as url:
        ran = gsws("call", "a.b", "--url", url.replace("ws:", "wss:"), cwd=tmp_path)
    assert ran.code == 1
    assert re.fullmatch(r"error: (no secure connection to|cannot reach) wss://\S+: \S.*\n", ran.err), ran


def test_server_that_is_silent(tmp_path):
    async def nothing(connection, message):
        pass

    with server(nothing) as url:
        ran = gsws("call", "a.b", "--timeout", "0.3", "--url", url, cwd=tmp_path)
    assert ran.code == 1
    assert ran.err == f"error: no answer from {url} within 0.3 s\n  help: `--timeout` waits longer\n"


def test_nobody_listens(starter):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        (starter / "eventsources/websocket.yaml").write_text(f"type: websocket\nport: {port}\n")
        ran = gsws("call", "websocket.greet", "name=Ann", cwd=starter)
        as_json = gsws("call", "websocket.greet", "name=Ann", "--json", cwd=starter)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"error: nothing is listening at ws://127.0.0.1:{port}/\n  help: start it with `gsws serve`\n"
    assert as_json.code == 1
    assert (as_json.json["ok"], as_json.json["frames"]) == (False, [])


def test_something_else_listens(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            peer, _ = listening.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}"
        ran = gsws("call", "a.b", "--url", url, cwd=tmp_path)
        thread.join(10)
    assert ran.code == 1
    assert ran.err.startswith(f"error: {url} did not accept a WebSocket: ")


def test_the_project_knows_where(starter):
    with server(reply) as url:
        port = url.rpartition(":")[2]
        (starter / "eventsources/websocket.yaml").write_text(
            f"type: websocket\nhost: 0.0.0.0\npath: /chat\nport: {port}\n"
        )
        ran = gsws("call", "websocket.greet", "name=Ann", "--json", cwd=starter / "functions")
    assert ran.code == 0, ran
    assert ran.json["url"] == f"ws://127.0.0.1:{port}/chat"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--url", "ftp://x"), 2, "is no WebSocket URL"),
        (("--url", "ws://"), 2, "is no WebSocket URL"),
        (("--url", "ws://x:99999"), 2, "is no WebSocket URL"),
        (("--url", "ws://nothing.invalid:1"), 1, "cannot reach ws://nothing.invalid:1"),
        (("--timeout", "0"), 2, "above 0"),
        (("--timeout", "nan"), 2, "above 0"),
        (("--id", ""), 2, "1 to 64 characters"),
        (("--id", "x" * 65), 2, "1 to 64 characters"),
        (("--id", "\udcff"), 2, "1 to 64 characters"),
        (("hello",), 2, "`hello` is no `key=value`"),
        (("-f", "nothing.json"), 1, "cannot read `nothing.json`: No such file or directory"),
    ],
)
def test_what_makes_no_sense(starter, arguments, code, says):
    ran = inside("call", "websocket.greet", *arguments, cwd=starter)
    assert (ran.code, ran.out) == (code, ""), ran
    assert says in ran.err


def test_a_port_that_is_chosen_later(starter):
    (starter / "eventsources/websocket.yaml").write_text("type: websocket\nport: 0\n")
    ran = gsws("call", "websocket.greet", cwd=starter)
    assert (ran.code, "names no fixed port" in ran.err) == (1, True)


def test_of_which_source(starter):
    gsws("new", "source", "chat", cwd=starter)
    ran = gsws("call", "websockt.greet", cwd=starter)
    assert ran.code == 2
    assert "did you mean `websocket.greet`?" in ran.err


def test_an_address_is_shown_without_what_lets_somebody_in(tmp_path):
    """Whatever is wrong with it."""
    secret = "pw9xK7"
    for url in (
        f"ws://ann:{secret}@127.0.0.1:9/?token={secret}",
        f"ftp://ann:{secret}@x",
        f"ws://u:{secret}@nowhere.invalid",
    ):
        for more in ((), ("--json",)):
            ran = gsws("call", "websocket.greet", "--url", url, *more, cwd=tmp_path)
            assert ran.code != 0
            assert secret not in ran.out + ran.err
            assert "***" in ran.err


@pytest.mark.parametrize("handler", [reply, stream])
def test_no_output_shows_what_the_url_lets_in_by(tmp_path, handler):
    """Neither once the server answers, nor when it does not."""
    with server(handler) as url:
        secret = url.replace("ws://", "ws://ann:pW5xQ9@").rstrip("/") + "/?token=Rv6secretOf7"
        runs = [gsws("call", "a.b", "message=x", *more, "--url", secret, cwd=tmp_path) for more in (["--json"], [])]
    gone = gsws("call", "a.b", "--json", "--url", secret, cwd=tmp_path)
    told = json.loads(runs[0].out)
    assert "***@" in told["url"]
    assert "***@" in json.loads(gone.out)["url"]
    for ran in (*runs, gone):
        assert "pW5xQ9" not in ran.out + ran.err
        assert "Rv6secretOf7" not in ran.out + ran.err
