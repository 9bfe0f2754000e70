"""What comes back for one request, frame by frame and as a value that tests compare; sockets are `client`'s."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gsws.protocol.answer import TERMINAL
from gsws.types import JSONObject, RequestId

__all__ = ["EMPTY", "Answer", "Reader", "Stream", "text_of"]

EMPTY: Final[JSONObject] = {}
"""The payload of a message of which a test says nothing: an object, which is what schemas expect."""

_OF_THE_END: Final = frozenset({"message", "reason", "chunks"})


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Everything that one request brought.

    Attributes:
        status: The code of the reply or of the error; 200 for a stream that ended.
        data: The reply's ``data``; what the handler added to ``stream.end``; the ``data`` of an error; or None.
        error: The stable name of the error (protocol P7.2), or None.
        message: The ``message`` of the last frame, possibly empty.
        frames: All frames as they were on the wire, the last one terminal.
    """

    status: int
    data: Any
    error: str | None
    message: str
    frames: tuple[JSONObject, ...]

    @property
    def ok(self) -> bool:
        """Whether it is no error."""
        return self.error is None

    @property
    def text(self) -> str:
        """All text of a stream."""
        return text_of(self.frames)

    @property
    def end(self) -> JSONObject:
        """The payload of the last frame."""
        payload: JSONObject = self.frames[-1]["payload"]
        return payload

    @property
    def reason(self) -> str | None:
        """Why a stream ended (protocol P6.4): ``complete``, ``cancelled``, …; None if it is no stream's end."""
        return self.end.get("reason") if self.frames[-1]["eventtype"] == "stream.end" else None

    @classmethod
    def of(cls, frames: Iterable[JSONObject]) -> Answer:
        """Read the frames of one request, of which the last is terminal."""
        whole = tuple(frames)
        kind, payload = whole[-1]["eventtype"], whole[-1]["payload"]
        message = str(payload.get("message", ""))
        if kind == "stream.error":
            return cls(int(payload["code"]), payload.get("data"), str(payload["error"]), message, whole)
        if kind == "reply":
            return cls(int(payload["code"]), payload.get("data"), None, message, whole)
        added = {key: value for key, value in payload.items() if key not in _OF_THE_END}
        return cls(200, added or None, None, message, whole)


def text_of(frames: Iterable[JSONObject]) -> str:
    """The text of a stream: its chunks joined; a snapshot stands for all text before it (protocol P8.3)."""
    parts: list[str] = []
    for frame in frames:
        if frame["eventtype"] == "stream.chunk":
            parts.append(frame["payload"]["message"])
        elif frame["eventtype"] == "stream.snapshot":
            parts = [frame["payload"]["message"]]
    return "".join(parts)


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
