"""
Writes lines to a descriptor in a thread of its own: whoever logs never waits for whoever reads.

What cannot be written yet waits in a queue with two bounds; beyond them lines are dropped, counted and told of when
there is room again. Only whole lines are begun.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import stat
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from gsws.diagnostics.mask import hide
from gsws.text.urls import without_secrets

__all__ = ["LINES", "SIZE", "LogWriter", "Repeats", "json_line", "stamp"]


def stamp(format: str | None = None) -> str:
    """The time now: ISO 8601 in UTC, or local time in a format."""
    if format is not None:
        return datetime.now().astimezone().strftime(format)
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_line(facts: Mapping[str, Any]) -> str:
    """One object without a line's end; what has no JSON form is its text."""
    try:
        text = orjson.dumps(facts, default=_text, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        # Large integers, lone surrogates, circles.
        try:
            text = json.dumps(facts, default=_text, skipkeys=True)
        except (TypeError, ValueError, RecursionError):
            text = json.dumps({str(name): _text(value) for name, value in facts.items()})
    return without_secrets(hide(text))


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # an object that cannot say what it is
        return f"<{type(value).__name__}>"


LINES: Final = 10_000
SIZE: Final = 8 * 2**20

_PIECE: Final = 65536
_ATOMIC: Final = 4096
"""Bytes that a pipe which is ready takes at once, or not at all (POSIX: PIPE_BUF)."""

_TICK: Final = 10.0
_PAUSE: Final = 0.1


class LogWriter:
    """
    The queue in front of one descriptor.

    Args:
        descriptor: Open for writing; it stays the caller's.
        told: Makes the line that tells how many were dropped.
        tick: Called now and then by the thread, at most every ten seconds.
        lines: Lines that may wait.
        size: Bytes that may wait.

    Attributes:
        dropped: Lines that found no room, or could not be written.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        told: Callable[[int], bytes] | None = None,
        tick: Callable[[], None] | None = None,
        lines: int = LINES,
        size: int = SIZE,
    ) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._told = told
        self._tick = tick
        self._lines = lines
        self._most = size
        self._untold = 0
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._is_writing = False
        self._is_direct = False
        self._thread: threading.Thread | None = None
        # Reentrant: a collection may end an object whose end logs, in the middle of this.
        self._change = threading.Condition(threading.RLock())
        self._poll = _poll_of(descriptor)
        if hasattr(os, "register_at_fork"):
            reference = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _forked(reference))

    def write(self, line: bytes) -> None:
        """Queue a line, its end included; dropped if there is no room."""
        if self._is_direct:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, line)
            return
        with self._change:
            if len(self._queue) >= self._lines or self._size + len(line) > self._most:
                self.dropped += 1
                self._untold += 1
                return
            self._queue.append(line)
            self._size += len(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="gsws-log", daemon=True)
                self._thread.start()
            else:
                self._change.notify_all()

    def finish(self, seconds: float) -> bool:
        """Wait until everything is written, so long at most; tell whether it is."""
        deadline = time.monotonic() + seconds
        with self._change:
            while self._queue or self._is_writing:
                left = deadline - time.monotonic()
                if left <= 0 or self._thread is None:
                    return False
                self._change.wait(left)
        return True

    def _work(self) -> None:
        while True:
            with self._change:
                self._is_writing = False
                self._change.notify_all()
                while not self._queue:
                    if not self._change.wait(_TICK) and self._tick is not None:
                        self._tick()
                piece = self._take()
                self._is_writing = True
            self._put(piece)

    def _take(self) -> bytes:
        """Take whole lines off the queue, as many as go well in one write."""
        limit = _PIECE if self._poll is None else _ATOMIC
        piece = [self._queue.popleft()]
        size = len(piece[0])
        while self._queue and size + len(self._queue[0]) <= limit:
            piece.append(self._queue.popleft())
            size += len(piece[-1])
        self._size -= size
        if self._untold and self._told is not None and len(self._queue) < self._lines // 2:
            piece.append(self._told(self._untold))
            self._untold = 0
        return b"".join(piece)

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                if self._poll is not None:
                    self._poll.poll()
                rest = rest[os.write(self._descriptor, rest[:_ATOMIC] if self._poll is not None else rest) :]
            except BlockingIOError:  # somebody made it non-blocking
                time.sleep(_PAUSE)
            except (OSError, ValueError):
                # Nobody reads any more, or the disk is full; what comes later may be written again.
                with self._change:
                    lost = bytes(rest).count(b"\n")
                    self.dropped += lost
                    self._untold += lost
                time.sleep(_PAUSE)
                return


class Repeats:
    """
    Equal lines: the first hundred in ten seconds are written, the others are counted.

    Args:
        most: Equal lines that are written in that time.
        seconds: How long that is.
    """

    def __init__(self, most: int = 100, seconds: float = 10.0) -> None:
        self.dropped = 0
        self._most = most
        self._seconds = seconds
        self._keys = 1000
        self._began = float("-inf")
        self._counts: dict[str, int] = {}
        self._lock = threading.RLock()

    def is_too_many(self, key: str) -> bool:
        """Count a line, and tell whether it is to be left out."""
        with self._lock:
            count = self._counts.get(key, 0) + 1
            if count == 1 and len(self._counts) >= self._keys:
                return False
            self._counts[key] = count
            if count > self._most:
                self.dropped += 1
            return count > self._most

    def over(self, *, all: bool = False) -> list[tuple[str, int]]:
        """What was left out in a time that is over (or, with ``all``, so far): the line, how often."""
        now = time.monotonic()
        if now - self._began < self._seconds and not all:
            return []
        with self._lock:
            self._began = now
            counts, self._counts = self._counts, {}
        return [(key, count - self._most) for key, count in counts.items() if count > self._most]


def _poll_of(descriptor: int) -> select.poll | None:
    """For what may have no room: a pipe, a terminal, a socket; a file always has."""
    if not hasattr(select, "poll"):
        return None
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
    except OSError:
        return None
    return poll


def _forked(reference: weakref.ref[LogWriter]) -> None:
    """In a child the thread is not there, and its parent's queue is not its own."""
    writer = reference()
    if writer is not None:
        writer._is_direct = True
        writer._queue.clear()
        writer._change = threading.Condition(threading.RLock())
