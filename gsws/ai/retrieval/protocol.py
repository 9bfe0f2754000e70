"""
The shapes of retrieval: what a retriever is asked and gives, and what a refresh reports.

Only types live here; `gsws.ai.retrieval.folder` has the implementation that needs no key and no download.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NotRequired, Protocol, TypeAlias, TypedDict, runtime_checkable

__all__ = ["Embedder", "Passage", "Progress", "Report", "Retriever", "Trouble"]


class Passage(TypedDict):
    """
    One piece of a document.

    Keys: ``text``; ``source``, where it stands (``guide/limits.md#timeouts``); ``score``, higher is better and
    comparable within one answer only; ``title``, the document's title and headings; ``url``, where a person can
    open it.
    """

    text: str
    source: str
    score: float
    title: NotRequired[str]
    url: NotRequired[str]


@runtime_checkable
class Retriever(Protocol):
    """Anything that finds passages: a folder's index, a vector database, a search service."""

    def search(self, query: str, k: int = 5) -> list[Passage] | Awaitable[list[Passage]]:
        """
        Find passages that answer a question.

        A plain function is called in a thread, a coroutine function on the loop.

        Args:
            query: The question in a person's or a model's words; never a query language.
            k: How many passages at most.

        Returns:
            The best first; empty if nothing answers the question, so that the agent can say so.
        """


class Embedder(Protocol):
    """An embedding model, in the shape of langchain's ``Embeddings``; ``model`` names it where vectors are kept."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A file that is not in the index: its path in the folder, and why, in a few words."""

    path: str
    reason: str


@dataclass(slots=True)
class Report:
    """
    What one refresh did.

    Attributes:
        added: Paths that are new; ``changed``, ``removed`` likewise. ``renamed`` are pairs of old and new path.
        unchanged: How many files were as they had been.
        failed: Files that could not be read; what was indexed of them before is gone.
        skipped: Files that are not meant to be read: hidden, binary, too large, links out of the folder. At most
            1,000 of them are named; ``skipped_total`` counts all.
        unmatched: How many files have a name that no pattern asks for.
        documents: Documents in the index now; ``chunks`` likewise.
        vectors: Chunks that have a vector now; None without an embedding model.
        problem: Why the refresh could not do all of its work, or None; the index is usable nevertheless.
        seconds: How long it took.
        files: How many files the folder has, of any kind; ``listing_seconds``, how long it took to list them.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0
    failed: list[Trouble] = field(default_factory=list)
    skipped: list[Trouble] = field(default_factory=list)
    skipped_total: int = 0
    unmatched: int = 0
    documents: int = 0
    chunks: int = 0
    vectors: int | None = None
    problem: str | None = None
    seconds: float = 0.0
    files: int = 0
    listing_seconds: float = 0.0

    @property
    def has_changes(self) -> bool:
        """Whether the index is another than before."""
        return bool(self.added or self.changed or self.removed or self.renamed)


Progress: TypeAlias = Callable[[str, int, int], None]
"""``progress(what, done, total)``: a path that is being read, or ``embeddings``; called in the refreshing thread."""
