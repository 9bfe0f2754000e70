"""
When to connect again, and how long to wait before: pure functions of close codes, statuses and attempts.

The rules are the protocol's (P7.4); nothing here waits.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

__all__ = ["REPLACED", "TOO_BIG", "UNAUTHORIZED", "Backoff", "may_reconnect", "may_retry_status"]

REPLACED: Final = 4409
"""Another connection took over the session: fighting for it would never end."""

UNAUTHORIZED: Final = 4501

TOO_BIG: Final = 1009
"""RFC 6455 section 7.4.1: a message was larger than the other side takes."""

_AGAIN: Final = frozenset({1001, 1005, 1006, 1012, 1013})
"""Going away, no code, a cut, restart, try again later (RFC 6455 section 7.4.1 and its registry)."""

_RETRIED_STATUSES: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Exponential back-off with full jitter.

    Attributes:
        base: Seconds; the first wait is between nothing and this.
        cap: Seconds; no wait is longer, unless the server asks for it.
        patience: Seconds without a connection after which the client gives up.
    """

    base: float = 0.25
    cap: float = 15.0
    patience: float = 120.0

    def __post_init__(self) -> None:
        for name in ("base", "cap", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"`{name}` takes a number, not `{type(value).__name__}`")

    def delay(self, attempt: int, rng: random.Random) -> float:
        """How long to wait before an attempt; the first is 0."""
        return rng.uniform(0.0, min(self.cap, self.base * 2.0 ** min(attempt, 30)))


def may_reconnect(code: int) -> bool:
    """Whether a connection closed with this code may be made again."""
    return code in _AGAIN or (4000 <= code <= 4499 and code != REPLACED)


def may_retry_status(status: int) -> bool:
    """Whether a handshake refused with this HTTP status may be tried again."""
    return status in _RETRIED_STATUSES or 500 <= status <= 599
