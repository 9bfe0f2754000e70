"""
The requests of one connection: queued, started, run in the order of section 9, and ended from outside.

Plain handlers run in a worker task that lives while there is work; a stream has a task of its own, so that a cancel
can be read meanwhile. What a message is, and who may send it, is in `gsws.runtime.client`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from gsws.protocol.errors import ERROR_HEAD, error_name
from gsws.runtime.execution import run_plain, run_stream
from gsws.runtime.idempotency import KEY_LENGTH, key_of
from gsws.runtime.request import CURRENT, Request
from gsws.types import RequestId

if TYPE_CHECKING:
    from gsws.runtime.source import LiveSource
    from gsws.runtime.transport import Connection

__all__ = ["ABANDON_AFTER", "Scheduler"]

ABANDON_AFTER: Final = 0.9
"""Seconds after which a handler that ignores its cancellation no longer holds up those behind it."""


class Scheduler:
    """
    What is queued and what runs for one connection; an idle one owns no task and no container but an empty dict.

    Attributes:
        requests: Requests with an id that have no terminal frame yet, by id.
        in_flight: Requests that are queued or running, those without an id included.
    """

    __slots__ = ("_lanes", "_live", "_queue", "_worker", "connection", "in_flight", "requests", "source")

    def __init__(self, source: LiveSource, connection: Connection) -> None:
        self.source = source
        self.connection = connection
        self.requests: dict[RequestId, Request] = {}
        self.in_flight = 0
        self._worker: asyncio.Task[None] | None = None
        self._queue: deque[Request] | None = None
        self._lanes: dict[str, deque[Request]] | None = None
        self._live: set[Request] | None = None

    def schedule(self, request: Request) -> None:
        """Take in a request that was found good: queue it or start it (P9.1)."""
        id = request.answer.id
        if id is not None:
            self.requests[id] = request
        self.in_flight += 1
        if self.in_flight == 1:
            self.source.mark_busy(self)
        if request.meta is not None and "idempotency_key" in request.meta:
            request.idempotency = key_of(request)
            if request.idempotency is None:
                text = f"`meta.idempotency_key` is a string of 1 to {KEY_LENGTH} characters"
                self.finish_unstarted(request, request.answer.error("invalid_message", text))
                return
        if request.route.concurrency == "enqueue" and not request.route.streams:
            self._enqueue(request)
        else:
            self._admit(request)

    def transmit(self, request: Request, data: bytes) -> None:
        """Send a frame of a request's answer, if the client is still there."""
        connection = self.connection
        if connection.is_open:
            connection.send_text(data)

    def forget(self, request: Request) -> None:
        """The terminal frame was made: its id may be used again."""
        id = request.answer.id
        if id is not None and self.requests.get(id) is request:
            del self.requests[id]
        last = request.last
        if last is not None and last.startswith(ERROR_HEAD):
            self.source.counters.add(f"errors.{error_name(last)}")
        if request.idempotency is not None:
            self.source.replies.ended(request)
        if request.begun is not None:
            observer = self.source.observer
            if observer is not None:
                observer.ended(self, request)
            request.begun = None

    def finish_unstarted(self, request: Request, data: bytes | None) -> None:
        """End a request that was taken in and never started: send its terminal frame, free its place."""
        request.last = data
        if data is not None:
            self.transmit(request, data)
        self.forget(request)
        self._release()

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
        return any(request.aborted is None for request in self._unfinished())

    def abort_all(self, reason: str) -> None:
        """End everything that is queued or running, each with its terminal frame."""
        for request in self._unfinished():
            self.abort(request, reason)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Every task that works for this client."""
        tasks = [request.task for request in self._live or () if request.task is not None]
        children = [task for request in self._live or () for task in request.children or ()]
        worker = [self._worker] if self._worker is not None else []
        return [*{*tasks, *children, *worker}]

    def abort(self, request: Request, reason: str) -> None:
        """
        End a request from outside, wherever it stands; its terminal frame goes out now (P6.6).

        Args:
            request: Queued or running.
            reason: ``cancelled``, ``superseded``, ``timeout``, ``draining``, or ``disconnected`` (no frame).
        """
        if request.aborted is not None:
            return
        answer = request.answer
        if not answer.ended:
            request.aborted = reason
            last = _last_frame(request, reason)
            answer.ended = True
            request.last = last
            if last is not None:
                self.transmit(request, last)
            self.forget(request)
        elif request.task is None:
            return
        request.aborted = reason
        request.aborted_at = self.source.loop.time()
        for child in tuple(request.children or ()):
            child.cancel()
        if request.task is None and not request.is_running:
            self._withdraw(request)
        elif request.task is not None and request.is_running:
            # A task that is cancelled before its first step never gets to its own cleaning up.
            request.task.cancel()

    async def run_detached(self, request: Request) -> None:
        """Run a request and wait for it; for sources without connections. Cancelling the caller cancels it."""
        self._start(request)
        task = request.task
        assert task is not None
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            self.abort(request, "cancelled")
            raise

    # Queueing and running.

    def _unfinished(self) -> list[Request]:
        """Every request that is queued, waits in a lane, or runs; those in a queue in its order."""
        lanes = self._lanes.values() if self._lanes is not None else ()
        waiting = (request for lane in lanes for request in lane)
        return [*dict.fromkeys((*(self._queue or ()), *waiting, *(self._live or ())))]

    def _enqueue(self, request: Request) -> None:
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
        queue.append(request)
        if self._worker is None:
            self._worker = asyncio.Task(self._work(), loop=self.source.loop)

    def _withdraw(self, request: Request) -> None:
        """Take a request that has ended out of its queue: it is in flight no longer (P9.2)."""
        request.generator = None
        lanes = self._lanes or {}
        for waiting in (self._queue, lanes.get(request.route.key)):
            if waiting is not None and request in waiting:
                waiting.remove(request)
                self._release()
                return

    async def _work(self) -> None:
        """Run queued plain handlers one after the other, then end."""
        me = self._worker
        queue = self._queue
        live = self._live
        if live is None:
            live = self._live = set()
        assert queue is not None
        try:
            while queue and self._worker is me:
                request = queue.popleft()
                request.task = me
                request.is_running = True
                live.add(request)
                CURRENT.set(request)
                try:
                    await run_plain(request)
                finally:
                    request.task = None
                    live.discard(request)
                    if request.generator is None:
                        request.unlink()
                        self._release()
                    else:
                        self._go_on(request)
                connection = self.connection  # a resumed session has another one
                if connection.paused and connection.is_open:
                    await connection.drain()
        finally:
            if self._worker is me:
                self._worker = None
                if queue and not self.source.is_stopped:
                    self._worker = asyncio.Task(self._work(), loop=self.source.loop)

    def _go_on(self, request: Request) -> None:
        """A call gave a generator: from now on it is a stream, in the lane of streams, and the queue goes on (P9.1)."""
        request.is_running = False
        if self.source.is_stopped:
            self.abort(request, "draining")
            self._release()
        else:
            self._admit(request)

    def _admit(self, request: Request) -> None:
        """Decide what happens beside a running request of the same event (P9.1)."""
        route = request.route
        if route.concurrency == "parallel" or self._is_repetition(request):
            self._start(request)
            return
        if self._lanes is None:
            self._lanes = {}
        lane = self._lanes.setdefault(route.key, deque())
        if route.concurrency == "reject" and lane:
            text = f"`{route.key}` is still running on this connection"
            self.finish_unstarted(request, request.answer.error("busy", text))
            return
        if route.concurrency == "interrupt":
            for running in tuple(lane):
                self.abort(running, "superseded")
        lane.append(request)
        if route.concurrency != "enqueue" or len(lane) == 1:
            self._start(request)

    def _is_repetition(self, request: Request) -> bool:
        """Whether it is what runs already: no second one to reject, and no newer one that takes its place."""
        key = request.idempotency
        return key is not None and request.route.concurrency != "enqueue" and self.source.replies.is_running(key)

    def _start(self, request: Request) -> None:
        if self._live is None:
            self._live = set()
        self._live.add(request)
        request.task = asyncio.Task(self._run(request), loop=self.source.loop)

    async def _run(self, request: Request) -> None:
        CURRENT.set(request)
        request.is_running = True
        try:
            if request.answer.ended:
                return
            if request.route.streams:
                await run_stream(request)
            else:
                await run_plain(request)
                if request.generator is not None:
                    await run_stream(request)
        finally:
            request.task = None
            request.unlink()
            if self._live is not None:
                self._live.discard(request)
            self._leave_lane(request)
            self._release()

    def _leave_lane(self, request: Request) -> None:
        """Let the next request of the lane start."""
        key = request.route.key
        lane = self._lanes.get(key) if self._lanes is not None else None
        if lane is None or request not in lane:
            return
        was_first = lane[0] is request
        lane.remove(request)
        if request.route.concurrency == "enqueue" and was_first and lane:
            self._start(lane[0])
            return
        if not lane and self._lanes is not None:
            self._lanes.pop(key, None)

    def _release(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self.source.busy.discard(self)

    def _abandon(self, request: Request) -> None:
        """Go on without a handler that swallowed its cancellation."""
        task, request.task = request.task, None
        request.logger.warning("handler ignores its cancellation; going on without it", fn=request.route.fn)
        if task is self._worker:
            self._worker = None
            if self._queue:
                self._worker = asyncio.Task(self._work(), loop=self.source.loop)
        else:
            self._leave_lane(request)

    def _disconnected(self, request: Request) -> None:
        policy = request.route.on_disconnect
        if policy == "continue":
            return
        if isinstance(policy, int | float):
            self.source.wheel.schedule(policy, lambda: self.abort(request, "disconnected"))
        else:
            self.abort(request, "disconnected")

    def _send(self, data: bytes | None) -> None:
        if data is not None and self.connection.is_open:
            self.connection.send_text(data)


def _last_frame(request: Request, reason: str) -> bytes | None:
    """Make the terminal frame of an aborted request: streams end, plain handlers time out as errors."""
    answer = request.answer
    if reason == "disconnected":
        return None
    if reason == "timeout" and not request.route.streams:
        return answer.error("timeout", f"`{request.route.key}` took longer than {request.route.timeout:g} s")
    if reason == "draining":
        # Neither called nor about to be: whoever sends it again does nothing twice.
        was_taken = request.is_running or request.task is not None or request.generator is not None
        if not request.route.streams:
            return answer.error("draining", "the server is shutting down; reconnect", taken=was_taken)
        return answer.end("draining", None if was_taken else {"taken": False})
    if reason in ("cancelled", "superseded") and answer.id is None and not request.route.streams:
        return None
    return answer.end(reason)  # type: ignore[arg-type]  # one of EndReason by now
