"""
What all sockets of one listening port share: whom they are for, how they behave, how many there are.

Nothing here binds, reads or writes: `listener` lets sockets in, `http` and `websocket` are what they speak.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

import structlog

from gsws.runtime.counters import Counters, Summed
from gsws.runtime.transport.closing import close_name
from gsws.runtime.transport.interface import Application, Connection, HTTPRefusal, ListenOptions
from gsws.runtime.transport.limits import ConnectionLimits
from gsws.runtime.wheel import Wheel

__all__ = ["SPARE_SOCKETS", "OpenConnection", "Port", "Socket"]

SPARE_SOCKETS = 1024
"""Sockets beyond the connection limit that may be in an opening handshake or a plain request."""


class Socket(Protocol):
    """An accepted socket, whatever is spoken on it."""

    def abort(self) -> None:
        """Cut it at once; what waits to be sent is lost."""


class OpenConnection(Connection, Socket, Protocol):
    """A connection that has a socket of this port."""


class Port:
    """
    The shared state of one port; made on its event loop.

    Args:
        application: Whom the connections are for.
        options: How to listen; another value counts for what comes after.
        counters: Where refusals and ends are counted.

    Attributes:
        number: TCP port; of the options until the listener has bound one.
        accepting: Whether upgrades are granted.
        connections: Open WebSockets.
        sockets: Those that are not upgraded.
        limits: Who may have how many of either.
        refusals: For log lines of what is refused, summed.
    """

    def __init__(self, application: Application, options: ListenOptions, counters: Counters | None = None) -> None:
        self.application = application
        self.options = options
        self.counters = counters or Counters()
        self.loop = asyncio.get_running_loop()
        self.wheel = Wheel(self.loop)
        self.refusals = Summed(structlog.get_logger("gsws"), self.wheel)
        self.number = options.port
        self.accepting = False
        self.connections: set[OpenConnection] = set()
        self.sockets: set[Socket] = set()
        self.limits = ConnectionLimits(self.counters)
        self._emptied: asyncio.Future[None] | None = None

    # Sockets that are not upgraded

    def arrived(self, sock: Socket, host: str) -> HTTPRefusal | None:
        """Count a socket; a refusal if there are far too many, and it should be closed at once."""
        self.sockets.add(sock)
        limit = self.options.connections
        refusal: HTTPRefusal | None = None
        if limit and len(self.sockets) > SPARE_SOCKETS + max(0, limit - len(self.connections)):
            self.counters.add("limits.connections")
            refusal = HTTPRefusal(503, "too many connections\n", {"Retry-After": "5"})
        return self.limits.arrive(host, self.options) or refusal

    def departed(self, sock: Socket, host: str) -> None:
        """Forget a socket that is closed or has become a connection."""
        if sock in self.sockets:
            self.sockets.discard(sock)
            self.limits.depart(host)
        self._check_empty()

    # Connections

    def reserve(self, host: str) -> HTTPRefusal | None:
        """Take a place for a WebSocket, to be given back by `release`, or tell why there is none."""
        if not self.accepting:
            return HTTPRefusal(503, "the server is shutting down\n", {"Retry-After": "5"})
        return self.limits.take(host, self.options, self.loop.time())

    def release(self, host: str) -> None:
        """Give back a place that no connection came to."""
        self.limits.release(host)

    def new_id(self) -> str:
        """Make an identity for a connection."""
        return secrets.token_hex(8)

    def opened(self, connection: OpenConnection) -> None:
        """Count a connection."""
        self.connections.add(connection)

    def forget(self, connection: OpenConnection) -> None:
        """Forget a connection that is gone, give back its place, and count how it ended."""
        self.counters.add(close_name(1006 if connection.close_code is None else connection.close_code))
        self.connections.discard(connection)
        self.release(connection.host)
        self._check_empty()

    # The end

    async def close(self, code: int, reason: str, timeout: float) -> None:
        """
        Close every connection and wait for the peers; those that do not answer are cut.

        Args:
            code: Close code for connections that are still open.
            reason: Close reason.
            timeout: Seconds to wait for the closing handshakes.
        """
        self.accepting = False
        for sock in list(self.sockets):
            sock.abort()
        for connection in list(self.connections):
            connection.close(code, reason)
        if not await self._empty(timeout):
            for left in [*self.connections, *self.sockets]:
                left.abort()
            await self._empty(1.0)
        self.refusals.close()

    async def _empty(self, timeout: float) -> bool:
        self._emptied = self.loop.create_future()
        self._check_empty()
        done, _ = await asyncio.wait([self._emptied], timeout=timeout)
        return bool(done)

    def _check_empty(self) -> None:
        waiting = self._emptied
        if waiting is not None and not waiting.done() and not self.connections and not self.sockets:
            waiting.set_result(None)
