"""
Who is told how requests end: one observer of a service, or none, which costs a comparison a message.

Access lines, and whatever is counted of requests, hang here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gsws.runtime.requests.request import Request
    from gsws.runtime.requests.scheduler import Scheduler
    from gsws.runtime.sessions.client import Client

__all__ = ["Observer"]


class Observer(Protocol):
    """All calls come from the event loop, in the middle of its work: they must be short, and may not raise."""

    def ended(self, client: Scheduler, request: Request) -> None:
        """
        A request has its terminal frame, or will never have one; told once for each.

        ``request.begun`` is `time.perf_counter` when it was taken in, ``request.started`` when it waited no
        longer and ``request.first`` when its stream began, if they did; ``request.answer`` is a `CountedAnswer`,
        ``request.aborted`` why it was ended from outside, ``request.last`` the terminal frame if one was sent.
        """

    def refused(self, client: Client, event: str | None, error: str) -> None:
        """
        A message was answered without becoming a request.

        Args:
            client: Who sent it.
            event: What it names, of any length, known or not; None if that could not be read, or was not looked at.
            error: The name of the error (P7.2).
        """
