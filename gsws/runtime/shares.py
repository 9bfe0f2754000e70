"""How much each user holds of a memory that all share: whoever holds most gives way first when it is full."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

__all__ = ["Shares"]

Owner = TypeVar("Owner", bound=Hashable)

_SLACK = 64


class Shares(Generic[Owner]):
    """
    Amounts by owner.

    Attributes:
        total: The sum of all amounts.
    """

    __slots__ = ("_heap", "_held", "_turn", "total")

    def __init__(self) -> None:
        self.total = 0
        self._held: dict[Owner, int] = {}
        # Per owner at least one entry with what it holds or held; those that are out of date are put right when met.
        self._heap: list[tuple[int, int, Owner]] = []
        self._turn = 0

    def of(self, owner: Owner) -> int:
        """How much an owner holds."""
        return self._held.get(owner, 0)

    def add(self, owner: Owner, amount: int) -> None:
        """Count more, or with a negative amount less, for an owner."""
        held = self._held.get(owner, 0) + amount
        self.total += amount
        if held:
            self._held[owner] = held
        else:
            self._held.pop(owner, None)
        if amount > 0:
            self._turn += 1
            heappush(self._heap, (-held, self._turn, owner))
            if len(self._heap) > 2 * len(self._held) + _SLACK:
                turns = {one: turn for _, turn, one in sorted(self._heap, reverse=True)}
                self._heap = [(-held, turns[one], one) for one, held in self._held.items()]
                heapify(self._heap)

    def largest(self) -> Owner | None:
        """Who holds most, of equals who was there first; None if nobody holds anything."""
        while self._heap:
            negative, turn, owner = self._heap[0]
            held = self._held.get(owner, 0)
            if held == -negative:
                return owner
            heappop(self._heap)
            if held:
                heappush(self._heap, (-held, turn, owner))
        return None
