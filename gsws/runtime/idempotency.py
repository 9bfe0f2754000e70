"""
Repeated requests: a message with the ``meta.idempotency_key`` of an earlier one gets that one's terminal frame (P5.4).

Kept per event source and subject, bounded in number, bytes and time; what is forgotten runs again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from gsws.protocol.codec import encode

if TYPE_CHECKING:
    from gsws.runtime.request import Request

__all__ = ["Key", "Replies"]

Key: TypeAlias = tuple[bool, str, str, str]
"""``(whether the subject is proved, subject, event key, idempotency key)``"""

_MAX_ENTRIES: Final = 4096
_MAX_BYTES: Final = 4 * 2**20
_MAX_AGE: Final = 600.0


@dataclass(slots=True)
class _Entry:
    """One first request: running while ``ended_at`` is None; ``frame`` is None if it had nothing to send."""

    waiting: list[Request] = field(default_factory=list)
    frame: bytes | None = None
    ended_at: float | None = None


class Replies:
    """The terminal frames of one source's requests that carried a key."""

    __slots__ = ("_entries", "_size")

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._size = 0

    def is_repeated(self, key: Key, request: Request, now: float) -> bool:
        """
        Tell whether an earlier request answers this one too, and see to it.

        False means that this one is the first: it is to be run, and `finish` to be called at its end.
        """
        entry = self._entries.get(key)
        if entry is not None and entry.ended_at is not None and now - entry.ended_at > _MAX_AGE:
            self._drop(key)
            entry = None
        if entry is None:
            self._entries[key] = _Entry()
            self._shrink()
            return False
        if entry.ended_at is None:
            entry.waiting.append(request)
        else:
            _answer(request, entry.frame)
        return True

    def finish(self, key: Key, frame: bytes | None, now: float, *, keep: bool) -> None:
        """
        The first request has ended: answer who waits.

        Args:
            key: Its key.
            frame: Its terminal frame, or None if it had none.
            now: Monotonic seconds.
            keep: Whether later repetitions get this frame too; else they run.
        """
        entry = self._entries.get(key)
        if entry is None or entry.ended_at is not None:
            return
        entry.frame, entry.ended_at = frame, now
        waiting, entry.waiting = entry.waiting, []
        self._size += len(frame or b"")
        for request in waiting:
            _answer(request, frame)
        if keep:
            self._shrink()
        else:
            self._drop(key)

    def _shrink(self) -> None:
        while len(self._entries) > _MAX_ENTRIES or self._size > _MAX_BYTES:
            oldest = next((key for key, entry in self._entries.items() if entry.ended_at is not None), None)
            if oldest is None:
                return
            self._drop(oldest)

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key)
        self._size -= len(entry.frame or b"")


def _answer(request: Request, frame: bytes | None) -> None:
    """Send another request's terminal frame as this one's."""
    answer = request.answer
    if answer.ended:
        # It was cancelled while it waited; only its place is left to free.
        request.client.finish_unstarted(request, None)
        return
    if frame is None:
        if answer.id is None:
            answer.ended = True
            request.client.finish_unstarted(request, None)
            return
        frame = b'{"eventtype":"reply","payload":{"success":true,"code":200}}'
    message = msgspec.json.decode(frame)
    payload = message["payload"]
    is_silent = answer.id is None and message["eventtype"] == "reply"
    answer.ended = True
    if answer.id is None:
        made = encode({"eventtype": message["eventtype"], "payload": payload})
    else:
        made = encode({"eventtype": message["eventtype"], "id": answer.id, "seq": answer.seq, "payload": payload})
        answer.seq += 1
    request.client.finish_unstarted(request, None if is_silent else made)
