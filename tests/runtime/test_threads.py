"""Threads for plain handlers: reused, bounded, abandoned without harm."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time

import pytest

from gsws.runtime.threads import ThreadPool


def run(main):
    async def with_deadline():
        async with asyncio.timeout(10):
            return await main()

    return asyncio.run(with_deadline())


def test_results_errors_and_context_come_through():
    variable = contextvars.ContextVar("v", default=0)

    def fail():
        raise ValueError("no")

    def stop():
        raise StopIteration

    async def main():
        pool = ThreadPool()
        variable.set(7)
        assert await pool.run(lambda: variable.get()) == 7
        with pytest.raises(ValueError, match="no"):
            await pool.run(fail)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await pool.run(stop)
        with pytest.raises(SystemExit):
            await pool.run(lambda: (_ for _ in ()).throw(SystemExit(3)))

    run(main)


def test_work_in_a_row_uses_one_thread():
    async def main():
        pool = ThreadPool()
        names = set()
        for _ in range(20):
            names.add(await pool.run(threading.get_ident))
            await asyncio.sleep(0.001)
        assert len(names) == 1

    run(main)


def test_work_at_once_runs_at_once_up_to_the_size():
    async def main():
        pool = ThreadPool(size=4)
        together = threading.Barrier(4)  # four at once, or nobody goes on
        await asyncio.gather(*[pool.run(lambda: together.wait(5)) for _ in range(8)])
        running, most, lock = 0, 0, threading.Lock()

        def work():
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1

        await asyncio.gather(*[pool.run(work) for _ in range(16)])
        assert most <= 4

    run(main)


def test_a_burst_after_idleness_does_not_queue_behind_one_thread():
    async def main():
        pool = ThreadPool()
        await pool.run(lambda: None)
        await asyncio.sleep(0.02)
        barrier = threading.Barrier(3, timeout=5)
        await asyncio.gather(*[pool.run(barrier.wait) for _ in range(3)])

    run(main)


def test_abandoned_threads_are_replaced_up_to_a_bound():
    """A client that cancels what runs for ever gets no thread for each: work waits until one comes back."""
    release = threading.Event()
    begun, told = [], []

    def hang():
        begun.append(1)
        release.wait(8)

    async def main():
        pool = ThreadPool(size=2)
        for number in range(30):
            stuck = asyncio.ensure_future(pool.run(hang, lambda: told.append(1)))
            await asyncio.sleep(0)
            while len(begun) < min(number + 1, 8):
                await asyncio.sleep(0.001)
            stuck.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stuck
        assert pool._threads == len(begun) == 8
        assert len(told) == pool.abandoned == 8
        waiting = asyncio.ensure_future(pool.run(lambda: "next"))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        release.set()
        assert await waiting == "next"
        while pool.abandoned:
            await asyncio.sleep(0.01)

    run(main)


def test_an_abandoned_thread_gives_its_place_away_and_takes_it_back():
    release = threading.Event()

    async def main():
        pool = ThreadPool(size=1)
        stuck = asyncio.ensure_future(pool.run(lambda: release.wait(5)))
        await asyncio.sleep(0.05)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        assert pool.abandoned == 1
        assert await pool.run(lambda: "next") == "next"
        release.set()
        while pool.abandoned:
            await asyncio.sleep(0.01)

    run(main)
