"""Lines of the log about what strangers can cause as often as they like: the first ones, then a sum a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from gsws.runtime.wheel import Timer, Wheel

__all__ = ["Summed"]

INTERVAL: Final = 60.0
"""Seconds for which lines are summed."""

_FIRST: Final = 3
"""Lines of one reason that are written in that time."""

_MOST: Final = 32
"""Reasons that are told apart in that time."""


class Summed:
    """
    Writes lines of a reason until there were enough of them, and how many there were more at the end of the minute.

    No timer runs while nothing is summed.
    """

    __slots__ = ("_counts", "_logger", "_timer", "_wheel")

    def __init__(self, logger: Any, wheel: Wheel) -> None:
        self._logger = logger
        self._wheel = wheel
        self._counts: dict[tuple[str, str], int] = {}
        self._timer: Timer | None = None

    def tell(self, level: Literal["info", "warning", "error"], event: str, reason: str, **facts: Any) -> None:
        """Write a line with a ``reason``, or count it."""
        key = (event, reason)
        if key not in self._counts and len(self._counts) >= _MOST:
            key = (event, "other reasons")
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if self._timer is None:
            self._timer = self._wheel.schedule(INTERVAL, self._due)
        if count <= _FIRST:
            getattr(self._logger, level)(event, reason=reason, **facts)

    def close(self) -> None:
        """Say what was not said yet."""
        if self._timer is not None:
            self._timer.cancel()
        self._due()

    def _due(self) -> None:
        self._timer = None
        counts, self._counts = self._counts, {}
        for (event, reason), count in counts.items():
            if count > _FIRST:
                self._logger.info(f"{event}, more of the same", reason=reason, count=count - _FIRST)
