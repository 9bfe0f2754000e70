"""The nearest known word."""

from __future__ import annotations

import time

import pytest

from gsws.diagnostics import nearest


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


def test_work_is_bounded():
    started = time.perf_counter()
    assert nearest("x" * 10_000, ["y" * 10_000] * 10) == []
    nearest("event_name_that_is_long", [f"event_name_that_is_lon{n}" for n in range(20_000)])
    assert time.perf_counter() - started < 10
