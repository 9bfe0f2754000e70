"""
The requests of one connection: queued, started, run in the order of section 9, and ended from outside.

Plain handlers run in a worker task that lives while there is work; a stream has a task of its own, so that a cancel
can be read meanwhile. Too many plain ones hold back the connection, which slows its client (P9.2). What a message is,
and who may send it, is in `gsws.runtime.dispatch`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextvars import copy_context
from time import perf_counter
from typing import Any, Final

from gsws.protocol.errors import ERROR_HEAD, error_name
from gsws.routing.table import Route
from gsws.runtime.requests.execution import run
from gsws.runtime.requests.executor import Executor, Outlet
from gsws.runtime.requests.idempotency import KEY_LENGTH, key_of
from gsws.runtime.requests.isolation import Isolated, is_changed
from gsws.runtime.requests.lanes import Lanes
from gsws.runtime.requests.request import CURRENT, Request, last_frame, too_many
from gsws.types import RequestId

__all__ = ["ABANDON_AFTER", "Scheduler"]

ABANDON_AFTER: Final = 0.9
"""Seconds after which a handler that ignores its cancellation no longer holds up those behind it."""


_SLICE: Final = 0.002
"""Seconds that one connection's plain handlers may run without waiting before others get a turn of the loop."""

_BESIDE: Final = -1
"""Place of a request that waits and is not in the queue of plain handlers."""


