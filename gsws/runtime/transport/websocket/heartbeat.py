"""When to ping a peer, and when to give it up (protocol P10.1): decisions on times, without sockets and clocks."""

from __future__ import annotations

__all__ = ["Heartbeat"]

ROUNDING = 0.01


class Heartbeat:
    """
    The pings of one connection.

    Args:
        now: When the connection was opened, in seconds of the clock that `check` is given.
    """

    __slots__ = ("_pinged", "_unanswered")

    def __init__(self, now: float) -> None:
        self._pinged = now
        self._unanswered: float | None = None

    def check(self, now: float, *, heard: bool, interval: float, timeout: float) -> tuple[bool, float] | None:
        """
        Decide what to do now.

        Args:
            now: Seconds on the clock.
            heard: Whether anything arrived since the last check, or could not have been read.
            interval: Seconds between two pings.
            timeout: Seconds after an unanswered ping in which something must arrive.

        Returns:
            Whether to ping now, and the seconds until the next check; None if the peer is to be given up.
        """
        if heard:
            self._unanswered = None
        elif self._unanswered is not None and now >= self._unanswered + timeout - ROUNDING:
            return None
        due = self._pinged + interval
        ping = now >= due - ROUNDING
        if ping:
            self._pinged = now
            if self._unanswered is None:
                self._unanswered = now
            due = now + interval
        if self._unanswered is not None:
            due = min(due, self._unanswered + timeout)
        return ping, max(due - now, 0.0)
