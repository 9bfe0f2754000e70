"""
The answer to one request, as a state machine that makes frames (protocol sections 5, 6 and 7).

An `Answer` keeps the promises: at most one ``stream.start``, sequence numbers without gaps, exactly one terminal
frame, nothing after it. It returns bytes; who sends them, and whether a client is still there, is not its business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import msgspec

from gsws.protocol.codec import Unserialisable, encode
from gsws.protocol.errors import ERRORS, name_for_status
from gsws.protocol.status import as_status
from gsws.types import GSStatus, JSONObject, RequestId

__all__ = [
    "Answer",
    "EndReason",
    "Frame",
    "SilentAnswer",
    "chunk_payload",
    "chunk_text",
    "error_payload",
    "frame",
    "sent_payload",
]

EndReason: TypeAlias = Literal["complete", "cancelled", "timeout", "superseded", "draining"]

MAX_FRAME: Final = 16 * 2**20
"""Largest frame in bytes that a handler may send; a larger answer is the handler's error."""

_CHUNK: Final = b'{"eventtype":"stream.chunk",'

_START_TEXT: Final = "[STREAM_START]"
_END_TEXT: Final = "[STREAM_END]"
_DATA: Final = frozenset({str, list, int, bool, float})
"""Types that are always a reply's data, never a status."""

TERMINAL: Final = frozenset({"reply", "stream.end", "stream.error"})


class _Chunk(msgspec.Struct):
    """The part of a chunk that is read back; its id may be an integer of any size, which orjson cannot read."""

    payload: dict[str, Any]


_read_chunk = msgspec.json.Decoder(_Chunk).decode


class _Terminal(msgspec.Struct):
    """A terminal frame whose payload is passed on as it is."""

    eventtype: str
    payload: msgspec.Raw


_read_terminal = msgspec.json.Decoder(_Terminal).decode


@dataclass(frozen=True, slots=True)
class Frame:
    """
    What a generator yields to send something other than text: a frame of its answer with a type of its own.

    ``yield Frame("tool.call", {"name": "search"})``; ``Frame("stream.end", {...})`` ends the stream.
    """

    eventtype: str
    payload: Mapping[str, Any] = field(default_factory=dict)


