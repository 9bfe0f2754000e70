"""One timer for a turn: silence, total, and whose cancellation it was."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gsws.ai.turn.deadlines import Deadlines
from tests.ai.support import finish


def test_silence_cancels_the_one_who_waits() -> None:
    """Waiting longer than the idle time is cut off, and the task is as if it had never been cancelled."""

    async def scenario() -> None:
        deadlines = Deadlines(0.05, 5)
        deadlines.waits()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(5)
        assert deadlines.caused()
        assert deadlines.passed == "idle"
        deadlines.stop()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    finish(scenario())


def test_each_sign_of_life_begins_the_idle_time_anew() -> None:
    """Ten short waits together may take longer than the idle time."""

    async def scenario() -> None:
        deadlines = Deadlines(0.5, 0)
        for _ in range(10):
            deadlines.waits()
            await asyncio.sleep(0.08)
            deadlines.got()
        deadlines.stop()
        assert deadlines.passed is None

    finish(scenario())


def test_somebody_elses_cancellation_is_not_ours() -> None:
    """A cancellation from outside is not taken for a deadline's."""

    async def waits(deadlines: Deadlines) -> bool:
        deadlines.waits()
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return deadlines.caused()
        return False

    async def scenario() -> None:
        deadlines = Deadlines(5, 5)
        task = asyncio.create_task(waits(deadlines))
        await asyncio.sleep(0)
        task.cancel()
        assert await task is False
        deadlines.stop()

    finish(scenario())


def test_a_total_that_passes_while_nobody_waits() -> None:
    """Nobody is cancelled; the next wait tells."""

    async def scenario() -> None:
        deadlines = Deadlines(0, 0.02)
        await asyncio.sleep(0.1)
        assert deadlines.passed == "total"
        with pytest.raises(TimeoutError):
            deadlines.waits()
        deadlines.stop()

    finish(scenario())


def test_without_deadlines_there_is_no_timer() -> None:
    """0 and None are any time."""

    async def scenario() -> None:
        for idle, total in ((0, 0), (None, None)):
            deadlines = Deadlines(idle, total)
            deadlines.waits()
            await asyncio.sleep(0.01)
            deadlines.got()
            deadlines.ended()
            deadlines.stop()

    finish(scenario())


def test_an_end_that_was_a_cancellation() -> None:
    """A graph that swallows the cancellation and ends has not answered; one that ended in time has."""

    async def scenario() -> None:
        deadlines = Deadlines(0.02, 5)
        deadlines.waits()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(5)
        with pytest.raises(TimeoutError):
            deadlines.ended()
        deadlines.stop()

        late = Deadlines(0, 0.02)
        late.waits()
        late.got()
        await asyncio.sleep(0.1)
        late.ended()
        assert late.passed == "total"

    finish(scenario())


def test_a_wait_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who catches the first cancellation gets a second one, and both are taken back."""
    monkeypatch.setattr("gsws.ai.turn.deadlines._AGAIN", 0.05)

    async def scenario() -> None:
        deadlines = Deadlines(0.02, 5)
        deadlines.waits()
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(5)
        assert deadlines.caused()
        deadlines.stop()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    finish(scenario())
