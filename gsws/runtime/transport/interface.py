"""
What the transport and its application say to each other: options, requests, and three Protocols.

No sockets and no asyncio here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Protocol

from gsws.defaults import CONNECTIONS, HEARTBEAT, MESSAGE_BYTES, SEND_BUFFER

if TYPE_CHECKING:
    from gsws.runtime.rate import Rate

__all__ = [
    "Application",
    "Connection",
    "HTTPRefusal",
    "Handshake",
    "Headers",
    "ListenOptions",
    "Page",
    "Receiver",
    "RequestHead",
]


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """
    How one listener behaves; shared by all of its connections.

    Attributes:
        host: Address or name to bind.
        port: TCP port; 0 takes a free one.
        path: Path of the WebSocket, or None for any.
        origins: Accepted origins, e.g. ``https://app.example.com``; ``*`` accepts any. None: the request's own host,
            and in development any origin on ``localhost``, ``127.0.0.1`` or ``[::1]``.
        development: Widens the default of ``origins``, and checks ``Host``.
        hosts: Names that requests may be for, in lower case, ``*`` for any; None: in development this machine's own.
        csp: ``Content-Security-Policy`` of pages, empty for none; None for the default.
        public: Folder of static files, or None.
        shipped: Files by their paths, which ``public`` may replace, for pages of every accepted origin.
        message_bytes: Largest message in bytes, after decompression.
        send_buffer: Bytes that may wait for a slow reader before a push closes it; see `Connection.keeps_up`.
        connections: Most WebSocket connections at a time; 0 for no limit.
        connections_per_ip: Most WebSocket connections of one address; 0 for no limit.
        connect_rate: Handshakes of one address in a time, or None for no limit.
        handshake_timeout: Seconds until the request must be complete and answered.
        heartbeat_interval: Seconds between two pings; 0 for none.
        heartbeat_timeout: Seconds after a ping in which something must arrive.
        close_timeout: Seconds that the closing handshake may take.
        stall_timeout: Seconds in which a peer with a full buffer must have read something.
        compression: Whether permessage-deflate is offered.
        ssl: TLS, or None.
        subprotocols: Subprotocols to select from, the preferred first.
        server_name: Value of the ``Server`` header; empty for none.
        backlog: Length of the kernel's accept queue.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    path: str | None = None
    origins: tuple[str, ...] | None = None
    development: bool = False
    hosts: tuple[str, ...] | None = None
    csp: str | None = None
    public: Path | None = None
    shipped: Mapping[str, Path] = field(default_factory=dict)
    message_bytes: int = MESSAGE_BYTES
    send_buffer: int = SEND_BUFFER
    connections: int = CONNECTIONS
    connections_per_ip: int = 0
    connect_rate: Rate | None = None
    handshake_timeout: float = 10.0
    heartbeat_interval: float = HEARTBEAT
    heartbeat_timeout: float = HEARTBEAT
    close_timeout: float = 5.0
    stall_timeout: float = 30.0
    compression: bool = False
    ssl: SSLContext | None = None
    subprotocols: tuple[str, ...] = ()
    server_name: str = "gsws"
    backlog: int = 1024


class Headers(Mapping[str, str]):
    """Header fields of a request: names in any case, repeated fields joined by ``, ``."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._fields[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def get_all(self, name: str) -> list[str]:
        """Return every value of a field, in the order sent."""
        return list(self._fields.get(name.lower(), ()))


@dataclass(frozen=True, slots=True)
class RequestHead:
    """
    Request line and header fields.

    Attributes:
        method: E.g. ``GET``.
        path: Path as sent, percent-encoded; starts with ``/``.
        query: Query as sent, without ``?``.
        version: ``(1, 0)`` or ``(1, 1)``.
        fields: Header fields in the order sent.
        headers: The same, by name.
        host: Host as sent, lower case and without port; empty if an HTTP/1.0 client named none.
        port: Port of the ``Host`` header, or None.
        size: Bytes of the head.
    """

    method: str
    path: str
    query: str
    version: tuple[int, int]
    fields: tuple[tuple[str, str], ...]
    headers: Headers
    host: str
    port: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """
    A response to a plain request.

    Attributes:
        status: HTTP status.
        body: Its content; not sent to a ``HEAD``.
        content_type: What that is.
        headers: Further header fields.
        any_host: Whether it is given also to who asks by a name that is not one of the service's.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    any_host: bool = False


@dataclass(slots=True)
class Handshake:
    """
    A well-formed request for an upgrade, as `Application.authorize` and `Application.connected` see it.

    It is dropped after `connected`: who needs more of it than the connection keeps, takes it then.

    Attributes:
        path: Path as sent, percent-encoded.
        query: Query as sent, without ``?``.
        headers: All header fields.
        host: Address of the peer.
        port: Port of the peer.
        origin: ``Origin`` header, or None.
        secure: Whether the connection is TLS.
        subprotocols: What the client offered, in its order.
        subprotocol: What was selected, or None.
        state: The application's own notes; `authorize` leaves here what `connected` needs.
    """

    path: str
    query: str
    headers: Headers
    host: str
    port: int
    origin: str | None
    secure: bool
    subprotocols: tuple[str, ...]
    subprotocol: str | None
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HTTPRefusal:
    """
    Answer to an upgrade that is not granted.

    Attributes:
        status: HTTP status, 400 to 599.
        body: Text for a person; the status's phrase when empty.
        headers: Further header fields, e.g. ``WWW-Authenticate``.
    """

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Receiver(Protocol):
    """What the application keeps for one connection. All calls come from the event loop and must not block it."""

    def message(self, data: bytes) -> None:
        """Take one whole text message: valid UTF-8, at most ``message_bytes`` long."""

    def binary(self, data: bytes) -> None:
        """Take one whole binary message."""

    def closed(self, code: int, reason: str) -> None:
        """
        Learn that the connection is no longer open; called exactly once, and last.

        Args:
            code: The close code of whoever closed first, 1005 if the peer gave none, 1006 if the connection was cut.
            reason: Its reason, possibly empty.
        """


