"""Budgets of turns and days: what is stopped and when, what is given back, what twenty turns at once may use."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gsws.ai.budget import Budget, BudgetExceeded, UnpricedModel

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def usage(came: int, went: int, cached: int = 0) -> dict[str, Any]:
    return {
        "input_tokens": came,
        "output_tokens": went,
        "total_tokens": came + went,
        "input_token_details": {"cache_read": cached},
    }


def run(coroutine: Any, timeout: float = 20.0) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, timeout))


def budget(**arguments: Any) -> Budget:
    return Budget(**{"now": lambda: NOON, **arguments})


def test_without_limits_a_turn_is_counted_and_never_stopped() -> None:
    """The figures are there for the usage frame; no store is opened."""

    async def work() -> dict[str, Any]:
        limits = budget()
        async with limits.turn("ann") as meter:
            meter.text("x" * 1_000_000)
            meter.usage(usage(10, 20), "gemini-3.5-flash")
            meter.usage(usage(30, 40), "gemini-3.5-flash")
            return dict(meter.total)

    assert run(work()) == {
        "input_tokens": 40,
        "output_tokens": 60,
        "total_tokens": 100,
        "model": "gemini-3.5-flash",
        "cost": {"amount": pytest.approx((40 * 1.5 + 60 * 9) / 1e6), "currency": "USD"},
    }


def test_text_is_estimated_until_usage_tells() -> None:
    """One token for four bytes, replaced by the provider's figure."""

    async def work() -> list[int]:
        async with budget().turn("ann") as meter:
            counts = []
            for delta in ("abcd", "e", "äöü"):
                meter.text(delta)
                counts.append(meter.total["output_tokens"])
            meter.usage(None)
            counts.append(meter.total["output_tokens"])
            meter.usage(usage(5, 2))
            counts.append(meter.total["output_tokens"])
            meter.text("abcde")
            counts.append(meter.total["output_tokens"])
            return counts

    assert run(work()) == [1, 2, 3, 3, 2, 4]


def test_a_turn_is_stopped_while_it_streams() -> None:
    """At the delta that goes over, not at the end of the call."""

    async def work() -> tuple[int, BudgetExceeded]:
        async with budget(turn_tokens=100).turn("ann") as meter:
            meter.usage(usage(60, 20))
            for count in range(100):
                try:
                    meter.text("four")
                except BudgetExceeded as error:
                    return count, error
        raise AssertionError

    count, error = run(work())

    assert count == 20
    assert (error.scope, error.unit, error.limit, error.used) == ("turn", "tokens", 100, 101)
    assert (error.retry_after, error.retry_after_ms) == (None, None)
    assert str(error) == "the budget of this turn is used up: 101 tokens of 100 tokens"


def test_a_turn_is_stopped_by_what_it_costs() -> None:
    """Money is estimated while streaming too, by the price of the model that speaks."""

    async def work() -> BudgetExceeded:
        async with budget(turn_cost=0.001, models=["google_genai:gemini-3.5-flash"]).turn("ann") as meter:
            meter.usage(usage(100, 50), "gemini-3.5-flash")  # 0.0006 dollars
            meter.text("x" * 4 * 44)  # 44 tokens, 0.000396
            with pytest.raises(BudgetExceeded) as caught:
                meter.text("x" * 4)
            return caught.value

    error = run(work())

    assert (error.scope, error.unit, error.limit) == ("turn", "USD", 0.001)
    assert error.used == pytest.approx(0.001005)
    assert str(error) == "the budget of this turn is used up: $0.0010 of $0.0010"


def test_a_day_that_is_used_up_lets_nobody_in() -> None:
    """The next turn is refused before its model is asked, with the seconds until the UTC day ends."""

    async def work() -> BudgetExceeded:
        limits = budget(day_tokens=1000)
        async with limits.turn("ann") as meter:
            meter.usage(usage(900, 100))
        async with limits.turn("bob"):
            pass
        with pytest.raises(BudgetExceeded) as caught:
            async with limits.turn("ann"):
                raise AssertionError
        await limits.aclose()
        return caught.value

    error = run(work())

    assert (error.scope, error.unit, error.limit, error.used) == ("day", "tokens", 1000, 1000)
    assert error.retry_after == 12 * 3600
    assert error.retry_after_ms == 12 * 3600 * 1000


