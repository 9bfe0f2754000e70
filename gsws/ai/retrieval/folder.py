"""
`FolderIndex`: the retriever over a folder of documents that needs no key, no server and no download.

It joins the parts: what is read and cut is in `refresh`, what fits a question in `words` and `vectors`, where it is
kept in `database`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from gsws.ai.retrieval.background import Background
from gsws.ai.retrieval.database import Database, is_damage
from gsws.ai.retrieval.fusion import Distinct, fused
from gsws.ai.retrieval.protocol import Embedder, Passage, Progress, Report
from gsws.ai.retrieval.query import MAX_QUERY
from gsws.ai.retrieval.refresh import refresh_words
from gsws.ai.retrieval.scan import DEFAULT_PATTERNS, Selection
from gsws.ai.retrieval.vectors import Vectors
from gsws.ai.retrieval.words import search_words

__all__ = ["FolderIndex"]

_LOG = logging.getLogger("gsws.ai.retrieval")

_CANDIDATES: Final = 40
_FEW: Final = 300
"""A folder of so many files is listed before every question, in about two milliseconds."""
_RARELY: Final = 1.0
"""Seconds after which a larger one is listed again for a question; sooner if that takes a tenth of the time."""
MAX_PASSAGES: Final = 50
_T = TypeVar("_T")


class FolderIndex:
    """
    An index of the Markdown, text, HTML and PDF files of a folder; a `Retriever`.

    Safe to use from several threads, and several processes may use one database. All calls block: call them off the
    event loop.

    Args:
        documents: The folder. It need not be there yet.
        database: The SQLite file; made if it is not there. It holds nothing that cannot be made again.
        patterns: Which files are read, e.g. ``["guide/**/*.md"]``.
        exclude: Patterns of files that are not, though a pattern asks for them.
        max_file_bytes: Larger files are skipped.
        embeddings: An embedding model, to search by meaning too.
        min_similarity: Cosine below which a chunk does not answer a question, with ``embeddings``.
        refresh: Whether a search looks for changed files before; False leaves it to `refresh`.
        wait: Seconds that a search waits at most for changed files to be read.

    Raises:
        OSError: If the database's folder cannot be made.
        sqlite3.Error: If the database cannot be opened; a damaged file is replaced instead.
    """

    def __init__(
        self,
        documents: str | Path,
        database: str | Path,
        *,
        patterns: Sequence[str] = DEFAULT_PATTERNS,
        exclude: Sequence[str] = (),
        max_file_bytes: int = 10 * 2**20,
        embeddings: Embedder | None = None,
        min_similarity: float = 0.6,
        refresh: bool = True,
        wait: float = 2.0,
    ) -> None:
        self.documents = Path(documents).absolute()
        self.selection = Selection(tuple(patterns), tuple(exclude), max_file_bytes)
        self._database = Database(Path(database).absolute())
        self._vectors = None if embeddings is None else Vectors(self._database, embeddings, min_similarity)
        self._refreshes = refresh
        self._wait = wait
        self._refresh_lock = threading.Lock()
        self._last = Report()
        self._is_first = True
        self._background = Background(self._refresh_quietly, self._embed_some)

    @property
    def database(self) -> Path:
        """Where the index is kept."""
        return self._database.path

    def refresh(self, progress: Progress | None = None, *, rebuild: bool = False) -> Report:
        """
        Bring the index up to what the folder holds, embeddings too, and tell what was done.

        Searches go on meanwhile with what is indexed so far.

        Args:
            progress: Called in this thread as work goes on.
            rebuild: Read every file anew; vectors of text that stays the same are kept.

        Raises:
            sqlite3.Error: If the index cannot be written, e.g. on a full disk.
        """
        report = self._refresh(progress=progress, rebuild=rebuild, again=True)
        if self._vectors is not None:
            try:
                self._vectors.fill(progress, lambda: self._background.is_stopping)
            except Exception as error:  # a provider's exceptions are its own; words are indexed, which is most
                _LOG.warning("not every chunk has a vector: %s", error)
                report.problem = report.problem or "the embedding model failed; what is missing is asked for next time"
            report.vectors = self._vectors.count()
        return report

    def refresh_soon(self) -> None:
        """Begin a refresh in a thread of its own; return at once."""
        self._background.ask(0.0)

    def search(self, query: str, k: int = 5) -> list[Passage]:
        """
        Find passages that answer a question, after looking whether files have changed.

        Args:
            query: Any text; 2,000 characters of it are read.
            k: How many passages at most, 1 to 50.

        Returns:
            The best first, no two of which say the same. Empty if too little of the question is in any one passage.

        Raises:
            RuntimeError: If the index is closed.
            sqlite3.Error: If the database cannot be read.
        """
        if self._refreshes:
            self._background.ask(self._wait)
        query = query[:MAX_QUERY]
        by_words = self._repaired(lambda: self._by_words(query))
        ranked = [(hit.chunk, hit.score) for hit in by_words]
        if self._vectors is not None:
            by_meaning = self._vectors.search(query, _CANDIDATES)
            if by_meaning is not None:
                ranked = fused([[hit.chunk for hit in by_words], [hit.chunk for hit in by_meaning]])
        return self._repaired(lambda: self._passages(ranked, max(1, min(k, MAX_PASSAGES))))

    def status(self) -> Mapping[str, Any]:
        """
        What the index holds, without looking at the folder.

        Returns:
            ``{"documents": int, "chunks": int, "vectors": int | None, "failed": int, "refreshing": bool, "database":
            str, "folder": str}``.
        """
        with self._database.reading() as connection:
            [documents] = connection.execute("SELECT count(*) FROM files WHERE error IS NULL").fetchone()
            [failed] = connection.execute("SELECT count(*) FROM files WHERE error NOT IN ('binary')").fetchone()
            [chunks] = connection.execute("SELECT count(*) FROM chunks").fetchone()
        return {
            "documents": documents,
            "chunks": chunks,
            "vectors": None if self._vectors is None else self._vectors.count(),
            "failed": failed,
            "refreshing": self._background.is_running,
            "database": str(self._database.path),
            "folder": str(self.documents),
        }

    def close(self) -> None:
        """End a refresh that runs, at the next file, and close the database; a search fails from now on."""
        if not self._background.stop(4.0):
            _LOG.warning("a refresh of %s did not end in time and is left behind", self.documents)
        self._database.close()

    def _refresh(self, *, progress: Progress | None = None, rebuild: bool = False, again: bool = False) -> Report:
        with self._refresh_lock:
            self._database.check()
            self._last = self._repaired(
                lambda: refresh_words(
                    self._database,
                    self.documents,
                    self.selection,
                    rebuild=rebuild,
                    again=again,
                    progress=progress,
                    is_stopping=lambda: self._background.is_stopping,
                )
            )
            return self._last

    def _refresh_quietly(self) -> float:
        """Refresh, and tell for how long that is good enough: a small folder is looked at for each question."""
        before = self._last
        # Once a process: what it cannot read may be mended by a library that was installed since.
        report, self._is_first = self._refresh(again=self._is_first), False
        if report.has_changes:
            _LOG.info("documents indexed: %d, chunks: %d", report.documents, report.chunks)
        told = {(one.path, one.reason) for one in before.failed}
        for one in report.failed[:20]:
            if (one.path, one.reason) not in told:
                _LOG.warning("document %s is not in the index: %s", one.path, one.reason)
        if report.problem is not None and report.problem != before.problem and not self._background.is_stopping:
            _LOG.warning("%s: %s", self.documents, report.problem)
        return 0.0 if report.files <= _FEW else min(_RARELY, report.listing_seconds * 10)

    def _embed_some(self) -> bool:
        return self._vectors is not None and self._vectors.fill_some(lambda: self._background.is_stopping)

    def _by_words(self, query: str) -> list[Any]:
        with self._database.reading() as connection:
            return search_words(connection, query, _CANDIDATES)

    def _passages(self, ranked: Sequence[tuple[int, float]], k: int) -> list[Passage]:
        distinct = Distinct()
        found: list[Passage] = []
        query = (
            "SELECT files.path, files.title, heading, anchor, text FROM chunks JOIN files ON files.id = file "
            "WHERE chunks.id = ?"
        )
        with self._database.reading() as connection:
            for chunk, score in ranked:
                row = connection.execute(query, (chunk,)).fetchone()
                if row is None or not distinct.is_new(row[4]):
                    continue  # forgotten since it was found, or said before
                path, title, heading, anchor, text = row
                found.append(
                    {
                        "text": text,
                        "source": f"{path}#{anchor}" if anchor else path,
                        "score": round(score, 4),
                        "title": f"{title} › {heading}" if heading else title,
                    }
                )
                if len(found) == k:
                    break
        return found

    def _repaired(self, work: Callable[[], _T]) -> _T:
        """Do the work; if the database turns out to be damaged, put a new one in its place and do it again."""
        try:
            return work()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self._database.replace(error)
        if self._refreshes and not self._refresh_lock.locked():
            self._background.ask(self._wait, is_overdue=True)
        return work()
