"""What every session log must do; the memory one does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode as decode_json

from gsws.protocol.codec import encode
from gsws.runtime.streams.memory import MemorySessionLog

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
    assert log.read("a", 4, compact=True).text == "x" * 50
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
    assert log.read("a", 3, compact=True).text == "x" * 50
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


def note(log, id, seq):
    log.append(id, seq, encode({"eventtype": "note", "id": id, "seq": seq, "payload": {"n": seq}}), None)


def test_a_compact_read_has_the_text_of_what_was_acknowledged_and_the_frames_that_are_no_text(make):
    """P8.3, P8.6: nothing but text is missing, and it says up to which number."""
    log = make(10_000)
    fill(log, "a", 3)
    note(log, "a", 3)
    fill(log, "a", 2, start=4)
    note(log, "a", 6)
    log.acknowledge("a", 6)
    fill(log, "a", 2, start=7)

    assert log.read("a", -1) is None
    state = log.read("a", -1, compact=True)
    assert (seqs(state), state.text, state.gap, state.earlier) == ([3, 6, 7, 8], "x" * 70, 5, 1)
    state = log.read("a", 5, compact=True)
    assert (seqs(state), state.gap) == ([6, 7, 8], None)
    assert log.read("a", 6) == log.read("a", 6)
    assert seqs(log.read("a", 6)) == [7, 8]


def test_where_room_is_short_a_compact_read_is_lost_before_an_exact_one(make):
    """P8.4: what was acknowledged goes first."""
    log = make(3050)
    fill(log, "a", 15)
    log.acknowledge("a", 13)
    assert log.read("a", -1, compact=True).text == "x" * 150
    fill(log, "a", 22, start=15)

    assert log.read("a", -1, compact=True) is None
    assert seqs(log.read("a", 14)) == list(range(15, 37))


def test_what_is_shared_is_held_though_one_reader_acknowledged_it_until_room_is_short(make):
    """P8.6, P8.8."""
    log = make(3700)
    fill(log, "a", 10)
    log.share("a")
    log.acknowledge("a", 8)
    assert seqs(log.read("a", -1)) == list(range(10))
    fill(log, "a", 24, start=10)
    assert log.read("a", 7) is None
    assert seqs(log.read("a", 8)) == list(range(9, 34))

    log = make(10_000)
    fill(log, "b", 3, ended=True)
    log.share("b")
    log.acknowledge("b", 2)
    assert seqs(log.read("b", -1)) == [0, 1, 2]


def test_what_was_shared_before_its_first_frame_is_shared(make):
    """P8.6, P8.8: a request that waits in a queue can be followed."""
    log = make(10_000)
    log.begin("a")
    log.share("a")
    fill(log, "a", 5)
    log.acknowledge("a", 3)
    assert seqs(log.read("a", -1)) == list(range(5))

    fill(log, "a", 5, ended=True)  # the id is used again: another stream, not shared
    log.acknowledge("a", 3)
    assert log.read("a", -1) is None


def test_a_closed_log_holds_nothing_and_keeps_nothing(make):
    """P8.5."""
    log = make(10_000)
    fill(log, "ended", 3, ended=True)
    fill(log, "running", 3)
    log.close()
    fill(log, "running", 3, start=3, ended=True)
    fill(log, "new", 3, ended=True)

    assert [log.read(id, -1) for id in ("ended", "running", "new")] == [None] * 3
    assert len(log) == 0
    assert log.has_forgotten


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
