"""
The connection as a handler sees it, and what sending on it makes a handler wait for.

Whose request it is, and what frames of its answer look like, is in `gsws.runtime.requests.request`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from gsws.protocol.codec import encode
from gsws.runtime.requests.executor import Outlet, closed_error
from gsws.runtime.transport import Connection

__all__ = ["DONE", "HandlerSocket", "on_loop", "pause", "wait_for_room"]

_T = TypeVar("_T")

_TURN: Final = 16
"""Frames that a handler may send without waiting before others get a turn of the loop."""

_AHEAD: Final = 65536
"""Bytes that a thread may send before it waits for the loop."""

_FORGOTTEN: Final = 64 * 2**20
"""Bytes that a client that does not read may leave waiting of what a handler sends without awaiting it (P9.3)."""


class Sender(Protocol):
    """
    Whose handler sends.

    Attributes:
        outlet: To whom.
        aborted: Why its request was ended from outside, or None.
        sent: Frames that the handler sent by itself without having to wait for the client.
    """

    outlet: Outlet
    aborted: str | None
    sent: int


class HandlerSocket:
    """
    The connection as a handler sees it: ``ws``.

    `send` queues at once and returns an awaitable that waits for room in the send buffer, so that a forgotten
    ``await`` loses nothing but back-pressure. In a thread, where nothing can be awaited, it waits by itself.
    """

    CONNECTING: Final = 0
    OPEN: Final = 1
    CLOSING: Final = 2
    CLOSED: Final = 3

    __slots__ = ("_ahead", "_request")

    def __init__(self, request: Sender) -> None:
        self._request = request
        self._ahead = 0

    @property
    def readyState(self) -> int:  # noqa: N802  # the name that users know
        """1 (``OPEN``) while messages can be sent, else 3 (``CLOSED``)."""
        return self.OPEN if self._request.outlet.connection.is_open else self.CLOSED

    @property
    def client_id(self) -> str:
        """The connection's label (P4.1)."""
        return self._request.outlet.label

    @property
    def id(self) -> str:
        """The server's own id of the connection."""
        return self._request.outlet.connection.id

    def send(self, data: Any) -> Awaitable[None]:
        """
        Send a text (str), a binary message (bytes) or any JSON value (an object, a list, a number).

        Raises:
            ConnectionClosed: If the connection is not open.
            Unserialisable: If a value has no JSON form.
        """
        if type(data) is dict:
            return self._deliver(encode(data))
        if isinstance(data, str):
            return self._deliver(data.encode())
        if isinstance(data, bytes | bytearray | memoryview):
            return self._deliver(bytes(data), binary=True)
        return self._deliver(encode(data))

    def send_json(self, value: Any) -> Awaitable[None]:
        """Send any JSON value, a string too, as JSON text."""
        return self._deliver(encode(value))

    def close(self, code: int = 1000, reason: str = "") -> Awaitable[None]:
        """Start the closing handshake; codes are 1000 or 3000 to 4999 (RFC 6455 section 7.4.2)."""
        if type(code) is not int or (code != 1000 and not 3000 <= code <= 4999):
            raise ValueError(f"close code {code} is not 1000 or 3000 to 4999")
        if len(reason.encode()) > 123:
            raise ValueError("a close reason has at most 123 bytes in UTF-8")
        on_loop(self._request, partial(self._request.outlet.close, code, reason))
        return DONE

    def _deliver(self, data: bytes, *, binary: bool = False) -> Awaitable[None]:
        request = self._request
        outlet = request.outlet
        if threading.get_ident() != outlet.executor.thread:
            return self._hand_over(data, binary)
        connection = outlet.connection
        if not connection.is_open:
            raise closed_error(connection)
        if request.aborted is not None:
            # P6.6: the answer was cancelled, and its handler has not noticed or does not care: no further frame.
            return DONE
        if connection.paused and not connection.keeps_up(_FORGOTTEN):
            return DONE
        if binary:
            connection.send_binary(data)
        else:
            connection.send_text(data)
        if connection.paused:
            return _Drain(connection)
        request.sent += 1
        return DONE if request.sent % _TURN else _NEXT

    # From a thread: a plain function, or a callback that a library runs in one.

    def _hand_over(self, data: bytes, binary: bool) -> Awaitable[None]:
        """Queue on the loop, in order; the thread itself waits while the client's send buffer is full."""
        outlet = self._request.outlet
        if not outlet.connection.is_open:
            raise closed_error(outlet.connection)
        outlet.executor.loop.call_soon_threadsafe(self._queue, data, binary)
        self._ahead += len(data)
        if self._ahead >= _AHEAD or outlet.connection.paused:
            self._ahead = 0
            wait_for_room(self._request)
        return DONE

    def _queue(self, data: bytes, binary: bool) -> None:
        # The client may have left in between; there is nobody to tell any more.
        if self._request.outlet.connection.is_open:
            self._deliver(data, binary=binary)


class _Wait(Coroutine[Any, Any, None]):
    """What a handler may await, or make a task of, or leave alone."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: Generator[Any, None, None] | None = None

    def send(self, value: Any) -> Any:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.throw(*error)

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()


class _Drain(_Wait):
    """Waits, when awaited, until the connection's send buffer is under its high-water mark."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def __await__(self) -> Generator[Any, None, None]:
        return self._connection.drain().__await__()


_NOTHING: Final[Any] = iter(())


class _Done(_Wait):
    """An awaitable that is ready; one for all."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return _NOTHING  # type: ignore[no-any-return]  # an iterator at its end, as a generator is that returns

    def send(self, value: Any) -> Any:
        raise StopIteration

    def throw(self, *error: Any) -> Any:
        raise error[-1] if isinstance(error[-1], BaseException) else error[0]


DONE: Final = _Done()


class _Turn(_Done):
    """Gives others a turn of the loop when awaited; one for all who await it."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        yield


_NEXT: Final = _Turn()


def pause(request: Sender) -> Awaitable[None]:
    """What a handler awaits after a frame: room in the send buffer, and now and then a turn for others."""
    connection = request.outlet.connection
    if connection.paused:
        return _Drain(connection)
    request.sent += 1
    return DONE if request.sent % _TURN else _NEXT


def on_loop(request: Sender, function: Callable[[], _T]) -> _T:
    """
    Call a function on the loop's thread: here, or from another one that waits for it.

    Raises:
        ConnectionClosed: If the loop has ended.
        BaseException: What the function raised.
    """
    executor = request.outlet.executor
    if threading.get_ident() == executor.thread:
        return function()
    future: concurrent.futures.Future[_T] = concurrent.futures.Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # it belongs to the thread that waits
            future.set_exception(error)

    try:
        executor.loop.call_soon_threadsafe(call)
    except RuntimeError:
        raise closed_error(request.outlet.connection) from None
    while not concurrent.futures.wait([future], timeout=1.0).done:
        if executor.loop.is_closed():
            raise closed_error(request.outlet.connection)
    return future.result()


def wait_for_room(request: Sender) -> None:
    """Hold a thread back until its client's send buffer is under its high-water mark."""
    loop = request.outlet.executor.loop
    drained = request.outlet.connection.drain()
    try:
        room = asyncio.run_coroutine_threadsafe(drained, loop)
    except RuntimeError:  # the loop has ended
        drained.close()
        return
    with contextlib.suppress(concurrent.futures.CancelledError):
        while not concurrent.futures.wait([room], timeout=1.0).done and not loop.is_closed():
            continue
