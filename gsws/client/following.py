"""
Following a stream of another session: the same frames, asked for in another way (protocol P8.8).

A `Share` is what the session's own client hands out; how frames are placed and consumed is `Pending`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from gsws.client.flow import Flow
from gsws.client.pending import Pending
from gsws.protocol.codec import encode

__all__ = ["Followed", "Share"]


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
