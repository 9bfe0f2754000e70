"""
Budgets: what a turn and a subject's day may use, in tokens and money, kept while an answer streams.

Imports no other package of `ai`.
"""

from __future__ import annotations

from gsws.ai.budget.exceeded import BudgetExceeded
from gsws.ai.budget.limits import Budget
from gsws.ai.budget.meter import Meter
from gsws.ai.budget.prices import PRICES, PRICES_AS_OF, Price, PriceTable, UnpricedModel

__all__ = ["PRICES", "PRICES_AS_OF", "Budget", "BudgetExceeded", "Meter", "Price", "PriceTable", "UnpricedModel"]
