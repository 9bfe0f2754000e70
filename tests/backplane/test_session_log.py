"""What every session log must do; the memory one does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode as decode_json

from gsws.backplane.memory import MemorySessionLog
from gsws.protocol.codec import encode

IMPLEMENTATIONS = {"memory": MemorySessionLog}


@pytest.fixture(params=IMPLEMENTATIONS)
def make(request):
    return IMPLEMENTATIONS[request.param]


def fill(log, id, count, *, start=0, ended=False, size=10, now=0.0):
    for seq in range(start, start + count):
        frame = {"eventtype": "stream.chunk", "id": id, "seq": seq, "payload": {"message": "x" * size}}
        log.append(id, seq, encode(frame), now if ended and seq == start + count - 1 else None)


def seqs(state):
    return None if state is None else [decode_json(frame)["seq"] for frame in state.frames]


def test_read_gives_everything_after_a_number(make):
    """P8.3."""
    log = make(10_000)
    fill(log, "a", 5)

    assert seqs(log.read("a", -1)) == [0, 1, 2, 3, 4]
    assert seqs(log.read("a", 2)) == [3, 4]
    assert seqs(log.read("a", 4)) == []
    assert log.read("a", 4).text == "x" * 50
    assert not log.read("a", 4).is_ended


def test_what_was_never_sent_or_not_yet_cannot_be_read(make):
    """P8.4."""
    log = make(10_000)
    fill(log, "a", 2)

    assert log.read("b", -1) is None
    assert log.read("a", 7) is None


def test_acknowledged_frames_are_gone(make):
    """P8.6."""
    log = make(10_000)
    fill(log, "a", 5, ended=True)
    log.acknowledge("a", 2)

    assert log.read("a", 1) is None
    assert seqs(log.read("a", 2)) == [3, 4]
    assert log.read("a", 3).text == "x" * 50
    log.acknowledge("a", 4)
    assert len(log) == 0


def test_ended_streams_go_first_and_a_stream_that_outgrows_the_bound_is_lost_whole(make):
    """P8.5."""
    log = make(1500)
    fill(log, "old", 5, ended=True, now=1.0)
    fill(log, "new", 5, ended=True, now=2.0)
    fill(log, "running", 20)
    assert log.read("old", -1) is None

    fill(log, "running", 20, start=20)
    assert log.read("new", -1) is None
    assert log.read("running", -1) is None
    assert log.read("running", 39) is None


def test_streams_that_ended_long_ago_are_trimmed(make):
    """P8.5."""
    log = make(10_000)
    fill(log, "a", 2, ended=True, now=1.0)
    fill(log, "b", 2, now=1.0)
    log.trim(5.0)

    assert log.read("a", -1) is None
    assert seqs(log.read("b", -1)) == [0, 1]


def test_an_id_that_is_used_again_is_a_new_stream(make):
    log = make(10_000)
    fill(log, "a", 5, ended=True)
    fill(log, "a", 1)

    assert seqs(log.read("a", -1)) == [0]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 60), st.booleans()), max_size=80), st.integers(200, 3000)
)
def test_a_read_is_whole_or_none_and_the_bound_holds(steps, limit):
    """P8.4, P8.5."""
    log, counts = MemorySessionLog(limit), {}
    for id, size, ends in steps:
        seq = counts.get(id, 0)
        log.append(id, seq, encode({"seq": seq, "more": "x" * size}), 0.0 if ends else None)
        counts[id] = 0 if ends else seq + 1
        assert log._size <= limit
        for other, count in counts.items():
            for after in range(-1, count):
                state = log.read(other, after)
                if state is not None and count:
                    assert seqs(state) == list(range(after + 1, count))
