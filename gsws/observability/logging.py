"""
Logs by structlog, as lines for people on stderr or as JSON for programs on stdout.

A log that cannot be written (a closed pipe, a full disk) never reaches the code that logs.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog

from gsws.diagnostics.mask import hide
from gsws.observability.streams import Streams
from gsws.observability.trace import trace_formatter, wrapped
from gsws.observability.writer import json_line, stamp
from gsws.text.terminal import takes_colour
from gsws.text.urls import without_secrets

__all__ = ["configure_logging"]

_METHODS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


def configure_logging(
    *,
    level: str = "info",
    format: Literal["console", "json"] | None = None,
    stream: TextIO | None = None,
    streams: Streams | None = None,
    base: Path | None = None,
) -> None:
    """
    Set up logging of this process.

    Args:
        level: Lowest level that is written: debug, info, warning, error or critical.
        format: None takes ``console``: coloured on a terminal, plain on a pipe.
        stream: Where lines go; stderr if None. Whoever logs waits for it.
        streams: Where lines go instead, without anybody waiting: JSON to stdout, lines for people to stderr.
        base: The folder of the project's code, whose lines come first in what a person reads of an exception.
    """
    target = stream or sys.stderr
    number = getattr(logging, level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamped,
    ]
    if format == "json":
        renderer: list[Any] = [structlog.processors.format_exc_info, lambda logger, method, event: json_line(event)]
    else:
        shared[-1] = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        renderer = [
            _said_below,
            structlog.dev.ConsoleRenderer(
                colors=takes_colour(target),
                exception_formatter=trace_formatter(base, coloured=takes_colour(target)),
                pad_event_to=0,
            ),
            _shown,
        ]
    factory: Any = structlog.WriteLoggerFactory(file=_Unbreakable(target))  # type: ignore[arg-type]  # write and flush
    if streams is not None:
        sink = _Sink(streams)
        factory = lambda *_: sink  # noqa: E731  # a factory is called with names
    structlog.configure(
        processors=[*shared, *renderer, _hidden],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger("gsws")
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(number)
    root.propagate = False
    if streams is not None and format == "json":
        # What no handler takes, of any library; a project's own handlers write to streams that are taken over.
        logging.lastResort = _ToStructlog(logging.WARNING)


class _Sink:
    """What structlog writes to: lines of the log, which nobody waits for."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def msg(self, message: str) -> None:
        self._streams.log(message)

    log = debug = info = warn = warning = error = critical = fatal = exception = failure = err = msg


def _stamped(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # In front: it is what differs between lines that are equal else.
    return {"timestamp": stamp(), "level": event.pop("level", method), "event": event.pop("event", ""), **event}


def _said_below(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What an exception says stands under its line; once is enough."""
    if event.get("exc_info"):
        event.pop("error", None)
    return event


def _shown(logger: Any, method: str, text: str) -> str:
    return wrapped(without_secrets(text))


def _hidden(_logger: Any, _method: str, line: Any) -> str:
    """The finished line, without a secret of this process; an exception of a driver quotes whole addresses."""
    return hide(str(line))


class _Unbreakable:
    """A text stream that drops what it cannot write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            try:
                return self._stream.write(text)
            except UnicodeEncodeError:
                return self._stream.write(text.encode("ascii", "backslashreplace").decode())
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _ToStructlog(logging.Handler):
    """Hands the transport's standard log records to structlog; what fails here is reported and goes no further."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # A method by name, since a program's own structlog may have a wrapper without `log(level, ...)`.
            write = getattr(structlog.get_logger(record.name), _METHODS.get(record.levelno, "info"))
            write(record.getMessage(), exc_info=record.exc_info)
        except Exception:
            self.handleError(record)
