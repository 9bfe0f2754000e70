"""
Retrieval: passages of documents that answer a question, behind one small protocol.

`FolderIndex` keeps an index of a folder in SQLite, `retrieval_tool` gives any `Retriever` to an agent. None of that
imports langchain or langgraph until `retrieval_tool` or an embedding model is made. May import `content` and `google`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gsws.ai.retrieval.folder import FolderIndex
from gsws.ai.retrieval.protocol import Embedder, Passage, Progress, Report, Retriever, Trouble

if TYPE_CHECKING:
    from gsws.ai.retrieval.embeddings import gemini_embeddings
    from gsws.ai.retrieval.tool import retrieval_tool

__all__ = [
    "Embedder",
    "FolderIndex",
    "Passage",
    "Progress",
    "Report",
    "Retriever",
    "Trouble",
    "gemini_embeddings",
    "retrieval_tool",
]


def __getattr__(name: str) -> Any:
    """Import what needs langchain when it is asked for."""
    if name == "retrieval_tool":
        from gsws.ai.retrieval.tool import retrieval_tool

        return retrieval_tool
    if name == "gemini_embeddings":
        from gsws.ai.retrieval.embeddings import gemini_embeddings

        return gemini_embeddings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
