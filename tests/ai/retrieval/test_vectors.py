"""Search by meaning: found though no word is the same; resumed, retried, and never in the way of the words."""

from __future__ import annotations

import logging
import time

import pytest

from gsws.ai.retrieval.database import Database
from gsws.ai.retrieval.vectors import Vectors
from tests.ai.retrieval.support import Folder, Meanings, sources


class Busy(Exception):
    code = 429


class Wrapped(Exception):
    """As langchain wraps the provider's exception."""


def shop(folder: Folder) -> None:
    folder.write("buy.md", "# Shop\n\n## Orders\n\nyou may purchase automobile\n")
    folder.write("other.md", "# Other\n\n## Weather\n\nsunshine tomorrow morning\n")


def test_meaning_finds_what_words_do_not(folder: Folder):
    shop(folder)
    assert folder.index().search("acquire vehicle") == []
    index = folder.index(embeddings=Meanings())
    assert index.refresh().vectors == 2
    assert sources(index.search("acquire vehicle")) == ["buy.md#orders"]


def test_what_is_not_near_enough_is_no_answer(folder: Folder):
    """Some chunk is always nearest; that does not make it an answer."""
    shop(folder)
    index = folder.index(embeddings=Meanings())
    index.refresh()
    assert index.search("mongolia capital") == []


def test_words_and_meaning_together_rank_higher(folder: Folder):
    folder.write("a.md", "# A\n\npurchase vehicle\n")
    folder.write("b.md", "# B\n\nbuy automobile\n")
    index = folder.index(embeddings=Meanings(), min_similarity=0.1)
    index.refresh()
    assert sources(index.search("purchase vehicle")) == ["a.md", "b.md"]


def test_only_what_is_new_is_sent(folder: Folder):
    """A second refresh, a renamed file and a rebuild cost no call; a changed section costs one text."""
    shop(folder)
    model = Meanings()
    index = folder.index(embeddings=model)
    index.refresh()
    assert [len(batch) for batch in model.batches] == [2]
    (folder.path / "buy.md").rename(folder.path / "moved.md")
    index.refresh()
    assert index.refresh(rebuild=True).vectors == 2
    assert len(model.batches) == 1
    folder.write("other.md", "# Other\n\n## Weather\n\nrain\n")
    assert index.refresh().vectors == 2
    assert [len(batch) for batch in model.batches] == [2, 1]


def test_batches_are_bounded_and_progress_is_told(folder: Folder):
    for number in range(150):
        folder.write(f"{number}.md", f"# N\n\nnumber{number}\n")
    model, told = Meanings(), list[tuple[str, int, int]]()
    folder.index(embeddings=model).refresh(lambda *step: told.append(step))
    assert [len(batch) for batch in model.batches] == [64, 64, 22]
    assert [step for step in told if step[0] == "embeddings"] == [
        ("embeddings", done, 150) for done in (0, 64, 128, 150)
    ]


def test_a_busy_model_is_asked_again(folder: Folder):
    shop(folder)
    folder.index().refresh()
    model, pauses = Meanings(), list[float]()
    outer = Wrapped("too many requests")
    outer.__cause__ = Busy()
    model.fail = [outer, Busy()]
    database = Database(folder.database)
    vectors = Vectors(database, model, 0.5, sleep=pauses.append)
    vectors.fill(None, lambda: False)
    assert (vectors.count(), pauses) == (2, [1.0, 2.0])
    database.close()


def test_a_model_that_stays_busy_is_given_up(folder: Folder):
    shop(folder)
    folder.index().refresh()
    model = Meanings()
    model.fail = [Busy() for _ in range(20)]
    database = Database(folder.database)
    with pytest.raises(Busy):
        Vectors(database, model, 0.5, sleep=lambda _: None).fill(None, lambda: False)
    assert len(model.batches) == 6
    database.close()


def test_a_refused_key_is_not_tried_again_and_words_are_indexed(folder: Folder, caplog: pytest.LogCaptureFixture):
    shop(folder)
    model = Meanings()
    model.fail = [Wrapped("key refused")]
    index = folder.index(embeddings=model)
    with caplog.at_level(logging.WARNING):
        report = index.refresh()
    assert (len(model.batches), report.vectors, report.documents) == (1, 0, 2)
    assert "embedding model failed" in (report.problem or "")
    assert "key refused" in caplog.text
    assert sources(index.search("sunshine tomorrow")) == ["other.md#weather"]
    assert index.refresh().vectors == 2


def test_a_failure_at_a_question_falls_back_to_words(folder: Folder, caplog: pytest.LogCaptureFixture):
    """It is logged once, and the model is left alone for a while."""
    shop(folder)
    model = Meanings()
    index = folder.index(embeddings=model)
    index.refresh()
    model.fail = [Wrapped("gone")]
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert sources(index.search("sunshine tomorrow")) == ["other.md#weather"]
    assert len(model.questions) == 1
    assert caplog.text.count("searching by words alone") == 1


def test_another_model_has_vectors_of_its_own(folder: Folder):
    shop(folder)
    folder.index(embeddings=Meanings()).refresh()
    other = Meanings()
    other.model = "another"
    index = folder.index(embeddings=other)
    assert index.status()["vectors"] == 0
    assert index.refresh().vectors == 2


def test_vectors_of_what_is_gone_are_forgotten(folder: Folder):
    shop(folder)
    index = folder.index(embeddings=Meanings())
    index.refresh()
    (folder.path / "buy.md").unlink()
    assert index.refresh().vectors == 1
    assert index.search("acquire vehicle") == []


@pytest.mark.parametrize("answer", [[[1.0, 0.0]], [[], []], [[float("nan")] * 3] * 2, "no"])
def test_an_answer_of_the_wrong_shape_is_a_failure_of_the_model(folder: Folder, answer):
    shop(folder)
    model = Meanings()
    model.embed_documents = lambda texts: answer  # type: ignore[method-assign]
    report = folder.index(embeddings=model).refresh()
    assert (report.documents, report.vectors) == (2, 0)
    assert report.problem


def test_serving_makes_vectors_in_the_background(folder: Folder):
    """A document that is dropped while serving gets its vector without anybody asking for it."""
    shop(folder)
    index = folder.index(embeddings=Meanings())
    index.search("sunshine")
    end = time.monotonic() + 60.0
    while index.status()["vectors"] != 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert sources(index.search("acquire vehicle")) == ["buy.md#orders"]
