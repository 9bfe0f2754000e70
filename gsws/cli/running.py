"""Where the running services of a project listen, as they say themselves through their control sockets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

__all__ = ["places_of"]

_PATIENCE: Final = 3.0
"""Seconds for each service to answer; one that does not is passed by."""


def places_of(root: Path, source: str) -> list[tuple[str, int]]:
    """
    Ask where an event source listens now; it may be elsewhere than its file says.

    Returns:
        ``(host, port)`` of each process that serves it; empty if there is none, or none that answers.
    """
    if os.name != "posix":
        return []
    from gsws.control.client import Unanswered, ask

    try:
        answers = ask(root, {"do": "statistics"}, os.environ, timeout=_PATIENCE)
    except Unanswered:
        return []
    found = [_place(answer.get("addresses"), source) for answer in answers]
    return list(dict.fromkeys(place for place in found if place is not None))


def _place(addresses: Any, source: str) -> tuple[str, int] | None:
    """One place; the process may be of another release, and say nothing of the kind."""
    match addresses.get(source) if isinstance(addresses, dict) else None:
        case [str(host), int(port)]:
            return host, port
    return None
