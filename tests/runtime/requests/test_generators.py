"""Plain generators have one thread and one context; whatever a call gives that can be iterated is a stream."""

from __future__ import annotations

import time

import pytest

from tests.runtime.support import served

PLAIN = """
import contextvars, decimal, sqlite3, threading, time

LOG = []
LOCAL = threading.local()
WHO = contextvars.ContextVar("who", default="nobody")

def rows(payload):
    db = sqlite3.connect(":memory:")
    try:
        for n in range(payload["to"]):
            yield str(db.execute("select ?", (n,)).fetchone()[0])
            time.sleep(payload.get("s", 0))
    finally:
        db.close()  # sqlite3 itself refuses this in any other thread
        LOG.append("closed")

def cursor(payload):
    db = sqlite3.connect(":memory:")
    return (str(row[0]) for row in db.execute("select 1 union select 2"))

def context(payload):
    with decimal.localcontext() as context:
        context.prec = 5
        WHO.set(payload)
        LOCAL.who = payload
        for _ in range(4):
            time.sleep(0.002)
            yield f"{decimal.Decimal(1) / 3} {WHO.get()} {LOCAL.who}"

def breaks(payload):
    me = threading.get_ident()
    try:
        yield "one"
        raise ValueError("no")
    finally:
        LOG.append(threading.get_ident() == me)

def leaves(payload):
    try:
        yield "one"
        yield __import__("gsws").GSStatus(True)
        yield "never"
    finally:
        LOG.append("left")

def ahead(payload):
    for n in range(1000):
        LOG.append(n)
        yield "x" * 100_000

def threads(): return sum(t.name == "gsws-handler" for t in threading.enumerate())
async def log(): return LOG
"""
EVENTS = "".join(
    f"websocket.{name}: {{fn: plain.{name}, payload: {{}}}}\n"
    for name in ("rows", "cursor", "context", "breaks", "leaves", "ahead", "threads", "log")
)
EVENTS += """
websocket.short: {fn: plain.rows, payload: {}, timeout: 100ms}
websocket.stays: {fn: plain.rows, payload: {}, on_disconnect: continue}
websocket.many: {fn: plain.rows, payload: {}, concurrency: parallel}
"""


@pytest.fixture
def service(tmp_path):
    with served(tmp_path, {"events/e.yaml": EVENTS, "functions/plain.py": PLAIN}) as service:
        yield service


@pytest.fixture
def client(service):
    with service.client() as client:
        yield client


def log(client):
    return client.ask("websocket.log", id="log")["payload"]["data"]


def texts(frames):
    return [frame["payload"]["message"] for frame in frames if frame["eventtype"] == "stream.chunk"]


@pytest.mark.parametrize("event", ["rows", "cursor"])
def test_what_belongs_to_a_thread_works_from_the_first_item_to_the_last(client, event):
    client.send(f"websocket.{event}", {"to": 20}, id=1)
    frames = client.answer(1)

    assert frames[-1]["eventtype"] == "stream.end"
    assert len(texts(frames)) == (20 if event == "rows" else 2)


def test_many_at_once_each_keep_to_their_thread(client):
    for id in range(8):
        client.send("websocket.many", {"to": 10, "s": 0.002}, id=id)
    ends = {}
    while len(ends) < 8:
        frame = client.receive()
        if frame["eventtype"].startswith("stream.e"):
            ends[frame["id"]] = frame["eventtype"]

    assert set(ends.values()) == {"stream.end"}


def test_decimal_contexts_context_variables_and_thread_locals_last(client):
    for name in ("Ann", "Bo"):
        client.send("websocket.context", name, id=name)
        assert texts(client.answer(name)) == [f"0.33333 {name} {name}"] * 4


def test_an_error_cleans_up_in_the_same_thread(client):
    assert client.ask("websocket.breaks", id=1)["payload"]["error"] == "handler_error"
    assert log(client) == [True]


def test_a_generator_that_is_left_early_is_closed_before_the_next_request(client):
    assert client.ask("websocket.leaves", id=1)["eventtype"] == "stream.end"
    assert log(client) == ["left"]


