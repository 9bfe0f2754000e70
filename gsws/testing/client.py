"""
A synchronous WebSocket client for tests: many requests on one connection, a deadline on every wait.

One client is for one thread. A client that reconnects by itself is not here: in a test the cut is the point.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed as Closed
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gsws.errors import ConnectionClosed, GSWSError
from gsws.protocol.profiles import SUBPROTOCOL
from gsws.testing.answers import EMPTY, Answer, Stream
from gsws.types import JSONObject, RequestId

__all__ = ["Client", "HandshakeRefused"]


class HandshakeRefused(GSWSError):
    """
    The server answered the WebSocket handshake with an HTTP error.

    Attributes:
        status: The HTTP status, e.g. 401.
        body: What came with it.
    """

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body

    def __str__(self) -> str:
        return f"the handshake was refused with {self.status}: {self.body.strip()}"


class Client:
    """
    One client of a served project; closed by `close`, as a context manager, or with the project.

    Attributes:
        hello: The payload of ``gsws.hello`` of a session client, else None.
        resumed: The payload of the last ``gsws.resumed``, else None.
    """

    def __init__(
        self,
        address: tuple[str, int],
        *,
        client_id: str | None = "test",
        token: str | None = None,
        session: bool = False,
        headers: Mapping[str, str] | None = None,
        path: str = "/",
        query: Mapping[str, str] | None = None,
        tls: bool = False,
        timeout: float = 5.0,
    ) -> None:
        self.timeout = timeout
        self.hello: JSONObject | None = None
        self.resumed: JSONObject | None = None
        pairs = {**({"clientId": client_id} if client_id is not None else {}), **(query or {})}
        self._url = f"{'wss' if tls else 'ws'}://{address[0]}:{address[1]}{path}" + (
            f"?{urlencode(pairs)}" if pairs else ""
        )
        self._headers = {**({"Authorization": f"Bearer {token}"} if token is not None else {}), **(headers or {})}
        self._session = session
        self._tls = tls
        self._inbox: deque[JSONObject] = deque()
        self._streams: dict[RequestId, Stream] = {}
        self._count = 0
        self._socket = self._connect()
        if session:
            self.hello = self.expect("gsws.hello")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Asking.

    def ask(
        self,
        event: str,
        payload: Any = EMPTY,
        *,
        id: RequestId | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """
        Send one message with an id and read its whole answer, a stream's too.

        Args:
            event: The event's key, e.g. ``websocket.greet``.
            payload: Any JSON value; an empty object if left out.
            id: The request's id; chosen if None.
            meta: ``traceparent`` or ``idempotency_key``.
            timeout: Seconds that the whole answer may take; the client's own if None.

        Raises:
            TimeoutError: If the terminal frame does not come in time; the message tells what came.
            ConnectionClosed: If the connection ends before.
        """
        return self.stream(event, payload, id=id, meta=meta, timeout=timeout).answer()

    def stream(
        self,
        event: str,
        payload: Any = EMPTY,
        *,
        id: RequestId | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Stream:
        """Send one message with an id and return at once; its frames are read by iterating."""
        if id is None:
            self._count += 1
            id = f"request-{self._count}"
        stream = self._streams[id] = Stream(self, id, self.timeout if timeout is None else timeout)
        self.send(event, payload, id=id, **({"meta": dict(meta)} if meta is not None else {}))
        return stream

    def send(self, event: str, payload: Any = EMPTY, **more: Any) -> None:
        """Send one message and wait for nothing; ``id=`` and ``meta=`` travel beside the payload."""
        self.send_raw(json.dumps({"eventtype": event, "payload": payload, **more}))

    def send_raw(self, data: str | bytes) -> None:
        """
        Send a message as it stands: text, or bytes as a binary frame.

        Raises:
            ConnectionClosed: If the connection is not open.
        """
        try:
            self._socket.send(data)
        except Closed as closed:
            raise _as_ours(closed) from None

    # Reading what belongs to no request of `ask` and `stream`.

    def receive(self, timeout: float | None = None) -> JSONObject:
        """The next frame that is no part of an answer: a broadcast, an error without an id."""
        self.read_until(lambda: bool(self._inbox), self._deadline(timeout), "a frame")
        return self._inbox.popleft()

    def expect(self, event: str, timeout: float | None = None) -> JSONObject:
        """The payload of the next frame of this type; frames before it are left to `receive`."""

        def found() -> JSONObject | None:
            return next((frame for frame in self._inbox if frame["eventtype"] == event), None)

        self.read_until(lambda: found() is not None, self._deadline(timeout), f"a frame of type `{event}`")
        frame = found()
        assert frame is not None
        self._inbox.remove(frame)
        payload: JSONObject = frame["payload"]
        return payload

    def silence(self, seconds: float = 0.15) -> None:
        """
        Check that nothing arrives for a while that is no part of an answer.

        Raises:
            AssertionError: If something does.
        """
        with contextlib.suppress(TimeoutError):
            raise AssertionError(f"expected silence, got {self.receive(seconds)!r}")

    def closed(self, timeout: float | None = None) -> tuple[int, str]:
        """Wait until the server closes the connection; its close code and reason (1006 if it sent none)."""
        deadline = self._deadline(timeout)
        while True:
            try:
                self._read(deadline, "the close")
            except ConnectionClosed as closed:
                return closed.code, closed.reason

    # Ending and coming back.

    def close(self) -> None:
        """Close the connection, if it is open."""
        self._socket.close()

    def cut(self) -> None:
        """End the connection as a network does it: without a close frame."""
        with contextlib.suppress(OSError):
            self._socket.socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def reconnect(self, *, compact: bool = False) -> JSONObject:
        """
        Connect again and resume the session (protocol P8.2): open streams go on where they were cut.

        Args:
            compact: Whether missed text comes as one ``stream.snapshot``.

        Returns:
            The payload of ``gsws.resumed``.

        Raises:
            RuntimeError: If this is no session client.
        """
        if self.hello is None:
            raise RuntimeError("only a client made with `session=True` can resume")
        self._socket.close()
        self._socket = self._connect()
        self.expect("gsws.hello")
        streams = {str(id): stream.seq for id, stream in self._streams.items() if not stream.ended}
        secret = {key: self.hello[key] for key in ("session", "secret")}
        self.send("gsws.resume", {**secret, "streams": streams, "compact": compact})
        self.resumed = self.expect("gsws.resumed")
        return self.resumed

    def read_until(self, condition: Callable[[], bool], deadline: float, what: str) -> None:
        """
        Read frames until a condition holds.

        Args:
            condition: Asked before each frame.
            deadline: On the monotonic clock.
            what: Named if it does not come.
        """
        while not condition():
            self._read(deadline, what)

    # Private.

    def _connect(self) -> ClientConnection:
        context = None
        if self._tls:
            context = ssl.create_default_context()
            context.check_hostname = False  # the project's certificate names another host
            context.verify_mode = ssl.CERT_NONE
        try:
            opening = connect(
                self._url,
                ssl=context,
                subprotocols=[Subprotocol(SUBPROTOCOL)] if self._session else None,
                additional_headers=self._headers,
                open_timeout=self.timeout,
                close_timeout=1.0,
                ping_interval=None,
                max_size=None,
                max_queue=None,
                compression=None,
                proxy=None,
            )
            return opening.__enter__()  # websockets 17 wants a context manager; ours ends in `close`
        except InvalidStatus as refused:
            body = refused.response.body or b""
            raise HandshakeRefused(refused.response.status_code, bytes(body).decode("utf-8", "replace")) from None
        except (Closed, InvalidHandshake, EOFError) as failed:
            raise ConnectionClosed(1006, "cut in the handshake") from failed

    def _read(self, deadline: float, what: str) -> None:
        """Read one frame and put it where it belongs."""
        try:
            data = self._socket.recv(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            came = [frame["eventtype"] for frame in self._inbox]
            came += [f"{id}: {len(stream.frames)} frames" for id, stream in self._streams.items() if not stream.ended]
            raise TimeoutError(f"{what} did not come in time; unread: {', '.join(came) or 'nothing'}") from None
        except Closed as closed:
            raise _as_ours(closed) from None
        frame: JSONObject = json.loads(data)
        stream = self._streams.get(frame["id"]) if isinstance(frame.get("id"), str | int) else None
        if stream is None or stream.ended:
            self._inbox.append(frame)
        else:
            stream.take(frame)

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + (self.timeout if timeout is None else timeout)


def _as_ours(closed: Closed) -> ConnectionClosed:
    received = closed.rcvd
    return ConnectionClosed(1006) if received is None else ConnectionClosed(received.code, received.reason)
