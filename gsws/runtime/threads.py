"""
Threads for handlers that are plain functions.

The standard library's pool joins its threads when the interpreter ends, so one handler that never returns would
keep the process; and a thread that is stuck for good takes a place for ever. These threads are daemons, and an
abandoned one gives its place to a new one. A generator has one thread from its first step to its last.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Final, TypeAlias

__all__ = ["Steps", "ThreadPool"]

_IDLE_SECONDS: Final = 30.0

_SPARE: Final = 3
"""Abandoned threads that are replaced, as a multiple of the pool's size; then jobs wait until one comes back."""

_LENT: Final = 4
"""Threads of generators that are replaced, likewise: who only waits for a slow client holds up nobody else."""

_LATE_SECONDS: Final = 1.0
"""A step that goes on for so long after its generator was closed is told of."""

_LOOK: Final = 0.02

_END: Final = object()
_TOLD: Final = object()

_Job: TypeAlias = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", contextvars.Context, Callable[[], Any]]
_Steps: TypeAlias = "SimpleQueue[asyncio.Future[Any] | None]"


class ThreadPool:
    """
    At most ``size`` threads, made when they are needed, ended after half a minute without work.

    Args:
        size: Threads that may run at once; abandoned ones and those of generators not counted.
    """

    def __init__(self, size: int = 40) -> None:
        self.size = size
        self.abandoned = 0
        self.lent = 0
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
        return await self._wait(asyncio.get_running_loop(), function, on_abandon)

    async def start(self, function: Callable[[], Any], on_abandon: Callable[[], object] | None = None) -> Any:
        """
        Call a function in a thread as `run` does; if an iterator comes of it, that stays in the thread.

        Returns:
            What the function returned, or `Steps` of the iterator.
        """
        loop = asyncio.get_running_loop()

        def call() -> Any:
            result = function()
            if not isinstance(result, Iterator):
                return result
            return _Served(result, SimpleQueue(), loop, on_abandon)

        result = await self._wait(loop, call, on_abandon)
        return Steps(result) if type(result) is _Served else result

    async def settle(self, seconds: float) -> None:
        """Wait until no generator is left in a thread, that is until those that were closed have cleaned up."""
        for _ in range(int(seconds / _LOOK)):
            if not self.lent:
                return
            await asyncio.sleep(_LOOK)

    async def _wait(
        self, loop: asyncio.AbstractEventLoop, function: Callable[[], Any], on_abandon: Callable[[], object] | None
    ) -> Any:
        future: asyncio.Future[Any] = loop.create_future()
        running = _Flag()
        with self._change:
            self._jobs.append((loop, future, contextvars.copy_context(), self._tracked(function, running, future)))
            if len(self._jobs) <= self._idle:
                self._change.notify()
            else:
                self._grow()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                _forget(future.result())
            with self._change:
                is_abandoned = running.is_abandoned = running.value
                if is_abandoned:
                    self.abandoned += 1
                    self._grow()
            if is_abandoned and on_abandon is not None:
                on_abandon()
            raise

    def _grow(self) -> None:
        """Make a thread if a job waits for one and there may be more."""
        if self._jobs and self._threads < self._most():
            self._threads += 1
            threading.Thread(target=self._work, name="gsws-handler", daemon=True).start()

    def _most(self) -> int:
        return self.size + min(self.abandoned, _SPARE * self.size) + min(self.lent, _LENT * self.size)

    def _tracked(self, function: Callable[[], Any], flag: _Flag, future: asyncio.Future[Any]) -> Callable[[], Any]:
        """Tell whether the function runs; what it leaves as `_Served` is served in the same thread and context."""

        def job() -> Any:
            with self._change:
                flag.value = True
            try:
                result = function()
            finally:
                with self._change:
                    flag.value = False
                    if flag.is_abandoned:
                        self.abandoned -= 1
            if type(result) is not _Served:
                return result
            with self._change:
                self.lent += 1
                self._grow()
            try:
                result.loop.call_soon_threadsafe(_settle, future, result, False)
                result.serve()
            finally:
                with self._change:
                    self.lent -= 1
            return _TOLD

        return job

    def _work(self) -> None:
        while True:
            with self._change:
                if self._threads > self._most():
                    self._threads -= 1
                    self._grow()
                    return
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
                if outcome is not _TOLD:
                    loop.call_soon_threadsafe(_settle, future, outcome, failed)
            except RuntimeError:
                # The loop has ended; nobody waits any more.
                outcome = None
            del loop, future, context, function, outcome


