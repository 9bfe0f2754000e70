"""
Refreshing beside the searches: one thread while there is work, and a bounded wait for whoever needs its result.

What a refresh does is not known here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Background"]

_LOG = logging.getLogger("gsws.ai.retrieval")

_STARVED: Final = 5.0
"""Seconds after which the less urgent work comes first for one step, however many ask."""


class Background:
    """
    Runs a piece of work when it is asked for, never twice at once.

    Args:
        work: Called in a thread of its own; asked again while it runs, it runs once more afterwards. Returns for how
            many seconds its result is good enough for whoever asks.
        rest: Less urgent work, called after it in steps; tells whether there is more.
    """

    def __init__(self, work: Callable[[], float], rest: Callable[[], bool]) -> None:
        self._work = work
        self._rest = rest
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted = self._begun = self._done = 0
        self._began = 0.0
        self._not_before = 0.0
        self._running = self._stopping = False

    @property
    def is_stopping(self) -> bool:
        """Whether the work is to end as soon as it can."""
        return self._stopping

    @property
    def is_running(self) -> bool:
        """Whether the thread is at work."""
        return self._running

    def ask(self, wait: float, *, is_overdue: bool = False) -> bool:
        """
        Have the work done by a run that begins after this call, and wait for it.

        A run that ended a moment ago is as good; the work says how long a moment is.

        Args:
            wait: Seconds; if a run is under way, counted from its beginning, so that a long one holds nobody up.
            is_overdue: Whether a run that ended a moment ago is not good enough.

        Returns:
            Whether it is done; it goes on if not.
        """
        with self._change:
            now = time.monotonic()
            if self._stopping:
                return False
            if now < self._not_before and self._done == self._begun and not is_overdue:
                return True
            target = self._begun + 1
            self._wanted = max(self._wanted, target)
            until = (self._began if self._begun > self._done else now) + wait
            if not self._running:
                self._running = True
                self._thread = threading.Thread(target=self._run, name="gsws-index", daemon=True)
                self._thread.start()
            self._change.wait_for(lambda: self._done >= target or self._stopping, max(0.0, until - now))
            return self._done >= target

    def stop(self, wait: float) -> bool:
        """Let the running work end; tell whether it did within ``wait`` seconds. Nothing is begun any more."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
            thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(wait)
        return not thread.is_alive()

    def _run(self) -> None:
        has_rest = True
        rested = time.monotonic()
        while True:
            with self._change:
                if self._stopping or (self._wanted <= self._done and not has_rest):
                    self._running = False
                    return
                is_starved = has_rest and time.monotonic() - rested > _STARVED
                is_due = self._wanted > self._done and not is_starved
                if is_due:
                    self._begun += 1
                    self._began = time.monotonic()
            if not is_due:
                has_rest = bool(self._attempt(self._rest))
                rested = time.monotonic()
                continue
            good_for = self._attempt(self._work)
            has_rest = True
            with self._change:
                self._not_before = time.monotonic() + good_for
                self._done = self._begun
                self._change.notify_all()

    def _attempt(self, work: Callable[[], float]) -> float:
        """Do the work; what it raises is logged, and the next one that asks has it tried again."""
        try:
            return work()
        except Exception as error:
            if not self._stopping:
                _LOG.error("the index of documents cannot be brought up to date: %s", error, exc_info=error)
            return 0.0
