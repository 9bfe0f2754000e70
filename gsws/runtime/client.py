"""
One client of one connection: its messages become requests, its requests run in the order of section 9.

A message is decoded, looked up and checked at once; what runs is a worker task that lives while plain handlers are
queued, and one task for each stream. An idle client owns no task and no container.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from gsws.protocol.answer import Answer, error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.protocol.codec import decode
from gsws.protocol.errors import WireError
from gsws.routing.table import Route
from gsws.runtime.execution import run_plain, run_stream
from gsws.runtime.rate import TokenBucket
from gsws.runtime.request import CURRENT, DONE, Request, closed
from gsws.types import GSActor, JSONObject, RequestId

if TYPE_CHECKING:
    from gsws.runtime.hub import Hub
    from gsws.runtime.source import LiveSource
    from gsws.runtime.transport import Connection

__all__ = ["ABANDON_AFTER", "Client", "label_of"]

ABANDON_AFTER: Final = 5.0
"""Seconds after which a handler that ignores its cancellation no longer holds up those behind it."""

_LABEL_LENGTH: Final = 128
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def label_of(query: str) -> str:
    """Read a connection's label from its query (P4.1); control characters are dropped, 128 characters are kept."""
    for key, value in parse_qsl(query, max_num_fields=64) if query else ():
        if key == "clientId" and (label := _CONTROL.sub("", value)[:_LABEL_LENGTH]):
            return label
    return f"anon-{uuid.uuid4()}"


