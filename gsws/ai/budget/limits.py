"""What a turn, and a subject in a UTC day, may use: tokens and money, declared once for a service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gsws.ai.budget.meter import Meter
from gsws.ai.budget.prices import PriceTable
from gsws.ai.budget.store import Amount, DayStore

__all__ = ["Budget"]

LARGEST_SHARE = 2_000
"""Tokens of a day that a turn takes at a time; less when the day is short, so that 20 turns can run at once."""

_TURNS_AT_ONCE = 20


class Budget:
    """
    Limits of turns and days; safe for parallel turns, and for processes that share ``path``.

    A turn takes shares of its subject's day before it uses them, in one transaction each, so parallel turns cannot
    take the same tokens twice. Each may run over the day's limit by what is known too late to stop it: the prompt
    of the model call under way, which is reported at its end, and the text that streams while the store is asked
    (milliseconds; 5 s at most, when another process holds the file). It never starts another call after that.

    Args:
        turn_tokens: Tokens of one turn, input and output of all its model calls; 0 for no limit.
        day_tokens: Tokens of one subject and UTC day; 0 for no limit.
        turn_cost: US dollars of one turn; 0 for no limit.
        day_cost: US dollars of one subject and UTC day; 0 for no limit.
        path: SQLite file of the days' figures, its folder being there; None keeps them in this process, where a
            restart forgets them.
        prices: A project's own prices, see `PriceTable`.
        models: The names that the budget is for, ``("google_genai:gemini-flash-latest",)``; a limit in money
            needs a price for each of them.
        now: The clock, in UTC; for tests.

    Raises:
        UnpricedModel: If money is limited and one of ``models`` has no price.
        ValueError: If a limit is negative or no number.
        sqlite3.Error: If ``path`` cannot be opened.
    """

    def __init__(
        self,
        turn_tokens: int = 0,
        day_tokens: int = 0,
        turn_cost: float = 0.0,
        day_cost: float = 0.0,
        path: str | Path | None = None,
        prices: Mapping[str, Any] | None = None,
        *,
        models: Sequence[str] = (),
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._turn = Amount(_tokens("turn_tokens", turn_tokens), _nanodollars("turn_cost", turn_cost))
        self._day = Amount(_tokens("day_tokens", day_tokens), _nanodollars("day_cost", day_cost))
        self._now = now or _utc
        self._models = tuple(models)
        self._prices = PriceTable(prices)
        if self._turn.nanodollars or self._day.nanodollars:
            self._prices.require(self._models, self._now().astimezone(UTC).date())
        has_day = self._day != Amount()
        self._store = DayStore(path) if has_day else None
        self._share = Amount(_share(self._day.tokens, LARGEST_SHARE), _share(self._day.nanodollars, None))

    @asynccontextmanager
    async def turn(self, subject: str) -> AsyncIterator[Meter]:
        """
        Meter one turn of a subject: ``async with budget.turn(subject) as meter``.

        What the turn did not use is given back at the end, however it ends.

        Raises:
            BudgetExceeded: If the subject's day is used up.
            sqlite3.Error: If the day's figures cannot be read.
        """
        meter = Meter(
            subject,
            now=self._now,
            turn=self._turn,
            day=self._day,
            share=self._share,
            store=self._store,
            prices=self._prices,
            models=self._models,
        )
        await meter.open()
        try:
            yield meter
        finally:
            await meter.close()

    async def used(self, subject: str) -> dict[str, Any]:
        """
        What a subject has used today, shares held by running turns included.

        Returns:
            ``{"tokens": int, "cost": {"amount": float, "currency": "USD"}}``; zeros without a day's limit, when
            nothing is recorded.
        """
        used = Amount()
        if self._store is not None:
            used = await asyncio.to_thread(self._store.used, self._now().astimezone(UTC).date(), subject)
        return {"tokens": used.tokens, "cost": {"amount": used.nanodollars / 1e9, "currency": "USD"}}

    async def aclose(self) -> None:
        """Close the file of the days' figures; the budget is of no further use."""
        if self._store is not None:
            await asyncio.to_thread(self._store.close)


def _utc() -> datetime:
    return datetime.now(UTC)


def _tokens(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"`{name}` is {value!r}; it is a number of tokens, 0 for no limit")
    return value


def _nanodollars(name: str, value: float) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ValueError(f"`{name}` is {value!r}; it is an amount in US dollars, 0 for no limit")
    return round(value * 1e9)


def _share(limit: int, largest: int | None) -> int:
    """What is taken of a limited day at a time; nothing of one without a limit."""
    share = max(1, limit // _TURNS_AT_ONCE) if limit else 0
    return share if largest is None else min(share, largest)
