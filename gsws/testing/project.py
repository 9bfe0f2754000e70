"""
A project served in a thread of this process, for tests.

Starting, stopping and changing it; talking to it is `client`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import textwrap
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from gsws.diagnostics import Finding
from gsws.project import ProjectCache
from gsws.reload.reloader import Reloader, ReloadReport
from gsws.routing.pushing import Pushes, Pushing
from gsws.runtime.service import Service
from gsws.testing.answers import EMPTY, Answer, Stream
from gsws.testing.background import LoopThread
from gsws.testing.capture import Broadcast, ListeningRooms, captured_logs
from gsws.testing.client import Client
from gsws.testing.loading import HOST, load_service, root_of
from gsws.types import RequestId

__all__ = ["ServedProject", "serve"]

_T = TypeVar("_T")

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0

_SERVED = threading.Lock()
"""Held while a project is served: its folders are on ``sys.path``, and there is one ``functions`` a process."""


@contextmanager
def serve(path: str | Path = ".", *, env: str = "development", timeout: float = 5.0) -> Iterator[ServedProject]:
    """
    Serve a project on free ports of the loopback until the block ends.

    The service is the real one, with real sockets, in a thread of this process, so that what handlers keep can be
    looked at. What `ServedProject.write` changed is put back at the end.

    Args:
        path: The project's folder, or one within it.
        env: Which ``config/<env>.yaml`` counts.
        timeout: Seconds that an answer may take if a call says nothing else.

    Raises:
        ProjectError: If the project has errors; the text is what ``gsws validate`` prints.
        ServeError: If it cannot start.
        RuntimeError: If this process serves a project already: there can be one at a time.
    """
    root = root_of(path)
    if not _SERVED.acquire(blocking=False):
        raise RuntimeError(
            "this process serves a project already; leave that `with serve(...)` block first, "
            "because two projects cannot both be `functions` to Python"
        )
    running = ServedProject(root, env=env, timeout=timeout)
    try:
        with captured_logs() as logs:
            running.logs = logs
            try:
                running.start()
                yield running
            finally:
                running.close()
    finally:
        if not running.is_alive:
            _SERVED.release()


class ServedProject(Pushing):
    """
    A project that runs; made by `serve`.

    Attributes:
        root: Its folder.
        service: The running service, for what has no name here; not a stable interface.
        addresses: Host and port of each event source.
        logs: What was logged: ``{"event", "level", …}``, oldest first.
        broadcasts: What handlers sent to rooms, oldest first.
        timeout: Seconds that an answer may take if a call says nothing else.
    """

    service: Service

    def __init__(self, root: Path, *, env: str, timeout: float) -> None:
        self.root = root
        self.timeout = timeout
        self.addresses: Mapping[str, tuple[str, int]] = {}
        self.logs: list[dict[str, Any]] = []
        self.broadcasts: list[Broadcast] = []
        self._env = env
        self._cache = ProjectCache()
        self._reloader: Reloader | None = None
        self._clients: list[Client] = []
        self._default: Client | None = None
        self._written: dict[Path, bytes | None] = {}
        self._thread = LoopThread("gsws service", self._serving, _loop_factory())

    # Talking to it.

    def ask(
        self, event: str, payload: Any = EMPTY, *, id: RequestId | None = None, timeout: float | None = None
    ) -> Answer:
        """Send one message over a connection that all such calls share, and read its whole answer."""
        return self._shared().ask(event, payload, id=id, timeout=timeout)

    def stream(
        self, event: str, payload: Any = EMPTY, *, id: RequestId | None = None, timeout: float | None = None
    ) -> Stream:
        """Send one message over the shared connection; iterate the frames of its answer."""
        return self._shared().stream(event, payload, id=id, timeout=timeout)

    def client(
        self,
        client_id: str | None = "test",
        *,
        token: str | None = None,
        session: bool = False,
        source: str | None = None,
        address: tuple[str, int] | None = None,
        path: str | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Client:
        """
        Connect another client; it is closed with the project, or by ``with``.

        Args:
            client_id: The connection's label (``clientId``); None for an anonymous one.
            token: Sent as ``Authorization: Bearer``.
            session: Whether to speak the profile *session*: hello, resume.
            source: The event source, where there are several.
            address: Where to connect instead: a `FaultProxy`.
            path: Path of the handshake; the source's own if None.
            query: More of the handshake's query.
            headers: More of its headers.

        Raises:
            HandshakeRefused: If the server says no.
        """
        name = self._source(source)
        config = self.service.project.sources[name].config
        client = Client(
            address or self.addresses[name],
            client_id=client_id,
            token=token,
            session=session,
            headers=headers,
            path=path or config.get("path") or "/",
            query=query,
            tls=bool(config.get("tls")),
            timeout=self.timeout,
        )
        self._clients.append(client)
        return client

    @property
    def port(self) -> int:
        """The port of the only event source."""
        return self.addresses[self._source(None)][1]

    @property
    def counters(self) -> Counter[str]:
        """What all event sources refused, failed and closed so far, by name; 0 for what never happened."""
        total: Counter[str] = Counter()
        for counts in self.service.counters().values():
            total.update(counts)
        return total

    # Changing it.

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project, indentation taken off; its old content comes back when the block ends."""
        place = (self.root / path).resolve()
        if not place.is_relative_to(self.root):
            raise ValueError(f"`{path}` is outside of the project")
        if place not in self._written:
            self._written[place] = place.read_bytes() if place.exists() else None
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text), encoding="utf-8")
        return place

    def reload(self, *paths: str) -> tuple[Finding, ...]:
        """
        Reload as if files had been saved: those that `write` wrote, and ``paths``.

        Returns:
            What was found; with an error among it the revision before goes on.
        """
        changed = {*self._written, *(self.root / path for path in paths)}

        async def reload() -> ReloadReport:
            if self._reloader is None:
                self._reloader = Reloader(self.service, self._cache, lambda report: None)
            return await self._reloader.reload(changed)

        return self.run(reload()).findings

    def run(self, coroutine: Coroutine[Any, Any, _T], timeout: float | None = None) -> _T:
        """Run a coroutine on the service's loop, where handlers run, and return its result."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._thread.loop)
        return future.result(self.timeout if timeout is None else timeout)

    def wait_until(self, condition: Callable[[], Any], timeout: float | None = None) -> None:
        """
        Wait until a condition holds, e.g. that something was logged.

        Raises:
            TimeoutError: If it does not in time.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the condition did not hold in time: {condition}")
            time.sleep(0.005)

    # Starting and stopping.

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive

    def start(self) -> None:
        """Start it; `serve` does."""
        self._thread.start(_START_SECONDS)

    def stop(self, *, drain: bool = False) -> None:
        """
        Stop the service now, before the block ends.

        Args:
            drain: Whether to begin as SIGTERM does, giving what runs the ``drain_timeout``, and return at once;
                else what runs is ended, and this waits.
        """
        if drain:
            self._thread.end()
            return
        if self.is_alive:
            with contextlib.suppress(RuntimeError):  # it ends just now
                self._thread.loop.call_soon_threadsafe(self.service.hurry)
        self._thread.stop(_STOP_SECONDS)

    def close(self) -> None:
        """Close every client, stop the service, put back what was written; `serve` does."""
        for client in self._clients:
            client.close()
        try:
            self.stop()
        finally:
            for place, content in self._written.items():
                if content is None:
                    place.unlink(missing_ok=True)
                else:
                    place.write_bytes(content)
            self._written.clear()

    # Private.

    @property
    def _pushes(self) -> Pushes:
        return self.service.pushes

    def _source(self, name: str | None) -> str:
        if name is not None:
            return name
        if len(self.addresses) != 1:
            raise ValueError(f"name one of the event sources: {', '.join(self.addresses) or 'none listens'}")
        return next(iter(self.addresses))

    def _shared(self) -> Client:
        if self._default is None:
            self._default = self.client()
        return self._default

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        service = self.service = await load_service(self.root, self._env, self._cache)
        await service.start()
        for live in service.live.values():
            live.executor.rooms = ListeningRooms(live.executor.rooms, self.broadcasts.append)
        self.addresses = {name: (HOST, address[1]) for name, address in service.addresses().items()}
        yield
        await service.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop that `gsws serve` uses."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
