"""
Who else gets the frames of a session's streams (protocol P8.8): the same bytes for all, encoded once (P11.2).

A follower takes nothing over, belongs to one connection, and delays nobody (P9.3). How one is begun and refused is in
`gsws.runtime.dispatch.following`.
"""

from __future__ import annotations

from typing import Protocol

from gsws.runtime.transport import encode_frame
from gsws.types import RequestId

__all__ = ["Follower", "Followers"]


class Follower(Protocol):
    """A connection that follows."""

    @property
    def is_open(self) -> bool: ...
    def push(self, prepared: bytes) -> object:
        """Queue a whole WebSocket frame without waiting; close the connection if it does not keep up."""

    def ended(self, id: RequestId) -> None:
        """The last frame of a stream was pushed."""


class Followers:
    """
    Who follows which streams of one session.

    Attributes:
        streams: Id → who gets its frames; none without a follower.
    """

    __slots__ = ("streams",)

    def __init__(self) -> None:
        self.streams: dict[RequestId, dict[Follower, None]] = {}

    def connected(self) -> set[Follower]:
        """Everybody who follows at least one and is still connected."""
        return {follower for followers in self.streams.values() for follower in followers if follower.is_open}

    def add(self, id: RequestId, follower: Follower) -> None:
        """Give somebody the frames that come."""
        self.streams.setdefault(id, {})[follower] = None

    def discard(self, id: RequestId, follower: Follower) -> None:
        """Give somebody no more frames of a stream."""
        followers = self.streams.get(id)
        if followers is not None:
            followers.pop(follower, None)
            if not followers:
                del self.streams[id]

    def relay(self, id: RequestId, data: bytes, *, is_last: bool) -> None:
        """Send a frame to all who follow its stream."""
        followers = self.streams.get(id)
        if followers is None:
            return
        prepared = encode_frame(data)
        for follower in tuple(followers):
            follower.push(prepared)
        if is_last:
            self.streams.pop(id, None)
            for follower in followers:
                follower.ended(id)
