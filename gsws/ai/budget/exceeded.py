"""The answer to a turn that has no budget left."""

from __future__ import annotations

from typing import Literal

from gsws.errors import GSWSError

__all__ = ["BudgetExceeded", "Scope", "Unit"]

Scope = Literal["turn", "day"]
Unit = Literal["tokens", "USD"]


class BudgetExceeded(GSWSError):
    """
    A turn, or a subject's day, has used what it may.

    Attributes:
        scope: ``turn`` or ``day``.
        unit: ``tokens`` or ``USD``.
        limit: What may be used.
        used: What is used, amounts held by the subject's other running turns included; may be above `limit`.
        retry_after: Seconds until the UTC day ends, for ``day``; None for ``turn``.
    """

    def __init__(self, scope: Scope, unit: Unit, limit: float, used: float, retry_after: float | None = None) -> None:
        super().__init__(scope, unit, limit, used, retry_after)
        self.scope = scope
        self.unit = unit
        self.limit = limit
        self.used = used
        self.retry_after = retry_after

    @property
    def retry_after_ms(self) -> int | None:
        """`retry_after` in milliseconds, as errors on the wire have it."""
        return None if self.retry_after is None else round(self.retry_after * 1000)

    def __str__(self) -> str:
        show = "{:,.0f} tokens" if self.unit == "tokens" else "${:,.4f}"
        owner = "this turn" if self.scope == "turn" else "this subject and day"
        return f"the budget of {owner} is used up: {show.format(self.used)} of {show.format(self.limit)}"
