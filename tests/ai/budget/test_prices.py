"""Prices: the table, a project's own, and models in neither."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gsws.ai.budget.prices import PRICES, PRICES_AS_OF, Price, PriceTable, UnpricedModel
from gsws.ai.models.spec import DEFAULT_GOOGLE_MODEL

TODAY = date(2026, 11, 23)


def test_the_default_model_has_a_price() -> None:
    """A budget in money works with the model that a project gets without naming one."""
    assert PriceTable().find(f"google_genai:{DEFAULT_GOOGLE_MODEL}", TODAY) is not None


def test_the_offline_model_and_models_of_one_s_own_machine_cost_nothing() -> None:
    """Their price is known: it is zero."""
    table = PriceTable()

    assert table.find("offline", TODAY) == Price(0.0, 0.0)
    assert table.find("ollama:llama3.2:3b", TODAY) == Price(0.0, 0.0)
    assert table.find("llama3.2:3b", TODAY) is None


@pytest.mark.parametrize(
    "name",
    [
        "google_genai:gemini-3.8-flash",
        "gemini-3.8-flash",
        "models/gemini-3.8-flash",
        "gemini-3.8-flash-001",
    ],
)
def test_a_model_is_found_by_any_of_its_names(name: str) -> None:
    """With or without its provider, and with a revision or a date behind it."""
    assert PriceTable().find(name, TODAY) == PRICES["gemini-3.8-flash"]
    assert PriceTable().find("gpt-6-sol-2026-09-22", TODAY) == PRICES["gpt-6-sol"]


def test_an_announced_price_comes_into_force_on_its_day() -> None:
    """The introductory price ends with its last UTC day."""
    table = PriceTable()

    before, after = table.find("gemini-3.8-flash", date(2026, 12, 31)), table.find("gemini-3.8-flash", date(2027, 1, 1))

    assert before is not None
    assert after is not None
    assert (before.input, before.output) == (0.75, 3.75)
    assert (after.input, after.output) == (1.5, 7.5)


def test_a_call_costs_its_tokens() -> None:
    """Dollars per million; cached input costs less where that is known, a long prompt more."""
    price = Price(2.0, 10.0, 0.2, long_from=1000, long_input=4.0, long_output=15.0)

    assert price.cost(500, 100) == pytest.approx(0.002)
    assert price.cost(500, 100, cached_tokens=400) == pytest.approx((100 * 2 + 400 * 0.2 + 100 * 10) / 1e6)
    assert price.cost(1001, 100) == pytest.approx((1001 * 4 + 100 * 15) / 1e6)
    assert Price(2.0, 10.0).cost(500, 0, cached_tokens=400) == pytest.approx(0.001)


def test_a_project_s_price_replaces_the_table_s() -> None:
    """By the model's name with or without its provider."""
    own = {
        "google_genai:gemini-3.8-flash": {"input": 1, "output": 2, "cached_input": 0.1},
        "mine": {"input": 0, "output": 3},
    }
    table = PriceTable(own)

    assert table.find("gemini-3.8-flash", TODAY) == Price(1.0, 2.0, 0.1)
    assert table.find("openai:mine", TODAY) == Price(0.0, 3.0)


@pytest.mark.parametrize(
    "value",
    [{"input": 1}, {"input": 1, "output": 2, "other": 3}, {"input": -1, "output": 2}, {"input": "1", "output": 2}, 3,
     {"input": True, "output": 2}, {"input": float("nan"), "output": 2}],
)  # fmt: skip
def test_a_price_that_is_none_is_refused(value: Any) -> None:
    """With the model's name."""
    with pytest.raises(ValueError, match="price of `mine`"):
        PriceTable({"mine": value})


def test_a_model_without_a_price_is_named() -> None:
    """The message says what to write, and how old the table is."""
    with pytest.raises(UnpricedModel) as caught:
        PriceTable().require(["offline", "openai:gpt-99"], TODAY)

    assert "`openai:gpt-99`" in str(caught.value)
    assert str(PRICES_AS_OF) in str(caught.value)
    assert "prices: {gpt-99: {input: …, output: …}}" in str(caught.value)


def test_the_dearest_price_is_by_its_output() -> None:
    """What a model that nobody declared is charged."""
    assert PriceTable().dearest(TODAY).output == max(price.on(TODAY).output for price in PRICES.values())


def test_the_documented_table_is_the_one_that_is_used() -> None:
    """Name and figures of each model, and the date."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "chat-model.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `([^`]+)` \| (\d+\.\d.*?) *\|$", page, re.MULTILINE))
    amounts = {name: [float(x) for x in re.findall(r"\d+\.\d+", row)] for name, row in documented.items()}

    def figures(price: Price) -> list[float]:
        listed = [price.input, price.output, *([] if price.cached_input is None else [price.cached_input])]
        if price.long_from is not None:
            listed += [price.long_input, price.long_output]
        return listed + (figures(price.then) if price.then else [])

    assert amounts == {name: figures(price) for name, price in PRICES.items()}
    assert f"the youngest is of {PRICES_AS_OF}" in page
