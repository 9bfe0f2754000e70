"""Modules and datasources are made on the loop's thread, so that what belongs to it works in handlers."""

from __future__ import annotations

import threading
import time

import pytest

from tests.runtime.support import served

MODULE = """
import asyncio, decimal, sqlite3, threading
DB = sqlite3.connect(":memory:")
LOCK = asyncio.Lock()
LOOP = asyncio.get_running_loop()
LOCAL = threading.local()
LOCAL.who = "Ann"
QUEUE = asyncio.Queue()
TASK = asyncio.ensure_future(QUEUE.put(1))
decimal.getcontext().prec = 5
class Store:
    def __init__(self): self.db = sqlite3.connect(":memory:")
    def close(self): self.db.close()
def make(): return Store()
async def all(datasources):
    async with LOCK:
        return [
            DB.execute("select 1").fetchone()[0], LOOP is asyncio.get_running_loop(), LOCAL.who, await QUEUE.get(),
            str(decimal.Decimal(1) / 3), datasources.store.db.execute("select 2").fetchone()[0], VERSION,
        ]
"""
FILES = {
    "events/e.yaml": "websocket.all: {fn: made.all, payload: {}}\n",
    "functions/made.py": MODULE + "VERSION = 1\n",
    "datasources/store.yaml": "fn: made.make\n",
}


def test_what_belongs_to_a_thread_or_a_loop_works_in_handlers(tmp_path):
    with served(tmp_path, FILES) as service, service.client() as client:
        assert client.ask("websocket.all")["payload"]["data"] == [1, True, "Ann", 1, "0.33333", 2, 1]
    assert service.log("datasource failed to close") == []


def test_it_works_after_a_reload_too(tmp_path):
    with served(tmp_path, FILES) as service, service.client() as client:
        service.write("functions/made.py", MODULE + "VERSION = 2\n")
        assert service.reload("functions/made.py") == ()
        assert client.ask("websocket.all")["payload"]["data"] == [1, True, "Ann", 1, "0.33333", 2, 2]


def test_a_reload_reads_and_compiles_beside_the_loop(tmp_path, monkeypatch):
    """The loop is held up by running the modules, and by nothing else."""
    from gsws.routing import modules

    threads = set()
    parse = modules.ast.parse
    with served(tmp_path, FILES) as service:
        monkeypatch.setattr(modules.ast, "parse", lambda *args: (threads.add(threading.get_ident()), parse(*args))[1])
        service.write("functions/made.py", MODULE + "import helper.words\nVERSION = 2\n")
        service.write("helper/words.py", "")
        assert service.reload("functions/made.py", "helper/words.py") == ()
        assert threads
        assert service.call(threading.get_ident) not in threads


@pytest.mark.parametrize("text", ["raise KeyboardInterrupt\n", "raise SystemExit\n", "import sys; sys.exit(3)\n"])
def test_a_module_that_ends_the_process_ends_nothing(tmp_path, text):
    with served(tmp_path, FILES) as service, service.client() as client:
        service.write("functions/made.py", MODULE + text)
        assert [finding.code for finding in service.reload("functions/made.py")] == ["GS214"]
        assert client.ask("websocket.all")["payload"]["data"][-1] == 1


PLAIN = {
    "events/e.yaml": "websocket.a: {fn: a.a, payload: {}}\n",
    "functions/a.py": "V = 1\nasync def a(): return V\n",
}
CHAT = {
    **PLAIN,
    "eventsources/chat.yaml": "type: websocket\nport: 0\n",
    "events/chat.yaml": "chat.st: {fn: st.st, payload: {}}\n",
    "functions/st.py": """
        import asyncio
        async def st():
            for i in range(80):
                yield "x"
                await asyncio.sleep(0.05)
        """,
}


def remove_chat(service):
    (service.root / "events/chat.yaml").unlink()
    (service.root / "eventsources/chat.yaml").unlink()
    return service.reload("events/chat.yaml", "eventsources/chat.yaml")


def test_a_removed_source_drains_beside_the_next_reloads(tmp_path):
    with served(tmp_path, CHAT) as service, service.client("chat") as chat, service.client() as client:
        chat.send("chat.st", id=1)
        chat.receive()
        began = time.monotonic()
        remove_chat(service)
        assert service.reports[-1].live
        service.write("functions/a.py", "V = 2\nasync def a(): return V\n")
        service.reload("functions/a.py")
        assert client.ask("websocket.a")["payload"]["data"] == 2
        assert chat.answer(1)[-1]["payload"]["reason"] == "complete"
        assert time.monotonic() - began > 2, "it was not cut off"
        assert chat.closed()[0] == 1001


def test_a_removed_source_that_comes_back_has_its_port_when_it_has_drained(tmp_path):
    with served(tmp_path, CHAT) as service, service.client("chat") as chat:
        port = service.ports["chat"]
        chat.send("chat.st", id=1)
        chat.receive()
        remove_chat(service)
        service.write("eventsources/chat.yaml", f"type: websocket\nport: {port}\n")
        service.write("events/chat.yaml", CHAT["events/chat.yaml"])
        service.reload("events/chat.yaml", "eventsources/chat.yaml")
        chat.send("gsws.cancel", {"id": 1})
        assert chat.closed()[0] == 1001
        service.wait_for(lambda: service.service.addresses().get("chat", ("", 0))[1] == port)
        with service.client("chat") as again:
            again.send("chat.st", id=2)
            assert again.receive()["id"] == 2


