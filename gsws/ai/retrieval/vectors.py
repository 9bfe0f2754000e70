"""
Search by meaning beside the words: one vector a chunk, kept in the same database, compared by numpy.

Vectors belong to what a chunk says, not to where it stands: a renamed or touched file costs no call. What makes them
is an `Embedder`; `gsws.ai.retrieval.embeddings` has Gemini's.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gsws.ai.retrieval.database import Database
from gsws.ai.retrieval.protocol import Embedder, Progress
from gsws.ai.retrieval.words import Hit

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["Vectors"]

_LOG = logging.getLogger("gsws.ai.retrieval")

_BATCH: Final = 64
_MAX_CHARS: Final = 8_000
_QUERY_SECONDS: Final = 4.0
_ATTEMPTS: Final = 6
_PAUSE: Final = 30.0
"""Seconds without another try after the model failed."""
_RETRYABLE: Final = frozenset({429, 500, 502, 503, 504})

_COUNT_MISSING: Final = """
SELECT count(DISTINCT digest) FROM chunks WHERE digest NOT IN (SELECT digest FROM vectors WHERE model = ?)
"""
_MISSING: Final = """
SELECT digest, min(CASE heading WHEN '' THEN text ELSE heading || char(10) || text END) FROM chunks
WHERE digest NOT IN (SELECT digest FROM vectors WHERE model = ?) GROUP BY digest LIMIT ?
"""


class Vectors:
    """
    The vectors of one index.

    Args:
        embedder: Asked in batches of 64 texts. Its ``model`` and ``output_dimensionality``, if it has them, tell its
            vectors from those of another one.
        min_similarity: Cosine below which a chunk is no answer.
        sleep: Waits between two tries.

    Raises:
        ImportError: If numpy is not installed.
    """

    def __init__(
        self,
        database: Database,
        embedder: Embedder,
        min_similarity: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import numpy  # noqa: F401  # better now than at the first question

        self._database = database
        self._embedder = embedder
        self._least = min_similarity
        self._sleep = sleep
        self._model = _name(embedder)
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._loaded: tuple[tuple[int, ...], Any, Any] | None = None

    def count(self) -> int:
        """How many chunks have a vector."""
        query = "SELECT count(*) FROM chunks WHERE digest IN (SELECT digest FROM vectors WHERE model = ?)"
        with self._database.reading() as connection:
            return int(connection.execute(query, (self._model,)).fetchone()[0])

    def fill(self, progress: Progress | None, is_stopping: Callable[[], bool]) -> None:
        """
        Make every vector that is missing; what is made is kept, also if a later batch fails.

        Raises:
            Exception: The model's, after six tries of a batch if it was busy, at once else.
        """
        with self._database.writing() as connection:
            connection.execute("DELETE FROM vectors WHERE digest NOT IN (SELECT digest FROM chunks)")
        with self._database.reading() as connection:
            [total] = connection.execute(_COUNT_MISSING, (self._model,)).fetchone()
        done = 0
        while done < total and not is_stopping():
            if progress is not None:
                progress("embeddings", done, total)
            made = self._batch(is_stopping)
            if not made:
                break
            done += made
        if progress is not None and total:
            progress("embeddings", done, total)

    def fill_some(self, is_stopping: Callable[[], bool]) -> bool:
        """Make one batch of missing vectors; tell whether there may be more. A failure is logged, and rests a while."""
        if time.monotonic() < self._not_before:
            return False
        try:
            return self._batch(is_stopping) == _BATCH
        except Exception as error:
            self._failed("documents", error)
            return False

    def search(self, question: str, limit: int) -> list[Hit] | None:
        """
        The chunks nearest to a question, best first.

        Returns:
            None if the model cannot be asked now; that is logged, and the words must do.
        """
        if time.monotonic() < self._not_before or not question.strip():
            return None
        try:
            asked = _within(_QUERY_SECONDS, lambda: self._embedder.embed_query(question))
        except Exception as error:
            self._failed("a question", error)
            return None
        import numpy

        vector = _normal(numpy.asarray(asked, dtype=numpy.float32))
        chunks, matrix = self._matrix(len(vector))
        if not len(chunks):
            return []
        near = matrix @ vector
        best = numpy.argsort(-near, kind="stable")[:limit]
        return [Hit(int(chunks[at]), float(near[at])) for at in best if near[at] >= self._least]

    def _failed(self, what: str, error: Exception) -> None:
        self._not_before = time.monotonic() + _PAUSE
        _LOG.warning("the embedding model failed for %s; searching by words alone: %s", what, error)

    def _batch(self, is_stopping: Callable[[], bool]) -> int:
        """Make and keep the next vectors; tell how many."""
        import numpy

        with self._database.reading() as connection:
            rows = connection.execute(_MISSING, (self._model, _BATCH)).fetchall()
        if not rows:
            return 0
        made = self._ask([text[:_MAX_CHARS] for _, text in rows], is_stopping)
        if len(made) != len(rows):
            raise ValueError(f"the embedding model gave {len(made)} vectors for {len(rows)} texts")
        kept = [
            (self._model, digest, _normal(numpy.asarray(vector, dtype=numpy.float32)).tobytes())
            for (digest, _), vector in zip(rows, made, strict=True)
        ]
        with self._database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO vectors (model, digest, vector) VALUES (?, ?, ?)", kept)
        return len(rows)

    def _ask(self, texts: list[str], is_stopping: Callable[[], bool]) -> list[list[float]]:
        for attempt in range(_ATTEMPTS):
            try:
                return self._embedder.embed_documents(texts)
            except Exception as error:
                if not _is_retryable(error) or attempt == _ATTEMPTS - 1 or is_stopping():
                    raise
                _LOG.info("the embedding model is busy; trying again: %s", error)
            self._sleep(2.0**attempt)
        raise AssertionError("unreachable")

    def _matrix(self, size: int) -> tuple[Any, NDArray[numpy.float32]]:
        """Ids of chunks and their vectors as rows; read again when the index has changed."""
        import numpy

        state = (
            "SELECT (SELECT count(*) FROM chunks), (SELECT coalesce(max(id), 0) FROM chunks), "
            "(SELECT count(*) FROM vectors)"
        )
        query = "SELECT id, vector FROM chunks JOIN vectors USING (digest) WHERE model = ? AND length(vector) = ?"
        with self._lock, self._database.reading() as connection:
            now = (*connection.execute(state).fetchone(), size)
            if self._loaded is None or self._loaded[0] != now:
                rows = connection.execute(query, (self._model, size * 4)).fetchall()
                matrix = numpy.frombuffer(b"".join(vector for _, vector in rows), dtype=numpy.float32)
                self._loaded = (now, numpy.array([id for id, _ in rows]), matrix.reshape(len(rows), size))
            return self._loaded[1], self._loaded[2]


def _name(embedder: Embedder) -> str:
    """What vectors of this model are kept under."""
    model = getattr(embedder, "model", None) or f"{type(embedder).__module__}.{type(embedder).__qualname__}"
    size = getattr(embedder, "output_dimensionality", None)
    return f"{model}:{size}" if size else str(model)


def _normal(vector: NDArray[numpy.float32]) -> NDArray[numpy.float32]:
    import numpy

    length = float(numpy.linalg.norm(vector))
    if vector.ndim != 1 or not vector.size or not numpy.isfinite(length):
        raise ValueError("the embedding model gave no vector of numbers")
    return vector / numpy.float32(length) if length else vector


def _is_retryable(error: BaseException | None) -> bool:
    """Whether the provider was busy: a status of its exception, or of one that it was made from."""
    while error is not None:
        for name in ("code", "status_code"):
            if getattr(error, name, None) in _RETRYABLE:
                return True
        error = error.__cause__
    return False


def _within(seconds: float, call: Callable[[], list[float]]) -> list[float]:
    """The result of a call that may hang; it is left behind then."""
    answers: queue.SimpleQueue[tuple[list[float], Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except Exception as error:
            answers.put(([], error))

    threading.Thread(target=run, name="gsws-embedding", daemon=True).start()
    try:
        vector, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return vector
