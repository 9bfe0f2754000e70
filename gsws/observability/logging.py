"""
Logs: structlog to stderr, as lines for people or as JSON for programs.

A log that cannot be written (a closed pipe, a full disk) never reaches the code that logs.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, Literal, TextIO

import structlog

from gsws.diagnostics.mask import hide

__all__ = ["configure_logging"]

_METHODS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


def configure_logging(
    *, level: str = "info", format: Literal["console", "json"] | None = None, stream: TextIO | None = None
) -> None:
    """
    Set up logging of this process.

    Args:
        level: Lowest level that is written: debug, info, warning, error or critical.
        format: None takes ``console``: coloured on a terminal, plain on a pipe.
        stream: Where lines go; stderr if None.
    """
    target = stream or sys.stderr
    number = getattr(logging, level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if format == "json":
        renderer: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    else:
        shared[-1] = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        renderer = [
            structlog.dev.ConsoleRenderer(
                colors=_is_terminal(target),
                exception_formatter=structlog.dev.plain_traceback,
                pad_event_to=0,
            )
        ]
    structlog.configure(
        processors=[*shared, *renderer, _hidden],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=_Unbreakable(target)),  # type: ignore[arg-type]  # write and flush
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger("gsws")
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(number)
    root.propagate = False


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


def _is_terminal(stream: TextIO) -> bool:
    import os

    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    try:
        return stream.isatty()
    except (OSError, ValueError):
        return False
