"""Limits of connections: in total, by address and in a time, decided without sockets."""

from __future__ import annotations

import pytest

from gsws.runtime.counters import Counters
from gsws.runtime.rate import TokenBucket
from gsws.runtime.transport.interface import ListenOptions
from gsws.runtime.transport.limits import SPARE_SOCKETS, ConnectionLimits, network_of


class Rate:
    messages, per, burst = 2, 10.0, 3


def test_handshakes_of_one_address_have_a_rate():
    """As many at once as the burst, then one each time a token comes back; the refusal says when."""
    places, options = ConnectionLimits(Counters()), ListenOptions(connections=0, connect_rate=Rate())
    assert [places.take("192.0.2.1", options, 0.0) for _ in range(3)] == [None] * 3
    refusal = places.take("192.0.2.1", options, 0.0)
    assert (refusal.status, refusal.headers) == (429, {"Retry-After": "5"})
    assert places.take("192.0.2.2", options, 0.0) is None
    assert places.take("192.0.2.1", options, 5.0) is None
    assert places.taken == 5


def test_what_is_given_back_can_be_taken_again():
    places, options = ConnectionLimits(Counters()), ListenOptions(connections=3, connections_per_ip=2)
    assert [places.take("a", options, 0.0) for _ in range(2)] == [None, None]
    assert places.take("a", options, 0.0).status == 429
    assert places.take("b", options, 0.0) is None
    assert places.take("c", options, 0.0).status == 503
    for host in ("a", "a", "b"):
        places.release(host)
    assert (places.taken, places.by_address) == (0, {})


def test_one_address_cannot_hold_all_sockets():
    """Sockets that ask for nothing are bounded too, where an address has a limit."""
    places, options = ConnectionLimits(Counters()), ListenOptions(connections_per_ip=2)
    assert [places.arrive("a", options) for _ in range(2 + SPARE_SOCKETS)] == [None] * (2 + SPARE_SOCKETS)
    assert places.arrive("a", options).status == 429
    assert places.arrive("b", options) is None
    for _ in range(2):
        places.depart("a")
    assert places.arrive("a", options) is None
    assert places.arrive("a", ListenOptions()) is None


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_a_network_of_ipv6_is_one_address(host, network):
    assert network_of(host) == network


def test_a_bucket_tells_the_time_until_the_next_token():
    bucket = TokenBucket(2, 10.0)
    assert [bucket.take(0.0), bucket.take(0.0), bucket.take(0.0)] == [0.0, 0.0, 5.0]
