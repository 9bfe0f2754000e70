"""
``lifespan`` of gsws.yaml: a function of the project that runs as long as the service.

An async function is a task. An async generator, or what `contextlib.asynccontextmanager` makes of one, is begun
before any port opens and goes on after its ``yield`` when the sockets are closed. Either runs in one task from its
first step to its last, so that a task group or a timeout may stand around the ``yield``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from typing import Any, Final

from gsws.errors import ServeError
from gsws.routing.context import Sharing
from gsws.routing.pushing import Pushes
from gsws.routing.table import SharedState

__all__ = ["Lifespan", "LifespanContext"]

BEGIN_SECONDS: Final = 60.0
"""How long it may take to its ``yield``; no port opens before."""

END_SECONDS: Final = 10.0
"""How long it may take to end, once the sockets are closed."""


class LifespanContext(Sharing):
    """
    What the function receives: the project's state as it was when the service started, and the pushes.

    Its datasources are closed after the function has ended.
    """

    __slots__ = ("_service_pushes", "_shared", "logger")

    def __init__(self, shared: SharedState, pushes: Pushes, logger: Any) -> None:
        self._shared = shared
        self._service_pushes = pushes
        self.logger = logger

    @property
    def _state(self) -> SharedState:
        return self._shared

    @property
    def _pushes(self) -> Pushes:
        return self._service_pushes

    # What `gsws.routing.adapt` gives by name.

    @property
    def context(self) -> LifespanContext:
        return self

    @property
    def shared(self) -> SharedState:
        return self._shared


class Lifespan:
    """
    One run of the function.

    Args:
        name: As gsws.yaml names it.
        call: Calls it with its context.
        context: What it is called with.

    Attributes:
        has_failed: Whether it ended by an exception while the service was up; `/readyz` then says no.
    """

    def __init__(self, name: str, call: Callable[[Any], Any], context: LifespanContext) -> None:
        self.name = name
        self.has_failed = False
        self._call = call
        self._context = context
        self._began = asyncio.Event()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """
        Start it, and wait until its ``yield`` if it has one.

        Raises:
            ServeError: If it raises before, or is not there within `BEGIN_SECONDS`.
        """
        self._task = asyncio.Task(self._run(), loop=asyncio.get_running_loop())
        began = asyncio.ensure_future(self._began.wait())
        try:
            await asyncio.wait({self._task, began}, timeout=BEGIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            began.cancel()
        if self._began.is_set():
            return
        if not self._task.done():
            await self._cancel()
            raise ServeError(
                f"`lifespan: {self.name}` took longer than {BEGIN_SECONDS:g} s to its `yield`",
                "start what takes long as a task of its own",
            )
        error = None if self._task.cancelled() else self._task.exception()
        if error is not None:
            self._context.logger.error("lifespan failed", exc_info=error)
        said = f": {type(error).__name__}: {error}" if error is not None else ""
        raise ServeError(f"`lifespan: {self.name}` failed before the service started{said}") from error

    async def end(self) -> None:
        """End it: go on after its ``yield``, or cancel the task; returns within `END_SECONDS` and a little."""
        task = self._task
        if task is None or task.done():
            return
        self._ending.set()
        if not self._began.is_set():
            await self._cancel()  # there is no end to go on to
            return
        await asyncio.wait({task}, timeout=END_SECONDS)
        if not task.done():
            self._context.logger.error("lifespan did not end in time; leaving without it", lifespan=self.name)
            await self._cancel()

    async def _cancel(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=1.0)

    async def _run(self) -> None:
        try:
            made = self._call(self._context)
            if inspect.isasyncgen(made):
                made = _managed(made)
            if hasattr(made, "__aenter__") and hasattr(made, "__aexit__"):
                async with made:
                    self._began.set()
                    await self._ending.wait()
            elif inspect.isawaitable(made):
                self._began.set()
                await self._as_task(made)
            else:
                raise TypeError("it is neither an async function nor an async generator")  # noqa: TRY301
        except asyncio.CancelledError:
            if not self._ending.is_set() and self._began.is_set():
                self._fail(None)
        except BaseException as error:  # whatever it raises, SystemExit too, ends it alone
            if not self._began.is_set():
                if isinstance(error, Exception):
                    raise
                raise RuntimeError(f"it raised {type(error).__name__}") from error
            self._fail(error)

    async def _as_task(self, made: Any) -> None:
        """Await the function until it returns, or cancel it when the service ends."""
        ending = asyncio.ensure_future(self._ending.wait())
        me = asyncio.current_task()
        assert me is not None
        is_over = False

        def cancel(_: object) -> None:
            if not is_over and self._ending.is_set():
                me.cancel()

        ending.add_done_callback(cancel)
        try:
            await made
        finally:
            is_over = True
            ending.cancel()

    def _fail(self, error: BaseException | None) -> None:
        self.has_failed = not self._ending.is_set()
        self._context.logger.error(
            "lifespan failed; `/readyz` says so until a restart" if self.has_failed else "lifespan failed at its end",
            lifespan=self.name,
            error="cancelled" if error is None else f"{type(error).__name__}: {error}"[:1000],
            exc_info=error,
        )


def _managed(generator: Any) -> contextlib.AbstractAsyncContextManager[Any]:
    return contextlib.asynccontextmanager(lambda: generator)()
