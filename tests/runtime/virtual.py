"""An event loop whose clock jumps, and connections without sockets: protocol tests that neither wait nor race."""

from __future__ import annotations

import asyncio
import itertools
import json
import selectors
from collections.abc import Callable
from typing import Any

from gsws.routing.adapt import bind, kind_of
from gsws.routing.table import Route, SharedState
from gsws.runtime.dispatch.dispatcher import Dispatcher
from gsws.runtime.dispatch.sessions import SessionDispatcher
from gsws.runtime.requests.idempotency import IdempotencyCache
from gsws.runtime.sessions.client import Client
from gsws.runtime.sessions.session import Session
from gsws.runtime.sessions.waiting import WaitingSessions
from gsws.runtime.sources.push import Pushes
from gsws.runtime.sources.source import Source
from gsws.runtime.threads import ThreadPool
from gsws.runtime.transport import Receiver
from gsws.runtime.wheel import Wheel
from gsws.types import AttributeDict, GSActor

__all__ = ["FakeConnection", "VirtualLoop", "make_source", "open_connection", "route"]

_COUNT = itertools.count()


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only when there is nothing else to do, and then at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and everything happen that is due in it."""
        self.run_until_complete(asyncio.sleep(seconds))

    def settle(self) -> None:
        """Let everything happen that is due now."""
        for _ in range(20):
            self.run_until_complete(asyncio.sleep(0))


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen: a test waits for nothing"
            self._loop.now += max(0.0, timeout)
        return ready


class FakeConnection:
    """What the runtime needs of a connection; frames are kept until the client reads them."""

    def __init__(self, loop: VirtualLoop, *, subprotocol: str | None = None) -> None:
        self.id = f"fake-{next(_COUNT)}"
        self.query = "clientId=fake"
        self.path, self.host, self.port = "/", "127.0.0.1", 1
        self.authority = self.host
        self.origin: str | None = None
        self.was_heard = True
        self.subprotocol = subprotocol
        self.is_open = True
        self.paused = False
        self.held = 0
        self.buffered = 0
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.closed_by_peer = False
        self.sent: list[dict[str, Any]] = []
        self.receiver: Any = None
        self._loop = loop
        self._is_over = False

    @property
    def backlog_beyond_replay(self) -> int:
        return self.buffered

    def mark_replay(self) -> None:
        """Everything is read at once here."""

    def send_text(self, data: bytes) -> None:
        assert self.is_open, "sent on a connection that is not open"
        self.sent.append(json.loads(data))

    def send_binary(self, data: bytes) -> None:
        assert self.is_open

    def send_prepared(self, frame: bytes) -> None:
        assert self.is_open
        self.sent.append(json.loads(frame[frame.index(b"{") :]))

    def push(self, frame: bytes) -> bool:
        if not self.keeps_up(2**20):
            return False
        self.send_prepared(frame)
        return True

    def keeps_up(self, most: int) -> bool:
        if self.buffered > most:
            self.close(4430, "slow consumer")
        return self.is_open

    def hold(self) -> None:
        """A client that is held back writes no more until it is released; here it is trusted to."""
        self.held += 1

    def release(self) -> None:
        self.held -= 1

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.is_open:
            self.is_open = False
            self.close_code, self.close_reason = code, reason
            self._loop.call_soon(self.cut)

    async def drain(self) -> None:
        return

    def entrust(self, receiver: Receiver) -> None:
        """Give what comes from now on to another receiver."""
        self.receiver = receiver

    def probe(self) -> None:
        """It is always heard."""

    def leave(self, code: int = 1000) -> None:
        """The client closes."""
        self.is_open = False
        self.close_code, self.close_reason, self.closed_by_peer = code, "", True
        self.cut()

    def cut(self) -> None:
        """The socket is gone, and the server knows."""
        self.is_open = False
        if not self._is_over:
            self._is_over = True
            if self.close_code is None:
                self.close_code, self.close_reason = 1006, ""
            self.receiver.closed(self.close_code, self.close_reason or "")

    def message(self, eventtype: str, payload: Any = None, **more: Any) -> None:
        """The client says something."""
        if self.is_open:
            self.receiver.message(json.dumps({"eventtype": eventtype, "payload": payload, **more}).encode())


def route(key: str, function: Callable[..., Any], **options: Any) -> Route:
    """A route without a project."""
    kind = kind_of(function)
    options.setdefault("streams", kind in ("stream", "thread-stream"))
    shared = SharedState(AttributeDict(), AttributeDict(), AttributeDict(), {})
    return Route(
        key=key,
        source="websocket",
        fn=function.__name__,
        kind=kind,
        call=bind(function),
        shared=shared,
        **options,
    )


def make_source(
    loop: VirtualLoop,
    routes: list[Route],
    *,
    window: float = 120.0,
    bytes: int = 2**20,
    heartbeat: float = 20.0,
    waiting: WaitingSessions | None = None,
    idempotency: IdempotencyCache | None = None,
    max_in_flight: int = 32,
) -> Source:
    """A live source without a port."""
    source = Source(
        "websocket",
        loop=loop,
        threads=ThreadPool(),
        wheel=Wheel(loop),
        pushes=Pushes({}, list, list),
        waiting=waiting,
        window=window,
        bytes=bytes,
    )
    source.apply({one.key: one for one in routes}, {})
    source.registry.heartbeat = heartbeat
    source.executor.max_in_flight = max_in_flight
    if idempotency is not None:
        source.executor.idempotency = idempotency
    return source


def open_connection(
    loop: VirtualLoop, source: Source, *, session: bool, actor: GSActor | None = None, label: str = "fake"
) -> FakeConnection:
    """What a listener does after a handshake."""
    connection = FakeConnection(loop, subprotocol="gsws.v1" if session else None)
    connection.query = f"clientId={label}"
    link: Any = connection  # the part of a connection that the runtime uses
    if session:
        client = Session(source.registry, source.executor, link, actor)
        connection.receiver = SessionDispatcher(source.router, client, link)
        connection.receiver.hello()
    else:
        connection.receiver = Dispatcher(source.router, Client(source.registry, source.executor, link, actor), link)
    source.registry.enlist(connection.receiver.client)
    return connection
