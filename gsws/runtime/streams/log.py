"""
The seam behind which sessions are kept: on one process in memory, between processes in a backplane.

Only shapes; `gsws.runtime.streams.memory` is the implementation for one process.
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
        frames: The frames after the sequence number that was asked for, in order; JSON text in UTF-8.
        is_ended: Whether the last frame is the terminal one.
        text: All text of the stream up to the last frame; None if it was not asked for or is no longer held.
        gap: Frames of text up to this number are missing from `frames`, and are in `text`; None if none is missing.
        earlier: How many of `frames` come before that number.
    """

    frames: tuple[bytes, ...]
    is_ended: bool
    text: str | None = None
    gap: int | None = None
    earlier: int = 0


class SessionLog(Protocol):
    """
    The frames of one session's streams, bounded in bytes.

    Guarantee of every implementation: `read` returns either all frames after ``seq``, or None; never a part. A
    compact one may leave out acknowledged frames of text, whose text it has.

    Attributes:
        has_forgotten: Whether a stream was forgotten that its client had not acknowledged.
    """

    def begin(self, id: RequestId) -> None:
        """A request was taken that has no frame yet; what was held under its id is forgotten."""

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

    def read(self, id: RequestId, seq: int, *, compact: bool = False) -> StreamState | None:
        """All frames after ``seq`` (-1 for all), or None if one of them is no longer held."""

    def holds(self, id: RequestId) -> bool:
        """Whether anything of a stream is known, also that it was lost."""

    def share(self, id: RequestId) -> None:
        """From now on a stream has several readers: an acknowledgement frees its frames only where room is short."""

    def acknowledge(self, id: RequestId, seq: int) -> bool:
        """Forget the frames up to ``seq``: the client has seen them. Tells whether that was news about a stream."""

    def trim(self, ended_before: float) -> None:
        """Forget the streams that ended before a time."""

    def close(self) -> None:
        """Forget everything, and keep nothing from now on."""

    def __len__(self) -> int:
        """How many streams are held."""