def test_a_source_that_could_not_start_starts_when_its_cause_is_gone(tmp_path):
    """By itself, and with the next reload; it is told once."""
    import socket

    with served(tmp_path, PLAIN) as service:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            port = taken.getsockname()[1]
            service.write("eventsources/chat.yaml", f"type: websocket\nport: {port}\n")
            service.write("events/chat.yaml", "chat.a: {fn: a.a, payload: {}}\n")
            service.reload("eventsources/chat.yaml", "events/chat.yaml")
            service.reload("events/chat.yaml")
            assert len(service.log("event source cannot start; trying again")) == 1
        service.wait_for(lambda: service.log("event source started"))
        service.ports["chat"] = port
        with service.client("chat") as client:
            assert client.ask("chat.a")["payload"]["data"] == 1


TASKS = """
import asyncio
LOG = []
async def commit(name, seconds=0.2):
    try:
        await asyncio.sleep(seconds)
        LOG.append(name)
    except asyncio.CancelledError:
        LOG.append(name + " cancelled")
        raise
async def shielded(): await asyncio.shield(commit("shielded"))
async def awaited(): await asyncio.gather(commit("one"), commit("two"))
async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(commit("one"))
        group.create_task(commit("two"))
async def forgotten():
    LOG.append(asyncio.ensure_future(commit("forgotten")) and "begun")
    await asyncio.sleep(60)
async def streamed():
    yield "x"
    await asyncio.shield(commit("streamed"))
async def left(payload):
    task = asyncio.ensure_future(commit("left", payload))
    LOG.append(task and "begun")
async def stubborn():
    while "enough" not in LOG:
        try: await asyncio.sleep(0.02)
        except asyncio.CancelledError: pass
async def quick(): return 1
async def log(): return [entry for entry in LOG if isinstance(entry, str)]
"""
NAMES = ("shielded", "awaited", "grouped", "forgotten", "streamed", "left", "log", "quick")
TASK_FILES = {
    "events/e.yaml": "".join(f"websocket.{name}: {{fn: t.{name}, payload: {{}}}}\n" for name in NAMES)
    + "websocket.stubborn: {fn: t.stubborn, payload: {}, timeout: 100ms}\n",
    "functions/t.py": TASKS,
}


@pytest.mark.parametrize("how", ["cancel", "leave"])
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("shielded", {"shielded"}),
        ("streamed", {"streamed"}),
        ("forgotten", {"begun", "forgotten"}),
        ("awaited", {"one cancelled", "two cancelled"}),
        ("grouped", {"one cancelled", "two cancelled"}),
    ],
)
def test_a_cancelled_request_takes_with_it_what_it_awaits_and_no_more(tmp_path, event, expected, how):
    with served(tmp_path, TASK_FILES) as service, service.client() as client:
        with service.client() as other:
            other.send(f"websocket.{event}", id=1)
            service.wait_for(service.service.is_busy)
            time.sleep(0.05)
            if how == "cancel":
                other.send("gsws.cancel", {"id": 1})
                other.answer(1)
                time.sleep(0.3)
        service.wait_for(lambda: set(service.service.modules.load("t").LOG) == expected, str(expected))
        assert client.ask("websocket.quick")["payload"]["data"] == 1


def test_what_handlers_left_gets_the_drain_time_at_shutdown(tmp_path):
    with served(tmp_path, {**TASK_FILES, "gsws.yaml": "drain_timeout: 3s\n"}) as service:
        with service.client() as client:
            client.ask("websocket.left", 0.5)
        log = service.service.modules.load("t").LOG
    assert log == ["begun", "left"]
    assert service.log("cancelling tasks that handlers left running") == []


def test_what_is_left_after_it_is_cancelled_and_told_of(tmp_path):
    with served(tmp_path, {**TASK_FILES, "gsws.yaml": "drain_timeout: 200ms\n"}) as service:
        with service.client() as client:
            client.ask("websocket.left", 60)
        log = service.service.modules.load("t").LOG
    assert log == ["begun", "left cancelled"]
    (entry,) = service.log("cancelling tasks that handlers left running")
    assert (entry["tasks"], entry["names"]) == (1, ["commit"])


def test_a_handler_that_ignores_its_cancellation_holds_up_its_connection_for_a_second_at_most(tmp_path):
    with served(tmp_path, TASK_FILES) as service, service.client() as client:
        client.send("websocket.stubborn", id=1)
        client.send("websocket.quick", id=2)
        assert client.answer(1)[-1]["payload"]["error"] == "timeout"
        assert client.answer(2)[-1]["payload"]["data"] == 1
        assert service.service.is_busy(), "it still runs"
        service.service.modules.load("t").LOG.append("enough")
        service.call(service.service.hurry)
