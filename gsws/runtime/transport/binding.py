"""Binding addresses: from a host and a port to listening sockets, or one sentence why not."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable

from gsws.errors import ServeError
from gsws.runtime.transport.interface import ListenOptions
from gsws.runtime.transport.websocket.outbox import HIGH_WATER

__all__ = ["bind", "bind_error"]

_HOST_HELP = "use 127.0.0.1 for this machine only, 0.0.0.0 for every network"


async def bind(loop: asyncio.AbstractEventLoop, options: ListenOptions) -> list[socket.socket]:
    """
    Bind every address that ``options.host`` stands for, all to one port.

    Raises:
        ServeError: If the address cannot be had; one sentence.
    """
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
    """Say why an address cannot be had, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return ServeError(
            f"port {port} on {host} is already in use", "stop what listens there, or choose another port with --port"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ServeError(f"port {port} needs privileges that this process lacks", "choose a port above 1023")
    if error.errno == errno.EADDRNOTAVAIL:
        return ServeError(f"`{host}` is not an address of this machine", _HOST_HELP)
    return ServeError(f"cannot listen on {host}:{port}: {error.strerror or error}")
