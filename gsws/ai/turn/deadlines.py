"""
Deadlines of a turn: how long it may be silent, and how long it may take.

One timer for a whole turn, which looks at when the graph was last waited for; nothing is set or reset per token.
Which error a deadline becomes is not decided here.
"""

from __future__ import annotations

import asyncio
from typing import Final, Literal

__all__ = ["Deadlines"]

_AGAIN: Final = 3.0
"""Seconds after which a graph that swallowed its cancellation is cancelled once more."""


class Deadlines:
    """
    Cancels the task that waits for a graph when the graph takes too long.

    ``waits()`` before each wait, ``got()`` after it. Time in which nobody waits is the consumer's, and counts for the
    total only.

    Attributes:
        passed: Which deadline has passed, or None.
    """

    __slots__ = ("_before", "_began", "_cancels", "_idle", "_loop", "_since", "_task", "_timer", "_total", "passed")

    def __init__(self, idle: float | None, total: float | None) -> None:
        """
        Begin to count.

        Args:
            idle: Seconds that the graph may be silent; None or 0 for any time.
            total: Seconds that the turn may take; None or 0 for any time.
        """
        self._loop = asyncio.get_running_loop()
        self._idle = idle or None
        self._total = total or None
        self._began = self._loop.time()
        self._since: float | None = None
        self._task: asyncio.Task[object] | None = None
        self._before = 0
        self._cancels = 0
        self._timer: asyncio.TimerHandle | None = None
        self.passed: Literal["idle", "total"] | None = None
        self._arm()

    def waits(self) -> None:
        """
        The current task is about to wait for the graph.

        Raises:
            TimeoutError: If the total has passed while nobody waited.
        """
        if self.passed is not None:
            raise TimeoutError
        self._task = task = asyncio.current_task()
        self._before = task.cancelling() if task is not None else 0
        self._since = self._loop.time()

    def ended(self) -> None:
        """
        The graph has ended.

        Raises:
            TimeoutError: If it took a deadline's cancellation for its end.
        """
        self.got()
        if self.caused():
            raise TimeoutError

    def got(self) -> None:
        """The graph gave something, or was left."""
        self._since = None

    def stop(self) -> None:
        """No deadline holds any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._since = self._task = None

    def caused(self) -> bool:
        """
        Whether the cancellation that just arrived is this object's, and nobody else's.

        To be asked once, where the `CancelledError` is caught; takes the cancellation back.
        """
        task = self._task
        if not self._cancels or task is None:
            return False
        left = 0
        while self._cancels:
            self._cancels -= 1
            left = task.uncancel()
        return left <= self._before

    def _arm(self) -> None:
        now = self._loop.time()
        due = []
        if self._total is not None:
            due.append(self._began + self._total)
        if self._idle is not None:
            due.append((now if self._since is None else self._since) + self._idle)
        self._timer = self._loop.call_at(min(due), self._look) if due else None

    def _look(self) -> None:
        now = self._loop.time()
        if self.passed is None:
            if self._total is not None and now >= self._began + self._total:
                self.passed = "total"
            elif self._idle is not None and self._since is not None and now >= self._since + self._idle:
                self.passed = "idle"
            else:
                self._arm()
                return
        task = self._task
        if self._since is None or task is None or task.cancelling() > self._before + self._cancels:
            return  # nobody waits (`waits` will tell), or somebody else cancels already
        self._cancels += 1
        task.cancel()
        self._timer = self._loop.call_at(now + _AGAIN, self._look)
