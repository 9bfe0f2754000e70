"""One request whose frames are read while they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from gsws.protocol.answer import TERMINAL
from gsws.testing.answers import Answer, text_of
from gsws.types import JSONObject, RequestId

__all__ = ["Reader", "Stream"]


class Reader(Protocol):
    """The connection that a stream's frames come over."""

    def read_until(self, condition: Callable[[], bool], deadline: float, what: str) -> None:
        """Read frames until the condition holds; TimeoutError past the deadline, on the monotonic clock."""

    def send(self, event: str, payload: Any, /) -> None:
        """Send one message."""


class Stream:
    """
    The answer to one request, frame by frame.

    Iterating gives each frame once and ends after the terminal one; a frame that does not come within ``timeout``
    seconds raises TimeoutError.

    Attributes:
        id: The request's id.
        timeout: Seconds that one frame may take.
        frames: What has been read so far.
    """

    def __init__(self, reader: Reader, id: RequestId, timeout: float) -> None:
        self.id = id
        self.timeout = timeout
        self.frames: list[JSONObject] = []
        self._reader = reader
        self._given = 0

    def __iter__(self) -> Iterator[JSONObject]:
        return self

    def __next__(self) -> JSONObject:
        if self._given == len(self.frames):
            if self.ended:
                raise StopIteration
            position = self._given
            self._reader.read_until(
                lambda: len(self.frames) > position, time.monotonic() + self.timeout, f"frame {position} of `{self.id}`"
            )
        self._given += 1
        return self.frames[self._given - 1]

    @property
    def ended(self) -> bool:
        """Whether the terminal frame was read."""
        return bool(self.frames) and self.frames[-1]["eventtype"] in TERMINAL

    @property
    def text(self) -> str:
        """The text that was read so far."""
        return text_of(self.frames)

    @property
    def seq(self) -> int:
        """The last sequence number that was read, or -1."""
        return next((frame["seq"] for frame in reversed(self.frames) if "seq" in frame), -1)

    @property
    def end(self) -> JSONObject:
        """The payload of the terminal frame; reads up to it, ``timeout`` seconds in all."""
        payload: JSONObject = self.answer().frames[-1]["payload"]
        return payload

    def answer(self, timeout: float | None = None) -> Answer:
        """
        Read up to the terminal frame.

        Raises:
            TimeoutError: If it does not come within ``timeout`` seconds (the stream's own if None).
            ConnectionClosed: If the connection ends before.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        self._reader.read_until(lambda: self.ended, deadline, f"the last frame of `{self.id}`")
        return Answer.of(self.frames)

    def cancel(self) -> None:
        """Ask the server to end it (protocol P6.6); the terminal frame is still to be read."""
        self._reader.send("gsws.cancel", {"id": self.id})

    def take(self, frame: JSONObject) -> None:
        """Take a frame that the client read."""
        self.frames.append(frame)
