"""
One line for each frame of an answer that is not its text: what `gsws call` says on stderr while an answer streams.

The frames of an agent have a form of their own; any other frame is shown as JSON. `--json` shows all of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["call_frame"]

_LONGEST: Final = 400
"""Characters of one line for a person; a program reads ``--json``."""


def call_frame(eventtype: str, payload: Mapping[str, Any], *, whole: bool) -> str:
    """
    Tell one frame in one line.

    Args:
        eventtype: The frame's type.
        payload: The frame's payload.
        whole: Whether nobody minds a long line: on a pipe.
    """
    try:
        known = _FORMS.get(eventtype)
        text = known(payload) if known is not None else None
    except (KeyError, TypeError, AttributeError):  # a frame of that name with another shape
        text = None
    text = text or f"{eventtype} {json.dumps(payload, ensure_ascii=False)}"
    return text if whole or len(text) <= _LONGEST else f"{text[:_LONGEST]}… (--json shows it whole)"


def _call(payload: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in payload["args"].items())
    return f"tool.call {payload['name']}({arguments})"


def _result(payload: Mapping[str, Any]) -> str:
    return f"tool.result {payload['name']} {payload['ms']:g} ms"


def _error(payload: Mapping[str, Any]) -> str:
    return f"tool.error {payload['name']}: {payload['message']}"


def _sources(payload: Mapping[str, Any]) -> str:
    return "sources " + ", ".join(f"[{source['id']}] {source['source']}" for source in payload["sources"])


def _usage(payload: Mapping[str, Any]) -> str:
    cost = payload.get("cost") or {}
    price = f", {cost['amount']:.6f} {cost['currency']}" if cost.get("amount") else ""
    return f"usage {payload['input_tokens']} + {payload['output_tokens']} tokens, {payload['model']}{price}"


def _interrupt(payload: Mapping[str, Any]) -> str:
    return f"interrupt {payload['id']} {json.dumps(payload['value'], ensure_ascii=False)}"


_FORMS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "tool.call": _call,
    "tool.result": _result,
    "tool.error": _error,
    "sources": _sources,
    "usage": _usage,
    "interrupt": _interrupt,
}
