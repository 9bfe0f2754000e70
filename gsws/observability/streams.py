"""
stdout and stderr of a service, taken over: what anybody prints waits in a `LogWriter`, and blocks nobody.

With JSON every line that is printed becomes an object on stdout, whoever printed it. What is written past Python (by a
library in C, by a child process) is not seen here.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final, Literal, TextIO

from gsws.observability.writer import LogWriter, Repeats, json_line, stamp

__all__ = ["Streams", "finish", "taken_over"]

_LONGEST: Final = 65536
"""Characters of a line without an end that are kept together."""

_current: list[Streams] = []


class Streams:
    """
    The two streams of this process.

    Args:
        format: What lines are.

    Attributes:
        repeats: Equal lines of the log.
    """

    def __init__(self, format: Literal["console", "json"]) -> None:
        self.format = format
        self.repeats = Repeats()
        self._before = (sys.stdout, sys.stderr)
        self._writers: dict[str, LogWriter] = {}
        places: dict[tuple[int, int], LogWriter] = {}
        for name, stream in zip(("stdout", "stderr"), self._before, strict=True):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
                facts = os.fstat(stream.fileno())
                place = (facts.st_dev, facts.st_ino)
                if place not in places:
                    places[place] = LogWriter(stream.fileno(), told=self._told, tick=self.tell_repeats)
                # What both lead to has one order.
                self._writers[name] = places[place]

    def install(self) -> None:
        """Put both in the place of `sys.stdout` and `sys.stderr`; one without a descriptor stays what it is."""
        for name, before in zip(("stdout", "stderr"), self._before, strict=True):
            if name in self._writers:
                setattr(sys, name, _Lines(self, name, before))
        _current.append(self)

    def restore(self) -> None:
        """Put back what was there before."""
        sys.stdout, sys.stderr = self._before
        with contextlib.suppress(ValueError):
            _current.remove(self)

    def finish(self, seconds: float) -> None:
        """Write what waits, so long at most."""
        self.tell_repeats(all=True)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, _Lines):
                stream.end()
        for writer in self._writers.values():
            writer.finish(seconds)

    def log(self, text: str) -> None:
        """Write a line of the log, unless it is one of too many equal ones."""
        for line, count in self.repeats.over():
            self._tell_repeated(line, count)
        # All but the time, which stands in front.
        if not self.repeats.is_too_many(text[text.find("," if self.format == "json" else " ") :]):
            self.put("stderr" if self.format == "console" else "stdout", text + "\n")

    def tell_repeats(self, *, all: bool = False) -> None:
        """Say what was left out."""
        for line, count in self.repeats.over(all=all):
            self._tell_repeated(line, count)

    def put(self, name: str, text: str) -> None:
        """Queue text for a stream."""
        if self.format == "json":
            name = "stdout"
        writer = self._writers.get(name)
        if writer is None:
            stream = self._before[name == "stderr"]
            with contextlib.suppress(OSError, ValueError):
                stream.write(text)
        else:
            writer.write(text.encode("utf-8", "backslashreplace"))

    def _tell_repeated(self, line: str, count: int) -> None:
        self.put("stderr", self._line("log line repeated", count=count, line=line.strip(" ,")[:200]))

    def _told(self, count: int) -> bytes:
        return self._line("log lines dropped", count=count).encode()

    def _line(self, event: str, **facts: Any) -> str:
        if self.format == "json":
            return json_line({"timestamp": stamp(), "level": "warning", "event": event, **facts}) + "\n"
        return (
            f"{stamp('%H:%M:%S')} [warning  ] {event} {' '.join(f'{name}={value}' for name, value in facts.items())}\n"
        )


class _Lines(io.TextIOBase):
    """What stands in `sys.stdout` and `sys.stderr`; safe in any thread, never waits, never fails."""

    def __init__(self, streams: Streams, name: str, before: TextIO) -> None:
        self.wrapped = before
        self.mode = "w"
        self.name = f"<{name}>"
        self._streams = streams
        self._stream = name
        self._is_json = streams.format == "json"
        self._level = "info" if name == "stdout" else "warning"
        self._kept = ""
        self._lock = threading.RLock()
        self.buffer: Any = _Bytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # as a real stream has it
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            self._kept += text
            if "\n" in text or len(self._kept) > _LONGEST:
                whole, newline, rest = self._kept.rpartition("\n")
                self._kept = rest if newline and len(rest) <= _LONGEST else ""
                self._put(whole + newline + ("" if self._kept or not rest else rest))
        return len(text)

    def flush(self) -> None:
        """Send on what has no end yet to a person; a program gets whole lines only."""
        if not self._is_json:
            self.end()

    def end(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, ""
            if kept:
                self._put(kept)

    def isatty(self) -> bool:
        return not self._is_json and self.wrapped.isatty()

    def fileno(self) -> int:
        return self.wrapped.fileno()

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """A handler that closes its output closes nothing of ours."""

    def reconfigure(self, **_: Any) -> None:
        """There is nothing to set."""

    def _put(self, text: str) -> None:
        if not self._is_json:
            self._streams.put(self._stream, text)
            return
        for line in text.splitlines():
            if line.strip():
                facts = {"timestamp": stamp(), "level": self._level, "event": line, "stream": self._stream}
                self._streams.put(self._stream, json_line(facts) + "\n")


class _Bytes(io.RawIOBase):
    """``sys.stdout.buffer``."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines

    def write(self, data: Any) -> int:
        self._lines.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._lines.fileno()

    def flush(self) -> None:
        self._lines.flush()

    def close(self) -> None:
        """As for the text."""


@contextlib.contextmanager
def taken_over(format: Literal["console", "json"]) -> Iterator[Streams]:
    """Have both streams taken over for a while; at the end a second at most is spent on what waits."""
    streams = Streams(format)
    streams.install()
    try:
        yield streams
    finally:
        streams.finish(1.0)
        streams.restore()


def finish(seconds: float = 1.0) -> None:
    """Before the process ends at once: write what waits."""
    for streams in tuple(_current):
        streams.finish(seconds)