class Scheduler:
    """
    What is queued and what runs for one client; made for its first request. An idle one owns no task.

    Attributes:
        requests: Requests with an id that have no terminal frame yet, by id.
        in_flight: Requests that are queued or running, those without an id included.
        queued: Plain requests that were taken in and have not begun.
        queued_bytes: The size of their messages.
        is_full: Whether these are so many that the connection is held back.
        lanes: Streams and parallel requests, or None before the first one.
    """

    __slots__ = (
        "_live", "_queue", "_worker",
        "executor", "in_flight", "is_full", "lanes", "outlet", "queued", "queued_bytes", "requests",
    )  # fmt: skip

    def __init__(self, executor: Executor, outlet: Outlet) -> None:
        self.executor = executor
        self.outlet = outlet
        self.requests: dict[RequestId, Request] = {}
        self.in_flight = 0
        self.queued = 0
        self.queued_bytes = 0
        self.is_full = False
        self._worker: asyncio.Task[None] | None = None
        self._queue: deque[Request] | None = None
        self.lanes: Lanes | None = None
        self._live: set[Request] | None = None

    def schedule(self, request: Request) -> None:
        """Take in a request that was found good: queue it or start it (P9.1)."""
        request.owner = self
        id = request.answer.id
        if id is not None:
            self.requests[id] = request
        self.in_flight += 1
        if self.in_flight == 1:
            self.executor.mark_busy(self)
        if request.meta is not None and "idempotency_key" in request.meta:
            request.idempotency = key_of(request.actor, request.route.key, request.meta["idempotency_key"])
            if request.idempotency is None:
                text = f"`meta.idempotency_key` is a string of 1 to {KEY_LENGTH} characters"
                self._refuse(request, request.answer.error("invalid_message", text))
                return
        if request.route.concurrency == "enqueue" and not request.route.streams:
            self._enqueue(request)
        else:
            self._admit(request)

    def is_crowded(self, route: Route) -> bool:
        """Whether as many streams and parallel requests run, and as many wait, as may (P9.2)."""
        lanes = self.lanes
        if lanes is None or (route.concurrency == "enqueue" and not route.streams):
            return False
        return lanes.is_full(route, self.executor.max_in_flight)

    def let_in(self) -> None:
        """The connection is held back no longer: what comes is refused, or the queue has room again."""
        if self.is_full:
            self.is_full = False
            self.outlet.connection.release()

    def forget(self, request: Request) -> None:
        """A request has ended (see `Request.end`): its id may be used again, and whoever waited for its end is told."""
        id = request.answer.id
        if id is not None and self.requests.get(id) is request:
            del self.requests[id]
        executor = self.executor
        last = request.last
        if last is not None and last.startswith(ERROR_HEAD):
            executor.counters.add(f"errors.{error_name(last)}")
        if request.idempotency is not None:
            executor.idempotency.ended(request)
        if request.begun is not None:
            if executor.observer is not None:
                executor.observer.ended(request)
            request.begun = None

    def expire(self, now: float) -> None:
        """End what has run for too long, and pass by what ignores its cancellation."""
        for request in tuple(self._live or ()):
            if request.aborted is None:
                if request.deadline is not None and now >= request.deadline:
                    self.abort(request, "timeout")
            elif now - request.aborted_at >= ABANDON_AFTER and request.task is not None:
                self._abandon(request)

    def is_owed(self) -> bool:
        """Whether something is queued or runs that nobody has ended."""
        return any(request.aborted is None for request in self.unfinished())

    def abort_all(self, reason: str) -> None:
        """End everything that is queued or running, each with its terminal frame."""
        for request in self.unfinished():
            self.abort(request, reason)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Every task that works for this client."""
        tasks = [request.task for request in self._live or () if request.task is not None]
        worker = [self._worker] if self._worker is not None else []
        return [*{*tasks, *worker}]

    def abort(self, request: Request, reason: str) -> None:
        """
        End a request from outside, wherever it stands; its terminal frame goes out now (P6.6).

        Args:
            request: Queued or running.
            reason: ``cancelled``, ``superseded``, ``timeout``, ``draining``, or ``disconnected`` (no frame).
        """
        if request.aborted is not None:
            return
        if not request.answer.ended:
            request.aborted = reason
            request.end(last_frame(request, reason))
        elif request.task is None:
            return
        request.aborted = reason
        request.aborted_at = self.executor.loop.time()
        if request.task is None and not request.is_running:
            self._withdraw(request)
        elif request.task is not None and request.is_running:
            # A task that is cancelled before its first step never gets to its own cleaning up.
            request.task.cancel()

    async def run_detached(self, request: Request) -> None:
        """Run a request of no connection and wait for it until it is passed by; cancelling the caller cancels it."""
        request.owner = self
        self.in_flight += 1
        self.executor.mark_busy(self)
        self._start(request)
        task = request.task
        assert task is not None
        try:
            while request.task is task and not task.done():
                await asyncio.wait({task}, timeout=ABANDON_AFTER)
        except asyncio.CancelledError:
            self.abort(request, "cancelled")
            raise

    def unfinished(self) -> list[Request]:
        """Every request that is queued, waits in a lane, or runs; those in a queue in its order."""
        waiting = (*(self._queue or ()), *(self.lanes or ()))
        return [*dict.fromkeys((*waiting, *(self._live or ())))]

    # Queueing and running.

    def _refuse(self, request: Request, last: bytes | None) -> None:
        """End a request that was taken in and never started."""
        self._unwait(request)
        request.end(last)
        self._release()

    def _enqueue(self, request: Request) -> None:
        """Let a plain request wait; beyond the bound its client is slowed (P9.2)."""
        executor = self.executor
        request.place = request.size
        self.queued += 1
        self.queued_bytes += request.size
        if not self.is_full and (self.queued > executor.max_queued or self.queued_bytes > executor.max_queued_bytes):
            self.is_full = True
            self.outlet.connection.hold()
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
        queue.append(request)
        if self._worker is None:
            self._worker = self._task(self._work())

    def _task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Make a task that inherits nothing of whatever handler happens to run now."""
        return asyncio.Task(coroutine, loop=self.executor.loop, context=self.executor.context.copy())

    def _unwait(self, request: Request) -> None:
        """A request waits no longer; if it was in the queue there is room for another one."""
        if request.begun is not None:
            request.started = perf_counter()
        place, request.place = request.place, 0
        if place == _BESIDE:
            self._beside().waiting -= 1
        elif place:
            self.queued -= 1
            self.queued_bytes -= place
            if self.is_full and self._has_room():
                self.let_in()

    def _has_room(self) -> bool:
        """Whether the queue is half empty; each message less would otherwise be a read and a pause more."""
        executor = self.executor
        return self.queued <= executor.max_queued // 2 and self.queued_bytes <= executor.max_queued_bytes // 2

    def _withdraw(self, request: Request) -> None:
        """Take a request that has ended out of where it waits: it is in flight no longer (P9.2)."""
        request.generator = None
        if not request.place:
            return
        if self._queue is not None and request in self._queue:
            self._queue.remove(request)
            self._unwait(request)
            self._release()
            return
        if self.lanes is not None and request in self.lanes:
            self._unwait(request)
            self._leave_lane(request)
            self._release()

    async def _work(self) -> None:
        """Run queued plain handlers one after the other, each in a context as good as its own, then end."""
        me = self._worker
        context, is_clean, now = self.executor.context, True, self.executor.loop.time
        began = time = now()
        queue = self._queue
        live = self._live
        if live is None:
            live = self._live = set()
        assert queue is not None
        try:
            while queue and self._worker is me:
                request = queue.popleft()
                self._unwait(request)
                request.task = me
                request.is_running = True
                live.add(request)
                try:
                    if is_clean:
                        CURRENT.set(request)
                        before = copy_context()
                        await run(request, time)
                        is_clean = not is_changed(before)
                    else:
                        own = context.copy()
                        own.run(CURRENT.set, request)
                        await Isolated(run(request, time), own)
                finally:
                    request.task = None
                    live.discard(request)
                    if request.generator is None:
                        request.unlink()
                        self._release()
                    else:
                        self._go_on(request)
                time = now()
                connection = self.outlet.connection  # a resumed session has another one
                if connection.paused and connection.is_open:
                    await connection.drain()
                elif time - began >= _SLICE:
                    await asyncio.sleep(0)
                else:
                    continue
                began = time = now()
        finally:
            if self._worker is me:
                self._worker = None
                if queue and not self.executor.is_stopped:
                    self._worker = self._task(self._work())
                elif not queue:
                    # A client that says nothing for long is to own little: the two are larger than all the rest.
                    self._queue = None
                    self._live = self._live or None

    def _beside(self) -> Lanes:
        self.lanes = self.lanes or Lanes()
        return self.lanes

    def _go_on(self, request: Request) -> None:
        """A call gave a generator: from now on it is a stream, in the lane of streams, and the queue goes on (P9.1)."""
        request.is_running = False
        if self.executor.is_stopped:
            self.abort(request, "draining")
            self._release()
        elif self._beside().is_full(request.route, self.executor.max_in_flight):
            request.generator = None
            self._refuse(request, too_many(request))
        else:
            self._admit(request)

    def _admit(self, request: Request) -> None:
        """Decide what happens beside a running request of the same event (P9.1)."""
        route, lanes = request.route, self._beside()
        request.place = _BESIDE
        lanes.waiting += 1
        if self._is_repetition(request):
            lanes.wait_for_place(request)
            self._fill_places()
            return
        if route.concurrency == "reject" and lanes.beside(route.key):
            text = f"`{route.key}` is still running on this connection"
            self._refuse(request, request.answer.error("busy", text))
            return
        if route.concurrency == "interrupt":
            for running in lanes.beside(route.key):
                self.abort(running, "superseded")
        lanes.enter(request)
        self._fill_places()

    def _fill_places(self) -> None:
        """Start who waits for nothing but a place, in order, as long as there are places."""
        lanes = self._beside()
        while lanes.running < self.executor.max_in_flight and (request := lanes.next_ready()) is not None:
            self._start(request)

    def _is_repetition(self, request: Request) -> bool:
        """Whether it is what runs already: no second one to reject, and no newer one that takes its place."""
        key = request.idempotency
        return key is not None and request.route.concurrency != "enqueue" and self.executor.idempotency.is_running(key)

    def _start(self, request: Request) -> None:
        if self._live is None:
            self._live = set()
        self._unwait(request)
        self._beside().running += 1
        self._live.add(request)
        request.task = self._task(self._run(request))

    async def _run(self, request: Request) -> None:
        CURRENT.set(request)
        request.is_running = True
        try:
            if request.answer.ended:
                return
            now = self.executor.loop.time
            await run(request, now())
            if request.generator is not None:
                await run(request, now())
        finally:
            request.task = None
            request.unlink()
            if self._live is not None:
                self._live.discard(request)
            self._beside().running -= 1
            self._leave_lane(request)
            self._release()

    def _leave_lane(self, request: Request) -> None:
        """Let who waited for this request start, as soon as there is a place."""
        self._beside().leave(request)
        self._fill_places()

    def _release(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self.executor.busy.discard(self)

    def _abandon(self, request: Request) -> None:
        """Go on without a handler that swallowed its cancellation."""
        task, request.task = request.task, None
        request.logger.warning("handler ignores its cancellation; going on without it", fn=request.route.fn)
        if task is self._worker:
            self._worker = self._task(self._work()) if self._queue else None
        else:
            self._leave_lane(request)
