"""
The composition root: a loaded project becomes a running service, and ends again.

What is mutable in a live service is one field of each source, its routes, replaced whole by `Service.apply`.
Watching files is `gsws.reload`'s, logs and stacks are `gsws.observability`'s; neither is known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Coroutine, Mapping, Set
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from gsws.diagnostics import Finding
from gsws.errors import ConnectionClosed, ServeError
from gsws.plugins.contract import EventSource, Health, ListenerHandle, Reconfigurable
from gsws.plugins.listening import ListenConfig
from gsws.plugins.registry import Registry, registry
from gsws.project.project import Project
from gsws.project.specs import DatasourceSpec, SourceSpec
from gsws.routing.modules import ModuleSet
from gsws.routing.table import Build, Hooks, RouteTable, build_table
from gsws.runtime.requests.observer import Observer
from gsws.runtime.requests.spawned import CHILDREN, account, end_children
from gsws.runtime.service.coming import Coming, stop_source
from gsws.runtime.service.contexts import Context, Kind
from gsws.runtime.service.datasources import build_datasources, close_datasource
from gsws.runtime.service.fixed import fixed_at_start
from gsws.runtime.service.importing import Importer
from gsws.runtime.service.lifespan import Lifespan, LifespanContext
from gsws.runtime.service.statistics import ServiceStatistics, statistics_of
from gsws.runtime.sessions.waiting import WaitingSessions
from gsws.runtime.sources.detached import drain_detached, make_handle
from gsws.runtime.sources.listener import SourceListener
from gsws.runtime.sources.push import Pushes
from gsws.runtime.sources.source import Source
from gsws.runtime.threads import ThreadPool
from gsws.runtime.wheel import Wheel

__all__ = ["Service"]

_GRACE: Final = 10.0
"""Seconds beyond the drain time after which a source that does not stop is left behind."""


_T = TypeVar("_T")

_LAST_WAIT: Final = 1.0
"""Seconds that what was ended at shutdown gets to clean up."""


class Service:
    """
    One project, running.

    Args:
        project: A project whose `ok` is true.
        development: Whether defaults are those of development (origins, file watching elsewhere).
        host: Wins over the sources' own ``host``.
        port: Wins over the only source's own ``port``.
        plugins: Where source types come from.

    Attributes:
        observer: Who is told how requests end; to be set before `start`.
    """

    def __init__(
        self,
        project: Project,
        *,
        development: bool = True,
        host: str | None = None,
        port: int | None = None,
        plugins: Registry = registry,
    ) -> None:
        self.project = project
        self.development = development
        self.host = host
        self.port = port
        self.modules = ModuleSet(project.base)
        self.live: dict[str, Source] = {}
        self.sources: dict[str, EventSource] = {}
        self.datasources: dict[str, Any] = {}
        self._types: dict[str, str] = {}
        self._built: Mapping[str, DatasourceSpec] = {}
        self.threads = ThreadPool()
        self.observer: Observer | None = None
        self.logger = structlog.get_logger("gsws")
        self.is_draining = False
        self.revision = 0
        self.looked_up: dict[tuple[str, str], dict[str, str | None]] = {}
        self.plugins = plugins
        self._listeners: dict[str, SourceListener] = {}
        self._hurry = asyncio.Event()
        self._waiting = WaitingSessions(project.settings.resume.total, project.settings.resume.sessions)
        self._coming = Coming(self._missing, lambda spec: self._in_context(self._start_or_tell(spec)), self.logger)
        self._context = contextvars.copy_context()
        self._table: RouteTable = {}
        self.authn: Mapping[str, Callable[..., Any]] = {}
        self._hooks: Mapping[str, Hooks] = {}
        self._lifespan: Lifespan | None = None
        self._lifespan_code: Any = None
        self.pushes = Pushes(self.live, lambda: [*self._listeners], lambda: [*self.project.sources])

    # Starting.

    async def load(self) -> tuple[Finding, ...]:
        """
        Import handlers and build datasources; nothing is bound yet.

        Returns:
            Findings; the service can start if none is an error.
        """
        loop = asyncio.get_running_loop()
        self._wheel = Wheel(loop)
        self.pushes.open()
        loop.set_task_factory(account)
        loop.set_exception_handler(self._unhandled)
        self.modules.open()
        self._importer = Importer(self.modules, loop, self._context)
        findings = await self._in_context(
            build_datasources(self.project.datasources, self.plugins, self.modules, self._context_of, self.datasources)
        )
        self._built = self.project.datasources
        build = await asyncio.to_thread(build_table, self.project, self.modules, self.datasources, self._importer.load)
        self._importer.is_limited = True
        if build.table is not None:
            self._table, self.authn, self._hooks = build.table, build.authn, build.hooks
            self._lifespan = self._make_lifespan(build)
        return (*findings, *build.findings)

    async def start(self) -> None:
        """
        Begin the project's ``lifespan``, then bind every port and start every source; all or none.

        Raises:
            ServeError: If one of them cannot start.
        """
        if self.port is not None:
            listening = [name for name, spec in self.project.sources.items() if "port" in spec.config]
            if len(listening) > 1:
                raise ServeError(
                    f"`--port` is ambiguous: {', '.join(f'`{name}`' for name in listening)} have ports",
                    "set `port` in their files",
                )
        try:
            if self._lifespan is not None:
                await self._in_context(self._lifespan.begin())
            for spec in self.project.sources.values():
                await self._in_context(self._start_or_tell(spec))
        except BaseException:
            self._hurry.set()
            await self.stop()
            raise

    def addresses(self) -> dict[str, tuple[str, int]]:
        """Host and real port of each source that listens."""
        return {name: source.address for name, source in self.sources.items() if hasattr(source, "address")}

    def health(self) -> dict[str, Health]:
        """How each source is."""
        return {name: source.health() for name, source in self.sources.items()}

    def statistics(self) -> ServiceStatistics:
        """What the service does now, in numbers: made when somebody asks, from what is kept anyway."""
        return statistics_of(self.live)

    def counters(self) -> dict[str, dict[str, int]]:
        """What each source refused, failed and closed so far, by name; see `gsws.runtime.counters`."""
        return {name: live.counters.read() for name, live in self.live.items()}

    def is_ready(self) -> bool:
        """Whether new work is welcome."""
        return not self.is_draining and not (self._lifespan is not None and self._lifespan.has_failed)

    def is_busy(self) -> bool:
        """Whether a request is queued or running, or a task that one left behind."""
        return bool(CHILDREN) or self._coming.is_busy() or any(live.executor.busy for live in self.live.values())

    def is_blocking(self) -> bool:
        """Whether code of the project may be running on the loop."""
        return self.is_busy() or self._importer.is_busy

    # Changing.

    async def reload(
        self, project: Project, changed: set[Path], is_settled: Callable[[Mapping[str, bytes]], bool]
    ) -> tuple[Finding, ...] | None:
        """
        Build another revision and serve it, or keep the running one.

        The loop is held up by the code of the modules that changed, and by nothing else.

        Args:
            project: The project as its files are now; its `ok` is true.
            changed: Files that were written, added or removed.
            is_settled: Told which modules were read (path → hash), tells whether they still are what was read.

        Returns:
            Findings; the revision is live if none is an error. None if a module changed meanwhile: nothing was done.
        """
        concerned = await asyncio.to_thread(self._prepare, changed)
        build: Build | None = None
        with contextlib.suppress(_Undo), self.modules.revision(changed, concerned) as imported:
            build = await asyncio.to_thread(self._rebuild, project, is_settled)
            if build is None or build.table is None:
                raise _Undo
        if build is None:
            return None
        if build.table is not None:
            self.authn, self._hooks = build.authn, build.hooks
            self._compare_lifespan(project, build)
            await self.apply(project, build.table, imported)
        return build.findings

    async def apply(self, project: Project, table: RouteTable, imported: Set[str] = frozenset()) -> None:
        """Serve another revision on the same sockets; what runs goes on with the code it began with."""
        previous, self.project, self._table = self.project, project, table
        self.revision += 1
        for kind, name, keys in fixed_at_start(previous, project, self._built, imported, self.looked_up):
            self.logger.warning("change takes effect after a restart", **{kind: name} if kind else {}, keys=keys)
        self._take_settings()
        for name in [name for name in self.sources if name not in project.sources]:
            self._remove_source(name)
        for name, live in self.live.items():
            live.apply(table.get(name, {}), _rates(project, name), self._hooks.get(name))
        for name, spec in project.sources.items():
            if name in self.sources and name in previous.sources:
                try:
                    self._reconfigure(previous.sources[name], spec)
                    self._subscribe(name)
                except Exception as error:
                    self.logger.error("event source does not take over the change", source=name, exc_info=error)
        await self._coming.start()

    # Ending.

    async def stop(self) -> None:
        """Drain every source (protocol P10.2), then close datasources; returns within the drain time and a little."""
        self.is_draining = True
        self._coming.stop()
        seconds = self.project.settings.drain_timeout
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        stopping = [asyncio.ensure_future(self._end_source(name, source)) for name, source in self.sources.items()]
        stopping += self._coming.leaving()
        if stopping:
            _, stuck = await asyncio.wait(stopping, timeout=seconds + _GRACE)
            for task in stuck:
                task.cancel()
        await end_children(deadline - loop.time(), self._hurry, self.logger)
        if self._lifespan is not None:
            await self._lifespan.end()
        await self.threads.settle(_LAST_WAIT)
        for name, datasource in reversed(self.datasources.items()):
            await close_datasource(name, datasource, self.logger)
        self.datasources.clear()
        self.modules.close()

    def hurry(self) -> None:
        """Do not wait for running requests any longer: a second signal."""
        self._hurry.set()

    # Parts of starting.

    async def _start_source(self, spec: SourceSpec) -> None:
        installed = self.plugins.get(spec.type)
        if installed is None or installed.plugin is None:
            raise ServeError(f"no plugin for `type: {spec.type}` of event source `{spec.name}`")
        context = self._context_of("source", spec.name)
        source: EventSource | None = None
        try:
            self._types[spec.name] = spec.type
            source = installed.plugin.create(self._config(spec), context)
            self.sources[spec.name] = source
            self._subscribe(spec.name)
            await source.start()
        except BaseException:
            self.sources.pop(spec.name, None)
            self.live.pop(spec.name, None)
            self._listeners.pop(spec.name, None)
            if source is not None:
                await stop_source(source, self.logger)
            raise

    def _config(self, spec: SourceSpec) -> Mapping[str, Any]:
        """What a source's file says, with what the command line says instead."""
        said = {"host": self.host, "port": self.port}
        return {key: value if said.get(key) is None else said[key] for key, value in spec.config.items()}

    async def _start_or_tell(self, spec: SourceSpec) -> None:
        """
        Start a source.

        Raises:
            ServeError: If it cannot start, whatever it raised.
        """
        try:
            await self._start_source(spec)
        except ServeError:
            raise
        except Exception as error:
            self.logger.error("plugin failed", source=spec.name, exc_info=error)
            raise ServeError(f"event source `{spec.name}` cannot start: {type(error).__name__}: {error}") from error

    def _make_lifespan(self, build: Build) -> Lifespan | None:
        reference = self.project.lifespan
        if build.lifespan is None or build.shared is None or reference is None:
            return None
        self._lifespan_code = self._code_of_lifespan(self.project)
        name = self.project.settings.lifespan or reference.name
        logger = self.logger.bind(lifespan=name)
        return Lifespan(name, build.lifespan, LifespanContext(build.shared, self.pushes, logger))

    def _code_of_lifespan(self, project: Project) -> Any:
        """The function itself: another object once its module was run anew."""
        reference = project.lifespan
        return None if reference is None else getattr(self.modules.load(reference.module), reference.callable, None)

    def _compare_lifespan(self, project: Project, build: Build) -> None:
        """Say that another function, or another version of it, is not what runs."""
        code = self._code_of_lifespan(project) if build.lifespan is not None else None
        if code is not self._lifespan_code:
            self._lifespan_code = code
            self.logger.warning("change takes effect after a restart", lifespan=project.settings.lifespan or "removed")

    def _subscribe(self, name: str) -> None:
        live = self._live(name)
        for key in live.router.routes:
            if key not in live.subscribed:
                self.sources[name].subscribe(key, make_handle(live, key))
        live.subscribed = live.router.routes

    def _live(self, name: str) -> Source:
        live = self.live.get(name)
        if live is None:
            live = self.live[name] = Source(
                name,
                loop=asyncio.get_running_loop(),
                threads=self.threads,
                wheel=self._wheel,
                pushes=self.pushes,
                waiting=self._waiting,
                window=self.project.settings.resume.window,
                bytes=self.project.settings.resume.bytes,
                development=self.development,
                observer=self.observer,
            )
            live.apply(self._table.get(name, {}), _rates(self.project, name), self._hooks.get(name))
        return live

    def _context_of(self, kind: Kind, name: str) -> Context:
        """What a plugin is given for one of its sources or datasources."""
        looked_up = self.looked_up.setdefault((kind, name), {})
        listen = partial(self._listen, name) if kind == "source" else None
        return Context(kind, name, self.project, self.logger.bind(**{kind: name}), self.pushes, looked_up, listen)

    def _listen(self, name: str, config: ListenConfig) -> ListenerHandle:
        """Make the port of one event source; nothing is bound before its `start`."""
        listener = self._listeners[name] = SourceListener(
            self._live(name),
            config,
            development=self.development,
            base=self.project.base,
            drain_timeout=self.project.settings.drain_timeout,
            hurry=self._hurry,
            is_ready=self.is_ready,
            root=self.project.root,
            authn=lambda: self.authn.get(name),
        )
        return listener

    # Parts of changing.

    def _prepare(self, changed: set[Path]) -> set[str]:
        """Find out what has to be imported anew, and compile it. Runs in a thread."""
        concerned = self.modules.concerned(changed)
        self.modules.prepare(concerned)
        return concerned

    def _rebuild(self, project: Project, is_settled: Callable[[Mapping[str, bytes]], bool]) -> Build | None:
        """Build the table, with imports on the loop; None if that is out of date. Runs in a thread."""
        build = build_table(project, self.modules, self.datasources, self._importer.load)
        return build if is_settled(self.modules.read()) else None

    def _missing(self) -> list[SourceSpec]:
        """The sources that the project has and that do not run."""
        if self.is_draining:
            return []
        return [spec for name, spec in self.project.sources.items() if name not in self.sources]

    def _remove_source(self, name: str) -> None:
        ending = self._end_source(name, self.sources.pop(name))
        self._coming.remove(ending, self.live.get(name))
        self.live.pop(name, None)
        self._listeners.pop(name, None)

    def _end_source(self, name: str, source: EventSource) -> Coroutine[Any, Any, None]:
        """Stop a source; what one without a port has handed in is drained beside that, as a port drains its own."""
        live = self.live.get(name)
        if live is None or name in self._listeners:
            return stop_source(source, self.logger)
        return _both(
            drain_detached(live, self.project.settings.drain_timeout, self._hurry), stop_source(source, self.logger)
        )

    async def _in_context(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the service's own context: what modules set in it is there for what follows."""
        return await asyncio.get_running_loop().create_task(coroutine, context=self._context)

    def _take_settings(self) -> None:
        """Take over what gsws.yaml says; a session keeps the ``bytes`` that it began with."""
        settings = self.project.settings
        self._waiting.bound(settings.resume.total, settings.resume.sessions)
        for live in self.live.values():
            live.registry.window = settings.resume.window
            live.registry.bytes = settings.resume.bytes
        for listener in self._listeners.values():
            listener.drain_timeout = settings.drain_timeout

    def _reconfigure(self, before: SourceSpec, now: SourceSpec) -> None:
        """Take over what a changed source file says, and say what needs a restart."""
        if before.config == now.config:
            return
        source = self.sources[now.name]
        fixed: Set[str] = before.config.keys() | now.config.keys()
        if isinstance(source, Reconfigurable) and self._types[now.name] == now.type:
            fixed = {*source.reconfigure(self._config(now)), "type"}
        changed = sorted(key for key in fixed if before.config.get(key) != now.config.get(key))
        if changed:
            self.logger.warning("change takes effect after a restart", source=now.name, keys=changed)

    # Parts of ending.

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what nobody awaited; a send to a client that left is no news."""
        error = context.get("exception")
        if isinstance(error, ConnectionClosed):
            self.logger.debug("background task of a handler lost its client", error=str(error))
            return
        self.logger.error("unhandled error in a background task", detail=context.get("message"), exc_info=error)


async def _both(one: Coroutine[Any, Any, None], other: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(one, other)


class _Undo(Exception):
    """Leaves a revision that could not be built."""


def _rates(project: Project, source: str) -> Mapping[str, Any]:
    return {
        event.key: event.rate
        for event in project.events
        if event.source == source and event.rate is not None and event.rate.messages
    }
