"""Why a model stopped, whatever its provider calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

__all__ = ["Finish", "finish_of"]

Finish = Literal["stop", "length", "other", "blocked", "model_interrupted", "empty_answer"]
"""The last three are no answer, and named as the protocol names the error."""

_STOPPED: Final = frozenset({"STOP", "END_TURN", "TOOL_CALLS", "TOOL_USE", "FUNCTION_CALL", "STOP_SEQUENCE", "EOS"})
_CUT: Final = frozenset({"MAX_TOKENS", "LENGTH", "MODEL_LENGTH", "MODEL_CONTEXT_WINDOW_EXCEEDED"})
_BLOCKED: Final = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "CONTENT_FILTER", "REFUSAL"}
) | {"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"}
_BROKEN: Final = frozenset(
    {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "ERROR"}
)


def finish_of(metadata: Mapping[str, Any], *, spoke: bool) -> Finish:
    """
    Read why a model stopped.

    Args:
        metadata: The ``response_metadata`` of its message.
        spoke: Whether it had said anything.
    """
    feedback = metadata.get("prompt_feedback")
    if isinstance(feedback, Mapping) and feedback.get("block_reason"):
        return "blocked"
    raw = metadata.get("finish_reason") or metadata.get("stop_reason") or metadata.get("done_reason")
    if not raw:
        # Gemini always says why it stopped: without that, its stream was cut between two chunks, by a proxy say.
        is_cut = spoke and str(metadata.get("model_provider") or "").startswith("google_genai")
        return "model_interrupted" if is_cut else "stop"
    reason = _once(str(getattr(raw, "name", raw)).upper())
    if reason in _STOPPED:
        return "stop"
    if reason in _CUT:
        return "length"
    if reason in _BLOCKED:
        return "blocked"
    if reason in _BROKEN:
        return "model_interrupted" if spoke else "empty_answer"
    return "other"


def _once(reason: str) -> str:
    """Undo the joining of chunks, which writes a reason that came twice as ``STOPSTOP``."""
    half = len(reason) // 2
    return reason[:half] if half and reason[:half] == reason[half:] else reason
