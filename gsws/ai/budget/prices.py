"""
What models cost, offline: a dated table, a project's own prices over it, and the rule for models in neither.

Prices are the providers' list prices for text in US dollars per million tokens, without batch, cache-storage and
search charges, taxes, free tiers and discounts: a budget made of them bounds spending, it is no bill.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from gsws.errors import GSWSError

__all__ = ["PRICES", "PRICES_AS_OF", "Price", "PriceTable", "UnpricedModel"]

PRICES_AS_OF = date(2026, 10, 27)
"""Date of the youngest price of the table; that of each group stands beside it."""


@dataclass(frozen=True, slots=True)
class Price:
    """
    US dollars per million tokens.

    Attributes:
        input: Tokens sent.
        output: Tokens answered, reasoning included.
        cached_input: Tokens sent that the provider had cached; None charges them as `input`.
        long_from: A call with more input tokens than this costs `long_input` and `long_output`; None if length
            makes no difference.
        long_input: Tokens sent in such a call, cached or not.
        long_output: Tokens answered in such a call.
        until: Last UTC day of this price; None if no end is announced.
        then: The price after it.
    """

    input: float
    output: float
    cached_input: float | None = None
    long_from: int | None = None
    long_input: float = 0.0
    long_output: float = 0.0
    until: date | None = None
    then: Price | None = None

    def on(self, day: date) -> Price:
        """The price of a UTC day."""
        return self.then.on(day) if self.then and self.until and day > self.until else self

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars of one model call; ``cached_tokens`` are part of ``input_tokens``."""
        if self.long_from is not None and input_tokens > self.long_from:
            return (input_tokens * self.long_input + output_tokens * self.long_output) / 1e6
        cached = min(cached_tokens, input_tokens)
        rate = self.input if self.cached_input is None else self.cached_input
        return ((input_tokens - cached) * self.input + cached * rate + output_tokens * self.output) / 1e6


PRICES: Mapping[str, Price] = {
    "offline": Price(0.0, 0.0),
    # Dated transcriptions of the providers' pages, not the pages themselves.
    # https://ai.google.dev/gemini-api/docs/pricing, 2026-09-20; 3.6 Flash and 3.5 Flash-Lite 2026-07-21, 3 Flash
    # 2026-07-04, 3.1 Flash-Lite 2026-05-23.
    "gemini-3.8-flash": Price(0.75, 3.75, until=date(2026, 12, 31), then=Price(1.50, 7.50)),
    "gemini-3.6-flash": Price(1.50, 7.50, 0.15),
    "gemini-3.5-flash": Price(1.50, 9.00),
    "gemini-3.5-flash-lite": Price(0.30, 2.50, 0.03),
    "gemini-3.1-flash-lite": Price(0.25, 1.50),
    "gemini-3.1-pro-preview": Price(2.00, 12.00, long_from=200_000, long_input=4.00, long_output=18.00),
    "gemini-3-flash-preview": Price(0.50, 3.00, 0.05),
    # Aliases move: priced as the dearest of their kind above. What is charged goes by the name in the answer.
    "gemini-flash-latest": Price(1.50, 9.00),
    "gemini-flash-lite-latest": Price(0.30, 2.50),
    # https://developers.openai.com/api/docs/pricing: GPT-6.1 Terra 2026-10-26, the others 2026-10-16.
    "gpt-6.1-sol": Price(2.00, 10.00, 0.10, 272_000, 4.00, 15.00),
    "gpt-6.1-terra": Price(1.00, 5.00, 0.05, 272_000, 2.00, 7.50),
    "gpt-6-astra": Price(10.00, 50.00, 1.00, 272_000, 20.00, 75.00),
    "gpt-6-sol": Price(2.00, 10.00, 0.20, 272_000, 4.00, 15.00),
    "gpt-6-luna": Price(0.10, 0.50, 0.01, 272_000, 0.20, 0.75),
    "gpt-5.6-sol": Price(5.00, 30.00, 0.50, 272_000, 10.00, 45.00),
    "gpt-5.6-terra": Price(2.00, 12.00, 0.20, 272_000, 4.00, 18.00),
    "gpt-5.6-luna": Price(0.20, 1.20, 0.02, 272_000, 0.40, 1.80),
    # https://platform.claude.com/docs/en/about-claude/pricing, 2026-10-24.
    "claude-fable-5-1": Price(10.00, 50.00, 0.25),
    "claude-opus-5-5": Price(4.00, 20.00, 0.20),
    "claude-sonnet-5-5": Price(2.00, 10.00, 0.10),
    "claude-sonnet-5": Price(2.00, 10.00, 0.20),
    "claude-haiku-5-5": Price(0.10, 0.50, 0.01, 100_000, 0.50, 2.50),
}

# What providers append to a name: a date (`-2026-10-26`, `-20261007`) or a revision (`-001`).
_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{3})$")
_KEYS = {"input", "output", "cached_input"}


class UnpricedModel(GSWSError):
    """A budget in money for a model without a known price; the message says how to give one."""


class PriceTable:
    """
    The built-in prices with a project's own over them.

    Args:
        own: ``{"gemini-3.8-flash": {"input": 0.75, "output": 3.75, "cached_input": 0.075}}`` or `Price` values;
            the key is the model's name with or without its provider.

    Raises:
        ValueError: If a price is no number of 0 or more, or a key is unknown.
    """

    __slots__ = ("_prices",)

    def __init__(self, own: Mapping[str, Any] | None = None) -> None:
        self._prices = dict(PRICES)
        for name, value in (own or {}).items():
            self._prices[_plain(name)] = value if isinstance(value, Price) else _read(name, value)

    def find(self, model: str, day: date) -> Price | None:
        """The price of a model on a UTC day, or None; models that run on one's own machine cost nothing."""
        if model.startswith("ollama:"):
            return self._prices.get(_plain(model), Price(0.0, 0.0)).on(day)
        name = _plain(model)
        price = self._prices.get(name) or self._prices.get(_DATED.sub("", name))
        return price.on(day) if price else None

    def require(self, models: Iterable[str], day: date) -> list[Price]:
        """
        The prices of models that a budget in money is for.

        Raises:
            UnpricedModel: Naming the first without a price.
        """
        found = []
        for model in models:
            price = self.find(model, day)
            if price is None:
                raise UnpricedModel(
                    f"a budget in money needs the price of `{model}`, which is not in the table of {PRICES_AS_OF}: "
                    f"add `prices: {{{_plain(model)}: {{input: …, output: …}}}}` in US dollars per million tokens"
                )
            found.append(price)
        return found

    def dearest(self, day: date) -> Price:
        """The price with the dearest output: what a model that nobody declared is charged."""
        return max((price.on(day) for price in self._prices.values()), key=lambda price: price.output)


def _plain(model: str) -> str:
    """A model's name without its provider and Google's ``models/``."""
    provider, colon, name = model.partition(":")
    if colon and provider in {"google_genai", "openai", "anthropic", "ollama"}:
        model = name
    return model.removeprefix("models/")


def _read(name: str, value: Any) -> Price:
    if not isinstance(value, Mapping) or not {"input", "output"} <= set(value) or not set(value) <= _KEYS:
        raise ValueError(f"price of `{name}` has the keys `input`, `output` and perhaps `cached_input`")
    for key, amount in value.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < 1e6:
            raise ValueError(f"price of `{name}`: `{key}` is {amount!r}, not US dollars per million tokens")
    cached = value.get("cached_input")
    return Price(float(value["input"]), float(value["output"]), None if cached is None else float(cached))
