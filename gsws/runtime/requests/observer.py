"""
Who is told how requests end: one observer of a service, or none, which costs a comparison a message.

Access lines, and whatever is counted of requests, hang here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from gsws.protocol.answer import Answer
from gsws.routing.table import Route
from gsws.runtime.transport import Connection
from gsws.types import GSActor

__all__ = ["Caller", "Observed", "Observer"]


class Caller(Protocol):
    """Who asked."""

    connection: Connection
    label: str

    @property
    def actor(self) -> GSActor: ...
    @property
    def session_id(self) -> str | None: ...


class Observed(Protocol):
    """
    A request as an observer sees it.

    Attributes:
        begun: `time.perf_counter` when it was taken in.
        started: That when it waited no longer; not there if it never did.
        first: That of a stream's beginning; not there if none began.
        answer: A `gsws.protocol.answer.CountedAnswer`.
        size: Bytes of its message.
        aborted: Why it was ended from outside, or None.
        last: Its terminal frame, if one was sent.
    """

    route: Route
    answer: Answer
    begun: float | None
    started: float
    first: float
    size: int
    aborted: str | None
    last: bytes | None

    @property
    def outlet(self) -> Caller: ...
    @property
    def request_id(self) -> str: ...
    @property
    def actor(self) -> GSActor: ...


class Observer(Protocol):
    """All calls come from the event loop, in the middle of its work: they must be short, and may not raise."""

    def ended(self, request: Observed) -> None:
        """A request has its terminal frame, or will never have one; told once for each."""

    def refused(self, caller: Caller, source: str, known: Collection[str], event: str | None, error: str) -> None:
        """
        A message was answered without becoming a request.

        Args:
            caller: Who sent it.
            source: The event source.
            known: The events that the source has.
            event: What it names, of any length, known or not; None if that could not be read, or was not looked at.
            error: The name of the error (P7.2).
        """
