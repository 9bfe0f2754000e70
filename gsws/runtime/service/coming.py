"""Event sources that come and go with a reload, beside everything else: neither holds up the next change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from gsws.errors import ServeError
from gsws.plugins.contract import EventSource
from gsws.project.specs import SourceSpec
from gsws.runtime.sources.source import Source

__all__ = ["Coming", "stop_source"]

_RETRY_SECONDS: Final = 2.0
"""Seconds after which a source that could not start is tried again."""

_WAIT_SECONDS: Final = 1.0
"""How long a reload waits for the sources that it adds."""


class Coming:
    """
    Starts what a reload adds, and tries again what cannot start; ends what it removes.

    Args:
        missing: Tells the sources that the project has and that do not run.
        start: Starts one; raises `ServeError` if it cannot.
        logger: Where it is told.
    """

    def __init__(
        self,
        missing: Callable[[], list[SourceSpec]],
        start: Callable[[SourceSpec], Awaitable[None]],
        logger: Any,
    ) -> None:
        self._missing = missing
        self._start = start
        self._logger = logger
        self._failed: dict[str, str] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: dict[asyncio.Task[None], Source | None] = {}

    async def start(self) -> None:
        """Start what is missing; one that takes long to start, or to find out that it cannot, is not waited for."""
        await asyncio.wait({self._spawn(self._start_missing())}, timeout=_WAIT_SECONDS)

    def remove(self, ending: Coroutine[Any, Any, None], live: Source | None) -> None:
        """End a source that the project does not have any more; it may drain for long."""
        task = self._spawn(ending)
        self._leaving[task] = live
        task.add_done_callback(lambda done: self._leaving.pop(done, None))

    def leaving(self) -> list[asyncio.Task[None]]:
        """The removed sources that still drain."""
        return [*self._leaving]

    def is_busy(self) -> bool:
        """Whether requests of removed sources still run."""
        return any(live is not None and live.executor.busy for live in self._leaving.values())

    def stop(self) -> None:
        """Try nothing again."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    async def _start_missing(self) -> None:
        self.stop()
        failed = False
        for spec in self._missing():
            try:
                await self._start(spec)
            except ServeError as error:
                failed = True
                if self._failed.get(spec.name) != error.message:
                    self._failed[spec.name] = error.message
                    self._logger.error("event source cannot start; trying again", source=spec.name, error=error.message)
            else:
                if self._failed.pop(spec.name, None) is not None:
                    self._logger.info("event source started", source=spec.name)
        if failed and self._missing():
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(_RETRY_SECONDS, lambda: self._spawn(self._start_missing()))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def stop_source(source: EventSource, logger: Any) -> None:
    """Stop a source; one that fails to is told of."""
    try:
        await source.stop()
    except Exception as error:
        logger.error("event source failed to stop", exc_info=error)
