"""
How many connections there may be, in total, of one address, and how fast one address may open them.

A place is taken before a credential is checked, because that is what costs. What is refused is counted. How many
sockets there may be altogether is the listener's matter.
"""

from __future__ import annotations

import ipaddress
from math import ceil

from gsws.runtime.counters import Counters
from gsws.runtime.rate import Buckets
from gsws.runtime.transport.interface import HTTPRefusal, ListenOptions

__all__ = ["ConnectionLimits", "network_of"]

SPARE_SOCKETS = 32
"""Sockets of one address, beyond its limit of connections, that may be in an opening handshake or a plain request."""


class ConnectionLimits:
    """
    The places of one listener. Every connection is counted, also while no limit is set: one may be set later.

    Attributes:
        taken: How many are taken.
        by_address: How many by each address that has any.
    """

    __slots__ = ("_counters", "_handshakes", "_sockets", "by_address", "taken")

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.taken = 0
        self.by_address: dict[str, int] = {}
        self._handshakes = Buckets()
        self._sockets: dict[str, int] = {}

    def arrive(self, host: str, options: ListenOptions) -> HTTPRefusal | None:
        """Count a socket that has asked for nothing yet, until `depart`; one address cannot hold them all."""
        address = network_of(host)
        count = self._sockets[address] = self._sockets.get(address, 0) + 1
        if options.connections_per_ip and count > options.connections_per_ip + SPARE_SOCKETS:
            return self._refuse("connections_per_ip", 429, "too many connections from this address\n", 5)
        return None

    def depart(self, host: str) -> None:
        """A socket is closed, or a WebSocket."""
        _lower(self._sockets, network_of(host))

    def take(self, host: str, options: ListenOptions, now: float) -> HTTPRefusal | None:
        """
        Take a place, to be given back by `release`, or tell why there is none.

        Args:
            host: Address of the peer.
            options: With the limits as they are now.
            now: Monotonic seconds.
        """
        address = network_of(host)
        if options.connect_rate is not None:
            wait = self._handshakes.take(address, options.connect_rate, now)
            if wait:
                return self._refuse("connect_rate", 429, "too many handshakes from this address\n", ceil(wait))
        if options.connections and self.taken >= options.connections:
            return self._refuse("connections", 503, "the server has all the connections it may have\n", 5)
        count = self.by_address.get(address, 0)
        if options.connections_per_ip and count >= options.connections_per_ip:
            return self._refuse("connections_per_ip", 429, "too many connections from this address\n", 5)
        self.by_address[address] = count + 1
        self.taken += 1
        return None

    def release(self, host: str) -> None:
        """Give back a place."""
        self.taken -= 1
        _lower(self.by_address, network_of(host))

    def _refuse(self, limit: str, status: int, text: str, seconds: int) -> HTTPRefusal:
        self._counters.add(f"limits.{limit}")
        return HTTPRefusal(status, text, {"Retry-After": str(seconds)})


def _lower(counts: dict[str, int], address: str) -> None:
    left = counts[address] - 1
    if left:
        counts[address] = left
    else:
        del counts[address]


def network_of(host: str) -> str:
    """What counts as one address: an IPv4 address, or a /64 of IPv6, of which one customer has all."""
    if ":" not in host:
        return host
    return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
