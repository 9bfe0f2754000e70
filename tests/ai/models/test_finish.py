"""Providers' reasons to stop as the few that there are."""

from __future__ import annotations

from typing import Any

import pytest

from gsws.ai.models.finish import finish_of
from gsws.ai.turn.failures import FAILURES


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({}, "stop"),
        ({"finish_reason": "STOP"}, "stop"),
        ({"finish_reason": "tool_calls"}, "stop"),
        ({"stop_reason": "end_turn"}, "stop"),
        ({"done_reason": "stop"}, "stop"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"finish_reason": "lengthlength"}, "length"),
        ({"finish_reason": "BRAND_NEW"}, "other"),
        ({"prompt_feedback": {"block_reason": None}}, "stop"),
    ],
)
def test_finish_reasons(metadata: dict[str, Any], reason: str) -> None:
    """Providers' words for one thing have one name."""
    assert finish_of(metadata, spoke=True) == reason


@pytest.mark.parametrize(
    ("metadata", "spoke", "name"),
    [
        ({"finish_reason": "SAFETY"}, True, "blocked"),
        ({"finish_reason": "content_filter"}, True, "blocked"),
        ({"stop_reason": "refusal"}, True, "blocked"),
        ({"prompt_feedback": {"block_reason": "OTHER"}}, False, "blocked"),
        ({"finish_reason": "MALFORMED_FUNCTION_CALL"}, False, "empty_answer"),
        ({"finish_reason": "MALFORMED_FUNCTION_CALL"}, True, "model_interrupted"),
        # Gemini always gives a reason; a stream without one was cut where one chunk ended.
        ({"model_provider": "google_genai"}, True, "model_interrupted"),
    ],
)
def test_ends_that_are_no_answer(metadata: dict[str, Any], spoke: bool, name: str) -> None:
    """What is no answer is named as the protocol's error."""
    assert finish_of(metadata, spoke=spoke) == name
    assert name in FAILURES
