"""
Threads for checking credentials, apart from those of handlers: a busy service still knows whom it lets in.

Few, and with a bound on who waits: what finds no room is refused at once, so that a flood of handshakes or a check that
hangs cannot keep the others waiting until their deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gsws.runtime.identity.verdict import Unavailable
from gsws.runtime.threads import ThreadPool

__all__ = ["CheckThreads"]


class CheckThreads:
    """
    A small pool of threads with a short queue.

    Args:
        size: Checks that run at once.
        waiting: Checks that may wait for a thread.
    """

    def __init__(self, size: int, waiting: int) -> None:
        self._pool = ThreadPool(size)
        self._most = size + waiting
        self._size = size
        self._inside = 0

    @property
    def stuck(self) -> int:
        """Calls that were given up and have not returned."""
        return self._pool.abandoned

    async def run(self, function: Callable[[], Any]) -> Any:
        """
        Call a function in a thread.

        Raises:
            Unavailable: If there is no room, or too many calls before it never returned.
            BaseException: What the function raised.
        """
        if self._inside >= self._most or self.stuck >= self._size:
            raise Unavailable("too many credentials are being checked")
        self._inside += 1
        try:
            return await self._pool.run(function)
        finally:
            self._inside -= 1