def test_the_next_day_is_a_new_one() -> None:
    """Days are UTC, whatever the clock's zone."""
    clock = [datetime(2026, 11, 24, 1, tzinfo=UTC).astimezone()]

    async def work() -> None:
        limits = Budget(day_tokens=10, now=lambda: clock[0])
        async with limits.turn("ann") as meter:
            meter.usage(usage(10, 0))
        with pytest.raises(BudgetExceeded):
            async with limits.turn("ann"):
                raise AssertionError
        clock[0] += timedelta(days=1)
        async with limits.turn("ann"):
            pass
        await limits.aclose()

    run(work())


def test_a_day_s_budget_in_money_is_kept() -> None:
    """With the price of each call's own model."""

    async def work() -> BudgetExceeded:
        limits = budget(day_cost=0.01, models=["google_genai:gemini-3.5-flash"])
        async with limits.turn("ann") as meter:
            meter.usage(usage(4000, 1000), "gemini-3.5-flash")  # 0.015
        with pytest.raises(BudgetExceeded) as caught:
            async with limits.turn("ann"):
                raise AssertionError
        assert await limits.used("ann") == {"tokens": 5000, "cost": {"amount": 0.015, "currency": "USD"}}
        await limits.aclose()
        return caught.value

    error = run(work())

    assert (error.scope, error.unit, error.limit, error.used) == ("day", "USD", 0.01, 0.015)


async def stream(limits: Budget, subject: str, tokens: int) -> int:
    """Stream so many tokens, one a delta; returns how many came. The store answers between two deltas."""
    came = 0
    with suppress(BudgetExceeded):
        async with limits.turn(subject) as meter:
            for _ in range(tokens):
                meter.text("four")
                came += 1
                await asyncio.sleep(0)
                while meter._asking is not None:
                    await asyncio.sleep(0)
            meter.usage(usage(0, came))
    return came


@pytest.mark.parametrize("place", ["memory", "file"])
def test_twenty_turns_at_once_keep_a_day_s_budget(place: str, tmp_path: Path) -> None:
    """Together they get what the day has, and each is stopped at its next delta."""
    path = tmp_path / "budget.sqlite" if place == "file" else None

    async def work() -> tuple[list[int], int]:
        limits = budget(day_tokens=2000, path=path)
        came = await asyncio.gather(*(stream(limits, "ann", 1000) for _ in range(20)))
        used = (await limits.used("ann"))["tokens"]
        await limits.aclose()
        return came, used

    came, used = run(work())

    assert sum(came) == 2000
    assert 2000 < used <= 2020  # the delta that stopped a turn was paid for


def test_a_turn_goes_on_while_its_day_has_tokens() -> None:
    """Shares are taken as they are needed: a turn alone may use the whole day."""

    async def work() -> tuple[int, int]:
        limits = budget(day_tokens=600)
        first = await stream(limits, "ann", 500)
        second = await stream(limits, "ann", 500)
        await limits.aclose()
        return first, second

    assert run(work()) == (500, 100)


def test_a_report_far_above_the_share_is_no_reason_to_stop() -> None:
    """A long prompt is reported at once; while the day has room for it the turn goes on."""

    async def work() -> int:
        limits = budget(day_tokens=100_000)
        async with limits.turn("ann") as meter:
            meter.usage(usage(40_000, 10))
            for _ in range(200):
                meter.text("four")
                await asyncio.sleep(0.001)
        used = (await limits.used("ann"))["tokens"]
        await limits.aclose()
        return int(used)

    assert run(work()) == 40_210


@pytest.mark.parametrize("ending", ["error", "cancel"])
def test_what_was_not_used_is_given_back_however_the_turn_ends(ending: str) -> None:
    """A failed or stopped turn costs what was streamed, no more."""

    async def work() -> int:
        limits = budget(day_tokens=10_000)
        inside = asyncio.Event()

        async def turn() -> None:
            async with limits.turn("ann") as meter:
                meter.text("x" * 40)
                inside.set()
                if ending == "error":
                    raise RuntimeError
                await asyncio.sleep(30)

        task = asyncio.ensure_future(turn())
        await inside.wait()
        task.cancel() if ending == "cancel" else None
        with pytest.raises(asyncio.CancelledError if ending == "cancel" else RuntimeError):
            await task
        used = (await limits.used("ann"))["tokens"]
        await limits.aclose()
        return int(used)

    assert run(work()) == 10


