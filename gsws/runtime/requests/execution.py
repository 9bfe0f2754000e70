"""
Running one handler: authorise, call, hold its answer to the contract, turn every outcome into one terminal frame.

Who runs what when is in `gsws.runtime.requests.scheduler`. Nothing that a handler does, not even `SystemExit`, gets
past here.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Final

from gsws.diagnostics.mask import hide
from gsws.errors import ConnectionClosed
from gsws.protocol.answer import Frame, chunk_payload
from gsws.protocol.codec import Unserialisable
from gsws.protocol.status import as_status
from gsws.routing.adapt import HandlerKind
from gsws.runtime.access import refusal_of
from gsws.runtime.requests.contract import ReplyViolation, check_emit, check_reply
from gsws.runtime.requests.request import Request
from gsws.runtime.threads import Steps
from gsws.types import GSStatus, JSONObject

__all__ = ["invoke", "run"]

_TURN: Final = 16
"""Items a generator may yield without waiting before others get a turn of the loop."""

_MOST_TEXT: Final = 1000
"""Characters of an exception's text that are told."""

_VALUES: Final = frozenset({dict, list, str, int, float, bool, type(None), GSStatus})
"""Types of most replies; whatever else was returned is looked at closely."""


async def run(request: Request, now: float) -> None:
    """
    Run a request until it has its terminal frame; ``now`` is the loop's time.

    If its handler was not known to be a generator and gives one, that is left as ``request.generator``, and another
    run sends what it yields: ``stream.start``, a ``stream.chunk`` an item, one terminal frame (P6.1).
    """
    route = request.route
    if route.timeout is not None:
        request.deadline = now + route.timeout
    try:
        generator, request.generator = request.generator, None
        if generator is None:
            if route.authz is not None and not await _is_authorized(request):
                return
            if request.idempotency is not None and await _is_repeated(request):
                return
            result = await (route.call(request) if route.kind == "async" else _called(request))
            if type(result) in _VALUES or (generator := await _generator(request, result)) is None:
                # What is written as a stream may be wrapped in a function that answers by itself: a refusal, a cache.
                _reply(request, result)
                return
            if not route.streams:
                await _leave(request, generator)
                return
        await _iterate(request, generator)
    except BaseException as error:  # a handler may raise anything
        _failed(request, error)
    finally:
        request.deadline = None
        if request.aborted is not None or (request.task is not None and request.task.cancelling()):
            await _take_back(request)


async def invoke(kind: HandlerKind, call: Callable[[Any], Any], request: Request) -> Any:
    """Call a function of the project that is no generator: awaited, or in a thread."""
    if kind == "async":
        return await call(request)
    # What the call needs is looked up in the thread too; nothing of it changes meanwhile.
    result = await request.outlet.executor.threads.run(partial(call, request), partial(_abandoned, request))
    if inspect.isawaitable(result):
        result = await result
    return result


async def _called(request: Request) -> Any:
    """Call the handler where its kind belongs, and give what it returned: a value, or something to iterate."""
    route = request.route
    if route.kind == "async":
        return await route.call(request)
    if route.kind == "stream":
        result = route.call(request)
    else:
        threads = request.outlet.executor.threads
        result = await threads.start(partial(route.call, request), partial(_abandoned, request))
    return await result if inspect.isawaitable(result) else result


async def _generator(request: Request, result: Any) -> AsyncIterator[Any] | None:
    """What a handler returned as something to iterate; None if it is a value."""
    if isinstance(result, Steps):
        return result
    if hasattr(result, "__aiter__"):
        return aiter(result)  # type: ignore[no-any-return]
    if isinstance(result, Iterator):
        # Made on the loop by an `async def`, and never begun: it gets its thread now.
        threads = request.outlet.executor.threads
        steps: Steps = await threads.start(lambda: result, partial(_abandoned, request))
        return steps
    return None


async def _leave(request: Request, generator: AsyncIterator[Any]) -> None:
    """Leave a generator that nobody knew of for another run, as a stream."""
    route = request.route
    if request.aborted is None and route.answers != "reply":
        request.route = route.as_stream()
        request.generator = generator
        return
    await _close(generator)
    if request.aborted is None:
        raise TypeError("the event says `answers: reply`, but its handler gave something to iterate")


def _reply(request: Request, result: Any) -> None:
    """Send what a handler returned as its terminal frame."""
    if request.route.checks_reply:
        status = as_status(result)
        check_reply(request.route, status)
        request.end(request.answer.reply(status))
    else:
        request.end(request.answer.result(result))


async def _iterate(request: Request, generator: AsyncIterator[Any]) -> None:
    """Send what a generator yields until it ends or the request is aborted; always close it."""
    answer, outlet = request.answer, request.outlet
    checks = request.route.emits.get("stream.chunk") is not None
    turn = 0
    try:
        async for item in generator:
            if request.aborted is not None:
                return
            if type(item) is Frame or isinstance(item, GSStatus):
                if type(item) is not Frame or item.eventtype != "stream.chunk":
                    if await _special(request, item):
                        return
                    continue
                item = item.payload  # a chunk, whichever way it was yielded
            payload = {"message": item} if type(item) is str else chunk_payload(item)
            if checks:
                check_emit(request.route, "stream.chunk", payload)
            if not answer.started:
                request.opens()
                _send(request, answer.start())
            _send(request, answer.chunk(payload))
            turn += 1
            connection = outlet.connection
            # One that is closed has nothing to wait for, and stays paused for ever.
            if connection.paused and connection.is_open:
                await connection.drain()
            elif turn >= _TURN:
                turn = 0
                await asyncio.sleep(0)
        if request.aborted is None and not answer.ended:
            _send(request, answer.start())
            request.end(answer.end("complete"))
    finally:
        await _close(generator)