def test_a_cancelled_one_is_closed_in_its_thread(service, client):
    client.send("websocket.rows", {"to": 1000, "s": 0.01}, id=1)
    client.receive()
    client.send("gsws.cancel", {"id": 1})

    assert client.answer(1)[-1]["payload"]["reason"] == "cancelled"
    service.wait_for(lambda: not service.service.threads.lent)
    assert log(client) == ["closed"]


def test_a_late_one_is_closed_in_its_thread(service, client):
    client.send("websocket.short", {"to": 1000, "s": 0.01}, id=1)

    assert client.answer(1)[-1]["payload"]["reason"] == "timeout"
    service.wait_for(lambda: not service.service.threads.lent)
    assert log(client) == ["closed"]


def test_one_whose_client_leaves_is_closed_in_its_thread(service, client):
    with service.client() as other:
        other.send("websocket.rows", {"to": 1000, "s": 0.01}, id=1)
        other.receive()
    service.wait_for(lambda: not service.service.threads.lent)

    assert log(client) == ["closed"]


def test_at_shutdown_it_is_closed_in_its_thread(tmp_path):
    files = {"events/e.yaml": EVENTS, "functions/plain.py": PLAIN, "gsws.yaml": "drain_timeout: 100ms\n"}
    with served(tmp_path, files) as service:
        with service.client() as client:
            client.send("websocket.stays", {"to": 1000, "s": 0.05}, id=1)
            client.receive()
        left = service.service.modules.load("plain").LOG

    assert left == ["closed"]


def test_nothing_runs_ahead_of_a_client_that_does_not_read(service, client):
    with service.client(max_queue=1) as slow:
        slow.send("websocket.ahead", id=1)
        slow.receive()
        service.wait_for(
            lambda: any(one.connection.paused for one in service.service.live["websocket"].router.connections)
        )
        time.sleep(0.1)
        assert len(log(client)) < 200


def test_generators_that_wait_hold_up_no_plain_function(service, client):
    """Sixty of them on a pool of forty; each has a thread, and a plain function still gets one."""
    others = [service.client(max_queue=1) for _ in range(2)]
    with others[0] as first, others[1] as second:
        for other in (first, second):
            for id in range(30):
                other.send("websocket.many", {"to": 3, "s": 0.5}, id=id)
        service.wait_for(lambda: service.service.threads.lent == 60)
        assert client.ask("websocket.threads", id=1)["payload"]["data"] >= 60


MADE = """
import asyncio, functools, time

def traced(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs): return f(*args, **kwargs)
    return wrapper

def silent(f):
    def wrapper(payload): return f(payload)
    return wrapper

def awaited(f):
    @functools.wraps(f)
    async def wrapper(*args, **kwargs): return f(*args, **kwargs)
    return wrapper

def collected(f):
    @functools.wraps(f)
    async def wrapper(payload): return [item async for item in f(payload)]
    return wrapper

def guarded(f):
    @functools.wraps(f)
    def wrapper(payload):
        return f(payload) if payload.get("ok", True) else {"success": False, "code": 403, "message": "no"}
    return wrapper

async def numbers(payload):
    for n in range(8):
        yield str(n)
        await asyncio.sleep(0.03)

def plain_numbers(payload):
    for n in range(8):
        yield str(n)
        time.sleep(0.03)

class Once:
    def __init__(self): self.left = 8
    def __aiter__(self): return self
    async def __anext__(self):
        if not self.left: raise StopAsyncIteration
        self.left -= 1
        await asyncio.sleep(0.03)
        return "x"

class Stream:
    async def __aiter__(self):
        async for item in numbers({}): yield item

class Handler:
    async def __call__(self, payload):
        async for item in numbers(payload): yield item

class Returning:
    def __call__(self, payload): return numbers(payload)

class Bound:
    def plain(self, payload): yield from plain_numbers(payload)
    async def returns(self, payload): return Stream()

wrapped = traced(numbers)
wrapped_plain = traced(plain_numbers)
@silent
async def unnamed(payload):
    async for item in numbers(payload): yield item
@silent
def unnamed_plain(payload): yield from plain_numbers(payload)
wrapped_in_coroutine = awaited(numbers)
wrapped_plain_in_coroutine = awaited(plain_numbers)
wrapped_guard = guarded(numbers)
async def returned(payload): return numbers(payload)
async def returned_plain(payload): return plain_numbers(payload)
def returned_by_plain(payload): return numbers(payload)
def returned_plain_by_plain(payload): return plain_numbers(payload)
async def iterator(payload): return Once()
def iterator_by_plain(payload): return Once()
async def iterable(payload): return Stream()
def mapped(payload): return map(str, plain_numbers(payload))
called = Handler()
called_returning = Returning()
part = functools.partial(numbers, {})
part_returning = functools.partial(lambda payload: numbers(payload), {})
method = Bound().plain
method_returning = Bound().returns

quick_collected = collected(numbers)
async def quick(): return 1
async def busy(): await asyncio.sleep(0.5)
"""
STREAMS = (
    "wrapped wrapped_plain unnamed unnamed_plain wrapped_in_coroutine wrapped_plain_in_coroutine wrapped_guard "
    "returned returned_plain returned_by_plain returned_plain_by_plain iterator iterator_by_plain iterable mapped "
    "called called_returning part part_returning method method_returning"
).split()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    events = "".join(
        f"websocket.{name}: {{fn: made.{name}, payload: {{}}}}\n"
        f"websocket.{name}.short: {{fn: made.{name}, payload: {{}}, timeout: 100ms}}\n"
        for name in (*STREAMS, "quick_collected", "quick", "busy")
    )
    events += "websocket.declared: {fn: made.returned, payload: {}, answers: stream}\n"
    events += "websocket.contradicts: {fn: made.returned, payload: {}, answers: reply}\n"
    root = tmp_path_factory.mktemp("made")
    with served(root, {"events/e.yaml": events, "functions/made.py": MADE}) as service:
        yield service


