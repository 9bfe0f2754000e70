"""The file of an index: damaged, foreign and old ones are replaced, several processes share one."""

from __future__ import annotations

import logging
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from gsws.ai.retrieval.database import Closed, Database
from tests.ai.retrieval.support import Folder, sources


@pytest.fixture
def indexed(folder: Folder) -> Folder:
    """A folder with an index on disk that nobody has open."""
    for number in range(30):
        folder.write(f"{number}.md", f"# N{number}\n\nalpha word{number} " + "filling " * 200 + "\n")
    folder.index().refresh()
    folder.close()
    folder.opened.clear()
    return folder


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: b"not a database at all" * 100,
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:100],
        lambda raw: raw[:4096] + b"\xff" * (len(raw) - 4096),
        lambda raw: raw[:20_000] + random.Random(1).randbytes(20_000) + raw[40_000:],
    ],
    ids=["empty", "foreign", "half", "header", "all pages", "some pages"],
)
def test_a_damaged_file_is_built_anew(indexed: Folder, damage):
    indexed.database.write_bytes(damage(indexed.database.read_bytes()))
    assert sources(indexed.index().search("word7")) == ["7.md"]


def test_damage_under_an_open_index_is_mended_by_the_next_search(indexed: Folder, caplog: pytest.LogCaptureFixture):
    index = indexed.index()
    assert index.search("word7")
    raw = indexed.database.read_bytes()
    index._database.close()  # what is in memory would hide the damage
    indexed.database.write_bytes(raw)
    again = indexed.index()
    with indexed.database.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (len(raw) - 8192))
    with caplog.at_level(logging.WARNING):
        assert sources(again.search("word7")) == ["7.md"]
    assert "built anew" in caplog.text


def test_a_database_of_somebody_else_is_kept(folder: Folder, caplog: pytest.LogCaptureFixture):
    """A wrong `database:` must not cost a user's data."""
    folder.write("a.md", "# A\n\nalpha\n")
    folder.database.parent.mkdir()
    with sqlite3.connect(folder.database) as other:
        other.execute("CREATE TABLE invoices (total INTEGER)")
        other.execute("INSERT INTO invoices VALUES (42)")
    other.close()
    with caplog.at_level(logging.WARNING):
        assert sources(folder.index().search("alpha")) == ["a.md"]
    [kept] = folder.database.parent.glob("*.not-an-index-*")
    with sqlite3.connect(kept) as other:
        assert other.execute("SELECT total FROM invoices").fetchone() == (42,)
    other.close()
    assert kept.name in caplog.text


def test_an_index_of_another_version_is_built_anew(indexed: Folder):
    with sqlite3.connect(indexed.database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert sources(indexed.index().search("word7")) == ["7.md"]
    assert not list(indexed.database.parent.glob("*.not-an-index-*"))


def test_a_missing_table_is_made_again(indexed: Folder):
    with sqlite3.connect(indexed.database) as connection:
        connection.execute("DROP TABLE vectors")
    connection.close()
    assert sources(indexed.index().search("word7")) == ["7.md"]


def test_a_file_that_is_deleted_under_an_open_index_is_made_again(indexed: Folder):
    index = indexed.index()
    assert index.search("word7")
    shutil.rmtree(indexed.database.parent)
    assert index.refresh().documents == 30
    assert sources(index.search("word7")) == ["7.md"]


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError):
        Database(tmp_path / "file" / "index.sqlite")


def test_a_failed_transaction_leaves_nothing(tmp_path: Path):
    database = Database(tmp_path / "x.sqlite")

    def fail() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO vectors VALUES ('m', x'00', x'00')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (0,)
    database.close()


def test_a_closed_database_says_so(tmp_path: Path):
    database = Database(tmp_path / "x.sqlite")
    with database.reading():
        database.close()
    with pytest.raises(Closed, match="closed"), database.reading():
        pass
    with pytest.raises(Closed), database.writing():
        pass
