"""
One timer for many deadlines: heartbeats, handshakes, closing and stalled peers.

Deadlines are rounded up to a granularity and kept in buckets; the event loop knows one timer, and none while there
is nothing to wait for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil
from typing import Protocol

__all__ = ["Clock", "Timer", "Wheel"]

log = logging.getLogger("gsws.transport")


class Handle(Protocol):
    """What `Clock.call_at` returns."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of an event loop that a wheel needs."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Handle: ...


class Timer:
    """One deadline on a wheel."""

    __slots__ = ("_callback", "_delay", "_wheel")

    def __init__(self, wheel: Wheel, delay: float, callback: Callable[[], object]) -> None:
        self._wheel: Wheel | None = wheel
        self._delay = delay
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Forget the deadline; without effect when it has passed or was cancelled before."""
        wheel = self._wheel
        if wheel is not None:
            self._wheel = self._callback = None
            wheel._released()


class Wheel:
    """
    Deadlines on one monotonic clock.

    A deadline never fires early. When the wheel itself wakes late by more than ``patience`` seconds, because the
    process was stopped or the loop was blocked, what is due is put off by the time that was lost (at most by its
    own delay): peers are not to blame for it, and what they sent meanwhile must be read first.

    Args:
        clock: The event loop.
        granularity: Seconds to which deadlines are rounded up.
        patience: Seconds of lateness that are normal.
    """

    __slots__ = ("_armed", "_buckets", "_clock", "_granularity", "_handle", "_live", "_patience", "_ticks")

    def __init__(self, clock: Clock, *, granularity: float = 0.05, patience: float = 1.0) -> None:
        self._clock = clock
        self._granularity = granularity
        self._patience = patience
        self._buckets: dict[int, list[Timer]] = {}
        self._ticks: list[int] = []
        self._live = 0
        self._armed = 0
        self._handle: Handle | None = None

    def __len__(self) -> int:
        return self._live

    def time(self) -> float:
        """Return the clock's time in seconds."""
        return self._clock.time()

    def schedule(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call back once, ``delay`` seconds from now or up to one granularity later."""
        timer = Timer(self, delay, callback)
        self._live += 1
        self._place(timer, delay)
        self._arm()
        return timer

    def _place(self, timer: Timer, delay: float) -> None:
        tick = ceil((self._clock.time() + delay) / self._granularity)
        bucket = self._buckets.get(tick)
        if bucket is None:
            self._buckets[tick] = [timer]
            heappush(self._ticks, tick)
        else:
            bucket.append(timer)

    def _arm(self) -> None:
        if not self._ticks:
            return
        tick = self._ticks[0]
        if self._handle is not None:
            if self._armed <= tick:
                return
            self._handle.cancel()
        self._armed = tick
        self._handle = self._clock.call_at(tick * self._granularity, self._fire)

    def _released(self) -> None:
        self._live -= 1
        if not self._live:
            self._buckets.clear()
            self._ticks.clear()
            if self._handle is not None:
                self._handle.cancel()
                self._handle = None

    def _fire(self) -> None:
        self._handle = None
        now = self._clock.time()
        late = now - self._armed * self._granularity
        # Loops round their clocks to milliseconds; a tick missed by less than that is this one.
        current = int((now + 0.002) / self._granularity)
        due: list[Timer] = []
        while self._ticks and self._ticks[0] <= current:
            due.extend(self._buckets.pop(heappop(self._ticks)))
        if late > self._patience:
            for timer in due:
                if timer._callback is not None:
                    self._place(timer, min(timer._delay, late))
        else:
            for timer in due:
                callback = timer._callback
                if callback is not None:
                    timer.cancel()
                    try:
                        callback()
                    except Exception:
                        log.exception("a deadline's callback failed")
        self._arm()
