"""
A local stand-in of the Gemini REST API: scripted or plausible answers, faults, strict checks, records.

Only names; nothing of it is imported before it is asked for. `h11` speaks its HTTP and comes with ``gsws[testing]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gsws.testing.gemini.errors import APIError as APIError
    from gsws.testing.gemini.fake import FakeGemini as FakeGemini
    from gsws.testing.gemini.recording import RecordingError as RecordingError
    from gsws.testing.gemini.request import Request as Request
    from gsws.testing.gemini.turn import Call as Call
    from gsws.testing.gemini.turn import Turn as Turn
    from gsws.testing.gemini.turn import TurnError as TurnError

__all__ = ["APIError", "Call", "FakeGemini", "RecordingError", "Request", "Turn", "TurnError"]

_LAZY = {
    "APIError": "errors",
    "Call": "turn",
    "FakeGemini": "fake",
    "RecordingError": "recording",
    "Request": "request",
    "Turn": "turn",
    "TurnError": "turn",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"gsws.testing.gemini.{_LAZY[name]}"), name)
    raise AttributeError(f"module `gsws.testing.gemini` has no attribute `{name}`")
