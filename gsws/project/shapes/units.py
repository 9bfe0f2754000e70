"""
Durations and sizes as people write them.

A duration is seconds (``30``, ``0.5``) or a text with units (``500ms``, ``1m30s``, ``2h``). A size is bytes (``1024``)
or a text (``64KiB``, ``1MB``): ``KiB`` counts 1024, ``KB`` 1000.
"""

from __future__ import annotations

import math
import re
from typing import Final

__all__ = ["MAX_DURATION", "MAX_SIZE", "duration", "size"]

MAX_DURATION: Final = 366 * 86400.0
"""Seconds; longer is a mistake in the unit."""
MAX_SIZE: Final = 2**50
"""Bytes; more is a mistake in the unit."""

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {
    "b": 1,
    "kb": 1000,
    "kib": 1024,
    "mb": 1000**2,
    "mib": 1024**2,
    "gb": 1000**3,
    "gib": 1024**3,
}
_PART: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s?(ms|s|m|h|d)", re.ASCII)
_DURATION: Final = re.compile(rf"(?:{_PART.pattern}\s?){{1,5}}", re.ASCII)
_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s?([kmg]?i?b)", re.ASCII | re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)


def duration(value: object) -> float | None:
    """Seconds, or None if ``value`` is no duration; negative numbers and infinities are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        # An integer of 400 digits is no float; compare before converting.
        return float(value) if 0 <= value <= 10**15 and math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    if len(text) > 64 or not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def size(value: object) -> int | None:
    """Bytes, or None if ``value`` is no size."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value <= 10**18 else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    match = _SIZE.fullmatch(text) if len(text) <= 40 else None
    if match is None or match[2].lower() not in _BYTES:
        return None
    return int(float(match[1]) * _BYTES[match[2].lower()])
