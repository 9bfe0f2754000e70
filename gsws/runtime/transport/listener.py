"""
A listening port: accepting, counting and closing connections.

Sockets are accepted here and not by the event loop's own server, because uvloop closes a listening socket on most
accept errors and asyncio logs a traceback for each; here the port survives and says so once.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import secrets
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import structlog

from gsws.errors import ServeError
from gsws.runtime.counters import Counters
from gsws.runtime.summed import Summed
from gsws.runtime.transport.closing import close_name
from gsws.runtime.transport.http.connection import HTTPConnection
from gsws.runtime.transport.http.files import PublicFolder
from gsws.runtime.transport.interface import Application, HTTPRefusal, ListenOptions
from gsws.runtime.transport.limits import ConnectionLimits
from gsws.runtime.transport.websocket.connection import Connection
from gsws.runtime.transport.websocket.sending import HIGH_WATER
from gsws.runtime.wheel import Wheel

__all__ = ["Listener"]

ACCEPT_BATCH = 64
ACCEPT_RETRY = 0.5
SPARE_SOCKETS = 1024
"""Sockets beyond the connection limit that may be in an opening handshake or a plain request."""

_OUT_OF_RESOURCES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))

_HOST_HELP = "use 127.0.0.1 for this machine only, 0.0.0.0 for every network"

log = logging.getLogger("gsws.transport")


class Listener:
    """
    One port and everything that is connected to it.

    Args:
        application: Whom the connections are for.
        options: How to listen; `ListenOptions`.
        counters: Where refusals are counted.
    """

    def __init__(self, application: Application, options: ListenOptions, counters: Counters | None = None) -> None:
        self.application = application
        self.options = options
        self.counters = counters or Counters()
        self.connections: set[Connection] = set()
        self.public = PublicFolder(options.public) if options.public is not None else None
        self.port = options.port
        self.accepting = False
        self.loop: asyncio.AbstractEventLoop
        self.wheel: Wheel
        self.refusals: Summed
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.AbstractServer] = []
        self.sockets: set[HTTPConnection] = set()
        self._arrivals: set[asyncio.Task[object]] = set()
        self.limits = ConnectionLimits(self.counters)
        self._retry: asyncio.TimerHandle | None = None
        self._complained = float("-inf")
        self._executor: ThreadPoolExecutor | None = None
        self._emptied: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """
        Bind and accept.

        Raises:
            ServeError: If the address cannot be had; one sentence.
        """
        self.loop = asyncio.get_running_loop()
        self.wheel = Wheel(self.loop)
        self.refusals = Summed(structlog.get_logger("gsws"), self.wheel)
        self._sockets = await _bind(self.loop, self.options)
        self.port = self._sockets[0].getsockname()[1]
        self.accepting = True
        await self._listen()

    def stop_accepting(self) -> None:
        """Refuse upgrades with 503; ``/readyz`` and files are answered until `close` gives up the port."""
        self.accepting = False

    async def close(self, code: int = 1001, reason: str = "", timeout: float = 5.0) -> None:
        """
        Give up the port, close every connection and wait for the peers; those that do not answer are cut.

        Args:
            code: Close code for connections that are still open.
            reason: Close reason.
            timeout: Seconds to wait for the closing handshakes.
        """
        self.accepting = False
        self._stop_listening()
        for sock in list(self.sockets):
            sock.abort()
        for connection in list(self.connections):
            connection.close(code, reason)
        if not await self._empty(timeout):
            for connection in list(self.connections):
                connection.abort()
            for sock in list(self.sockets):
                sock.abort()
            await self._empty(1.0)
        for task in list(self._arrivals):
            task.cancel()
        self.refusals.close()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    # Called by sockets

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Threads that read files, so that handlers in threads do not hold them up."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(2, thread_name_prefix="gsws-files")
        return self._executor

    def arrived(self, sock: HTTPConnection, host: str) -> HTTPRefusal | None:
        """Count a socket; a refusal if there are far too many, and it should be closed at once."""
        self.sockets.add(sock)
        limit = self.options.connections
        if limit and len(self.sockets) > SPARE_SOCKETS + max(0, limit - len(self.connections)):
            self.counters.add("limits.connections")
            refusal: HTTPRefusal | None = HTTPRefusal(503, "too many connections\n", {"Retry-After": "5"})
        else:
            refusal = None
        return self.limits.arrive(host, self.options) or refusal

    def departed(self, sock: HTTPConnection, host: str) -> None:
        """Forget a socket that is closed or has become a connection."""
        if sock in self.sockets:
            self.sockets.discard(sock)
            self.limits.depart(host)
        self._check_empty()

    def reserve(self, host: str) -> HTTPRefusal | None:
        """Take a place for a WebSocket, to be given back by `release`, or tell why there is none."""
        if not self.accepting:
            return HTTPRefusal(503, "the server is shutting down\n", {"Retry-After": "5"})
        return self.limits.take(host, self.options, self.loop.time())

    def release(self, host: str) -> None:
        """Give back a place."""
        self.limits.release(host)

    def facts(self) -> bytes:
        """What is connected and what was refused, as JSON for a person."""
        facts = {"connections": len(self.connections), "counters": self.counters.read()}
        return json.dumps(facts, indent=2).encode() + b"\n"

    def opened(self, connection: Connection) -> None:
        """Count a connection."""
        self.connections.add(connection)

    def forget(self, connection: Connection) -> None:
        """Forget a connection that is gone, give back its place, and count how it ended."""
        self.counters.add(close_name(1006 if connection.close_code is None else connection.close_code))
        self.connections.discard(connection)
        self.release(connection.host)
        self._check_empty()

    def new_id(self) -> str:
        """Make an identity for a connection."""
        return secrets.token_hex(8)

    # Private

    async def _listen(self) -> None:
        for sock in self._sockets:
            try:
                self.loop.add_reader(sock.fileno(), self._accept, sock)
            except NotImplementedError:  # the proactor loop of Windows
                self._servers.append(
                    await self.loop.create_server(lambda: HTTPConnection(self), sock=sock, ssl=self.options.ssl)
                )

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
                self.counters.add("limits.connections")
                accepted.close()
                continue
            accepted.setblocking(False)
            task = self.loop.create_task(self._welcome(accepted))
            self._arrivals.add(task)
            task.add_done_callback(self._arrivals.discard)

    async def _welcome(self, accepted: socket.socket) -> None:
        ssl = self.options.ssl
        try:
            await self.loop.connect_accepted_socket(
                lambda: HTTPConnection(self),
                accepted,
                ssl=ssl,
                ssl_handshake_timeout=None if ssl is None else self.options.handshake_timeout,
                ssl_shutdown_timeout=None if ssl is None else self.options.close_timeout,
            )
        except asyncio.CancelledError:
            accepted.close()
            raise
        except Exception as error:
            # A peer that left, a TLS handshake that failed or took too long: nothing to do about it.
            self.counters.add("tls.failed")
            log.debug("a connection could not be taken: %r", error)
            accepted.close()

    def _accept_failed(self, error: OSError) -> None:
        if error.errno not in _OUT_OF_RESOURCES:
            log.debug("a connection could not be accepted: %r", error)
            return
        if self.loop.time() > self._complained + 60:
            self._complained = self.loop.time()
            log.warning(
                "cannot accept connections on port %d for now: %s; still serving the %d that are open",
                self.port, error.strerror, len(self.connections),
            )  # fmt: skip
        # The sockets stay readable: looking at them again at once would be a busy loop.
        for sock in self._sockets:
            self.loop.remove_reader(sock.fileno())
        self._retry = self.loop.call_later(ACCEPT_RETRY, self._accept_again)

    def _accept_again(self) -> None:
        self._retry = None
        for sock in self._sockets:
            self.loop.add_reader(sock.fileno(), self._accept, sock)

    def _stop_listening(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for server in self._servers:
            server.close()
        for sock in self._sockets:
            if not self._servers:
                self.loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets = []
        self._servers = []

    def _check_empty(self) -> None:
        waiting = self._emptied
        if waiting is not None and not waiting.done() and not self.connections and not self.sockets:
            waiting.set_result(None)

    async def _empty(self, timeout: float) -> bool:
        self._emptied = self.loop.create_future()
        self._check_empty()
        done, _ = await asyncio.wait([self._emptied], timeout=timeout)
        return bool(done)


async def _bind(loop: asyncio.AbstractEventLoop, options: ListenOptions) -> list[socket.socket]:
    host, port = options.host, options.port
    if not 0 <= port <= 65535:
        raise ServeError(f"port {port} does not exist", "choose a port from 1 to 65535, or 0 for a free one")
    try:
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ServeError(f"the host `{host}` is not known here", _HOST_HELP) from None
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    for attempt in range(5):
        try:
            return _bind_all(addresses, options.backlog)
        except OSError as error:
            # With port 0 the second address needs the number that the first got, and it may be taken.
            if error.errno == errno.EADDRINUSE and port == 0 and attempt < 4:
                continue
            raise bind_error(error, host, port) from None
    raise AssertionError("unreachable")


def _bind_all(addresses: Iterable[tuple[int, tuple[object, ...]]], backlog: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    unavailable: OSError | None = None
    try:
        for family, address in addresses:
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as error:  # a machine without IPv6
                unavailable = error
                continue
            sockets.append(sock)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                # What a slow reader has not got waits here, where it is counted, not in megabytes of the kernel.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, HIGH_WATER)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            port = address[1] or (sockets[0].getsockname()[1] if len(sockets) > 1 else 0)
            try:
                sock.bind((address[0], port, *address[2:]))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                unavailable = error
                sockets.pop().close()
                continue
            sock.listen(backlog)
        if not sockets:
            raise unavailable or OSError(errno.EADDRNOTAVAIL, "no address")
        return sockets
    except OSError:
        for sock in sockets:
            sock.close()
        raise


def bind_error(error: OSError, host: str, port: int) -> ServeError:
    if error.errno == errno.EADDRINUSE:
        return ServeError(
            f"port {port} on {host} is already in use", "stop what listens there, or choose another port with --port"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ServeError(f"port {port} needs privileges that this process lacks", "choose a port above 1023")
    if error.errno == errno.EADDRNOTAVAIL:
        return ServeError(f"`{host}` is not an address of this machine", _HOST_HELP)
    return ServeError(f"cannot listen on {host}:{port}: {error.strerror or error}")