def test_a_turn_that_dies_with_its_process_stays_counted(tmp_path: Path) -> None:
    """What was taken and not given back is used: too much, never too little."""
    path = tmp_path / "budget.sqlite"

    async def work() -> int:
        first = budget(day_tokens=10_000, path=path)
        turn = first.turn("ann")
        await turn.__aenter__()  # never left
        second = budget(day_tokens=10_000, path=path)
        used = (await second.used("ann"))["tokens"]
        await second.aclose()
        await turn.__aexit__(None, None, None)
        await first.aclose()
        return int(used)

    assert run(work()) == 500


def test_a_store_that_cannot_be_written_lets_nobody_in(tmp_path: Path) -> None:
    """A budget that cannot be kept is no budget: the error goes through."""

    async def work() -> None:
        limits = budget(day_tokens=1000, path=tmp_path / "budget.sqlite")
        await limits.aclose()
        with pytest.raises(sqlite3.ProgrammingError):
            async with limits.turn("ann"):
                raise AssertionError

    run(work())


def test_a_store_that_fails_at_the_end_does_not_spoil_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is complete; the log has what went wrong."""

    async def work() -> str:
        limits = budget(day_tokens=1000, path=tmp_path / "budget.sqlite")
        async with limits.turn("ann") as meter:
            meter.text("hello")
            await limits.aclose()
        return "answered"

    assert run(work()) == "answered"
    assert "budget of ann not settled" in caplog.text


def test_the_loop_is_not_held_up_by_the_store(tmp_path: Path) -> None:
    """SQLite is used in threads, so a locked file does not stop other connections."""
    path = tmp_path / "budget.sqlite"
    names: set[str] = set()

    async def work() -> None:
        limits = budget(day_tokens=1000, path=path)
        assert limits._store is not None
        take = type(limits._store).take
        original = limits._store

        class Watched:
            def take(self, *arguments: Any) -> Any:
                names.add(threading.current_thread().name)
                return take(original, *arguments)

            def add(self, *arguments: Any) -> None:
                names.add(threading.current_thread().name)
                original.add(*arguments)

        limits._store = Watched()  # type: ignore[assignment]
        async with limits.turn("ann") as meter:
            meter.text("x" * 4000)
        original.close()

    run(work())

    assert names
    assert threading.main_thread().name not in names


def test_an_unknown_model_is_charged_as_the_dearest_declared() -> None:
    """An alias that moved to a new model is never free."""

    async def cost(models: list[str], name: str) -> float:
        async with budget(models=models, turn_cost=9.0).turn("ann") as meter:
            meter.usage(usage(0, 1_000_000 // 10), name)
            return meter._used.nanodollars / 1e9 * 10

    declared = ["google_genai:gemini-3.5-flash-lite", "google_genai:gemini-3.5-flash"]
    assert run(cost(declared, "gemini-4-flash")) == pytest.approx(9.0)
    assert run(cost([], "gemini-4-flash")) == pytest.approx(50.0)
    assert run(cost(["ollama:llama3.2"], "llama3.2")) == 0.0
    assert run(cost(declared, "gemini-3.5-flash-lite")) == pytest.approx(2.5)


def test_money_needs_prices_at_start() -> None:
    """A declared model without a price is an error when the budget is made, not a silent zero."""
    with pytest.raises(UnpricedModel, match="`openai:gpt-99`"):
        Budget(day_cost=1.0, models=["openai:gpt-99"])

    Budget(turn_tokens=5, models=["openai:gpt-99"])
    Budget(turn_cost=1.0, models=["openai:gpt-99"], prices={"gpt-99": {"input": 1, "output": 2}})


@pytest.mark.parametrize(
    "arguments",
    [{"turn_tokens": -1}, {"day_tokens": 1.5}, {"turn_cost": -0.1}, {"day_cost": float("nan")}, {"day_cost": "1"}],
)
def test_a_limit_that_is_none_is_refused(arguments: dict[str, Any]) -> None:
    """With its name and what it is."""
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}` is"):
        Budget(**arguments)
