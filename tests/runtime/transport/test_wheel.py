"""Deadlines on one clock, tested with a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gsws.runtime.wheel import Wheel
from tests.runtime.transport.harness import LogProblems


class Handle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandClock:
    """An event loop's clock and timers, turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.armed: list[tuple[float, Callable[[], object], Handle]] = []
        self.wakes = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> Handle:
        handle = Handle()
        self.armed.append((when, callback, handle))
        return handle

    def pending(self) -> list[tuple[float, Callable[[], object], Handle]]:
        self.armed = [entry for entry in self.armed if not entry[2].cancelled]
        return self.armed

    def turn(self, seconds: float) -> None:
        """Let time pass smoothly."""
        end = self.now + seconds
        while pending := sorted((entry for entry in self.pending() if entry[0] <= end), key=lambda entry: entry[0]):
            self.now = max(self.now, pending[0][0])
            self.wake(pending[0])
        self.now = end

    def jump(self, seconds: float) -> None:
        """Let time pass while nothing runs."""
        self.now += seconds
        for entry in list(self.pending()):
            if entry[0] <= self.now:
                self.wake(entry)

    def wake(self, entry: tuple[float, Callable[[], object], Handle]) -> None:
        self.armed.remove(entry)
        self.wakes += 1
        entry[1]()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def wheel(clock: HandClock) -> Wheel:
    return Wheel(clock, granularity=0.1)


def test_deadlines_pass_in_order_and_never_early(clock, wheel):
    """A deadline passes within one granularity after its time, once."""
    passed: list[tuple[str, float]] = []
    began = clock.now
    for name, delay in (("c", 3.0), ("a", 0.25), ("b", 1.0), ("d", 60.0), ("now", 0.0)):
        wheel.schedule(delay, lambda name=name: passed.append((name, clock.now - began)))
    clock.turn(100)
    assert [name for name, _ in passed] == ["now", "a", "b", "c", "d"]
    for (_, at), delay in zip(passed, (0.0, 0.25, 1.0, 3.0, 60.0), strict=True):
        assert delay - 1e-6 <= at <= delay + 0.1 + 1e-6


def test_one_timer_for_all_and_none_for_nothing(clock, wheel):
    """The loop knows one timer, however many deadlines there are, and none when all are cancelled or passed."""
    timers = [wheel.schedule(n / 10, lambda: None) for n in range(100)]
    assert len(clock.pending()) == 1
    assert len(wheel) == 100
    for timer in timers:
        timer.cancel()
        timer.cancel()
    assert not clock.pending()
    assert len(wheel) == 0
    wheel.schedule(5, lambda: None)
    clock.turn(10)
    assert not clock.pending()
    assert clock.wakes == 1


def test_cancelled_deadline_does_not_pass(clock, wheel):
    """Cancelling works before, inside a callback of the same moment, and after."""
    passed: list[str] = []
    second = wheel.schedule(1, lambda: passed.append("second"))
    first = wheel.schedule(0.5, lambda: (passed.append("first"), second.cancel()))
    same = wheel.schedule(2, lambda: (passed.append("same"), other.cancel()))
    other = wheel.schedule(2, lambda: passed.append("other"))
    clock.turn(5)
    first.cancel()
    same.cancel()
    assert passed == ["first", "same"]


def test_rescheduling_inside_a_callback(clock, wheel):
    """A heartbeat schedules itself again."""
    beats: list[float] = []

    def beat() -> None:
        beats.append(clock.now)
        wheel.schedule(20, beat)

    wheel.schedule(20, beat)
    clock.turn(201)
    assert 9 <= len(beats) <= 10


def test_stopped_process_blames_nobody(clock, wheel):
    """After a minute in which nothing ran, what is due gets fresh time, at most its own delay, once."""
    passed: list[str] = []
    wheel.schedule(20, lambda: passed.append("heartbeat"))
    wheel.schedule(2, lambda: passed.append("short"))
    wheel.schedule(100, lambda: passed.append("later"))
    clock.jump(60)
    assert passed == []
    clock.turn(2.2)
    assert passed == ["short"]
    clock.turn(18)
    assert passed == ["short", "heartbeat"]
    clock.turn(30)
    assert passed == ["short", "heartbeat", "later"]


def test_small_lateness_is_normal(clock, wheel):
    """A busy loop that is late by less than a second puts nothing off."""
    passed: list[int] = []
    wheel.schedule(5, lambda: passed.append(1))
    clock.jump(5.9)
    assert passed == [1]


def test_failing_callback_harms_no_other(clock, wheel):
    """A callback that raises is logged; the deadlines after it pass."""
    import logging

    passed: list[int] = []
    problems = LogProblems()
    logging.getLogger("gsws.transport").addHandler(problems)
    try:
        wheel.schedule(1, lambda: 1 // 0)
        wheel.schedule(1, lambda: passed.append(1))
        clock.turn(2)
    finally:
        logging.getLogger("gsws.transport").removeHandler(problems)
    assert passed == [1]
    assert problems.lines == ["a deadline's callback failed"]