class Client:
    """
    The runtime's side of one connection; the transport's `Receiver`.

    Attributes:
        label: The ``clientId`` (P4.1).
        requests: Requests with an id that have no terminal frame yet, by id.
        in_flight: Requests that are queued or running, those without an id included.
    """

    __slots__ = (
        "_actor",
        "_buckets",
        "_counter",
        "_lanes",
        "_live",
        "_queue",
        "_rooms",
        "_worker",
        "connection",
        "in_flight",
        "label",
        "requests",
        "source",
    )

    def __init__(self, source: LiveSource, connection: Connection, actor: GSActor | None = None) -> None:
        self.source = source
        self.connection = connection
        self.label = label_of(connection.query)
        self.requests: dict[RequestId, Request] = {}
        self.in_flight = 0
        self._actor = actor
        self._counter = 0
        self._worker: asyncio.Task[None] | None = None
        self._queue: deque[Request] | None = None
        self._lanes: dict[str, deque[Request]] | None = None
        self._live: set[Request] | None = None
        self._rooms: set[str] | None = None
        self._buckets: dict[str, TokenBucket] | None = None

    # What requests need to know.

    @property
    def id(self) -> str:
        return self.connection.id

    @property
    def is_open(self) -> bool:
        return self.connection.is_open

    @property
    def hub(self) -> Hub:
        return self.source.hub

    @property
    def actor(self) -> GSActor:
        if self._actor is None:
            self._actor = GSActor(self.label)
        return self._actor

    @property
    def logger(self) -> Any:
        return self.source.logger.bind(connection=self.id, client=self.label)

    @property
    def metadata(self) -> JSONObject:
        return {
            "connection": self.id,
            "path": self.connection.path,
            "query": self.query(),
            "host": self.connection.host,
            "subprotocol": self.connection.subprotocol,
        }

    def query(self) -> dict[str, str]:
        """The connection's query, the first value of each key."""
        result: dict[str, str] = {}
        for key, value in parse_qsl(self.connection.query, keep_blank_values=True, max_num_fields=64):
            result.setdefault(key, value)
        return result

    def next_request_id(self) -> str:
        self._counter += 1
        return f"{self.id}-{self._counter}"

    # The transport calls these.

    def message(self, data: bytes) -> None:
        """Take one message: answer it at once if it cannot be taken, else queue or start it."""
        source = self.source
        try:
            eventtype, id, meta, message = decode(data, source.json_depth)
        except WireError as error:
            self._refuse(error.name, error.message, error.id)
            return
        if eventtype[:5] == "gsws.":
            self._control(eventtype, id, message.get("payload"))
            return
        if id is not None and id in self.requests:
            self._send(_refusal("duplicate_id", f"a request with the id {_shown(id)} is still running", id))
            return
        route = source.routes.get(eventtype)
        if route is None:
            self._refuse("unknown_event", f"Unknown or unconfigured event type: {eventtype}", id)
            return
        if self.in_flight >= source.max_in_flight:
            self._refuse("too_many_requests", "too many requests are queued or running", id, retry_after_ms=1000)
            return
        if source.is_guarded and self._is_refused(route, id):
            return
        request = Request(self, route, Answer(id), message, meta)
        if route.check is not None and not route.check(message if route.whole else request.payload):
            if not self._violates(request):
                return
        elif route.query is not None and not route.query(self.query()):
            self._refuse("schema_violation", "the connection's query does not fit the event's `params`", id)
            return
        if id is not None:
            self.requests[id] = request
        self.in_flight += 1
        if self.in_flight == 1:
            source.mark_busy(self)
        if request.route.concurrency == "enqueue" and not request.route.streams:
            self._enqueue(request)
        else:
            self._admit(request)

    def binary(self, data: bytes) -> None:
        """Take a binary message as if it were text (P1.1)."""
        self.message(data)

    def closed(self, code: int, reason: str) -> None:
        """The connection has ended: end, or go on with, what runs, as each event says (P6.7)."""
        self.source.clients.discard(self)
        self._leave_rooms()
        for request in self._unfinished():
            self._disconnected(request)

    # Requests call these.

    def deliver(self, data: bytes, *, binary: bool = False) -> Awaitable[None]:
        """
        Queue a message at once; the result waits while the send buffer is over its high-water mark.

        Raises:
            ConnectionClosed: If the connection is not open.
        """
        connection = self.connection
        if not connection.is_open:
            raise closed(connection.close_code or 1006, connection.close_reason or "")
        if binary:
            connection.send_binary(data)
        else:
            connection.send_text(data)
        return _Drain(connection) if connection.paused else DONE

    def push(self, prepared: bytes) -> None:
        """Queue a whole frame without waiting; a client that does not keep up is closed (P9.3)."""
        connection = self.connection
        if not connection.is_open:
            return
        connection.send_prepared(prepared)
        if connection.buffered > self.source.send_buffer:
            connection.close(CloseCode.SLOW_CONSUMER, "slow consumer")
            self._leave_rooms()

    def close(self, code: int, reason: str) -> None:
        self.connection.close(code, reason)
        self._leave_rooms()

    def join(self, room: str) -> None:
        if self.is_open:
            self._rooms = self._rooms or set()
            self._rooms.add(room)
            self.hub.join(room, self)

    def leave(self, room: str) -> None:
        if self._rooms is not None:
            self._rooms.discard(room)
        self.hub.leave(room, self)

    def _leave_rooms(self) -> None:
        rooms, self._rooms = self._rooms, None
        for room in rooms or ():
            self.hub.leave(room, self)

    def forget(self, request: Request) -> None:
        """The terminal frame was made: its id may be used again."""
        id = request.answer.id
        if id is not None and self.requests.get(id) is request:
            del self.requests[id]

    # The source calls these.

    def expire(self, now: float) -> None:
        """End what has run for too long, and pass by what ignores its cancellation."""
        for request in tuple(self._live or ()):
            if request.aborted is None:
                if request.deadline is not None and now >= request.deadline:
                    self.abort(request, "timeout")
            elif now - request.aborted_at >= ABANDON_AFTER and request.task is not None:
                self._abandon(request)

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
            self._send(_last_frame(request, reason))
            answer.ended = True
            self.forget(request)
        elif request.task is None:
            return
        request.aborted = reason
        request.aborted_at = self.source.loop.time()
        for child in tuple(request.children or ()):
            child.cancel()
        if request.task is not None and request.is_running:
            # A task that is cancelled before its first step never gets to its own cleaning up.
            request.task.cancel()

    async def run_detached(self, request: Request, run: Callable[[Request], Awaitable[None]]) -> None:
        """Run a request in the caller's task, watched like any other; for sources without connections."""
        self._live = {request}
        request.task = asyncio.current_task()
        request.is_running = True
        CURRENT.set(request)
        try:
            await run(request)
        finally:
            request.task = None
            self._live.clear()
            self._release()

    # Queueing and running.

    def _unfinished(self) -> set[Request]:
        """Every request that is queued, waits in a lane, or runs."""
        lanes = self._lanes.values() if self._lanes is not None else ()
        waiting = (request for lane in lanes for request in lane)
        return {*(self._queue or ()), *waiting, *(self._live or ())}

    def _enqueue(self, request: Request) -> None:
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
        queue.append(request)
        if self._worker is None:
            self._worker = asyncio.Task(self._work(), loop=self.source.loop)

    async def _work(self) -> None:
        """Run queued plain handlers one after the other, then end."""
        me = self._worker
        queue = self._queue
        live = self._live
        if live is None:
            live = self._live = set()
        connection = self.connection
        assert queue is not None
        try:
            while queue and self._worker is me:
                request = queue.popleft()
                if not request.answer.ended:
                    request.task = me
                    request.is_running = True
                    live.add(request)
                    CURRENT.set(request)
                    try:
                        await run_plain(request)
                    finally:
                        request.task = None
                        live.discard(request)
                        self._release()
                    if connection.paused:
                        await connection.drain()
                else:
                    self._release()
        finally:
            if self._worker is me:
                self._worker = None
                if queue and not self.source.is_stopped:
                    self._worker = asyncio.Task(self._work(), loop=self.source.loop)

    def _admit(self, request: Request) -> None:
        """Decide what happens beside a running request of the same event (P9.1)."""
        route = request.route
        if route.concurrency == "parallel":
            self._start(request)
            return
        if self._lanes is None:
            self._lanes = {}
        lane = self._lanes.setdefault(route.key, deque())
        if route.concurrency == "reject" and lane:
            self._finish_unstarted(request, "busy", f"`{route.key}` is still running on this connection")
            return
        if route.concurrency == "interrupt":
            for running in tuple(lane):
                self.abort(running, "superseded")
        lane.append(request)
        if route.concurrency != "enqueue" or len(lane) == 1:
            self._start(request)

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
        finally:
            request.task = None
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
        if request.route.concurrency == "enqueue" and was_first:
            while lane:
                if not lane[0].answer.ended:
                    self._start(lane[0])
                    return
                lane.popleft()
                self._release()
        if not lane and self._lanes is not None:
            self._lanes.pop(key, None)

    def _release(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self.source.busy.discard(self)

    def _abandon(self, request: Request) -> None:
        """Go on without a handler that swallowed its cancellation."""
        task, request.task = request.task, None
        self.logger.warning(
            "handler ignores its cancellation; going on without it",
            event_key=request.route.key,
            fn=request.route.fn,
            request=request.request_id,
        )
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

    # Refusals and control frames.

    def _violates(self, request: Request) -> bool:
        """Answer a message that does not fit; True if the project's own hook answers it."""
        route = request.route
        assert route.explain is not None
        errors = route.explain(request.message if route.whole else request.payload)
        if route.on_invalid is not None:
            request.violation = errors
            request.route = route.on_invalid
            return True
        first = errors[0] if errors else None
        text = f"{first['pointer'] or 'the message'}: {first['message']}" if first else "the message does not fit"
        self._refuse("schema_violation", f"Request validation failed: {text}", request.answer.id, errors=errors)
        return False

    def _is_refused(self, route: Route, id: RequestId | None) -> bool:
        """Refuse while draining, and over the rates; only called when one of them may be."""
        source = self.source
        if source.is_draining:
            self._refuse("draining", "the server is shutting down; reconnect", id)
            return True
        wait = 0.0
        for key, rate in (("", source.rate), (route.key, source.event_rates.get(route.key))):
            if rate is not None and not wait:
                if self._buckets is None:
                    self._buckets = {}
                bucket = self._buckets.get(key)
                if bucket is None:
                    bucket = self._buckets[key] = TokenBucket(rate.messages, rate.per, rate.burst)
                wait = bucket.take(source.loop.time())
        if wait:
            self._refuse("too_many_requests", "over the rate limit", id, retry_after_ms=max(1, int(wait * 1000)))
            return True
        return False

    def _finish_unstarted(self, request: Request, name: str, message: str) -> None:
        made = request.answer.error(name, message)
        self.forget(request)
        self._release()
        self._send(made)

    def _control(self, eventtype: str, id: RequestId | None, payload: Any) -> None:
        """Answer ``gsws.cancel`` and ``gsws.ping``; others are ignored (P2.4)."""
        if eventtype == "gsws.ping":
            self._send(frame("gsws.pong", payload if isinstance(payload, dict) else {}, id))
        elif eventtype == "gsws.cancel":
            target = payload.get("id", id) if isinstance(payload, dict) else id
            if not isinstance(target, str | int) or isinstance(target, bool):
                self._refuse("invalid_message", "`gsws.cancel` needs the `id` of a request in its payload", id)
                return
            request = self.requests.get(target)
            if request is None:
                self._send(_refusal("unknown_id", f"no request with the id {_shown(target)} is running", target))
            else:
                self.abort(request, "cancelled")

    def _refuse(self, name: str, message: str, id: RequestId | None, **details: Any) -> None:
        """Answer a message that never becomes a request."""
        self._send(Answer(id).error(name, message, **details))

    def _send(self, data: bytes | None) -> None:
        if data is not None and self.connection.is_open:
            self.connection.send_text(data)


class _Drain:
    """Waits, when awaited, until the connection's send buffer is under its high-water mark."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __await__(self) -> Generator[Any, None, None]:
        return self._connection.drain().__await__()


def _refusal(name: str, message: str, id: RequestId) -> bytes:
    """
    Make an error about an id that names another request, or none.

    It carries the id but no ``seq``: it is no part of that request's answer (P5.4).
    """
    return frame("stream.error", error_payload(name, message), id)


def _last_frame(request: Request, reason: str) -> bytes | None:
    """Make the terminal frame of an aborted request: streams end, plain handlers time out as errors."""
    answer = request.answer
    if reason == "disconnected":
        return None
    if reason == "timeout" and not request.route.streams:
        return answer.error("timeout", f"`{request.route.key}` took longer than {request.route.timeout:g} s")
    if reason == "draining" and not request.route.streams:
        return answer.error("draining", "the server is shutting down; reconnect")
    if reason in ("cancelled", "superseded") and answer.id is None and not request.route.streams:
        return None
    return answer.end(reason)  # type: ignore[arg-type]  # one of EndReason by now


def _shown(id: RequestId) -> str:
    text = str(id)
    return f"`{text[:64]}`"
