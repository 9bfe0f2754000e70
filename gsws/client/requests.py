"""
The requests of a session: made, cancelled, lost and sent again.

When they are sent, and over which connection, is in `gsws.client.session`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from gsws.client.errors import ClientClosed, ClientError, ResumeLost
from gsws.client.frames import Frame
from gsws.client.outbox import Outbox
from gsws.client.pending import Pending, cancelled
from gsws.client.window import Window

__all__ = ["Requests"]

_TRIES: Final = 5
"""How often a request is sent again at most."""


class Requests:
    """
    Requests from their making to their end.

    Args:
        outbox: Takes what the server is to be told of them.
        on_left: Called when one may have been the last that runs.

    Attributes:
        pending: Those whose terminal frame has not come, by id.
        orphans: Ids of cancelled requests whose consumers are gone → whether they were followed.
        unsent: Those that the server does not have, in order, and how many more it takes.
        failure: Why no more can be made, or None.
        unfollowing: Ids of followed streams that the server was asked to send no more of, until it has confirmed that.
        deferred: Streams that are to be followed again after that, by id.
    """

    def __init__(self, outbox: Outbox, on_left: Callable[[], None]) -> None:
        self.pending: dict[str, Pending] = {}
        self.orphans: dict[str, bool] = {}
        self.unsent = Window()
        self.failure: ClientError | None = None
        self.unfollowing: set[str] = set()
        self.deferred: dict[str, Pending] = {}
        self._outbox = outbox
        self._on_left = on_left
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
        is_left = pending.is_followed and pending.id in self.unfollowing
        if pending.id in self.pending or pending.id in self.deferred or (pending.id in self.orphans and not is_left):
            raise ValueError(f"a request with the id `{pending.id}` is still running")
        if is_left:
            # What is still under way belongs to the one before.
            self.deferred[pending.id] = pending
            return
        self.pending[pending.id] = pending
        self.unsent.append(pending)
        self._outbox.ready.set()

    def cancel(self, pending: Pending) -> None:
        """Ask the server to end a request; its terminal frame still comes."""
        if pending.is_ended or pending.is_cancelled:
            return
        pending.is_cancelled = True
        if pending.is_sent:
            if pending.is_followed:
                self.unfollowing.add(pending.id)
            self._outbox.tell(pending.cancel_message())
        elif self.deferred.get(pending.id) is pending:
            del self.deferred[pending.id]
            pending.end(cancelled())
        else:
            self.unsent.remove(pending)
            del self.pending[pending.id]
            pending.end(cancelled())

    def abandon(self, pending: Pending) -> None:
        """Nobody wants the rest of an answer."""
        if not pending.is_ended:
            was_sent = pending.is_sent
            self.cancel(pending)
            if was_sent and self.pending.pop(pending.id, None) is not None:
                self.orphans[pending.id] = pending.is_followed
            pending.fail(ClientClosed())
        pending.drop()
        self._on_left()

    def unfollowed(self, id: str) -> None:
        """No further frame of a followed stream comes."""
        self.unfollowing.discard(id)
        if self.orphans.pop(id, None) is None and id in self.pending:
            self.pending.pop(id).end(cancelled())
            self._on_left()
        if id in self.deferred:
            self.submit(self.deferred.pop(id))

    def lost(self, pending: Pending, *, is_unknown: bool, error: ClientError | None = None) -> None:
        """
        The server does not hold the rest of an answer: send the request again if that is safe, else fail it.

        Args:
            pending: Sent before the connection that is now.
            is_unknown: Whether the server says that it never got it.
            error: What to fail it with; `ResumeLost` if left out.
        """
        self.pending.pop(pending.id, None)
        self.done(pending.id)
        if pending.is_cancelled:
            pending.end(cancelled())
        elif self._may_repeat(pending, is_unknown=is_unknown):
            pending.id = self.new_id()
            pending.is_sent = False
            pending.tries += 1
            self.pending[pending.id] = pending
            self.unsent.append(pending)
            self._outbox.ready.set()
        else:
            pending.fail(error or ResumeLost(pending.id, pending.seen))

    def finished(self, pending: Pending) -> None:
        """Its terminal frame has come."""
        del self.pending[pending.id]
        self.done(pending.id)
        self._on_left()

    def done(self, id: str) -> None:
        """The server has ended a request, or never had it."""
        self.unsent.done(id)
        self._outbox.ready.set()

    # What connections mean for them.

    @property
    def sent(self) -> list[Pending]:
        """Those that the server may have, in order."""
        return [pending for pending in self.pending.values() if pending.is_sent]

    def connected(self) -> None:
        """There is another connection, and in the session profile the server holds the answers to what was sent."""
        self.unsent.keep({pending.id for pending in self.sent})
        for id, is_followed in self.orphans.items():
            if not is_followed:
                self._outbox.say("gsws.cancel", {"id": id})
        self.orphans.clear()
        self.unfollowing.clear()
        for id in tuple(self.deferred):
            self.submit(self.deferred.pop(id))
        for pending in tuple(self.pending.values()):
            pending.number = 0
            if pending.is_sent and pending.is_followed:
                # What was followed over another connection is asked for again, from where it was.
                self._take_back(pending, self.unsent.append)
            elif pending.is_sent and pending.is_cancelled:
                self._outbox.tell(pending.cancel_message())

    def cut(self, error: ClientError) -> None:
        """The connection is gone, and there is no session: what was sent is lost with it."""
        for pending in self.sent:
            self.lost(pending, is_unknown=False, error=error)
        self.orphans.clear()

    def is_too_large(self, pending: Pending, size: int) -> bool:
        """End a request that the server would close the connection for (protocol P7.3)."""
        largest = self.unsent.largest
        if largest is None or size <= largest:
            return False
        self.pending.pop(pending.id, None)
        self.done(pending.id)
        text = f"the message has {size} bytes; the server takes {largest} at most"
        pending.end(Frame("stream.error", {"message": text, "error": "too_large", "code": 413, "retryable": False}))
        return True

    def put_off(self, pending: Pending, seconds: float) -> None:
        """The server runs too many requests of this client: send this one again after a while."""
        del self.pending[pending.id]
        may_wait = self.unsent.refused(pending)
        pending.id = self.new_id()
        pending.is_sent = False
        pending.last = -1
        self.pending[pending.id] = pending
        asyncio.get_running_loop().call_later(0 if may_wait else seconds, self._resubmit, pending)

    def _resubmit(self, pending: Pending) -> None:
        if self.pending.get(pending.id) is pending and not pending.is_sent and self.failure is None:
            self.unsent.append(pending)
            self._outbox.ready.set()

    def reclaim(self, taken: int) -> None:
        """The server takes no more messages of this connection, and took so many of it."""
        for pending in reversed(tuple(self.pending.values())):
            if pending.number <= taken or not pending.is_sent or pending.is_followed:
                continue
            self.done(pending.id)
            self._take_back(pending, self.unsent.appendleft)

    def _take_back(self, pending: Pending, queue: Callable[[Pending], None]) -> None:
        """The server does not have it any more: send it again, or end it if nobody wants it."""
        if pending.is_cancelled:
            del self.pending[pending.id]
            pending.end(cancelled())
        else:
            pending.is_sent = False
            queue(pending)

    def _may_repeat(self, pending: Pending, *, is_unknown: bool) -> bool:
        """Whether a request can be sent again without anything being done twice."""
        if pending.seen or pending.is_followed or pending.tries >= _TRIES:
            return False
        return is_unknown or pending.is_idempotent

    def end(self, error: ClientError) -> None:
        """Fail everything that is open; the first reason counts."""
        if self.failure is None:
            self.failure = error
        self.unsent.clear()
        for pending in (*self.pending.values(), *self.deferred.values()):
            pending.fail(self.failure)
        self.pending.clear()
        self.deferred.clear()
        self.orphans.clear()
