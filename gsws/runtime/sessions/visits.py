"""
``on_connect`` and ``on_disconnect`` of one event source: who was let in, and what runs when they are gone for good.

How a connection waits for its ``on_connect`` is in `gsws.runtime.dispatch.arrival`. A source without hooks
has none of this.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Set
from typing import Any, Final, Protocol

from gsws.protocol.answer import Answer
from gsws.routing.context import GSContext
from gsws.routing.table import DEFAULT_TIMEOUT, Hooks, Route
from gsws.runtime.requests.execution import invoke
from gsws.runtime.requests.executor import Executor, Outlet
from gsws.runtime.requests.handlersocket import DONE, HandlerSocket
from gsws.runtime.requests.request import CURRENT, Request
from gsws.types import AttributeDict

__all__ = ["HookRequest", "Visits", "call_hook"]

_AT_ONCE: Final = 64
"""``on_disconnect`` that run at a time; when a crowd leaves, the others wait for their turn."""

_LAST_WAIT: Final = 1.0


class Visitor(Outlet, Protocol):
    """Who is let in, and leaves."""

    @property
    def rooms(self) -> Set[str]:
        """The rooms it is in, or was in when its connection ended."""


class HookRequest(Request):
    """
    What a hook is called with, in the place of a request: no message, and no answer.

    Args:
        facts: What ``ctx.inputs.data`` has besides.
        is_mute: Whether there is nobody left to send to; sending does nothing then.
    """

    __slots__ = ("_facts", "_is_mute")

    def __init__(self, outlet: Outlet, route: Route, facts: dict[str, Any], *, is_mute: bool = False) -> None:
        super().__init__(outlet, route, Answer(None), {"eventtype": route.key, "payload": None}, None)
        self._facts = facts
        self._is_mute = is_mute

    @property
    def context(self) -> GSContext:
        is_new = self._context is None
        context = super().context
        if is_new and self._facts:
            context.inputs.data.update(self._facts)
        return context

    @property
    def ws(self) -> HandlerSocket:
        if self._ws is None and self._is_mute:
            self._ws = _MuteSocket(self)
        return super().ws

    def emit(self, eventtype: str, payload: Any) -> Awaitable[None]:
        return DONE if self._is_mute else super().emit(eventtype, payload)

    def join(self, room: str) -> Awaitable[None]:
        return DONE if self._is_mute else super().join(room)


class _MuteSocket(HandlerSocket):
    """A connection that is gone: sending on it does nothing."""

    __slots__ = ()

    def _deliver(self, data: bytes, *, binary: bool = False) -> Awaitable[None]:
        del data, binary
        return DONE


async def call_hook(request: HookRequest, seconds: float) -> Any:
    """
    Call a hook in a task of its own, and wait for at most so long; one that ignores its cancellation is left.

    Raises:
        TimeoutError: If it took longer.
        BaseException: What it raised; its own cancellation as RuntimeError.
    """
    route = request.route

    async def call() -> Any:
        CURRENT.set(request)
        try:
            return await invoke(route.kind, route.call, request)
        except (SystemExit, KeyboardInterrupt) as error:
            # A task lets these through to the event loop, which then ends, and the service with it.
            raise RuntimeError(f"it raised {type(error).__name__}") from error

    executor = request.outlet.executor
    task: asyncio.Task[Any] = asyncio.Task(call(), loop=executor.loop, context=executor.context.copy())
    request.task = task
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget_error)
    if not done:
        raise TimeoutError(f"it took longer than {seconds:g} s")
    if task.cancelled():
        raise RuntimeError("it cancelled itself")
    return task.result()


class Visits:
    """
    Who is in, of one source.

    Attributes:
        hooks: As the current revision has them.
        arriving: Client → task, while its ``on_connect`` runs.
    """

    def __init__(self, executor: Executor, hooks: Hooks) -> None:
        self.hooks = hooks
        self.arriving: dict[Visitor, asyncio.Task[None]] = {}
        self._executor = executor
        self._since: dict[Visitor, float] = {}
        self._leaving: deque[HookRequest] = deque()
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._since)

    def begin(self, client: Visitor) -> None:
        """A client was let in."""
        self._since[client] = self._executor.loop.time()

    def end(self, client: Visitor, code: int, reason: str) -> None:
        """A client is gone for good: run ``on_disconnect`` if it was let in; once for each."""
        since = self._since.pop(client, None)
        hook = self.hooks.on_disconnect
        if since is None or hook is None:
            return
        seconds = round(self._executor.loop.time() - since, 3)
        close = AttributeDict(code=code, reason=reason, seconds=seconds)
        facts = {"rooms": sorted(client.rooms), "close": close}
        self._leaving.append(HookRequest(client, hook, facts, is_mute=True))
        self._next()

    async def finish(self, seconds: float) -> None:
        """The source ends: whoever is still in leaves, and what runs for those who left gets so many seconds."""
        deadline = self._executor.loop.time() + seconds
        for client in tuple(self._since):
            connection = client.connection
            self.end(client, connection.close_code or 1001, connection.close_reason or "")
        while left := {*self.arriving.values(), *self._running}:
            wait = deadline - self._executor.loop.time()
            if wait <= 0:
                break
            await asyncio.wait(left, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        waiting, unfinished = len(self._leaving), {*self.arriving.values(), *self._running}
        self._leaving.clear()
        if unfinished or waiting:
            self._executor.logger.error(
                "`on_connect` or `on_disconnect` did not run to its end for everybody before the shutdown",
                arriving=len(self.arriving),
                running=len(self._running),
                waiting=waiting,
            )
            for task in unfinished:
                task.cancel()
            if unfinished:
                await asyncio.wait(unfinished, timeout=_LAST_WAIT)

    def _next(self) -> None:
        while self._leaving and len(self._running) < _AT_ONCE:
            task = asyncio.Task(self._left(self._leaving.popleft()), loop=self._executor.loop)
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._next()

    async def _left(self, request: HookRequest) -> None:
        try:
            await call_hook(request, DEFAULT_TIMEOUT)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a hook may raise anything
            request.logger.error("on_disconnect failed", fn=request.route.fn, exc_info=error)
        finally:
            request.unlink()


def _forget_error(task: asyncio.Task[Any]) -> None:
    """Of a hook that was given up nobody reads what it raises."""
    if not task.cancelled():
        task.exception()
