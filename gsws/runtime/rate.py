"""Rates: token buckets without timers."""

from __future__ import annotations

__all__ = ["TokenBucket"]


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
