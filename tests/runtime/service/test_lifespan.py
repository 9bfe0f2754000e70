"""``lifespan`` of gsws.yaml: before the port opens, beside the service, and after its sockets are closed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from gsws.errors import ServeError
from gsws.runtime.service import lifespan
from tests.runtime.support import served, write

EVENTS = '"websocket.log": {fn: tasks.log, payload: {}}\n"websocket.break": {fn: tasks.break_it, payload: {}}\n'
LOG = """
import asyncio
LOG = []
BREAK = asyncio.Event()
async def log(ctx):
    return list(LOG)
async def break_it(ctx):
    BREAK.set()
"""


def files(code, **more):
    return {"gsws.yaml": "lifespan: tasks.main\n", "events/all.yaml": EVENTS, "functions/tasks.py": LOG + code, **more}


def status(service, path="/readyz"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{service.ports['websocket']}{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def module(service):
    return sys.modules["functions.tasks"]


GENERATOR = """
async def main(ctx):
    LOG.append("open")
    async with asyncio.TaskGroup() as group:
        async def tick():
            n = 0
            while True:
                await asyncio.sleep(0.02)
                n += 1
                await ctx.push("tick", {"n": n, "note": ctx.datasources.note}, client_id="ann")
        ticking = group.create_task(tick())
        yield
        LOG.append("closing")
        ticking.cancel()
    LOG.append("closed")
"""


def test_a_generator_spans_the_service(tmp_path):
    """It begins before the port opens, pushes meanwhile, and ends before datasources are closed."""
    source = {"datasources/note.yaml": "fn: note\n", "functions/note.py": "def note(): return 'hi'\n"}
    with served(tmp_path, files(GENERATOR, **source)) as service:
        kept = module(service).LOG
        with service.client(query="?clientId=ann") as ann:
            frame = ann.receive()
            assert (frame["eventtype"], frame["payload"]["note"]) == ("tick", "hi")
            assert ann.ask("websocket.log")["payload"]["data"] == ["open"]
        assert status(service) == 200
    assert kept == ["open", "closing", "closed"]


TASK = """
async def main(app):
    LOG.append("began")
    try:
        await BREAK.wait()
        raise ValueError("boom")
    finally:
        LOG.append("ended")
"""


def test_a_task_that_raises_turns_readiness_red_and_serves_on(tmp_path):
    """An error in the log, 503 at ``/readyz``, 200 at ``/healthz``, and requests are answered."""
    with served(tmp_path, files(TASK)) as service, service.client() as client:
        assert status(service) == 200
        client.ask("websocket.break")
        service.wait_for(lambda: service.log("lifespan failed; `/readyz` says so until a restart"))
        assert (status(service), status(service, "/healthz")) == (503, 200)
        assert client.ask("websocket.log")["payload"]["data"] == ["began", "ended"]


def test_a_task_is_cancelled_at_the_end_and_that_is_no_failure(tmp_path):
    with served(tmp_path, files(TASK)) as service:
        kept = module(service).LOG
        service.wait_for(lambda: kept == ["began"])
    assert kept == ["began", "ended"]
    assert [entry for entry in service.logs if entry["level"] == "error"] == []


def test_a_task_that_returns_is_fine(tmp_path):
    with served(tmp_path, files("async def main(ctx): LOG.append(ctx.config.get('a'))\n")) as service:
        service.wait_for(lambda: module(service).LOG == [None])
        assert status(service) == 200


def test_a_child_of_its_task_group_that_fails_is_its_failure(tmp_path):
    """What stands around the ``yield`` works: the group's own cancellation reaches the generator."""
    code = """
async def main(ctx):
    async def fails():
        await BREAK.wait()
        raise ValueError("child")
    async with asyncio.TaskGroup() as group:
        group.create_task(fails())
        yield
"""
    with served(tmp_path, files(code)) as service, service.client() as client:
        client.ask("websocket.break")
        (entry,) = service.wait_for(lambda: service.log("lifespan failed; `/readyz` says so until a restart"))
        assert "ExceptionGroup" in entry["error"]
        assert status(service) == 503


def test_a_context_manager_is_a_generator_too(tmp_path):
    code = """
import contextlib
@contextlib.asynccontextmanager
async def main(ctx):
    LOG.append("open")
    yield
    LOG.append("closed")
"""
    with served(tmp_path, files(code)) as service:
        kept = module(service).LOG
    assert kept == ["open", "closed"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    raise ValueError('no database')\n    yield\n", "ValueError: no database"),
        ("    raise SystemExit(0)\n    yield\n", "SystemExit"),
        ("    return\n    yield\n", "didn't yield"),
        ("    await asyncio.sleep(60)\n    yield\n", "took longer than 0.2 s"),
    ],
)
def test_what_does_not_get_to_its_yield_keeps_every_port_closed(tmp_path, monkeypatch, body, said):
    monkeypatch.setattr(lifespan, "BEGIN_SECONDS", 0.2)
    with pytest.raises(ServeError) as refused, served(tmp_path, files(f"async def main(ctx):\n{body}")):
        raise AssertionError("it served")

    assert said in str(refused.value)
    assert "lifespan: tasks.main" in str(refused.value)


def test_one_that_does_not_end_is_left(tmp_path, monkeypatch):
    """After the ``yield`` it has its seconds, then it is cancelled and named."""
    monkeypatch.setattr(lifespan, "END_SECONDS", 0.2)
    code = "async def main(ctx):\n    yield\n    await asyncio.sleep(60)\n"
    with served(tmp_path, files(code)) as service:
        pass
    assert service.log("lifespan did not end in time; leaving without it")


def test_a_failure_at_its_end_is_told(tmp_path):
    code = "async def main(ctx):\n    yield\n    raise ValueError('late')\n"
    with served(tmp_path, files(code)) as service:
        pass
    (entry,) = service.log("lifespan failed at its end")
    assert entry["error"] == "ValueError: late"


def test_a_reload_does_not_restart_it_and_says_so(tmp_path):
    """Told for another version of its module and for another name, not for other files."""
    with served(tmp_path, files(GENERATOR.replace("ctx.datasources.note", "0"))) as service:
        kept = module(service).LOG
        service.write("events/more.yaml", '"websocket.more": {fn: tasks.log, payload: {}}\n')
        assert service.reload("events/more.yaml") == ()
        assert service.log("change takes effect after a restart") == []

        service.write("functions/tasks.py", LOG + "async def main(ctx): LOG.append('second')\n")
        assert service.reload("functions/tasks.py") == ()
        (entry,) = service.log("change takes effect after a restart")
        assert entry["lifespan"] == "tasks.main"
        assert kept == ["open"]
    assert kept == ["open", "closing", "closed"]


def test_gsws_serve_exits_with_1_and_names_it(tmp_path):
    """A real process: nothing was bound, one line says why; a signal while it begins ends it at once."""
    write(tmp_path, "eventsources/websocket.yaml", "type: websocket\nport: 0\n")
    for path, text in files("async def main(ctx):\n    raise OSError('no queue')\n    yield\n").items():
        write(tmp_path, path, text)
    command = [sys.executable, "-m", "gsws", "serve", "--env", "production"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "`lifespan: tasks.main` failed before the service started: OSError: no queue" in done.stdout + done.stderr
    assert "127.0.0.1" not in done.stdout  # no address

    code = "async def main(ctx):\n    open('begun', 'w').close()\n    await asyncio.sleep(60)\n    yield\n"
    write(tmp_path, "functions/tasks.py", LOG + code)
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
