"""What came back for one request, as values that tests compare; reading it from a socket is `client`'s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from gsws.types import JSONObject

__all__ = ["EMPTY", "Answer", "text_of"]

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
