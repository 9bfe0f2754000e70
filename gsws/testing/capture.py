"""What a served project says besides its answers: log entries, and frames that are published to rooms."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from gsws.runtime.requests.executor import RoomServer

__all__ = ["Broadcast", "ListeningRooms", "captured_logs"]

_MIRROR = logging.getLogger("gsws_project")
"""Where pytest finds what the project logged; not below `gsws`, whose records go to structlog in a service."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One frame that a handler sent to a room, whoever was in it."""

    room: str
    eventtype: str
    payload: Any


class ListeningRooms:
    """Stands before the rooms of a source, and tells of what is published."""

    def __init__(self, rooms: RoomServer, heard: Callable[[Broadcast], None]) -> None:
        self._rooms = rooms
        self._heard = heard

    def publish(self, room: str, text: bytes) -> int:
        message = json.loads(text)
        self._heard(Broadcast(room, message["eventtype"], message["payload"]))
        return self._rooms.publish(room, text)

    def labels(self, room: str) -> list[str]:
        return self._rooms.labels(room)


@contextmanager
def captured_logs() -> Iterator[list[dict[str, Any]]]:
    """
    Collect what structlog is given in this process, from every thread.

    Each entry has ``event``, ``level`` and the facts; it also goes to the standard logger ``gsws_project``, where
    pytest shows it beside a test that fails.
    """
    entries: list[dict[str, Any]] = []

    def keep(logger: Any, method: str, entry: Any) -> Any:
        del logger
        level = "error" if method == "exception" else method
        entries.append({**entry, "level": level})
        facts = " ".join(f"{key}={value!r}" for key, value in entry.items() if key not in ("event", "exc_info"))
        trace = entry.get("exc_info")
        number = getattr(logging, level.upper(), logging.INFO)
        _MIRROR.log(number, "%s %s", entry.get("event"), facts, exc_info=trace if trace else None)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, keep],
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=False,
    )
    try:
        yield entries
    finally:
        structlog.configure(**before)
