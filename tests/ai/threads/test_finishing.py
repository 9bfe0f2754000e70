"""Writes that go on when who asked for them is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from gsws.ai.threads.finishing import Work
from tests.ai.threads.support import within


def test_a_cancelled_caller_leaves_its_write_running():
    """The caller learns at once that it was cancelled; the write is finished and can be waited for."""

    async def main():
        work, begun, go, done = Work(), asyncio.Event(), asyncio.Event(), []

        async def write():
            begun.set()
            await go.wait()
            done.append(True)

        caller = asyncio.create_task(work.finish(write()))
        await begun.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert done == []
        go.set()
        await work.drain(10)
        assert done == [True]

    within(main())


def test_what_does_not_end_is_cancelled_when_draining():
    """Closing a store does not wait for ever."""

    async def main():
        work = Work()
        caller = asyncio.create_task(work.finish(asyncio.Event().wait()))
        await asyncio.sleep(0)
        await work.drain(0.01)
        with pytest.raises(TimeoutError):
            await caller
        assert work.is_closed

    within(main())


def test_a_deadline_is_kept_although_the_work_clings():
    """Who asked is told in time, also when a connection takes long to be given up."""

    async def main():
        work, end = Work(), asyncio.Event()

        async def clinging():
            try:
                await asyncio.Event().wait()
            finally:
                await end.wait()

        for way in (work.finish, work.ask):
            with pytest.raises(TimeoutError):
                await way(clinging(), 0.01)
        end.set()
        await work.drain(10)

    within(main())


def test_a_read_ends_with_its_caller():
    """Nobody wants the answer of a turn that was cancelled."""

    async def main():
        work, ended = Work(), asyncio.Event()

        async def read():
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        caller = asyncio.create_task(work.ask(read(), 60))
        await asyncio.sleep(0.01)
        caller.cancel()
        await ended.wait()
        with pytest.raises(asyncio.CancelledError):
            await caller

    within(main())


def test_a_failure_nobody_waits_for_is_no_leak():
    """A write that fails after its caller was cancelled raises nothing at the end of the loop."""

    async def main():
        loop = asyncio.get_running_loop()
        unheard = []
        loop.set_exception_handler(lambda _, context: unheard.append(context))
        work, go = Work(), asyncio.Event()

        async def write():
            await go.wait()
            raise OSError("no disk")

        caller = asyncio.create_task(work.finish(write()))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait({caller})
        go.set()
        await work.drain(10)
        await asyncio.sleep(0)
        return unheard

    assert within(main()) == []
