"""
Runs a loaded project in this process until a signal: service, reload, watchdog and signals put together.

What is printed is the caller's: every event goes to a `Presenter`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from gsws.diagnostics import Finding, Severity
from gsws.errors import ServeError
from gsws.observability.notify import notify
from gsws.observability.streams import finish
from gsws.observability.watchdog import Watchdog
from gsws.project import Project, ProjectCache
from gsws.project.specs import Settings
from gsws.reload.reloader import Reloader, ReloadReport
from gsws.runtime.requests.observer import Observer
from gsws.runtime.service import Service

if TYPE_CHECKING:
    from gsws.control.server import ControlServer

__all__ = ["HostOptions", "Presenter", "host"]

_LAST_SECONDS: Final = 1.5
"""What the interpreter gets to end in, once the service has stopped; handlers may have left threads behind."""


_BLOCKED_SECONDS: Final = 30.0
"""What code of the project may take at the end beyond the drain time, if it blocks the loop."""


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What the command line says beyond the project's files."""

    host: str | None = None
    port: int | None = None
    reload: bool = True
    development: bool = True
    on_settings: Callable[[Settings], None] = lambda settings: None
    observer: Observer | None = None


class Presenter(Protocol):
    """Who tells the person at the terminal."""

    def failed(self, project: Project, findings: tuple[Finding, ...]) -> None:
        """The project cannot be served; nothing was bound."""

    def refused(self, error: ServeError) -> None:
        """A port cannot be bound."""

    def serving(self, service: Service, findings: tuple[Finding, ...]) -> None:
        """Every source is up."""

    def reloaded(self, report: ReloadReport) -> None:
        """Files changed: a new revision is live, or has errors."""

    def draining(self, seconds: float) -> None:
        """A signal came and requests are running; a second signal stops at once."""


def host(project: Project, cache: ProjectCache, options: HostOptions, presenter: Presenter) -> int:
    """
    Serve until SIGINT or SIGTERM.

    Returns:
        0 after a signal, 1 if the project cannot be served.
    """
    code = _run(_host(project, cache, options, presenter))
    # A handler that never returns keeps its thread; a daemon thread may not hold up the end of the process.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code


async def _host(project: Project, cache: ProjectCache, options: HostOptions, presenter: Presenter) -> int:
    loop = asyncio.get_running_loop()
    service = Service(project, development=options.development, host=options.host, port=options.port)
    service.observer = options.observer
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            service.hurry()
        stopping.set()

    def take_signals() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, on_signal)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))

    # The project's modules are run on this very thread: while they are, no callback of the loop hears a signal.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _leave(0))
    code = await _serve(service, cache, options, presenter, stopping, take_signals)
    if stopping.is_set():
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # it ends as fast as it can already
        _end_within(_LAST_SECONDS, code)
    return code


async def _serve(
    service: Service,
    cache: ProjectCache,
    options: HostOptions,
    presenter: Presenter,
    stopping: asyncio.Event,
    take_signals: Callable[[], None],
) -> int:

    def reloaded(report: ReloadReport) -> None:
        if report.live:
            options.on_settings(report.project.settings)
        presenter.reloaded(report)

    reloader = Reloader(service, cache, reloaded) if options.reload else None
    # Watching begins before handlers are imported, so that no save falls between reading and watching.
    reloading = asyncio.ensure_future(reloader.run()) if reloader is not None else None
    await asyncio.sleep(0)
    try:
        return await _load_and_serve(service, presenter, stopping, reloader, take_signals)
    finally:
        if reloader is not None and reloading is not None:
            reloader.stop()
            reloading.cancel()
            await asyncio.wait({reloading}, timeout=2.0)


async def _load_and_serve(
    service: Service,
    presenter: Presenter,
    stopping: asyncio.Event,
    reloader: Reloader | None,
    take_signals: Callable[[], None],
) -> int:
    findings = await service.load()
    take_signals()
    if any(finding.severity is Severity.ERROR for finding in findings):
        presenter.failed(service.project, findings)
        await service.stop()
        return 1
    starting = asyncio.ensure_future(service.start())
    waiting = asyncio.ensure_future(stopping.wait())
    # The project's `lifespan` may take its time before a port opens; a signal ends that too.
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return 0
    try:
        starting.result()
    except ServeError as error:
        presenter.refused(error)
        return 1
    watchdog = Watchdog(asyncio.get_running_loop(), service.project.base, service.is_blocking)
    watchdog.start()
    if reloader is None:
        # Nothing that is loaded now will be dropped; no collection needs to look at it again.
        gc.collect()
        gc.freeze()
    control = await _open_control(service)
    notify("READY=1")
    presenter.serving(service, (*service.project.findings, *findings))
    try:
        if reloader is not None:
            await reloader.begin()
        await stopping.wait()
    finally:
        notify("STOPPING=1")
        seconds = service.project.settings.drain_timeout
        if service.is_busy():
            presenter.draining(seconds)
        # Whatever of the project blocks this thread meanwhile, such as closing a datasource: the process ends.
        stopped = _end_within(seconds + _BLOCKED_SECONDS, 0)
        await service.stop()
        stopped.set()
        watchdog.stop()
        if control is not None:
            await control.stop()
    return 0


async def _open_control(service: Service) -> ControlServer | None:
    """The socket for `gsws push` and the like; a service that cannot have it serves without."""
    if os.name != "posix":
        return None
    from gsws.control.server import ControlServer

    control = ControlServer(service, os.environ)
    try:
        await control.start()
    except OSError as error:
        service.logger.warning(
            "no control socket, so `gsws push` cannot reach this service", error=error.strerror or str(error)
        )
        return None
    return control


def _run(main: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            return runner.run(main)
        except KeyboardInterrupt:
            return 0


def _end_within(seconds: float, code: int) -> threading.Event:
    """
    End the process in a moment, past tasks that swallow their cancellation and threads that do not end.

    Returns:
        Set it to let the process go on.
    """
    never = threading.Event()

    def end() -> None:
        if not never.wait(seconds):
            _exit(code)

    threading.Thread(target=end, name="gsws-end", daemon=True).start()
    return never


def _leave(code: int) -> None:
    """End the process now, past threads that do not end."""
    structlog.get_logger("gsws").info("stopped while loading")
    _exit(code)


def _exit(code: int) -> None:
    finish()
    os._exit(code)
