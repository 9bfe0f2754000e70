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
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gsws.protocol.closecodes import CloseCode
from gsws.protocol.codec import encode

if TYPE_CHECKING:
    from gsws.runtime.requests.request import Request
    from gsws.runtime.transport import Connection

__all__ = ["DONE", "HandlerSocket", "on_loop", "pause", "wait_for_room"]

_T = TypeVar("_T")

_TURN: Final = 16
"""Frames that a handler may send without waiting before others get a turn of the loop."""

_AHEAD: Final = 65536
"""Bytes that a thread may send before it waits for the loop."""

_FORGOTTEN: Final = 64 * 2**20
"""Bytes that a handler may send without awaiting any of it to a client that does not read; then that is closed."""


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

    def __init__(self, request: Request) -> None:
        self._request = request
        self._ahead = 0

    @property
    def readyState(self) -> int:  # noqa: N802  # the name that users know
        """1 (``OPEN``) while messages can be sent, else 3 (``CLOSED``)."""
        return self.OPEN if self._request.client.connection.is_open else self.CLOSED

    @property
    def client_id(self) -> str:
        """The connection's label (P4.1)."""
        return self._request.client.label

    @property
    def id(self) -> str:
        """The server's own id of the connection."""
        return self._request.client.id

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
        on_loop(self._request, partial(self._request.client.close, code, reason))
        return DONE

    def _deliver(self, data: bytes, *, binary: bool = False) -> Awaitable[None]:
        request = self._request
        if threading.get_ident() != request.client.source.thread:
            return self._hand_over(data, binary)
        if request.aborted is not None:
            # P6.6: the answer was cancelled, and its handler has not noticed or does not care: no further frame.
            if not request.client.is_open:
                raise request.client.closed_error()
            return DONE
        client = request.client
        connection = client.connection
        if connection.paused:
            self._watch(len(data))
        else:
            self._ahead = 0
        if binary or not connection.is_open:
            client.deliver(data, binary=binary)
        else:
            connection.send_text(data)
        if connection.paused:
            return _Drain(connection)
        request.sent += 1
        return DONE if request.sent % _TURN else _NEXT

    def _watch(self, size: int) -> None:
        """Bound what a handler that never awaits leaves in memory for a client that does not read (P9.3)."""
        if self._ahead > _FORGOTTEN:
            self._request.client.close(CloseCode.SLOW_CONSUMER, "slow consumer")
        self._ahead += size

    # From a thread: a plain function, or a callback that a library runs in one.

    def _hand_over(self, data: bytes, binary: bool) -> Awaitable[None]:
        """Queue on the loop, in order; the thread itself waits while the client's send buffer is full."""
        client = self._request.client
        if not client.is_open:
            raise client.closed_error()
        loop = client.source.loop
        loop.call_soon_threadsafe(self._queue, data, binary)
        self._ahead += len(data)
        if self._ahead >= _AHEAD or client.connection.paused:
            self._ahead = 0
            wait_for_room(self._request)
        return DONE

    def _queue(self, data: bytes, binary: bool) -> None:
        # The client may have left in between; there is nobody to tell any more.
        if self._request.client.is_open:
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


def pause(request: Request) -> Awaitable[None]:
    """What a handler awaits after a frame: room in the send buffer, and now and then a turn for others."""
    connection = request.client.connection
    if connection.paused:
        return _Drain(connection)
    request.sent += 1
    return DONE if request.sent % _TURN else _NEXT


def on_loop(request: Request, function: Callable[[], _T]) -> _T:
    """
    Call a function on the loop's thread: here, or from another one that waits for it.

    Raises:
        ConnectionClosed: If the loop has ended.
        BaseException: What the function raised.
    """
    source = request.client.source
    if threading.get_ident() == source.thread:
        return function()
    future: concurrent.futures.Future[_T] = concurrent.futures.Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # it belongs to the thread that waits
            future.set_exception(error)

    try:
        source.loop.call_soon_threadsafe(call)
    except RuntimeError:
        raise request.client.closed_error() from None
    while not concurrent.futures.wait([future], timeout=1.0).done:
        if source.loop.is_closed():
            raise request.client.closed_error()
    return future.result()


def wait_for_room(request: Request) -> None:
    """Hold a thread back until its client's send buffer is under its high-water mark."""
    client = request.client
    loop = client.source.loop
    drained = client.connection.drain()
    try:
        room = asyncio.run_coroutine_threadsafe(drained, loop)
    except RuntimeError:  # the loop has ended
        drained.close()
        return
    with contextlib.suppress(concurrent.futures.CancelledError):
        while not concurrent.futures.wait([room], timeout=1.0).done and not loop.is_closed():
            continue
