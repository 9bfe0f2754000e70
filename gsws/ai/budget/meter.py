"""
What one turn uses, counted while it streams and stopped at its limits.

Text is estimated at one token for four bytes until the provider's figures replace the estimate. Of a day's budget a
turn holds a share, taken from the store before it is used; it asks for the next share, in a thread, when half of
it is gone, and stops once the store has refused. Limits and the store are `gsws.ai.budget.limits` and `.store`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from gsws.ai.budget.exceeded import BudgetExceeded
from gsws.ai.budget.prices import Price, PriceTable
from gsws.ai.budget.store import Amount, DayStore

__all__ = ["Meter"]

_log = logging.getLogger("gsws.ai.budget")

_BYTES_A_TOKEN = 4
_SETTLE_SECONDS = 10.0


class Meter:
    """
    The count of one turn; made by `Budget.turn`, used on the event loop.

    Args:
        subject: Whose day it is.
        now: The time, UTC.
        turn: Limits of the turn; 0 does not limit.
        day: Limits of the day; 0 does not limit.
        share: How much of the day is taken at a time.
        store: The day's figures; None without a day's limit.
        prices: The table.
        models: The models that the budget was declared for, the first being the usual one.
    """

    def __init__(
        self,
        subject: str,
        *,
        now: Callable[[], datetime],
        turn: Amount,
        day: Amount,
        share: Amount,
        store: DayStore | None,
        prices: PriceTable,
        models: tuple[str, ...],
    ) -> None:
        self._subject = subject
        self._now = now
        self._turn = turn
        self._limit = day
        self._share = share
        self._half_share = Amount(share.tokens // 2, share.nanodollars // 2)
        self._store = store
        self._prices = prices
        self._models = models
        self._day: date = now().astimezone(UTC).date()
        self._model: str | None = None
        self._price = self._price_of(None)
        self._input = 0
        self._output = 0
        self._nanodollars = 0
        self._text_bytes = 0
        self._held = Amount()
        self._asking: asyncio.Task[None] | None = None
        self._refused: Amount | None = None

    @property
    def total(self) -> dict[str, Any]:
        """
        What the turn has used so far, as a `usage` frame shows it.

        Returns:
            ``{"input_tokens": int, "output_tokens": int, "total_tokens": int, "model": str | None}`` and, if the
            price is known, ``"cost": {"amount": float, "currency": "USD"}``. Output that the provider has not
            reported yet is an estimate.
        """
        output = self._output + self._estimate
        total: dict[str, Any] = {
            "input_tokens": self._input,
            "output_tokens": output,
            "total_tokens": self._input + output,
            "model": self._model,
        }
        known = self._model is not None and self._prices.find(self._named(self._model), self._day) is not None
        if known:
            total["cost"] = {"amount": round(self._used.nanodollars / 1e9, 9), "currency": "USD"}
        return total

    def text(self, delta: str) -> None:
        """
        Count streamed text, reasoning and the arguments of tool calls until `usage` reports them.

        Raises:
            BudgetExceeded: If the turn is over its limit, or its day has nothing left for it.
        """
        self._text_bytes += len(delta.encode("utf-8", "surrogatepass"))
        self._check()

    def usage(self, usage: Mapping[str, Any] | None, model: str | None = None) -> None:
        """
        Count what the provider reports, in place of what was estimated since the last report.

        Each token is reported once: pass a model call's usage whole, or each of its deltas.

        Args:
            usage: ``{"input_tokens": int, "output_tokens": int, "input_token_details": {"cache_read": int}}``, as
                ``usage_metadata`` of LangChain's messages; None reports nothing and keeps the estimate.
            model: The model's name as the provider says it (``response_metadata["model_name"]``).

        Raises:
            BudgetExceeded: As `text`.
        """
        if model and model != self._model:
            self._model = model
            self._price = self._price_of(model)
        if usage:
            came, went = int(usage.get("input_tokens") or 0), int(usage.get("output_tokens") or 0)
            cached = int((usage.get("input_token_details") or {}).get("cache_read") or 0)
            self._input += came
            self._output += went
            self._nanodollars += round(self._price.cost(came, went, cached) * 1e9)
            self._text_bytes = 0
        self._check()

    async def open(self) -> None:
        """
        Take the first share of the day.

        Raises:
            BudgetExceeded: If nothing is left.
            sqlite3.Error: If the store cannot be written: a budget that cannot be kept lets nobody in.
        """
        if self._store is None:
            return
        taken, used = await asyncio.to_thread(self._store.take, self._day, self._subject, self._share, self._limit)
        if not self._is_enough(taken):
            raise self._day_exceeded(used)
        self._held = taken

    async def close(self) -> None:
        """Give back what was not used, also when the turn is being cancelled; failures are logged."""
        if self._store is None:
            return
        settling = asyncio.ensure_future(self._settle())
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                await asyncio.shield(settling)
        except TimeoutError:
            _log.error("budget of %s not settled within %g s", self._subject, _SETTLE_SECONDS)
        except asyncio.CancelledError:
            settling.add_done_callback(_log_failure)
            raise
        except Exception:
            # The answer is complete; what was taken stays counted, which errs on the safe side.
            _log.exception("budget of %s not settled", self._subject)

    @property
    def _estimate(self) -> int:
        return -(-self._text_bytes // _BYTES_A_TOKEN)

    @property
    def _used(self) -> Amount:
        estimate = self._estimate
        nanodollars = self._nanodollars + round(self._price.cost(0, estimate) * 1e9)
        return Amount(self._input + self._output + estimate, nanodollars)

    def _check(self) -> None:
        used = self._used
        if self._turn.tokens and used.tokens > self._turn.tokens:
            raise BudgetExceeded("turn", "tokens", self._turn.tokens, used.tokens)
        if self._turn.nanodollars and used.nanodollars > self._turn.nanodollars:
            raise BudgetExceeded("turn", "USD", self._turn.nanodollars / 1e9, used.nanodollars / 1e9)
        if self._store is None:
            return
        if self._refused is not None and self._is_over(used, self._held):
            raise self._day_exceeded(self._refused)
        # Half a share ahead, so that the answer is there before the rest is used.
        if self._refused is None and self._asking is None and self._is_over(used + self._half_share, self._held):
            self._asking = asyncio.get_running_loop().create_task(self._ask(used))

    async def _ask(self, used: Amount) -> None:
        """Take what the turn has run ahead, and a further share."""
        assert self._store is not None
        ahead = used - self._held
        wanted = self._share + Amount(max(0, ahead.tokens), max(0, ahead.nanodollars))
        try:
            taken, before = await asyncio.to_thread(self._store.take, self._day, self._subject, wanted, self._limit)
        except Exception:
            _log.exception("budget of %s cannot be read; its turn ends with what it holds", self._subject)
            taken, before = Amount(), self._limit
        self._held += taken
        if not self._is_enough(taken):
            self._refused = before
        self._asking = None

    async def _settle(self) -> None:
        assert self._store is not None
        if self._asking is not None:
            await self._asking
        difference = self._used - self._held
        self._held = self._used
        await asyncio.to_thread(self._store.add, self._day, self._subject, difference)

    def _is_over(self, used: Amount, held: Amount) -> bool:
        """Whether one of the day's limited amounts is above what is held."""
        return bool(
            (self._limit.tokens and used.tokens > held.tokens)
            or (self._limit.nanodollars and used.nanodollars > held.nanodollars)
        )

    def _is_enough(self, taken: Amount) -> bool:
        """Whether the store gave something of each of the day's limited amounts."""
        return not (self._limit.tokens and not taken.tokens) and not (self._limit.nanodollars and not taken.nanodollars)

    def _day_exceeded(self, used: Amount) -> BudgetExceeded:
        now = self._now().astimezone(UTC)
        midnight = datetime.combine(self._day + timedelta(days=1), time(), UTC)
        retry_after = max(0.0, (midnight - now).total_seconds())
        if self._limit.tokens and (not self._limit.nanodollars or used.tokens >= self._limit.tokens):
            return BudgetExceeded("day", "tokens", self._limit.tokens, used.tokens, retry_after)
        return BudgetExceeded("day", "USD", self._limit.nanodollars / 1e9, used.nanodollars / 1e9, retry_after)

    def _price_of(self, model: str | None) -> Price:
        """
        What tokens of a model cost.

        A name in no table (a new version behind an alias) is charged as the dearest model that the budget was
        declared for; with none declared, as the dearest of the table: never nothing.
        """
        if model is not None:
            found = self._prices.find(self._named(model), self._day)
            if found is not None:
                return found
        declared = [price for name in self._models if (price := self._prices.find(name, self._day)) is not None]
        if not declared:
            return self._prices.dearest(self._day)
        return declared[0] if model is None else max(declared, key=lambda price: price.output)

    def _named(self, model: str) -> str:
        """The declared name with its provider, if the provider's own name for it is one of them."""
        return next((name for name in self._models if name.partition(":")[2] == model), model)


def _log_failure(settling: asyncio.Future[None]) -> None:
    if not settling.cancelled() and settling.exception() is not None:
        _log.error("budget not settled after a cancelled turn", exc_info=settling.exception())
