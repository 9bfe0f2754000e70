"""
A project on disk, served by a real service on a real socket, in a thread of this process.

The client is the `websockets` library's synchronous one; every wait has a deadline.
"""

from __future__ import annotations

import asyncio
import json
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gsws.diagnostics import Finding
from gsws.plugins.registry import facts
from gsws.project import ProjectCache, load_project
from gsws.reload.reloader import Reloader, ReloadReport
from gsws.runtime.service import Service
from gsws.testing.background import LoopThread

DEADLINE = 40.0
TERMINAL = ("reply", "stream.end", "stream.error")


class Client:
    """One WebSocket to a served project."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, eventtype: str, payload: Any = None, **more: Any) -> None:
        """Send one envelope; ``id=`` and ``meta=`` travel beside the payload."""
        self.raw(json.dumps({"eventtype": eventtype, "payload": payload, **more}))

    def raw(self, data: str | bytes) -> None:
        self.socket.send(data)

    def receive(self, timeout: float = DEADLINE) -> dict[str, Any]:
        """The next frame."""
        return json.loads(self.socket.recv(timeout))

    def answer(self, id: Any = None) -> list[dict[str, Any]]:
        """All frames up to the terminal one; with an id, those of that id."""
        frames = []
        while True:
            frame = self.receive()
            if id is not None and frame.get("id") != id:
                continue
            frames.append(frame)
            if frame["eventtype"] in TERMINAL:
                return frames

    def ask(self, eventtype: str, payload: Any = None, id: Any = "ask") -> dict[str, Any]:
        """Send with an id and return the terminal frame."""
        self.send(eventtype, payload, id=id)
        return self.answer(id)[-1]

    def silence(self, seconds: float = 0.15) -> None:
        """Nothing may arrive for a while."""
        try:
            frame = self.socket.recv(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"expected silence, got {frame!r}")

    def closed(self) -> tuple[int, str]:
        """Wait for the close and return its code and reason."""
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012  # whatever comes before it is read
            while True:
                self.socket.recv(DEADLINE)
        assert closed.value.rcvd is not None, "closed without a close frame"
        return closed.value.rcvd.code, closed.value.rcvd.reason


class Served:
    """A service that runs in a thread; `logs` has what it logged."""

    def __init__(self, root: Path, *, watch: bool = False, drain: float | None = None) -> None:
        self.root = root
        self.cache = ProjectCache()
        self.logs: list[dict[str, Any]] = []
        self.reports: list[ReloadReport] = []
        self.service: Service
        self.ports: dict[str, int] = {}
        self._watch = watch
        self._thread = LoopThread("service", self._serving, uvloop.new_event_loop)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._thread.loop

    def start(self) -> Served:
        self._thread.start(DEADLINE)
        return self

    def end(self) -> None:
        """Begin to stop, as a signal does, and wait for nothing."""
        self._thread.end()

    def stop(self) -> None:
        self._thread.stop(DEADLINE)

    @contextmanager
    def client(self, source: str = "websocket", query: str = "?clientId=test", **options: Any) -> Iterator[Client]:
        if "max_queue" in options:  # it does not read, and so not the answer to its close, for which it would wait
            options.setdefault("close_timeout", 0.1)
        with connect(f"ws://127.0.0.1:{self.ports[source]}/{query}", **options) as socket:
            yield Client(socket)

    def call(self, function: Callable[[], Any]) -> Any:
        """Run a function on the service's loop and return its result."""

        async def run() -> Any:
            result = function()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(DEADLINE)

    def write(self, path: str, text: str) -> Path:
        return write(self.root, path, text)

    def reload(self, *paths: str) -> tuple[Finding, ...]:
        """Reload as if these files had been saved; returns what was found."""
        changed = {self.root / path for path in paths}
        if not hasattr(self, "_reloader"):
            self._reloader = self.call(lambda: Reloader(self.service, self.cache, self.reports.append))
        return self.call(lambda: self._reloader.reload(changed)).findings

    def log(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.logs if entry["event"] == event]

    def wait_for(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until a condition of the service holds."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            if result := self.call(condition):
                return result
            time.sleep(0.01)
        raise AssertionError(f"not within {DEADLINE} s: {what or condition}")

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        project = load_project(self.root, plugins=facts(), cache=self.cache, environ={})
        assert project.ok(), [str(finding) for finding in project.findings]
        self.service = Service(project)
        findings = await self.service.load()
        assert not findings, [str(finding) for finding in findings]
        await self.service.start()
        self.ports = {name: address[1] for name, address in self.service.addresses().items()}
        watching = None
        if self._watch:
            reloader = Reloader(self.service, self.cache, self.reports.append)
            watching = asyncio.ensure_future(reloader.run())
            await reloader.begin()
        yield
        if watching is not None:
            reloader.stop()
            watching.cancel()
            await asyncio.wait({watching}, timeout=2)
        await self.service.stop()


@contextmanager
def served(root: Path, files: dict[str, str], **options: Any) -> Iterator[Served]:
    """Write a project and serve it; `eventsources/websocket.yaml` on a free port unless given."""
    write(root, "eventsources/websocket.yaml", "type: websocket\nport: 0\n")
    for path, text in files.items():
        write(root, path, text)
    with logged() as logs:
        running = Served(root.resolve(), **options)
        running.logs = logs
        running.start()
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def logged() -> Iterator[list[dict[str, Any]]]:
    """Collect what structlog is given, from every thread."""
    entries: list[dict[str, Any]] = []

    def keep(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        entries.append({**event, "level": method})
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], wrapper_class=structlog.BoundLogger, cache_logger_on_first_use=False)
    try:
        yield entries
    finally:
        structlog.configure(**before)


def write(root: Path, path: str, text: str) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(textwrap.dedent(text))
    return place
