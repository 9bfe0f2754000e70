"""
A listening port: accepting sockets, and giving the port up.

Sockets are accepted here and not by the event loop's own server, because uvloop closes a listening socket on most
accept errors and asyncio logs a traceback for each; here the port survives and says so once.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket

from gsws.runtime.transport.binding import bind
from gsws.runtime.transport.http.connection import HTTPConnection
from gsws.runtime.transport.http.site import Site
from gsws.runtime.transport.port import SPARE_SOCKETS, Port

__all__ = ["Listener"]

ACCEPT_BATCH = 64
ACCEPT_RETRY = 0.5

_OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

log = logging.getLogger("gsws.transport")


class Listener:
    """
    Lets sockets in to one port.

    Args:
        port: What they share; its options say where to listen.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self._site = Site(port)
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.AbstractServer] = []
        self._arrivals: set[asyncio.Task[object]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._complained = float("-inf")

    async def start(self) -> None:
        """
        Bind and accept.

        Raises:
            ServeError: If the address cannot be had; one sentence.
        """
        port = self.port
        self._sockets = await bind(port.loop, port.options)
        port.number = self._sockets[0].getsockname()[1]
        port.accepting = True
        await self._listen()

    def stop_accepting(self) -> None:
        """Refuse upgrades with 503; pages and files are answered until `close` gives up the port."""
        self.port.accepting = False

    async def close(self, code: int = 1001, reason: str = "", timeout: float = 5.0) -> None:
        """
        Give up the port, close every connection and wait for the peers; those that do not answer are cut.

        Args:
            code: Close code for connections that are still open.
            reason: Close reason.
            timeout: Seconds to wait for the closing handshakes.
        """
        self._stop_listening()
        await self.port.close(code, reason, timeout)
        for task in list(self._arrivals):
            task.cancel()
        self._site.close()

    # Private

    def _speak_http(self) -> HTTPConnection:
        return HTTPConnection(self._site)

    async def _listen(self) -> None:
        port = self.port
        for sock in self._sockets:
            try:
                port.loop.add_reader(sock.fileno(), self._accept, sock)
            except NotImplementedError:  # the proactor loop of Windows
                self._servers.append(await port.loop.create_server(self._speak_http, sock=sock, ssl=port.options.ssl))

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(ACCEPT_BATCH):
            try:
                accepted, _address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._accept_failed(error)
                return
            if len(self._arrivals) > SPARE_SOCKETS:  # TLS handshakes that do not end
                self.port.counters.add("limits.connections")
                accepted.close()
                continue
            accepted.setblocking(False)
            task = self.port.loop.create_task(self._welcome(accepted))
            self._arrivals.add(task)
            task.add_done_callback(self._arrivals.discard)

    async def _welcome(self, accepted: socket.socket) -> None:
        options = self.port.options
        ssl = options.ssl
        try:
            await self.port.loop.connect_accepted_socket(
                self._speak_http,
                accepted,
                ssl=ssl,
                ssl_handshake_timeout=None if ssl is None else options.handshake_timeout,
                ssl_shutdown_timeout=None if ssl is None else options.close_timeout,
            )
        except asyncio.CancelledError:
            accepted.close()
            raise
        except Exception as error:
            # A peer that left, a TLS handshake that failed or took too long: nothing to do about it.
            self.port.counters.add("tls.failed")
            log.debug("a connection could not be taken: %r", error)
            accepted.close()

    def _accept_failed(self, error: OSError) -> None:
        if error.errno not in _OUT_OF_RESOURCES:
            log.debug("a connection could not be accepted: %r", error)
            return
        if self.port.loop.time() > self._complained + 60:
            self._complained = self.port.loop.time()
            log.warning(
                "cannot accept connections on port %d for now: %s; still serving the %d that are open",
                self.port.number, error.strerror, len(self.port.connections),
            )  # fmt: skip
        # The sockets stay readable: looking at them again at once would be a busy loop.
        for sock in self._sockets:
            self.port.loop.remove_reader(sock.fileno())
        self._retry = self.port.loop.call_later(ACCEPT_RETRY, self._accept_again)

    def _accept_again(self) -> None:
        self._retry = None
        for sock in self._sockets:
            self.port.loop.add_reader(sock.fileno(), self._accept, sock)

    def _stop_listening(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for server in self._servers:
            server.close()
        for sock in self._sockets:
            if not self._servers:
                self.port.loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets = []
        self._servers = []
