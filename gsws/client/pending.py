"""
One request on its way: which frames it has seen, and those its consumer has not taken yet.

A stream of another session is one that is asked for in another way (protocol P8.8).
Sequence numbers make delivery exact (protocol P6.3): what comes twice is dropped, what is missing is noticed. Who
sends and reconnects is in `gsws.client.session`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from gsws.client.errors import AnswerTimeout, ClientError
from gsws.client.flow import Flow, Inbox
from gsws.client.frames import Frame, Incoming
from gsws.protocol.answer import TERMINAL
from gsws.protocol.codec import encode

__all__ = ["Followed", "Pending", "Share", "cancelled"]


class Pending:
    """
    One request from its making to its terminal frame.

    Attributes:
        id: Its id on the wire; a request that is sent again gets a new one.
        body: The message without its id: ``{"eventtype", "payload", "meta"?}``.
        is_idempotent: Whether it may be sent again if it is unknown how far it got.
        is_sent: Whether the server may have it.
        number: Which message of the connection it was, the first being 1; 0 if it was sent on one before.
        tries: How often it was sent again.
        is_cancelled: Whether the consumer wants no more.
        is_compact: Whether missed text may come as a snapshot, so that numbers before it are left out.
        is_followed: Whether it is another session's.
        last: Number of the last frame seen, or -1.
        unacknowledged: Bytes seen since the last acknowledgement.
        gaps: How often a frame was missing.
    """

    __slots__ = (
        "_inbox",
        "body",
        "gaps",
        "id",
        "is_cancelled",
        "is_compact",
        "is_ended",
        "is_idempotent",
        "is_sent",
        "last",
        "number",
        "seen",
        "tries",
        "unacknowledged",
    )

    is_followed: ClassVar[bool] = False

    def __init__(self, id: str, body: dict[str, object], flow: Flow, *, is_idempotent: bool) -> None:
        self.id = id
        self.body = body
        self.is_idempotent = is_idempotent
        self.is_sent = False
        self.number = 0
        self.tries = 0
        self.is_cancelled = False
        self.is_compact = False
        self.is_ended = False
        self.last = -1
        self.seen = 0
        self.unacknowledged = 0
        self.gaps = 0
        self._inbox: Inbox[Frame] = Inbox(flow, "a stream has one consumer")

    @property
    def eventtype(self) -> str:
        """What is asked."""
        return str(self.body["eventtype"])

    def message(self) -> bytes:
        """What asks for it."""
        return encode({**self.body, "id": self.id})

    def cancel_message(self) -> bytes:
        """What asks for its end."""
        return encode({"eventtype": "gsws.cancel", "payload": {"id": self.id}})

    def place(self, incoming: Incoming) -> Literal["next", "seen", "gap"]:
        """Where a frame stands: the next one, seen before, or after one that is missing."""
        seq = incoming.seq
        if seq is None or seq == self.last + 1:
            return "next"
        if seq <= self.last:
            return "seen"
        # Of a compact answer, what is left out is text, and the snapshot that has it is still to come or is this.
        return "next" if self.is_compact and not (incoming.is_text or incoming.eventtype in TERMINAL) else "gap"

    def put(self, incoming: Incoming) -> None:
        """Queue the next frame for the consumer."""
        if incoming.seq is not None:
            self.last = incoming.seq
        if self.is_compact and (incoming.is_text or incoming.eventtype == "stream.snapshot"):
            self.is_compact = False
        self.seen += 1
        self.unacknowledged += incoming.size
        frame = Frame(incoming.eventtype, incoming.payload, incoming.seq)
        self._inbox.put(frame, incoming.size)
        if frame.is_terminal:
            self.is_ended = True

    def end(self, frame: Frame) -> None:
        """End it with a terminal frame that the server did not send."""
        self._inbox.put(frame, 0)
        self.is_ended = True

    def fail(self, error: BaseException) -> None:
        """End it with an exception, after what was received."""
        if not self.is_ended:
            self._inbox.fail(error)
            self.is_ended = True

    def drop(self) -> None:
        """Forget what the consumer will not take."""
        self._inbox.drop()

    async def get(self, timeout: float | None) -> Frame:
        """
        Take the next frame.

        Raises:
            AnswerTimeout: If it does not come in time.
            ClientError: If it never will.
        """
        try:
            return await self._inbox.get(timeout)
        except TimeoutError as late:
            if isinstance(late, ClientError):  # what ended the session
                raise
            raise AnswerTimeout(self.eventtype, timeout or 0.0) from None


def cancelled() -> Frame:
    """Make the terminal frame of a request that the server does not have."""
    return Frame("stream.end", {"message": "", "reason": "cancelled", "chunks": 0})


@dataclass(frozen=True, slots=True, repr=False)
class Share:
    """
    What another client of the same subject needs to follow a session's streams; the secret is one, keep it so.

    Attributes:
        session: The session's id.
        secret: Its secret; whoever has it may also take the session over.
    """

    session: str
    secret: str

    def __repr__(self) -> str:
        return f"Share({self.session!r}, …)"


class Followed(Pending):
    """A stream of another session."""

    __slots__ = ("_compact", "_share")

    is_followed = True

    def __init__(self, id: str, share: Share, after: int, flow: Flow, *, compact: bool) -> None:
        super().__init__(id, {"eventtype": "gsws.follow"}, flow, is_idempotent=False)
        self.last = after
        self._share = share
        self._compact = compact

    def message(self) -> bytes:
        self.is_compact = self._compact
        payload = {
            "session": self._share.session,
            "secret": self._share.secret,
            "streams": {self.id: self.last},
            "compact": self._compact,
        }
        return encode({"eventtype": "gsws.follow", "payload": payload})

    def cancel_message(self) -> bytes:
        return encode({"eventtype": "gsws.unfollow", "payload": {"id": self.id}})
