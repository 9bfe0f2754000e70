"""
What was refused, failed and closed, counted by name; and lines of the log about it, summed.

A counter is a plain integer in a dict, touched only when there is something to count, from the event loop alone: no
lock, and nothing to pay for a message that is taken. Names are ``errors.<name of P7.2>``, ``limits.<key of limits>``,
``http.<status>``, ``closes.<code>``, ``tls.failed`` and ``threads.abandoned``. Who may read them is said by the
transport (HTTP) and by `gsws.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from gsws.protocol.errors import ERRORS

if TYPE_CHECKING:
    from gsws.runtime.wheel import Timer, Wheel

__all__ = ["INTERVAL", "Counters", "Reporter", "Summed"]

INTERVAL: Final = 60.0
"""Seconds between two lines of the log about refusals, at least, and for which lines of one reason are summed."""

_MOST: Final = 256
"""Names from which on those of errors that handlers chose, or let clients choose, are no longer kept."""

_OURS: Final = frozenset(f"errors.{name}" for name in ERRORS)

_QUIET: Final = frozenset({"closes.1000", "closes.1001", "closes.1005", "closes.1006", "tls.failed"})
"""How connections end, or do not begin, every day; counted, but no reason for a line in the log."""


class Counters:
    """Integers by name; a name that was never counted is not there."""

    __slots__ = ("_counts", "on_first")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.on_first: Callable[[], None] | None = None
        """Called, once, by the next count of something that is worth a line in the log."""

    def add(self, name: str) -> None:
        """Count one; of too many names, the last ones of handlers are counted together as ``errors.other``."""
        counts = self._counts
        if name not in counts and len(counts) >= _MOST and name.startswith("errors.") and name not in _OURS:
            name = "errors.other"
        counts[name] = counts.get(name, 0) + 1
        tell = self.on_first
        if tell is not None and name not in _QUIET:
            self.on_first = None
            tell()

    def read(self) -> dict[str, int]:
        """Every count so far, sorted by name."""
        return dict(sorted(self._counts.items()))

    def notable(self, before: Mapping[str, int]) -> dict[str, int]:
        """What was added since ``before``, an earlier `read`; without connections that simply ended."""
        return {
            name: count - before.get(name, 0)
            for name, count in self.read().items()
            if count > before.get(name, 0) and name not in _QUIET
        }


class Reporter:
    """
    Writes what was refused to the log: once a minute at most, and at the end.

    No timer runs while nothing is refused.
    """

    __slots__ = ("_before", "_counters", "_logger", "_timer", "_wheel")

    def __init__(self, counters: Counters, wheel: Wheel, logger: Any) -> None:
        self._counters = counters
        self._wheel = wheel
        self._logger = logger
        self._before: dict[str, int] = {}
        self._timer: Timer | None = None
        counters.on_first = self._begin

    def close(self) -> None:
        """Say what was not said yet."""
        self._counters.on_first = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._report()

    def _begin(self) -> None:
        self._timer = self._wheel.schedule(INTERVAL, self._due)

    def _due(self) -> None:
        self._timer = None
        self._counters.on_first = self._begin
        self._report()

    def _report(self) -> None:
        added = self._counters.notable(self._before)
        if added:
            self._before = self._counters.read()
            self._logger.info("refused or failed", **{name.replace(".", "_"): count for name, count in added.items()})


_FIRST: Final = 3
"""Lines of one reason that are written in that time."""

_REASONS: Final = 32
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
        if key not in self._counts and len(self._counts) >= _REASONS:
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