class Answer:
    """
    All frames of one request.

    Every method returns a frame (JSON text in UTF-8), or None when nothing is to be sent: after the terminal
    frame, or for the success of a plain handler whose message carried no id (P5.1).

    Attributes:
        id: The request's id, or None.
        seq: The next sequence number.
        started: Whether ``stream.start`` was made.
        ended: Whether the terminal frame was made, or none is owed any more.
        chunks: How many ``stream.chunk`` frames were made.
    """

    __slots__ = ("chunks", "ended", "id", "seq", "started")

    def __init__(self, id: RequestId | None) -> None:
        self.id = id
        self.seq = 0
        self.started = False
        self.ended = False
        self.chunks = 0

    def start(self, payload: JSONObject | None = None) -> bytes | None:
        """Make ``stream.start``; None if it was made before."""
        if self.started or self.ended:
            return None
        data = self._frame("stream.start", _with_message(payload, _START_TEXT))
        self.started = True
        return data

    def chunk(self, payload: JSONObject) -> bytes | None:
        """
        Make one ``stream.chunk``.

        Raises:
            Unserialisable: If the payload has no JSON form; nothing was counted.
        """
        if self.ended:
            return None
        data = self._frame("stream.chunk", payload)
        self.chunks += 1
        return data

    def emit(self, eventtype: str, payload: JSONObject) -> bytes | None:
        """
        Make a frame that the handler chose itself.

        The stream's own types go through their states, so that a handler which emits ``stream.start`` for every
        model call still makes one, and ``stream.end`` is terminal.

        Raises:
            Unserialisable: If the payload has no JSON form.
        """
        if self.ended:
            return None
        if eventtype == "stream.chunk":
            return self.chunk(_with_message(payload, ""))
        if eventtype == "stream.start":
            return self.start(payload)
        if eventtype == "stream.end":
            return self.end("complete", payload)
        if eventtype in TERMINAL:
            data = self._frame(eventtype, _complete_error(payload) if eventtype == "stream.error" else payload)
            self.ended = True
            return data
        return self._frame(eventtype, _with_message(payload, "") if eventtype.startswith("stream.") else payload)

    def result(self, value: Any) -> bytes | None:
        """
        Make the terminal frame of what a plain handler returned; the same as ``reply(as_status(value))``.

        Raises:
            Unserialisable: If it has no JSON form; the answer is still open.
        """
        kind = type(value)
        if (kind is dict and "success" not in value) or kind in _DATA:
            if self.ended:
                return None
            if self.started:
                return self.end("complete", _additions(value))
            if self.id is None:
                self.ended = True
                return None
            data = self._frame("reply", {"success": True, "code": 200, "data": value})
            self.ended = True
            return data
        return self.reply(value if kind is GSStatus else as_status(value))

    def reply(self, status: GSStatus) -> bytes | None:
        """
        Make the terminal frame of a plain handler: ``reply``, or ``stream.error`` for a failure (P5.3).

        A stream that the handler itself started, and left open, ends with ``stream.end``.

        Raises:
            Unserialisable: If ``data`` has no JSON form; the answer is still open.
        """
        if self.ended:
            return None
        if not status.success:
            return self.failure(status)
        if self.started:
            return self.end("complete", _additions(status.data))
        if self.id is None:
            self.ended = True
            return None
        payload: JSONObject = {"success": True, "code": _code(status.code, 200)}
        if status.message is not None:
            payload["message"] = str(status.message)
        if status.data is not None:
            payload["data"] = status.data
        data = self._frame("reply", payload)
        self.ended = True
        return data

    def failure(self, status: GSStatus) -> bytes | None:
        """Make ``stream.error`` from a status with ``success: false``."""
        if self.ended:
            return None
        code = _code(status.code, 500)
        payload: JSONObject = {
            "message": str(status.message or ""),
            "error": name_for_status(code),
            "code": code,
            "retryable": code in (429, 502, 503, 504),
        }
        if status.data is not None:
            payload["data"] = status.data
        data = self._frame("stream.error", payload)
        self.ended = True
        return data

    def end(self, reason: EndReason, extra: Mapping[str, Any] | None = None) -> bytes | None:
        """
        Make ``stream.end`` (P6.4).

        Args:
            reason: Why the stream ended.
            extra: What the handler adds, e.g. ``{"usage": {...}}``; ``reason`` and ``chunks`` are not overridden.

        Raises:
            Unserialisable: If ``extra`` has no JSON form; the answer is still open.
        """
        if self.ended:
            return None
        payload = _with_message(extra, _END_TEXT)
        payload["reason"] = reason
        payload["chunks"] = self.chunks
        data = self._frame("stream.end", payload)
        self.ended = True
        return data

    def error(
        self,
        name: str,
        message: str,
        *,
        errors: Sequence[Mapping[str, Any]] | None = None,
        retry_after_ms: int | None = None,
        limit: str | None = None,
        request: str | None = None,
        code: int | None = None,
        taken: bool = True,
        data: JSONObject | None = None,
    ) -> bytes | None:
        """Make ``stream.error`` with a name of the protocol (P7.1), and its code unless another is given."""
        if self.ended:
            return None
        payload = error_payload(name, message, errors=errors, retry_after_ms=retry_after_ms, limit=limit, taken=taken)
        more = {"request": request, "code": code, "data": data}
        payload |= {key: value for key, value in more.items() if value is not None}
        made = self._frame("stream.error", payload)
        self.ended = True
        return made

    def repeat(self, last: bytes) -> bytes | None:
        """Make another answer's terminal frame this one's (P5.4); the success of a plain handler needs an id."""
        if self.ended:
            return None
        terminal = _read_terminal(last)
        if self.id is None and terminal.eventtype == "reply":
            self.ended = True
            return None
        head: JSONObject = {"eventtype": terminal.eventtype}
        if self.id is not None:
            head |= {"id": self.id, "seq": self.seq}
        self.seq += 1
        self.ended = True
        return b'%b,"payload":%b}' % (encode(head)[:-1], bytes(terminal.payload))

    def _frame(self, eventtype: str, payload: JSONObject) -> bytes:
        """Encode first, count afterwards: what cannot be sent leaves no gap."""
        if self.id is None:
            data = encode({"eventtype": eventtype, "payload": payload})
        else:
            data = encode({"eventtype": eventtype, "id": self.id, "seq": self.seq, "payload": payload})
        if len(data) > MAX_FRAME:
            raise Unserialisable(f"a frame of {len(data)} bytes is over the limit of {MAX_FRAME}")
        self.seq += 1
        return data


class CountedAnswer(Answer):
    """
    An answer of which somebody wants to know how large it is.

    Attributes:
        bytes: Of all its frames so far.
    """

    __slots__ = ("bytes",)

    def __init__(self, id: RequestId | None) -> None:
        super().__init__(id)
        self.bytes = 0

    def repeat(self, last: bytes) -> bytes | None:
        data = super().repeat(last)
        self.bytes += 0 if data is None else len(data)
        return data

    def _frame(self, eventtype: str, payload: JSONObject) -> bytes:
        data = super()._frame(eventtype, payload)
        self.bytes += len(data)
        return data


