"""
A local stand-in of the Gemini REST API: scripted or plausible answers, faults, strict checks, records.

`h11` speaks its HTTP and comes with ``gsws[testing]``.
"""

from __future__ import annotations

from gsws.testing.gemini.errors import APIError
from gsws.testing.gemini.fake import FakeGemini
from gsws.testing.gemini.recording import RecordingError
from gsws.testing.gemini.request import Request
from gsws.testing.gemini.turn import Call, Turn, TurnError

__all__ = ["APIError", "Call", "FakeGemini", "RecordingError", "Request", "Turn", "TurnError"]
