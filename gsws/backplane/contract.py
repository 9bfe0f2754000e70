"""
The seam behind which sessions are kept: on one process in memory, between processes in a backplane.

Only shapes; `gsws.backplane.memory` is the implementation for one process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gsws.types import RequestId

__all__ = ["SessionLog", "StreamState"]


@dataclass(frozen=True, slots=True)
class StreamState:
    """
    What is held of one stream.

    Attributes:
        frames: The frames after the sequence number that was asked for, in order and without gaps; JSON text in UTF-8.
        text: All text of the stream up to the last frame, or None if its beginning is no longer held.
        is_ended: Whether the last frame is the terminal one.
    """

    frames: tuple[bytes, ...]
    text: str | None
    is_ended: bool


class SessionLog(Protocol):
    """
    The frames of one session's streams, bounded in bytes.

    Guarantee of every implementation: `read` returns either all frames after ``seq``, or None; never a part.

    Attributes:
        has_forgotten: Whether a stream was forgotten that its client had not acknowledged.
    """

    def begin(self, id: RequestId) -> None:
        """A request was taken that has no frame yet; what was held under its id is forgotten."""
        ...

    has_forgotten: bool

    def append(self, id: RequestId, seq: int, data: bytes, ended_at: float | None) -> None:
        """
        Keep a frame; what grows beyond the bound is forgotten, whole streams that ended first.

        Args:
            id: The request's id.
            seq: Its sequence number; one more than that of the frame before.
            data: JSON text in UTF-8.
            ended_at: Monotonic seconds if it is the terminal frame, else None.
        """
        ...

    def read(self, id: RequestId, seq: int) -> StreamState | None:
        """All frames after ``seq`` (-1 for all), or None if one of them is no longer held."""
        ...

    def holds(self, id: RequestId) -> bool:
        """Whether anything of a stream is known, also that it was lost."""
        ...

    def acknowledge(self, id: RequestId, seq: int) -> None:
        """Forget the frames up to ``seq``: the client has seen them."""
        ...

    def trim(self, ended_before: float) -> None:
        """Forget the streams that ended before a time."""
        ...

    def __len__(self) -> int:
        """How many streams are held."""
        ...
