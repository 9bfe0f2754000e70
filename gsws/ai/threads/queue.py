"""
One turn of a thread at a time: later ones wait in order, as many as are allowed and as long as is allowed.

Two turns at once on one thread would each start from the same state, and the later one to finish would undo the
other. Known in this process only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Final

__all__ = ["TURNS", "Busy", "Turns", "key_of", "mark"]

_MARK: Final = "_gsws_turns"


class Busy(Exception):
    """The thread's turn is taken, and there is no place left to wait or the wait was too long."""


def key_of(saver: object, thread: str) -> Hashable:
    """
    The key of a thread's turns, the same for all graphs that keep it in one store.

    LangGraph compiles each graph with a shallow copy of its saver, so that the object itself does not tell; copies
    share what `mark` gave to the saver that they were made of.
    """
    return id(getattr(saver, _MARK, saver)), thread


def mark(saver: object) -> None:
    """Make a saver known before graphs are compiled with it."""
    vars(saver).setdefault(_MARK, object())


class Turns:
    """Which threads have a turn under way, and who waits for them."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def take(self, key: Hashable, *, queue: int, wait: float) -> None:
        """
        Take the turn of a thread; whoever took it must `release` it.

        Args:
            key: The thread.
            queue: How many may wait for it.
            wait: Seconds to wait.

        Raises:
            Busy: If so many wait already, or none came free in time.
        """
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return
        if len(waiting) >= queue or wait <= 0:
            raise Busy
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            async with asyncio.timeout(wait):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.release(key)  # it came free in the very moment in which it was given up
            elif turn in waiting:
                waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise Busy from None
            raise

    def release(self, key: Hashable) -> None:
        """Give the turn to whoever waits longest."""
        waiting = self._waiting[key]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]


TURNS: Final = Turns()
"""The turns of this process."""
