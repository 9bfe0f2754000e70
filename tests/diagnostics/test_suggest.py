"""The nearest known word."""

from __future__ import annotations

import pytest

from gsws.diagnostics import nearest, suggest
from gsws.diagnostics.suggest import distance


@pytest.mark.parametrize(
    ("word", "candidates", "expected"),
    [
        ("stream_gemni", ["stream_gemini", "chat"], ["stream_gemini"]),
        ("Kafka", ["kafka", "nats"], ["kafka"]),
        ("on_validation_error", ["on_request_validation_error", "on_disconnect"], ["on_request_validation_error"]),
        ("gemini", ["stream_gemini", "x"], ["stream_gemini"]),
        ("max-length", ["maxLength", "max_length"], ["max_length"]),
        ("requierd", ["required", "require_auth"], ["required"]),
        ("objct", ["array", "object"], ["object"]),
        ("wholly_different", ["fn", "schema"], []),
        ("a", ["b", "c"], []),
        ("", ["a"], []),
        ("fn", ["fn"], []),
    ],
)
def test_the_word_that_was_meant(word, candidates, expected):
    assert nearest(word, candidates) == expected


def test_several_come_best_first():
    assert nearest("stram", ["steam", "stream", "strum"], 2) == ["steam", "stream"]


def test_work_is_bounded(monkeypatch):
    """Of many candidates the first 5,000 are compared, and no word of more than 80 letters."""
    compared = []

    def counted(one, other, limit):
        compared.append((one, other))
        return distance(one, other, limit)

    monkeypatch.setattr(suggest, "distance", counted)
    assert nearest("x" * 10_000, ["y" * 10_000] * 10) == []
    assert nearest("x" * 80, ["y" * 81, "y" * 10_000]) == []
    assert compared == []
    word = "event_name_that_is_long"
    assert nearest(word, [f"event_name_that_is_lon{n}" for n in range(20_000)]) == ["event_name_that_is_lon0"]
    assert len(compared) == 5_000