class Connection(Protocol):
    """
    One open WebSocket, as the runtime sees it; also what stands in for one: a sink, a test's double, a relay.

    Everything is called on the event loop, nothing blocks it. Messages arrive, and leave, in the order sent.

    Attributes:
        id: Made by the server, unique, unguessable.
        host: Address of the peer.
        port: Port of the peer.
        authority: ``Host`` of the handshake, as sent.
        path: Path of the handshake, percent-encoded.
        query: Query of the handshake, without ``?``; whoever finds a credential in it takes it out.
        origin: ``Origin`` of the handshake, or None.
        subprotocol: What was negotiated, or None.
        is_open: Whether messages can be sent.
        paused: Whether the peer reads too slowly; nothing is read from it meanwhile.
        close_code: Close code once the connection is closed, else None.
        close_reason: Close reason once the connection is closed, else None.
        closed_by_peer: Whether the peer closed it, by a close frame that came before one of ours.
        was_heard: Whether anything came since the last `probe`, or heartbeat.
    """

    id: str
    host: str
    port: int
    authority: str
    path: str
    query: str
    origin: str | None
    subprotocol: str | None
    is_open: bool
    paused: bool
    close_code: int | None
    close_reason: str | None
    closed_by_peer: bool
    was_heard: bool

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""

    @property
    def backlog_beyond_replay(self) -> int:
        """Bytes that wait to be sent, without those that waited at the last `mark_replay`."""

    def mark_replay(self) -> None:
        """What waits now was asked for at once: pushes that come behind it are not to blame on a slow reader."""

    def send_text(self, data: bytes) -> None:
        """
        Queue one text message; what one turn of the event loop queues leaves in one write.

        Args:
            data: Valid UTF-8; not checked.

        Raises:
            ConnectionClosed: If the connection is not open.
        """

    def send_binary(self, data: bytes) -> None:
        """
        Queue one binary message.

        Raises:
            ConnectionClosed: If the connection is not open.
        """

    def send_prepared(self, frame: bytes) -> None:
        """
        Queue a frame made by `encode_frame`, the same bytes for many connections (protocol P11.2).

        Raises:
            ConnectionClosed: If the connection is not open.
        """

    def push(self, frame: bytes) -> bool:
        """
        Queue a prepared frame that nobody waits for and the peer did not ask for (protocol P9.3).

        Returns:
            Whether it was queued; if not, the peer did not keep up with ``send_buffer`` and is closed.

        Raises:
            ConnectionClosed: If the connection is not open.
        """

    def keeps_up(self, most: int) -> bool:
        """
        Close with 4430 a peer that reads too slowly for who does not wait for it; the one rule for that (P9.3).

        Neither what was asked for at once, see `mark_replay`, is held against it, nor how long a single frame is: what
        counts is what waits before one more is sent.

        Args:
            most: Bytes that may wait; who has at most 64 KiB waiting always keeps up.

        Returns:
            Whether it keeps up.
        """

    async def drain(self) -> None:
        """Wait until the peer reads fast enough again, or the connection is closed; that is no error here."""

    def hold(self) -> None:
        """Deliver no message until `release` was called as often; what is delivered now is the last one."""

    def release(self) -> None:
        """Undo one `hold`; does nothing if there is none, or the connection was closed meanwhile."""

    def entrust(self, receiver: Receiver) -> None:
        """Give what comes from now on to another receiver; does nothing once the connection is no longer open."""

    def probe(self) -> None:
        """Ask the peer for a sign of life that `was_heard` tells of."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Begin the closing handshake; the connection is cut if the peer does not answer in ``close_timeout``.

        What was sent before leaves first; nothing can be sent after. Does nothing to a connection not open.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999.
            reason: At most 123 bytes of UTF-8; the rest is cut off.

        Raises:
            ValueError: If the code may not be sent.
        """


class Application(Protocol):
    """Whom a `Port` is for."""

    def authorize(self, handshake: Handshake) -> HTTPRefusal | Awaitable[HTTPRefusal | None] | None:
        """Refuse an upgrade, or let it pass with None; may be a coroutine, within ``handshake_timeout``."""

    def connected(self, connection: Connection, handshake: Handshake) -> Receiver:
        """Take a new connection; what is sent from here on follows the 101 response."""

    def page(self, head: RequestHead, peer: str) -> Page | None:
        """
        Answer a plain request, or leave it to the files with None.

        Called for every ``GET`` and ``HEAD`` that asks for no upgrade, before files are looked for, so that none takes
        the path of a page. It must not block, and may change nothing: anybody may ask, and what is returned is not
        always sent. To who asks by a name that is not the service's it is given with ``any_host`` only; the body is
        not sent to a ``HEAD``. The application says by ``headers`` what a browser may do with it. What is raised here
        is logged and answered with 500.

        Args:
            head: The request.
            peer: Address of who asks.
        """

    def too_large(self, limit: int) -> bytes:
        """Make the text frame's payload that goes before a close with 1009 (protocol P7.3); empty for none."""