@pytest.mark.parametrize("name", STREAMS)
def test_whatever_is_iterated_is_a_stream_in_its_lane(made, name):
    """P9.1, P6.4: plain handlers do not wait for it, its own event does, and its timeout is a stream's."""
    with made.client() as client:
        client.send(f"websocket.{name}", {}, id=1)
        client.send("websocket.quick", {}, id=2)
        client.send(f"websocket.{name}.short", {}, id=3)
        frames = []
        while not (frames and frames[-1]["eventtype"] == "stream.end"):
            frames.append(client.receive())
        kinds = [(frame["id"], frame["eventtype"]) for frame in frames]

        assert kinds[-1] == (3, "stream.end"), kinds
        assert frames[-1]["payload"]["reason"] == "timeout"
        assert (2, "reply") in kinds
        assert (1, "stream.start") in kinds
        client.send("gsws.cancel", {"id": 1})
        assert client.answer(1)[-1]["payload"]["reason"] == "cancelled"


@pytest.mark.parametrize("name", ["returned", "unnamed_plain", "wrapped_in_coroutine", "iterator"])
def test_streams_of_one_event_follow_each_other(made, name):
    """P9.1: the second waits in the lane of streams, where it can be cancelled."""
    with made.client() as client:
        for id in (1, 2, 3):
            client.send(f"websocket.{name}", {}, id=id)
        assert client.receive()["id"] == 1
        client.send("gsws.cancel", {"id": 2})
        assert client.answer(2)[-1]["payload"]["reason"] == "cancelled"
        client.send("gsws.cancel", {"id": 1})
        frames = client.answer(3)

    assert len(texts(frames)) == 8
    made.wait_for(lambda: not made.service.threads.lent)


def test_a_decorator_that_collects_answers_with_a_reply(made):
    with made.client() as client:
        assert client.ask("websocket.quick_collected", {})["payload"]["data"] == [str(n) for n in range(8)]


def test_a_decorator_that_answers_by_itself_is_heard(made):
    with made.client() as client:
        error = client.ask("websocket.wrapped_guard", {"ok": False})

    assert error["eventtype"] == "stream.error"
    assert error["payload"]["code"] == 403


def test_a_declared_stream_waits_for_no_plain_handler(made):
    """P9.1: with `answers: stream` it is one before its handler was called."""
    with made.client() as client:
        client.send("websocket.busy", {}, id=1)
        client.send("websocket.declared", {}, id=2)
        assert client.receive()["id"] == 2


def test_a_generator_under_a_declared_reply_is_an_error(made):
    with made.client() as client:
        assert client.ask("websocket.contradicts", {})["payload"]["error"] == "handler_error"
