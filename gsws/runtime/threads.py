"""
Threads for handlers that are plain functions.

The standard library's pool joins its threads when the interpreter ends, so one handler that never returns would
keep the process; and a thread that is stuck for good takes a place for ever. These threads are daemons, and an
abandoned one gives its place to a new one.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

__all__ = ["ThreadPool"]

_IDLE_SECONDS: Final = 30.0

_SPARE: Final = 3
"""Abandoned threads that are replaced, as a multiple of the pool's size; then jobs wait until one comes back."""

_Job: TypeAlias = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", contextvars.Context, Callable[[], Any]]


class ThreadPool:
    """
    At most ``size`` threads, made when they are needed, ended after half a minute without work.

    Args:
        size: Threads that may run at once, abandoned ones not counted.
    """

    def __init__(self, size: int = 40) -> None:
        self.size = size
        self.abandoned = 0
        self._jobs: deque[_Job] = deque()
        self._change = threading.Condition()
        self._threads = 0
        self._idle = 0

    async def run(self, function: Callable[[], Any], on_abandon: Callable[[], object] | None = None) -> Any:
        """
        Call a function in a thread, in a copy of the caller's context.

        If the caller is cancelled the thread goes on by itself: threads cannot be stopped. ``on_abandon`` is told so.

        Raises:
            BaseException: What the function raised; StopIteration as RuntimeError.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        running = _Flag()
        job = _tracked(function, running)
        with self._change:
            self._jobs.append((loop, future, contextvars.copy_context(), job))
            if len(self._jobs) <= self._idle:
                self._change.notify()
            elif self._threads < self.size + min(self.abandoned, _SPARE * self.size):
                self._threads += 1
                threading.Thread(target=self._work, name="gsws-handler", daemon=True).start()
        try:
            return await future
        except asyncio.CancelledError:
            if running.value:
                with self._change:
                    self.abandoned += 1
                running.abandoned = self._reclaim
                if on_abandon is not None:
                    on_abandon()
            raise

    def _reclaim(self) -> None:
        """An abandoned thread came back after all."""
        with self._change:
            self.abandoned -= 1

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._jobs:
                    self._idle += 1
                    woken = self._change.wait(_IDLE_SECONDS)
                    self._idle -= 1
                    if not woken and not self._jobs:
                        self._threads -= 1
                        return
                loop, future, context, function = self._jobs.popleft()
            if future.cancelled():
                continue
            try:
                outcome, failed = context.run(function), False
            except StopIteration:
                outcome, failed = RuntimeError("the handler raised StopIteration"), True
            except BaseException as error:  # whatever it is belongs to the caller
                outcome, failed = error, True
            try:
                loop.call_soon_threadsafe(_settle, future, outcome, failed)
            except RuntimeError:
                # The loop has ended; nobody waits any more.
                return
            del loop, future, context, function, outcome


class _Flag:
    """Whether a job is being run, and what to call when it returns after its caller has left."""

    __slots__ = ("abandoned", "value")

    def __init__(self) -> None:
        self.value = False
        self.abandoned: Callable[[], None] | None = None


def _tracked(function: Callable[[], Any], flag: _Flag) -> Callable[[], Any]:
    def job() -> Any:
        flag.value = True
        try:
            return function()
        finally:
            flag.value = False
            if flag.abandoned is not None:
                flag.abandoned()

    return job


def _settle(future: asyncio.Future[Any], outcome: Any, failed: bool) -> None:
    if future.done():
        return
    if failed:
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
