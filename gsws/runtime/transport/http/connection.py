"""
A socket before it is a WebSocket: one HTTP request, answered, or upgraded and handed to a `Connection`.

Deadlines, path, origin and limits are enforced here, in this order: well-formed, path, handshake, origin, places,
`Application.authorize`. What a frame is, is not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from gsws.runtime.transport.closing import end_stream
from gsws.runtime.transport.http.head import BadRequest, parse_head, response
from gsws.runtime.transport.http.negotiation import BadHandshake, Terms, negotiate
from gsws.runtime.transport.http.origins import origin_allowed
from gsws.runtime.transport.http.sendfile import PIECE, send_file
from gsws.runtime.transport.http.site import Found, Site
from gsws.runtime.transport.interface import Handshake, HTTPRefusal, Page, RequestHead
from gsws.runtime.transport.websocket.connection import WebSocketConnection

if TYPE_CHECKING:
    from gsws.runtime.wheel import Timer

__all__ = ["HTTPConnection"]

EARLY_BYTES = 65536
"""Bytes kept that a client sends before its upgrade is granted."""

LINGER = 2.0
LINGER_BYTES = 2**24

log = logging.getLogger("gsws.transport")


class HTTPConnection(asyncio.Protocol):
    """One accepted socket, until it is closed or upgraded."""

    __slots__ = (
        "_answered", "_buffer", "_ended", "_host", "_linger", "_peer_port", "_port", "_reserved", "_resumed", "_seen",
        "_sending", "_site", "_task", "_timer", "_transport",
    )  # fmt: skip

    def __init__(self, site: Site) -> None:
        self._site = site
        self._port = site.port
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: Timer | None = None
        self._task: asyncio.Task[None] | None = None
        self._resumed: asyncio.Future[None] | None = None
        self._seen = 0
        self._answered = False
        self._ended = False
        self._sending = False
        self._reserved = False
        self._linger = LINGER_BYTES
        self._host = ""
        self._peer_port = 0

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline of the handshake."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self._host, self._peer_port = peer[0].removeprefix("::ffff:"), peer[1]
        if (refusal := self._port.arrived(self, self._host)) is not None:
            self._refuse(refusal)
            return
        self._timer = self._port.wheel.schedule(self._port.options.handshake_timeout, self._too_late)

    def data_received(self, data: bytes) -> None:
        """Take a piece of the request, or of what comes too early or too late."""
        if self._answered or self._sending:
            self._linger -= len(data)
            if self._linger < 0:
                self.abort()
            return
        self._buffer += data
        if self._task is not None:
            if len(self._buffer) > EARLY_BYTES and self._transport is not None:
                self._transport.pause_reading()
            return
        try:
            head = parse_head(self._buffer, self._seen)
            self._seen = len(self._buffer)
            if head is not None:
                del self._buffer[: head.size]
                self._take(head)
        except BadRequest as error:
            self._answer(error.status, f"{error.detail}\n".encode())

    def eof_received(self) -> bool:
        """Let a half-closed client have the rest of a file; nobody else has anything to wait for."""
        self._ended = True
        return self._sending and self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn that the socket is gone."""
        self._transport = None
        self._leave()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Let a file wait."""
        self._resumed = self._port.loop.create_future()

    def resume_writing(self) -> None:
        """Let a file go on."""
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        self._resumed = None

    # Called by the port

    def abort(self) -> None:
        """Cut the socket."""
        if self._transport is not None:
            self._transport.abort()

    # Private: what is asked for

    def _take(self, head: RequestHead) -> None:
        upgrade = head.headers.get("Upgrade", "").lower()
        if head.method not in ("GET", "HEAD"):
            self._answer(405, b"only GET and HEAD are answered here\n", headers=[("Allow", "GET, HEAD")])
        elif "websocket" in [token.strip() for token in upgrade.split(",")]:
            self._upgrade(head)
        elif "Sec-WebSocket-Key" in head.headers:
            self._stripped(head)
        else:
            self._plain(head)

    def _stripped(self, head: RequestHead) -> None:
        """Answer a handshake without ``Upgrade``, which proxies take out unless they are told not to."""
        self._tell_stripped("it has no `Upgrade: websocket`")
        self._answer(
            426,
            b"this WebSocket handshake has no `Upgrade: websocket`; a proxy may have taken it out\n",
            headers=[("Upgrade", "websocket")],
        )

    def _tell_stripped(self, what: str) -> None:
        reason = f"{what}; a proxy in front must speak HTTP/1.1 and pass `Upgrade` and `Connection` on"
        self._port.refusals.tell("warning", "refused a handshake", reason, peer=self._host)

    def _plain(self, head: RequestHead) -> None:
        found, is_head = self._site.answer(head, self._host), head.method == "HEAD"
        if isinstance(found, Page):
            self._answer(
                found.status, found.body, headers=found.headers, content_type=found.content_type, head_only=is_head
            )
        elif is_head or found.length <= PIECE:
            with contextlib.closing(found.file) as file:
                body = b"" if is_head or not found.length else file.read(found.length, found.start)
                self._answer(
                    found.status, body, headers=found.headers, content_type=file.content_type,
                    length=found.length, head_only=is_head,
                )  # fmt: skip
        else:
            self._sending = True
            self._task = self._port.loop.create_task(self._send_file(found))
            self._task.add_done_callback(lambda _: found.file.close())  # also if it is cancelled before it begins

    async def _send_file(self, found: Found) -> None:
        transport = self._transport
        if transport is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        if await send_file(found, transport, self._site, lambda: self._resumed):
            self._hang_up()
        else:
            self.abort()

    # Private: upgrades

    def _upgrade(self, head: RequestHead) -> None:
        port, options = self._port, self._port.options
        if options.path is not None and unquote(head.path) != options.path:
            self._answer(404, b"there is no WebSocket on this path\n")
            return
        try:
            terms = negotiate(head, options)
        except BadHandshake as error:
            connection = head.headers.get("Connection", "").lower()
            if "Sec-WebSocket-Key" in head.headers and (head.version < (1, 1) or "upgrade" not in connection):
                self._tell_stripped("it is HTTP/1.0, or has no `Connection: upgrade`")
            self._answer(error.status, error.detail.encode("utf-8", "replace"), headers=error.headers)
            return
        origins = head.headers.get_all("Origin")
        # A page always says its origin; what says none is a program, which no name can lead astray.
        if origins and self._site.is_elsewhere(head, self._host):
            self._answer(403, b"this name is not one of the service's `hosts`\n")
            return
        if not origin_allowed(origins, head.host, head.port, options):
            port.refusals.tell(
                "info", "refused a handshake", "pages of its origin may not connect", origin=", ".join(origins)[:200]
            )
            self._answer(403, b"this origin may not connect\n")
            return
        refusal = port.reserve(self._host)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._reserved = True
        handshake = Handshake(
            head.path, head.query, head.headers, self._host, self._peer_port, origins[0] if origins else None,
            options.ssl is not None, terms.offered, terms.subprotocol,
        )  # fmt: skip
        try:
            answer = port.application.authorize(handshake)
        except Exception:
            self._authorize_failed()
            return
        if inspect.isawaitable(answer):
            self._task = port.loop.create_task(self._authorize(answer, handshake, terms))
        else:
            self._decide(answer, handshake, terms)

    async def _authorize(
        self,
        pending: Awaitable[HTTPRefusal | None],
        handshake: Handshake,
        terms: Terms,
    ) -> None:
        try:
            answer = await pending
        except Exception:
            self._authorize_failed()
            return
        self._task = None
        if not self._answered:
            self._decide(answer, handshake, terms)

    def _authorize_failed(self) -> None:
        log.exception("the check of a handshake failed")
        self._answer(500, b"the handshake could not be checked\n")

    def _decide(self, answer: HTTPRefusal | None, handshake: Handshake, terms: Terms) -> None:
        transport, port = self._transport, self._port
        if transport is None or transport.is_closing():
            return
        if answer is not None:
            self._refuse(answer)
            return
        connection = WebSocketConnection(port, transport, port.new_id(), handshake, terms.extensions)
        try:
            connection.begin(terms.response, handshake)
        except Exception:
            log.exception("a connection could not be taken")
            connection.give_up()
            self._answer(500, b"the connection could not be taken\n")
            return
        self._answered = True
        self._reserved = False  # the connection gives the place back
        early, self._transport = bytes(self._buffer), None
        transport.set_protocol(connection)
        port.opened(connection)
        self._leave()
        transport.resume_reading()
        if early:
            connection.data_received(early)

    # Private: answers

    def _refuse(self, refusal: HTTPRefusal) -> None:
        status = refusal.status if 400 <= refusal.status <= 599 else 500
        self._answer(status, refusal.body.encode("utf-8", "replace"), headers=list(refusal.headers.items()))

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        headers: Iterable[tuple[str, str]] = (),
        content_type: str = "text/plain; charset=utf-8",
        length: int | None = None,
        head_only: bool = False,
    ) -> None:
        transport = self._transport
        if transport is None or self._answered:
            return
        if status >= 400:
            self._port.counters.add(f"http.{status}")
        transport.write(
            response(
                status,
                body,
                headers,
                server=self._port.options.server_name,
                length=length,
                content_type=content_type,
                head_only=head_only,
            )
        )
        self._hang_up()

    def _hang_up(self) -> None:
        """Send nothing more, and wait a moment for the client to go, lest a reset takes the answer."""
        transport = self._transport
        self._answered = True
        self._buffer.clear()
        if self._timer is not None:
            self._timer.cancel()
        if transport is None:
            return
        self._timer = self._port.wheel.schedule(LINGER, self.abort)
        if self._ended:
            transport.close()
        else:
            transport.resume_reading()
            end_stream(transport, self._port.wheel)

    def _too_late(self) -> None:
        self._port.counters.add("limits.handshake_timeout")
        if self._task is not None:
            self._task.cancel()
            self._answer(503, b"the handshake could not be checked in time\n", headers=[("Retry-After", "5")])
        elif self._buffer:
            self._answer(408, b"the request took too long\n")
        else:
            self.abort()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reserved:
            self._reserved = False
            self._port.release(self._host)
        self._port.departed(self, self._host)
