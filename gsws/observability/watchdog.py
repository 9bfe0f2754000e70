"""
Names the handler that blocks the event loop, with its stack.

A thread asks the loop for a sign of life while requests run; if none comes, the loop's own stack tells who is at work.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog

__all__ = ["Watchdog"]

_LOOK_SECONDS: Final = 0.05
_IDLE_SECONDS: Final = 0.1


class Watchdog:
    """
    Watches one loop.

    Args:
        loop: The loop that runs the service.
        base: The folder of the project's code; its frames are what is named.
        is_busy: Whether requests run; nothing is asked of an idle loop.
        threshold: Seconds without a sign of life that are reported.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, base: Path, is_busy: Callable[[], bool], *, threshold: float = 0.25
    ) -> None:
        self._loop = loop
        self._base = base.resolve()
        self._is_busy = is_busy
        self._threshold = threshold
        self._stop = threading.Event()
        self._thread_id = 0
        self._logger = structlog.get_logger("gsws")

    def start(self) -> None:
        """Begin; call it on the loop's own thread."""
        self._thread_id = threading.get_ident()
        threading.Thread(target=self._watch, name="gsws-watchdog", daemon=True).start()

    def stop(self) -> None:
        """End; returns at once."""
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(_IDLE_SECONDS):
            if self._is_busy():
                alive = threading.Event()
                try:
                    self._loop.call_soon_threadsafe(alive.set)
                except RuntimeError:
                    return
                if not alive.wait(self._threshold) and not self._stop.is_set():
                    self._report(alive)

    def _report(self, alive: threading.Event) -> None:
        began = time.monotonic() - self._threshold
        frame = sys._current_frames().get(self._thread_id)
        if frame is None:
            return
        place, stack = self._describe(frame)
        del frame
        self._log("handler blocks the event loop", place, stack=stack)
        while not alive.wait(_LOOK_SECONDS) and not self._stop.is_set():
            pass
        self._log("event loop runs again", place, blocked_ms=int((time.monotonic() - began) * 1000))

    def _log(self, event: str, place: str, **fields: Any) -> None:
        self._logger.warning(event, handler=place, **fields)

    def _describe(self, frame: FrameType) -> tuple[str, str]:
        """Name the innermost frame of the project and format the stack from the outermost one on."""
        summary = traceback.StackSummary.extract(traceback.walk_stack(frame))
        summary.reverse()
        own = [index for index, entry in enumerate(summary) if Path(entry.filename).is_relative_to(self._base)]
        if not own:
            return "unknown", "".join(summary.format())
        outer, inner = summary[own[0]], summary[own[-1]]
        path = Path(outer.filename).relative_to(self._base).as_posix()
        at = (
            ""
            if inner is outer
            else f", now at {Path(inner.filename).relative_to(self._base).as_posix()}:{inner.lineno}"
        )
        return f"{outer.name} ({path}:{outer.lineno}{at})", "".join(traceback.format_list(summary[own[0] :]))