class SilentAnswer(Answer):
    """
    The answer to a message without an id, whose success nobody is sent (P5.1) but who repeats it may be.

    Attributes:
        kept: The ``reply`` that was not sent, or the terminal frame that was; None before the end.
    """

    __slots__ = ("kept",)

    def __init__(self) -> None:
        super().__init__(None)
        self.kept: bytes | None = None

    def result(self, value: Any) -> bytes | None:
        return self.reply(as_status(value))

    def reply(self, status: GSStatus) -> bytes | None:
        if not self.ended and not self.started and status.success:
            self.kept = Answer("kept").reply(status)
            self.ended = True
            return None
        return super().reply(status)

    def _frame(self, eventtype: str, payload: JSONObject) -> bytes:
        data = super()._frame(eventtype, payload)
        if eventtype in TERMINAL:
            self.kept = data
        return data


def frame(eventtype: str, payload: JSONObject, id: RequestId | None = None) -> bytes:
    """Make a frame that belongs to no answer: a push, a pong, a refusal of a message that has no answer of its own."""
    if eventtype.startswith("stream.") and type(payload.get("message")) is not str:
        payload = _with_message(payload, "")
    if id is None:
        return encode({"eventtype": eventtype, "payload": payload})
    return encode({"eventtype": eventtype, "id": id, "payload": payload})


def sent_payload(eventtype: str, payload: Any) -> JSONObject:
    """
    Turn what a handler emits, broadcasts or pushes into an object: itself, nothing for None, else as a chunk's (P2.3).

    Raises:
        TypeError: If the event type is no string.
        Unserialisable: If it has no JSON form.
    """
    if not isinstance(eventtype, str):
        raise TypeError(f"an event type is a string, not `{type(eventtype).__name__}`")
    if isinstance(payload, Mapping):
        return dict(payload)
    return {} if payload is None else chunk_payload(payload)


def error_payload(
    name: str,
    message: str,
    *,
    errors: Sequence[Mapping[str, Any]] | None = None,
    retry_after_ms: int | None = None,
    limit: str | None = None,
    taken: bool = True,
) -> JSONObject:
    """
    Make the payload of a ``stream.error`` (P7.1) with the code and retryability that belong to its name.

    ``limit`` is the key of ``limits`` that a message is over. With ``taken=False`` it says that no handler was called,
    so that sending the message again does nothing twice.
    """
    kind = ERRORS[name]
    payload: JSONObject = {"message": message, "error": name, "code": kind.code, "retryable": kind.retryable}
    if errors is not None:
        payload["errors"] = list(errors)
    if retry_after_ms is not None:
        payload["retry_after_ms"] = retry_after_ms
    if limit is not None:
        payload["limit"] = limit
    if not taken:
        payload["taken"] = False
    return payload


def chunk_text(data: bytes) -> str | None:
    """Read the text of a ``stream.chunk`` that `Answer` made; None for any other frame, and for a chunk with more."""
    if not data.startswith(_CHUNK):
        return None
    payload = _read_chunk(data).payload
    return payload["message"] if payload.keys() == {"message"} else None


def chunk_payload(item: Any) -> JSONObject:
    """
    Turn what a generator yielded into the payload of its chunk (P6.1).

    A string is ``{"message": it}``; an object is the payload, with ``message`` added if it has none; a number or
    boolean is its JSON text; None is the empty message; anything else travels as ``data``.
    """
    if type(item) is str:
        return {"message": item}
    if isinstance(item, Mapping):
        return _with_message(item, "")
    if item is None:
        return {"message": ""}
    if isinstance(item, str):
        return {"message": str(item)}
    if isinstance(item, bool | int | float):
        return {"message": encode(item).decode()}
    if isinstance(item, bytes | bytearray):
        try:
            return {"message": item.decode()}
        except UnicodeDecodeError:
            raise Unserialisable("bytes that are not UTF-8 have no JSON form") from None
    return {"message": "", "data": item}


def _additions(data: Any) -> JSONObject | None:
    """What a handler's data adds to ``stream.end``: its keys, or ``data`` if it is no object."""
    if data is None:
        return None
    return dict(data) if isinstance(data, dict) else {"data": data}


def _code(code: Any, default: int) -> int:
    """A status's code as the number that it is on the wire (P7.1)."""
    return int(code) if isinstance(code, int) and not isinstance(code, bool) and code else default


def _complete_error(payload: JSONObject) -> JSONObject:
    """Give an error that a handler emits itself the keys that every error has (P7.1)."""
    return {**error_payload("failed", ""), **_with_message(payload, "")}


def _with_message(payload: Mapping[str, Any] | None, default: str) -> JSONObject:
    """Copy a payload and make sure that ``message`` is a string (P2.3)."""
    result = dict(payload) if payload else {}
    message = result.get("message")
    if type(message) is not str:
        result["message"] = default if message is None else str(message)
    return result
