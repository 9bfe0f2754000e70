"""
A payload from the command line: ``user.name=Ann n=3`` becomes ``{"user": {"name": "Ann"}, "n": 3}``.

No sockets and no printing.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gsws.cli import output

__all__ = ["payload"]

_DEEPEST = 64


def payload(values: Sequence[str], file: str | None) -> Any:
    """
    The payload that arguments and a file make together; arguments win.

    Args:
        values: ``key=value``; a value that is JSON is taken as such, anything else as text. One
            argument that is a whole JSON object is taken as it is.
        file: A file with JSON, ``-`` for stdin, or None.

    Raises:
        Failure: Exit 2 for what cannot be understood, 1 for a file that cannot be read.
    """
    start: Any = {} if file is None else _read(file)
    if not values:
        return start
    if len(values) == 1 and values[0].lstrip().startswith("{") and file is None:
        return _parsed(values[0], "the payload")
    if not isinstance(start, dict):
        raise output.misuse(f"`{file}` holds no object, so `key=value` cannot be added to it")
    given: dict[str, Any] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise output.misuse(f"`{text}` is no `key=value`", f"for example `message={text or 'hello'}`")
        _put(given, key, _value(value))
    return _merged(start, given)


def _put(target: dict[str, Any], key: str, value: Any) -> None:
    *folders, leaf = key.split(".")
    if len(folders) > _DEEPEST:
        raise output.misuse(f"a key nests {len(folders)} levels deep; expected at most {_DEEPEST}")
    if not all([*folders, leaf]):
        raise output.misuse(f"`{key}` has an empty part between its dots")
    for folder in folders:
        target = target.setdefault(folder, {})
        if not isinstance(target, dict):
            raise output.misuse(f"`{key}` wants `{folder}` to be an object, but it has a value already")
    if leaf in target:
        raise output.misuse(f"`{key}` is given twice")
    target[leaf] = value


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _read(file: str) -> Any:
    name = "stdin" if file == "-" else f"`{file}`"
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise output.Failure(f"{name} is not UTF-8 at byte {error.start}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise output.Failure(f"cannot read {name}: {reason}") from None
    return _parsed(text, name)


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise output.misuse(
            f"{name} is no JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise output.misuse(f"{name} is no JSON: {str(error)[:200]}") from None


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is beyond the range of numbers")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed")
