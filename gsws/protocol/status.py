"""What a handler returned, as a status (P5.3); who is let in is told by the same rule (`gsws.runtime.access`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gsws.types import GSStatus

__all__ = ["as_status", "written_status"]

_STATUS: Final = frozenset({"success", "code", "message", "data", "headers"})


def as_status(value: Any) -> GSStatus:
    """
    Turn what a handler returned into a status (P5.3).

    None is success; what `written_status` takes for a status is one; anything else becomes ``data``.
    """
    if value is None:
        return GSStatus()
    status = written_status(value)
    return GSStatus(data=value) if status is None else status


def written_status(value: Any) -> GSStatus | None:
    """
    The status that a value is, or None: a `GSStatus`, or an object with a boolean ``success`` and no foreign keys.

    The keys of a status are ``success``, ``code``, ``message``, ``data`` and ``headers``.
    """
    if isinstance(value, GSStatus):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("success"), bool) and value.keys() <= _STATUS:
        code = value.get("code")
        return GSStatus(
            success=value["success"],
            code=code if type(code) is int else None,
            message=value.get("message"),
            data=value.get("data"),
            headers=value.get("headers"),
        )
    return None
