"""One turn of a thread at a time."""

from __future__ import annotations

import asyncio
import copy

import pytest

from gsws.ai.threads.queue import Busy, Turns, key_of, mark
from tests.ai.support import finish


def test_turns_are_taken_in_the_order_of_asking() -> None:
    """Whoever waits longest is next; an idle thread is forgotten."""

    async def scenario() -> list[int]:
        turns, order = Turns(), []

        async def one(number: int) -> None:
            await turns.take("t", queue=9, wait=5)
            order.append(number)
            await asyncio.sleep(0)
            turns.release("t")

        await asyncio.gather(*(one(number) for number in range(6)))
        assert len(turns) == 0
        return order

    assert finish(scenario()) == [0, 1, 2, 3, 4, 5]


def test_a_place_in_the_queue_and_a_deadline() -> None:
    """A full queue refuses at once, a long wait in time, and neither takes a turn from anybody."""

    async def scenario() -> None:
        turns = Turns()
        await turns.take("t", queue=0, wait=5)
        with pytest.raises(Busy):
            await turns.take("t", queue=0, wait=5)
        with pytest.raises(Busy):
            await turns.take("t", queue=1, wait=0.02)
        await turns.take("other", queue=0, wait=5)
        turns.release("other")
        turns.release("t")
        await turns.take("t", queue=0, wait=5)
        turns.release("t")
        assert len(turns) == 0

    finish(scenario())


def test_a_turn_that_comes_as_its_waiter_is_cancelled_goes_on_to_the_next() -> None:
    """A cancellation in the very step in which the turn came does not lose it."""

    async def scenario() -> None:
        turns = Turns()
        await turns.take("t", queue=9, wait=5)
        first = asyncio.create_task(turns.take("t", queue=9, wait=5))
        second = asyncio.create_task(turns.take("t", queue=9, wait=5))
        await asyncio.sleep(0)
        turns.release("t")
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await asyncio.wait_for(second, 5)
        turns.release("t")
        assert len(turns) == 0

    finish(scenario())


def test_graphs_of_one_store_share_the_turns_of_its_threads() -> None:
    """LangGraph compiles each graph with a copy of the saver; another store's thread of that name is another one."""

    class Saver:
        pass

    saver, other = Saver(), Saver()
    mark(saver)
    assert key_of(copy.copy(saver), "ann/work") == key_of(saver, "ann/work")
    assert key_of(saver, "ann/work") != key_of(saver, "ann/other")
    assert key_of(other, "ann/work") != key_of(saver, "ann/work")
