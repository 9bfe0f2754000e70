"""A server that drains is left once nothing runs there and the time that it named has come (protocol P10.2, P6.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["Draining"]

_LONGEST: Final = 600.0


class Draining:
    """
    Whether the server drains, and whether it is being left.

    Args:
        may_leave: Tells whether there is a connection on which nothing runs.
        leave: Begins to close it.

    Attributes:
        until: Loop time before which the server wants no new connection, or None.
        is_leaving: Whether the connection is being closed for it.
    """

    def __init__(self, may_leave: Callable[[], bool], leave: Callable[[], None]) -> None:
        self.until: float | None = None
        self.is_leaving = False
        self._may_leave = may_leave
        self._leave = leave

    def begin(self, payload: Mapping[str, Any]) -> None:
        """The server says that it drains."""
        wait = payload.get("reconnect_in_ms")
        seconds = min(wait / 1000, _LONGEST) if isinstance(wait, int | float) and wait > 0 else 0.0
        loop = asyncio.get_running_loop()
        self.until = loop.time() + seconds
        loop.call_later(seconds, self.leave_if_idle)

    def leave_if_idle(self) -> None:
        """Leave now if it is time, and nothing runs."""
        if self.until is None or self.is_leaving or asyncio.get_running_loop().time() < self.until:
            return
        if self._may_leave():
            self.is_leaving = True
            self._leave()
