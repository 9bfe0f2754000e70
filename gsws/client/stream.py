"""One request whose answer is read frame by frame; `Client.stream` makes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from gsws.client.errors import Interrupted, RemoteError, ResumeLost
from gsws.client.frames import Chunk, Frame
from gsws.client.pending import Pending
from gsws.client.requests import Requests

__all__ = ["Stream"]


class Stream:
    """
    A request on its way, and its answer.

    Used as an async context manager, so that leaving the block early cancels what still runs. It has one consumer.

    Attributes:
        result: The payload of the terminal frame once that came: of ``stream.end``, or of ``reply``; else None.
        reason: Why the stream ended (protocol P6.4), or None.
    """

    def __init__(self, requests: Requests, pending: Pending, timeout: float | None) -> None:
        self._requests = requests
        self._pending = pending
        self._timeout = timeout
        self._is_submitted = False
        self._is_cancelled = False
        self._length = self._before = 0
        self.result: Mapping[str, Any] | None = None
        self.reason: str | None = None

    @property
    def id(self) -> str:
        """The request's id on the wire."""
        return self._pending.id

    async def __aenter__(self) -> Self:
        self._submit()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        async for frame in self.frames():
            text = frame.payload.get("message")
            if frame.eventtype == "stream.chunk":
                yield Chunk(text if isinstance(text, str) else "", frame.payload, frame.seq)
            elif frame.eventtype == "stream.snapshot" and isinstance(text, str):
                rest = text[self._before :]
                yield Chunk(rest, {"message": rest}, frame.seq)

    async def frames(self) -> AsyncIterator[Frame]:
        """
        Every frame of the answer up to the terminal one, whatever its type.

        Raises:
            RemoteError: If the answer is ``stream.error``.
            Interrupted: If the stream ended early, and not by `cancel`.
            ResumeLost: If the answer cannot be continued exactly.
            ConnectionLost: If there is no connection any more, and will be none.
            AnswerTimeout: If the next frame does not come in time.
        """
        self._submit()
        is_whole = False
        try:
            while self.result is None:
                frame = await self._pending.get(self._timeout)
                self._count(frame)
                if frame.is_terminal:
                    self._finish(frame)
                yield frame
            is_whole = True
        finally:
            if not is_whole:
                self.close()

    async def text(self) -> str:
        """The whole text: what the remaining chunks say, joined."""
        return "".join([chunk.text async for chunk in self])

    async def cancel(self) -> None:
        """Ask the server to stop; go on iterating to see what came before it did."""
        self._is_cancelled = True
        if self._is_submitted:
            self._requests.cancel(self._pending)

    def close(self) -> None:
        """Take no more; the server is told if it still runs."""
        if self._is_submitted:
            self._requests.abandon(self._pending)

    def _count(self, frame: Frame) -> None:
        """Know how much of the text was taken, for a snapshot has all of it."""
        text = frame.payload.get("message")
        if frame.eventtype == "stream.chunk" and len(frame.payload) == 1 and isinstance(text, str):
            self._length += len(text)
        elif frame.eventtype == "stream.snapshot" and isinstance(text, str):
            self._before, self._length = self._length, len(text)

    def _submit(self) -> None:
        if not self._is_submitted:
            self._requests.submit(self._pending)
            self._is_submitted = True
            if self._is_cancelled:
                self._requests.cancel(self._pending)

    def _finish(self, frame: Frame) -> None:
        """Keep the terminal frame, or raise what it says."""
        if frame.eventtype == "stream.error":
            raise RemoteError(frame.payload)
        if frame.eventtype == "stream.end":
            self.reason = str(frame.payload.get("reason", "complete"))
            if frame.seq == 0 and self.reason == "complete" and frame.payload.get("chunks"):
                # A repeated request gets the first one's last frame, and that one's chunks went elsewhere (P5.4).
                raise ResumeLost(self.id, 0)
            if self.reason != "complete" and not (self.reason == "cancelled" and self._is_cancelled):
                raise Interrupted(frame.payload)
        self.result = frame.payload
