"""Token buckets, on a clock of the test."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gsws.runtime.rate import TokenBucket


def test_a_burst_passes_and_the_next_waits_for_a_token():
    bucket = TokenBucket(2, per=1.0, burst=3)

    assert [bucket.take(10.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert bucket.take(10.4) > 0
    assert bucket.take(10.6) == 0.0


def test_a_bucket_never_holds_more_than_one_burst():
    bucket = TokenBucket(10, per=1.0)
    bucket.take(0.0)

    assert sum(bucket.take(1_000_000.0) == 0.0 for _ in range(50)) == 10


@given(st.lists(st.floats(0, 5), max_size=200), st.integers(1, 20), st.floats(0.1, 10))
def test_no_pattern_of_calls_gets_more_than_the_rate(gaps, messages, per):
    bucket, now, passed = TokenBucket(messages, per), 0.0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now) == 0.0

    assert passed <= messages + now * messages / per + 1
