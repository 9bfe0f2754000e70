"""Rates: token buckets without timers, one by one or kept by key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol

__all__ = ["Buckets", "Rate", "TokenBucket"]


class TokenBucket:
    """
    At most ``messages`` every ``per`` seconds, ``burst`` at once.

    Args:
        messages: Tokens that come back every ``per`` seconds; more than 0.
        per: Seconds.
        burst: Tokens that a bucket holds at most; ``messages`` if 0.
    """

    __slots__ = ("_capacity", "_filled", "_rate", "_tokens")

    def __init__(self, messages: int, per: float, burst: int = 0) -> None:
        self._rate = messages / per
        self._capacity = float(burst or messages)
        self._tokens = self._capacity
        self._filled: float | None = None

    def take(self, now: float) -> float:
        """
        Take one token.

        Args:
            now: Monotonic seconds.

        Returns:
            0.0 if there was one, else the seconds until there will be; nothing is taken then.
        """
        if self._filled is not None:
            self._tokens = min(self._capacity, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate


class Rate(Protocol):
    """``messages`` every ``per`` seconds, ``burst`` at once."""

    @property
    def messages(self) -> int: ...
    @property
    def per(self) -> float: ...
    @property
    def burst(self) -> int: ...


class Buckets:
    """
    Token buckets by key; of too many, those not asked for longest are forgotten, which fills them.

    Args:
        limit: How many are kept.
    """

    __slots__ = ("_buckets", "_limit")

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._buckets: OrderedDict[Hashable, tuple[Rate, TokenBucket]] = OrderedDict()

    def take(self, key: Hashable, rate: Rate, now: float) -> float:
        """Take one token of a key's bucket, as `TokenBucket.take`; a rate that changed begins anew."""
        known, bucket = self._buckets.get(key, (None, None))
        if bucket is None or (known is not rate and known != rate):
            bucket = TokenBucket(rate.messages, rate.per, rate.burst)
            self._buckets[key] = (rate, bucket)
            if len(self._buckets) > self._limit:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now)