class Steps:
    """
    An iterator that runs in a thread of its own, seen from the loop: an async iterator, one step at a time.

    Nothing runs ahead: the next step begins when it is asked for. Closed, or forgotten, the iterator is closed in its
    thread as soon as its current step has ended.
    """

    __slots__ = ("__weakref__", "_is_closed", "_served", "_step")

    def __init__(self, served: _Served) -> None:
        self._served = served
        self._step: asyncio.Future[Any] | None = None
        self._is_closed = False

    def __aiter__(self) -> Steps:
        return self

    async def __anext__(self) -> Any:
        if self._is_closed:
            raise StopAsyncIteration
        self._step = step = self._served.loop.create_future()
        self._served.commands.put(step)
        item = await step
        if item is _END:
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        """
        Close the iterator in its thread, and wait for that; not for a step that is still running.

        Raises:
            BaseException: What its cleaning up raised.
        """
        if self._is_closed:
            return
        self._is_closed = True
        served = self._served
        served.commands.put(None)
        if served.is_stepping and self._step is not None and self._step.cancelled():
            served.loop.call_later(_LATE_SECONDS, served.tell_if_late)
            return
        await served.ended

    def __del__(self) -> None:
        if not self._is_closed:
            self._served.commands.put(None)


class _Served:
    """An iterator in its thread, and the commands that come for it: a future for the next item, or None to close."""

    __slots__ = ("_iterator", "_on_late", "commands", "ended", "has_ended", "is_stepping", "loop")

    def __init__(
        self,
        iterator: Iterator[Any],
        commands: _Steps,
        loop: asyncio.AbstractEventLoop,
        on_late: Callable[[], object] | None,
    ) -> None:
        self._iterator = iterator
        self._on_late = on_late
        self.commands = commands
        self.loop = loop
        self.ended: asyncio.Future[Any] = loop.create_future()
        self.is_stepping = False
        self.has_ended = False

    def serve(self) -> None:
        """Take steps as they are asked for, until the end, an error or the command to close."""
        error: BaseException | None = None
        try:
            while (step := self.commands.get()) is not None:
                if step.cancelled():
                    continue
                self.is_stepping = True
                try:
                    outcome, failed = next(self._iterator), False
                except StopIteration:
                    outcome, failed = _END, False
                except BaseException as raised:  # whatever it is belongs to the caller
                    outcome, failed = raised, True
                finally:
                    self.is_stepping = False
                self.loop.call_soon_threadsafe(_settle, step, outcome, failed)
                del step
                if failed or outcome is _END:
                    break
                del outcome
            close = getattr(self._iterator, "close", None)
            if close is not None:
                close()
        except BaseException as raised:
            error = raised
        self.has_ended = True
        try:
            self.loop.call_soon_threadsafe(_settle, self.ended, error, error is not None)
        except RuntimeError:
            # The loop has ended; nobody waits any more.
            return

    def tell_if_late(self) -> None:
        if not self.has_ended and self._on_late is not None:
            self._on_late()


class _Flag:
    """Whether a job is being run, and whether its caller has left meanwhile."""

    __slots__ = ("is_abandoned", "value")

    def __init__(self) -> None:
        self.value = False
        self.is_abandoned = False


def _settle(future: asyncio.Future[Any], outcome: Any, failed: bool) -> None:
    if future.done():
        _forget(outcome)
        return
    if failed:
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _forget(outcome: Any) -> None:
    """Close what nobody came for."""
    if type(outcome) is _Served:
        outcome.commands.put(None)
