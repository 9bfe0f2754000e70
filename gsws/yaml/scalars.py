"""
What a plain YAML scalar means: the core schema of YAML 1.2, and what older readers would make of it.

Only plain (unquoted) scalars come here. No positions, no collections.
"""

from __future__ import annotations

import math
import re
from typing import Final, TypeAlias

__all__ = ["UNREPRESENTABLE", "Scalar", "misread_as", "resolve"]

Scalar: TypeAlias = str | int | float | bool | None

UNREPRESENTABLE: Final = object()
"""`resolve` answers this for a number that JSON has no form for: ``.nan``, ``.inf``, ``1e999``."""

_CONSTANTS: Final[dict[str, Scalar]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_OLD_BOOLEANS: Final = frozenset(
    spelling for word in ("yes", "no", "on", "off", "y", "n") for spelling in (word, word.capitalize(), word.upper())
)
_NUMBER_START: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL: Final = re.compile(r"0o[0-7]+\Z")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE: Final = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9_]+\Z")
_OLD_NUMBER: Final = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F]*_[0-9a-fA-F_]*|[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?)\Z")
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?\Z"
)
_DIGITS: Final = 400
"""A number of more characters than this is no number that anything downstream can carry."""


def resolve(text: str) -> Scalar | object:
    """
    The value of a plain scalar under the YAML 1.2 core schema, or `UNREPRESENTABLE`.

    ``yes``, ``0777_000``, ``1:30`` and ``2026-01-01`` are strings, ``014`` is fourteen, ``0o14`` is twelve.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.match(text):
        return int(text) if len(text) <= _DIGITS else UNREPRESENTABLE
    if _OCTAL.match(text):
        return int(text[2:], 8) if len(text) <= _DIGITS else UNREPRESENTABLE
    if _HEX.match(text):
        return int(text[2:], 16) if len(text) <= _DIGITS else UNREPRESENTABLE
    if _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) else UNREPRESENTABLE
    return UNREPRESENTABLE if _NOT_FINITE.match(text) else text


def misread_as(text: str, *, key: bool = False) -> str | None:
    """
    Tell what other YAML readers may take a plain scalar for: "a boolean", "a number", "a time"; or None.

    A key ``y`` or ``n`` is left alone: coordinates are called so, and hardly a reader trips over it.
    """
    if not text or len(text) > 40:
        return None
    if text in _OLD_BOOLEANS:
        return None if key and len(text) == 1 else "a boolean"
    if text[0] not in _NUMBER_START:
        return None
    if _TIME.match(text) or _SEXAGESIMAL.match(text):
        return "a time"
    if _LEADING_ZERO.match(text) or _OCTAL.match(text) or _OLD_NUMBER.match(text):
        return "a number"
    return None
