"""
Agents: graphs run as streams of protocol frames, with models, retrieval and memory (the extra `ai`).

Only projects that use it import it, and each name loads what it needs when it is first used: importing `gsws.ai`
itself loads neither LangGraph nor a provider's client.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gsws.ai.budget import Budget as Budget
    from gsws.ai.models import chat_model as chat_model
    from gsws.ai.models.offline import OfflineModel as OfflineModel
    from gsws.ai.retrieval import FolderIndex as FolderIndex
    from gsws.ai.retrieval import Passage as Passage
    from gsws.ai.retrieval import Retriever as Retriever
    from gsws.ai.retrieval import retrieval_tool as retrieval_tool
    from gsws.ai.threads import ThreadStore as ThreadStore
    from gsws.ai.threads import thread_id as thread_id
    from gsws.ai.threads.history_repair import prepare as prepare
    from gsws.ai.threads.transcript import history as history
    from gsws.ai.turn.agent import resume as resume
    from gsws.ai.turn.agent import retry as retry
    from gsws.ai.turn.agent import run as run
    from gsws.ai.turn.agent import send as send

__all__ = [
    "Budget",
    "FolderIndex",
    "OfflineModel",
    "Passage",
    "Retriever",
    "ThreadStore",
    "chat_model",
    "history",
    "prepare",
    "resume",
    "retrieval_tool",
    "retry",
    "run",
    "send",
    "thread_id",
]

_LAZY = {
    "Budget": "gsws.ai.budget",
    "FolderIndex": "gsws.ai.retrieval",
    "OfflineModel": "gsws.ai.models.offline",
    "Passage": "gsws.ai.retrieval",
    "Retriever": "gsws.ai.retrieval",
    "ThreadStore": "gsws.ai.threads",
    "chat_model": "gsws.ai.models",
    "history": "gsws.ai.threads.transcript",
    "prepare": "gsws.ai.threads.history_repair",
    "resume": "gsws.ai.turn.agent",
    "retrieval_tool": "gsws.ai.retrieval",
    "retry": "gsws.ai.turn.agent",
    "run": "gsws.ai.turn.agent",
    "send": "gsws.ai.turn.agent",
    "thread_id": "gsws.ai.threads.naming",
}

_EXTRA = frozenset({"langgraph", "langchain_core", "langchain_google_genai", "langsmith", "aiosqlite"})
"""Top-level modules that the extra `ai` installs."""

# A checkpoint is data: what is read from a store must not choose which classes are built (LangGraph reads this once).
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module `gsws.ai` has no attribute `{name}`")
    from importlib import import_module

    try:
        module = import_module(_LAZY[name])
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        raise ImportError(
            f'`gsws.ai.{name}` needs `{missing}`, which is not installed; run: pip install "gsws[ai]"', name=error.name
        ) from error
    # No submodule may have one of these names: its import would bind it here instead.
    value = globals()[name] = getattr(module, name)
    return value