async def _close(generator: AsyncIterator[Any]) -> None:
    close = getattr(generator, "aclose", None)
    if close is not None:
        await close()


async def _special(request: Request, item: Any) -> bool:
    """Take a yielded `Frame` or status; True if it was terminal."""
    answer = request.answer
    if type(item) is Frame:
        await request.emit(item.eventtype, item.payload)
        return answer.ended
    if item.success:
        _send(request, answer.start())
        extra = dict(item.data) if isinstance(item.data, dict) else {} if item.data is None else {"data": item.data}
        if item.message is not None:
            extra["message"] = item.message
        request.end(answer.end("complete", extra))
    else:
        request.end(answer.failure(item))
    return True


def _abandoned(request: Request) -> None:
    """A thread outlives its request: it is named in the log."""
    request.outlet.executor.counters.add("threads.abandoned")
    request.logger.warning("handler goes on in its thread, which cannot be stopped", fn=request.route.fn)


async def _is_authorized(request: Request) -> bool:
    """Ask the event's ``authz``; anything but a clear yes refuses, and is answered here."""
    authz = request.route.authz
    assert authz is not None
    refusal: GSStatus | None = None
    if not request.actor.scopes.issuperset(authz.scopes):
        missing = ", ".join(sorted(set(authz.scopes) - request.actor.scopes))
        refusal = GSStatus(False, 403, f"`{request.route.key}` needs the scope {missing}")
    elif authz.call is not None:
        try:
            verdict = await invoke(authz.kind or "async", authz.call, request)
        except Exception as error:
            _log(request, "authz function raised; refused", error)
            verdict = False
        refusal = refusal_of(verdict, f"not allowed to send `{request.route.key}`")
    if refusal is None:
        return True
    if request.aborted is None:
        request.end(request.answer.failure(refusal))
    return False


async def _is_repeated(request: Request) -> bool:
    """Let an earlier request with the same key answer (P5.4); False for the first one."""
    is_answered, last = await request.outlet.executor.idempotency.repeat(request)
    if is_answered:
        request.end(last)
    return is_answered


def _send(request: Request, data: bytes | None) -> None:
    if data is not None:
        request.outlet.transmit(request.answer, data)


def _failed(request: Request, error: BaseException) -> None:
    """Turn what a handler raised into its terminal frame; the log has the trace, the client has not (P7.1)."""
    if not _is_running(request) and isinstance(error, GeneratorExit):
        raise error  # the coroutine is being thrown away; nobody waits for an answer
    if isinstance(error, asyncio.CancelledError) and request.aborted is None and request.outlet.executor.is_stopped:
        raise error  # nobody aborted the request: the service itself ends this task
    if request.aborted is not None:
        if not isinstance(error, asyncio.CancelledError | ConnectionClosed):
            _log(request, "handler raised while it was being cancelled", error)
        return
    outlet = request.outlet
    if isinstance(error, ConnectionClosed) and not outlet.connection.is_open:
        request.logger.debug("client left before the answer", fn=request.route.fn)
        request.aborted = "disconnected"
        request.aborted_at = outlet.executor.loop.time()
        # Whoever resumes a session is owed a terminal frame (P5.2); it is no result of the handler's.
        is_owed = outlet.session_id is not None
        request.end(request.answer.error("handler_error", _failure(request)) if is_owed else None)
        return
    route = request.route
    errors = None
    if isinstance(error, ReplyViolation):
        errors = error.errors if request.outlet.executor.development else None
        name = "reply_violation"
        message = f"The answer of handler {route.fn} for the event {route.key} does not fit its schema"
    else:
        name = "handler_error"
        message = _failure(request)
    try:
        _log(request, "handler failed", error)
    finally:
        told = _told(request, error)
        request.end(request.answer.error(name, message, errors=errors, request=request.request_id, data=told))


def _told(request: Request, error: BaseException) -> JSONObject | None:
    """What the caller learns of an exception: in development what it says, else nothing at all (P7.1)."""
    if not request.outlet.executor.development:
        return None
    return {"exception": type(error).__name__, "text": hide(_text(error)[:_MOST_TEXT])}


def _failure(request: Request) -> str:
    return f"Error in executing handler {request.route.fn} for the event {request.route.key}"


def _is_running(request: Request) -> bool:
    """Whether this is a step of the request's task; if not, its coroutine is being thrown away."""
    try:
        return asyncio.current_task() is request.task
    except RuntimeError:  # the loop has ended
        return False


async def _take_back(request: Request) -> None:
    """After a cancelled handler: its cancellation was meant for this request alone, not for those behind it."""
    task = request.task
    if task is None or not _is_running(request) or not task.cancelling():
        return
    while task.cancelling():
        task.uncancel()
    # One that was asked for but not delivered, because the handler did not wait any more, would hit the next request.
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


def _log(request: Request, event: str, error: BaseException) -> None:
    trace = not isinstance(error, ReplyViolation | Unserialisable)
    errors = {"errors": error.errors} if isinstance(error, ReplyViolation) else {}
    request.logger.error(
        event,
        fn=request.route.fn,
        error=f"{type(error).__name__}: {_text(error)}"[:1000],
        **errors,
        exc_info=(type(error), error, error.__traceback__) if trace else None,
    )


def _text(error: BaseException) -> str:
    """What an exception says, also one that cannot say it."""
    try:
        return str(error)
    except Exception:
        return "<its text cannot be made>"
