"""
What each subject has used of its day, in SQLite: a file that several processes share, or memory.

Amounts are taken before they are used and what was not used is given back, so a process that dies has counted too
much, never too little. Days are UTC. Calls block: `gsws.ai.budget.meter` makes them in a thread.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

__all__ = ["Amount", "DayStore"]

KEPT_DAYS = 2
"""Days whose figures are kept: this one, and the one before for turns that run past midnight."""

_BUSY_SECONDS = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS gsws_spending (
    day TEXT NOT NULL, subject TEXT NOT NULL, tokens INTEGER NOT NULL, nanodollars INTEGER NOT NULL,
    PRIMARY KEY (day, subject)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Amount:
    """
    Tokens and money.

    Attributes:
        tokens: Input and output together.
        nanodollars: 1e-9 US dollars, an integer so that sums are exact.
    """

    tokens: int = 0
    nanodollars: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.nanodollars + other.nanodollars)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.tokens - other.tokens, self.nanodollars - other.nanodollars)


class DayStore:
    """
    The table of spending; thread-safe.

    Args:
        path: A SQLite file, made if missing; None keeps the table in memory.

    Raises:
        sqlite3.Error: If the file cannot be opened or is no database.
    """

    __slots__ = ("_connection", "_lock", "_pruned")

    def __init__(self, path: str | Path | None = None) -> None:
        self._lock = threading.Lock()
        self._pruned: date | None = None
        self._connection = sqlite3.connect(
            ":memory:" if path is None else path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            if path is not None:
                self._connection.execute("PRAGMA journal_mode=WAL")
                # A power cut may lose the last seconds of spending, not the table.
                self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(_SCHEMA)
        except BaseException:
            self._connection.close()
            raise

    def take(self, day: date, subject: str, wanted: Amount, limit: Amount) -> tuple[Amount, Amount]:
        """
        Take up to ``wanted`` of what is left of a subject's day, in one transaction.

        A limit of 0 does not limit. If either amount has nothing left, nothing is taken.

        Returns:
            What was taken (both 0 if refused), and what the day had used before.
        """
        with self._lock, self._transaction():
            self._prune(day)
            used = self._used(day, subject)
            left_tokens = max(0, limit.tokens - used.tokens) if limit.tokens else wanted.tokens
            left_money = max(0, limit.nanodollars - used.nanodollars) if limit.nanodollars else wanted.nanodollars
            spent = (limit.tokens and not left_tokens) or (limit.nanodollars and not left_money)
            if spent:
                return Amount(), used
            taken = Amount(min(wanted.tokens, left_tokens), min(wanted.nanodollars, left_money))
            self._add(day, subject, taken)
            return taken, used

    def add(self, day: date, subject: str, amount: Amount) -> None:
        """Count an amount whatever the limit; a negative one gives back."""
        with self._lock, self._transaction():
            self._add(day, subject, amount)

    def used(self, day: date, subject: str) -> Amount:
        """What a subject's day has used, amounts taken by running turns included."""
        with self._lock:
            return self._used(day, subject)

    def close(self) -> None:
        """Close the database; the store is of no further use."""
        with self._lock:
            self._connection.close()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)

    def _used(self, day: date, subject: str) -> Amount:
        found = self._connection.execute(
            "SELECT tokens, nanodollars FROM gsws_spending WHERE day = ? AND subject = ?", (day.isoformat(), subject)
        ).fetchone()
        return Amount(*found) if found else Amount()

    def _add(self, day: date, subject: str, amount: Amount) -> None:
        self._connection.execute(
            "INSERT INTO gsws_spending VALUES (?, ?, max(0, ?), max(0, ?)) ON CONFLICT (day, subject) DO UPDATE SET"
            " tokens = max(0, tokens + ?), nanodollars = max(0, nanodollars + ?)",
            (day.isoformat(), subject, *(amount.tokens, amount.nanodollars) * 2),
        )

    def _prune(self, day: date) -> None:
        """Drop old days, once a day."""
        if self._pruned is None or day > self._pruned:
            oldest = (day - timedelta(days=KEPT_DAYS - 1)).isoformat()
            self._connection.execute("DELETE FROM gsws_spending WHERE day < ?", (oldest,))
            self._pruned = day


class _Transaction:
    """One that has the write lock from its first statement on: reading and then writing is atomic."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
