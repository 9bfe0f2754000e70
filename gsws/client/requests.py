"""
The requests of a session: made, cancelled, lost and sent again.

When they are sent, and over which connection, is in `gsws.client.session`.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable

from gsws.client.dispatch import Dispatch, cancelled
from gsws.client.errors import ClientClosed, ClientError, ResumeLost
from gsws.client.pending import Pending

__all__ = ["Requests"]


class Requests(Dispatch):
    """
    Requests from their making to their end.

    Attributes:
        unsent: Those that the server does not have, in order.
        failure: Why no more can be made, or None.
    """

    def __init__(self, buffer: int, on_frame: Callable[[object], None] | None) -> None:
        super().__init__(buffer, on_frame)
        self.unsent: deque[Pending] = deque()
        self.failure: ClientError | None = None
        self._prefix = secrets.token_hex(4)
        self._count = 0

    def new_id(self) -> str:
        """An id that this session has not used."""
        self._count += 1
        return f"{self._prefix}-{self._count}"

    def submit(self, pending: Pending) -> None:
        """
        Send a request, now or when there is a connection.

        Raises:
            ClientError: If the session has ended.
            ValueError: If its id is in use.
        """
        if self.failure is not None:
            raise self.failure
        if pending.id in self.pending or pending.id in self.orphans:
            raise ValueError(f"a request with the id `{pending.id}` is still running")
        self.pending[pending.id] = pending
        self.unsent.append(pending)
        self.ready.set()

    def cancel(self, pending: Pending) -> None:
        """Ask the server to end a request; its terminal frame still comes."""
        if pending.is_ended or pending.is_cancelled:
            return
        pending.is_cancelled = True
        if pending.is_sent:
            self.say("gsws.cancel", {"id": pending.id})
        else:
            self.unsent.remove(pending)
            del self.pending[pending.id]
            pending.end(cancelled())

    def abandon(self, pending: Pending) -> None:
        """Nobody wants the rest of an answer."""
        if not pending.is_ended:
            was_sent = pending.is_sent
            self.cancel(pending)
            if self.pending.pop(pending.id, None) is not None and was_sent:
                self.orphans.add(pending.id)
            pending.fail(ClientClosed())
        pending.drop()
        self.leave_if_idle()

    def lost(self, pending: Pending, *, is_unknown: bool, error: ClientError | None = None) -> None:
        """
        The server does not hold the rest of an answer: send the request again if that is safe, else fail it.

        Args:
            pending: Sent before the connection that is now.
            is_unknown: Whether the server says that it never got it.
            error: What to fail it with; `ResumeLost` if left out.
        """
        self.pending.pop(pending.id, None)
        if pending.is_cancelled:
            pending.end(cancelled())
        elif pending.seen == 0 and (is_unknown or pending.is_idempotent):
            pending.id = self.new_id()
            pending.is_sent = False
            self.pending[pending.id] = pending
            self.unsent.append(pending)
            self.ready.set()
        else:
            pending.fail(error or ResumeLost(pending.id, pending.seen))

    def end(self, error: ClientError) -> None:
        """Fail everything that is open; the first reason counts."""
        if self.failure is None:
            self.failure = error
        self.unsent.clear()
        for pending in self.pending.values():
            pending.fail(self.failure)
        self.pending.clear()
        self.orphans.clear()
        self.end_pushes(self.failure)
