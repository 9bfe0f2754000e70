"""
One connection to the server: the only module that knows the WebSocket library.

A link is opened, read and written until it ends; what comes after that is decided in `gsws.client.session`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from gsws.client.errors import ConnectFailed
from gsws.client.policy import Backoff, may_retry_status
from gsws.protocol.profiles import SUBPROTOCOL

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection, connect

__all__ = ["Link", "LinkEnded", "Options", "open_link"]

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_CLOSE_TIMEOUT: Final = 2.0
_SEND_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """
    Where and how to connect, and how a client behaves.

    Attributes:
        url: ``ws://`` or ``wss://``.
        client_id: Label of the connection (protocol P4.1), or None.
        resume: Whether to ask for the session profile (protocol P3.2), to connect again and to go on.
        headers: Further headers of the handshake.
        tls: For ``wss://``; None for the system's trust.
        open_timeout: Seconds for TCP, TLS and the handshake together.
        heartbeat: Seconds between pings, and until an answer is missed.
        max_bytes: Size of the largest message that is taken.
        backoff: How long to wait before connecting again.
        buffer: Bytes that wait for their consumers before the client stops reading.
        on_frame: Told of every message as it arrives, decoded.
        compact: Whether text that was missed in a cut comes as one piece.
    """

    url: str
    client_id: str | None
    resume: bool
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None
    open_timeout: float
    heartbeat: float
    max_bytes: int
    backoff: Backoff
    buffer: int
    on_frame: Callable[[object], None] | None
    compact: bool


class LinkEnded(Exception):
    """
    The connection is over.

    Attributes:
        code: The server's close code, or 1006.
        reason: The server's reason.
        is_ours: Whether this side closed it, for something that the server sent.
    """

    def __init__(self, code: int, reason: str, *, is_ours: bool = False) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.is_ours = is_ours


class Link:
    """
    An open connection.

    Attributes:
        sent: How many messages were sent on it.
    """

    __slots__ = ("_connection", "sent")

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.sent = 0

    @property
    def is_session(self) -> bool:
        """Whether the server speaks the session profile."""
        return self._connection.subprotocol == SUBPROTOCOL

    async def receive(self) -> bytes:
        """
        The next message.

        Raises:
            LinkEnded: If there is none any more.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed as closed:
            raise _ended(closed) from None

    async def send(self, data: bytes) -> None:
        """
        Send a text message; waits while the connection's buffer is full.

        Raises:
            LinkEnded: If the connection is over, or takes nothing for 30 seconds.
        """
        from websockets.exceptions import ConnectionClosed

        self.sent += 1
        try:
            async with asyncio.timeout(_SEND_TIMEOUT):
                await self._connection.send(data, text=True)
        except ConnectionClosed as closed:
            raise _ended(closed) from None
        except TimeoutError:
            self.abort()
            raise LinkEnded(1006, "the server takes nothing") from None

    async def close(self, code: int = 1000) -> None:
        """Close: with 1000 for good, with 4000 to come back (P6.7); the socket is gone after two seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._connection.close(code)
        self.abort()

    def abort(self) -> None:
        """Cut it."""
        self._connection.transport.abort()


async def open_link(options: Options, token: str | None) -> Link:
    """
    Connect once.

    Raises:
        ConnectFailed: If that does not succeed.
    """
    from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, ProxyError
    from websockets.typing import Subprotocol

    url = options.url if options.client_id is None else _labelled(options.url, options.client_id)
    headers = dict(options.headers)
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection = await _connector()(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL)] if options.resume else None,
            additional_headers=headers,
            ssl=(options.tls or True) if url.startswith("wss:") else None,
            compression=None,
            open_timeout=options.open_timeout,
            ping_interval=options.heartbeat,
            ping_timeout=options.heartbeat,
            close_timeout=_CLOSE_TIMEOUT,
            max_size=options.max_bytes,
            proxy=None if urlsplit(url).hostname in _LOOPBACK else True,
        )
    except InvalidURI as error:
        raise ConnectFailed(options.url, "it is no WebSocket URL", retryable=False) from error
    except InvalidStatus as error:
        status = error.response.status_code
        raise ConnectFailed(
            options.url,
            f"HTTP {status}",
            status=status,
            retry_after=_seconds(error.response.headers.get("Retry-After")),
            retryable=may_retry_status(status),
        ) from error
    except (InvalidHandshake, ProxyError) as error:
        raise ConnectFailed(options.url, str(error)) from error
    except TimeoutError as error:
        raise ConnectFailed(options.url, f"nothing within {options.open_timeout:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise ConnectFailed(options.url, error.verify_message or str(error), retryable=False) from error
    except OSError as error:
        raise ConnectFailed(options.url, error.strerror or str(error) or "it closed the connection") from error
    return Link(connection)


@cache
def _connector() -> type[connect]:
    """The library's `connect`, which would take an API key along to wherever a server sends it."""
    from websockets.asyncio.client import connect

    class Connect(connect):
        def process_redirect(self, exc: Exception) -> Exception | str:
            """Follow to another path of the same origin, nowhere else."""
            target = super().process_redirect(exc)
            if isinstance(target, Exception) or urlsplit(target)[:2] == urlsplit(self.uri)[:2]:
                return target
            return exc

    return Connect


def _labelled(url: str, client_id: str) -> str:
    parts = urlsplit(url)
    query = urlencode({"clientId": client_id})
    return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 6 else None


def _ended(closed: object) -> LinkEnded:
    """What the server said, or a cut; 1009 of our own is kept: the same message would come again."""
    received, sent = getattr(closed, "rcvd", None), getattr(closed, "sent", None)
    if received is not None:
        return LinkEnded(received.code, received.reason)
    if sent is not None and sent.code == 1009:
        return LinkEnded(1009, sent.reason, is_ours=True)
    return LinkEnded(1006, "")
