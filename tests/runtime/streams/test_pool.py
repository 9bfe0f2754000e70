"""Bytes that all logs may hold together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gsws.protocol.codec import encode
from gsws.runtime.streams.memory import MemorySessionLog
from gsws.runtime.streams.pool import STEP, Pool


def test_nothing_is_given_beyond_the_bound_unless_somebody_gives_way():
    """P8.5."""
    pool = Pool(10)
    assert pool.take(10)
    assert not pool.take(1)
    pool.give(1)
    assert pool.take(1)

    held = [4, 6]
    pool = Pool(10, lambda: bool(held) and pool.give(held.pop()) is None)
    assert pool.take(10)
    assert pool.take(6)
    assert held == [4]
    assert not pool.take(11)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["text", "end", "ack", "trim", "close"])), max_size=120))
def test_what_is_reserved_is_what_is_held_in_steps_and_all_of_it_is_given_back(steps):
    """P8.5: whatever happens to the logs, the pool knows it, and its bound holds."""
    pool = Pool(6 * STEP)
    logs = [MemorySessionLog(4 * STEP, pool) for _ in range(4)]
    seqs = [0] * 4
    for number, what in steps:
        log = logs[number]
        if what in ("text", "end"):
            log.append("s", seqs[number], encode({"text": "x" * 900}), 1.0 if what == "end" else None)
            seqs[number] = 0 if what == "end" else seqs[number] + 1
        elif what == "ack":
            log.acknowledge("s", seqs[number] - 1)
        elif what == "trim":
            log.trim(2.0)
        else:
            log.close()
        assert pool.size == sum(log._reserved for log in logs) <= pool.limit
        assert all(log._size <= log._reserved for log in logs)
    for log in logs:
        log.close()
    assert pool.size == 0
