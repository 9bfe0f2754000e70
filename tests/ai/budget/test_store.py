"""The days' figures: atomic across threads and processes, bounded, kept on disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from gsws.ai.budget.store import Amount, DayStore

DAY = date(2026, 11, 23)
LIMIT = Amount(1000, 0)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DayStore]:
    store = DayStore(None if request.param == "memory" else tmp_path / "budget.sqlite")
    yield store
    store.close()


def test_what_is_wanted_is_taken_while_there_is_any(store: DayStore) -> None:
    """The last taker gets what is left, the next one nothing; the day's use is told."""
    assert store.take(DAY, "ann", Amount(600), LIMIT) == (Amount(600), Amount(0))
    assert store.take(DAY, "ann", Amount(600), LIMIT) == (Amount(400), Amount(600))
    assert store.take(DAY, "ann", Amount(600), LIMIT) == (Amount(0), Amount(1000))


def test_subjects_and_days_are_apart(store: DayStore) -> None:
    """One's use is nobody else's, and a new day is empty."""
    store.take(DAY, "ann", Amount(1000), LIMIT)

    assert store.take(DAY, "bob", Amount(5), LIMIT)[0] == Amount(5)
    assert store.take(DAY + timedelta(days=1), "ann", Amount(5), LIMIT)[0] == Amount(5)


def test_either_amount_that_is_used_up_refuses_both(store: DayStore) -> None:
    """Tokens that are left are of no use without money; nothing is taken then."""
    limit = Amount(1000, 500)
    store.add(DAY, "ann", Amount(10, 500))

    assert store.take(DAY, "ann", Amount(5, 5), limit) == (Amount(), Amount(10, 500))
    assert store.used(DAY, "ann") == Amount(10, 500)


def test_what_was_not_used_is_given_back(store: DayStore) -> None:
    """Never below nothing, whatever is given back."""
    store.take(DAY, "ann", Amount(600), LIMIT)
    store.add(DAY, "ann", Amount(-500))
    assert store.used(DAY, "ann") == Amount(100)

    store.add(DAY, "ann", Amount(-500, -7))
    store.add(DAY, "new", Amount(-500, -7))
    assert store.used(DAY, "ann") == store.used(DAY, "new") == Amount()


def test_old_days_are_dropped(store: DayStore) -> None:
    """Today and yesterday are kept, for turns that run past midnight; the table does not grow for ever."""
    for back in range(30, 0, -1):
        store.add(DAY - timedelta(days=back), "ann", Amount(1))

    store.take(DAY, "ann", Amount(1), LIMIT)

    counted = [back for back in range(31) if store.used(DAY - timedelta(days=back), "ann") != Amount()]
    assert counted == [0, 1]


def test_figures_survive_a_restart(tmp_path: Path) -> None:
    """A file is read again by the next process."""
    first = DayStore(tmp_path / "budget.sqlite")
    first.take(DAY, "ann", Amount(7, 8), Amount(100, 100))
    first.close()

    second = DayStore(tmp_path / "budget.sqlite")
    assert second.used(DAY, "ann") == Amount(7, 8)
    second.close()


def test_threads_do_not_take_the_same_tokens_twice(store: DayStore) -> None:
    """Twenty takers at once get the limit together, not more."""
    taken: list[int] = []
    barrier = threading.Barrier(20, timeout=10)

    def take() -> None:
        barrier.wait()
        for _ in range(10):
            taken.append(store.take(DAY, "ann", Amount(7), LIMIT)[0].tokens)

    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sum(taken) == 1000
    assert store.used(DAY, "ann") == LIMIT


def test_processes_do_not_take_the_same_tokens_twice(tmp_path: Path) -> None:
    """Several workers that share the file keep one limit."""
    code = (
        "import sys; from datetime import date; from gsws.ai.budget.store import Amount, DayStore\n"
        "store = DayStore(sys.argv[1]); day = date(2026, 11, 23)\n"
        "print(sum(store.take(day, 'ann', Amount(7), Amount(1000))[0].tokens for _ in range(60))); store.close()"
    )
    path = str(tmp_path / "budget.sqlite")
    workers = [
        subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    sums = [int(worker.communicate(timeout=60)[0]) for worker in workers]

    assert sum(sums) == 1000


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    """At start, not at the first turn; the file is left as it is."""
    path = tmp_path / "budget.sqlite"
    path.write_text("not a database, " * 100)

    with pytest.raises(sqlite3.DatabaseError):
        DayStore(path)

    assert path.read_text().startswith("not a database")
