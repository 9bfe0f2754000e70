"""Fusing rankings, and leaving out repetitions."""

from __future__ import annotations

import pytest

from gsws.ai.retrieval.fusion import Distinct, fused


def test_what_two_rankings_agree_on_comes_first():
    assert [one for one, _ in fused([[1, 2, 3], [4, 2, 5]])] == [2, 1, 4, 3, 5]


def test_scores_are_reciprocal_ranks():
    assert fused([[7], [7]]) == [(7, pytest.approx(2 / 61))]
    assert fused([[], []]) == []


def test_a_repetition_is_not_new():
    distinct = Distinct()
    text = "one two three four five six seven eight nine ten"
    assert distinct.is_new(text)
    assert not distinct.is_new(text.upper().replace(" ", "\n"))
    assert not distinct.is_new("two three four five six seven eight nine ten")
    assert distinct.is_new("one two three four something entirely different follows here now")


def test_short_texts_are_compared_whole():
    distinct = Distinct()
    assert [distinct.is_new(text) for text in ("a b", "a c", "A  b", "")] == [True, True, False, True]
