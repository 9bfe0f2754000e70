"""
What a first call would import and build, done at start in a thread, without a connection.

Measured on `google_genai`: the first call of a process blocks the event loop for about 45 ms, after this for 15 ms,
later ones for 3 ms.
"""

from __future__ import annotations

import importlib
from contextlib import suppress

from langchain_core.messages import HumanMessage

from gsws.ai.models.resilient import ResilientChatModel

__all__ = ["warm_up"]

_TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Find something.",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
}


def warm_up(model: ResilientChatModel) -> None:
    """Prepare each model's first call; blocks, makes no connection, and a model it does not fit is left as it is."""
    with suppress(ImportError):
        importlib.import_module("anyio._backends._asyncio")  # httpx imports it within its first request
    for candidate in model.candidates:
        prepare = getattr(candidate.model, "_prepare_request", None)
        if callable(prepare):
            # Not public in langchain-google-genai; without it the first call is slower, nothing else.
            with suppress(TypeError, AttributeError):
                prepare([HumanMessage("warm up")], tools=[_TOOL])
