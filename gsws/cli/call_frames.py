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


def _usage(payload: Mapping[str, Any]) -> str:
    cost = payload.get("cost") or {}
    price = f", {cost['amount']:.6f} {cost['currency']}" if cost.get("amount") else ""
    return f"usage {payload['input_tokens']} + {payload['output_tokens']} tokens, {payload['model']}{price}"


_FORMS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "tool.call": _call,
    "tool.result": lambda payload: f"tool.result {payload['name']} {payload['ms']:g} ms",
    "tool.error": lambda payload: f"tool.error {payload['name']}: {payload['message']}",
    "sources": lambda payload: "sources " + ", ".join(f"[{one['id']}] {one['source']}" for one in payload["sources"]),
    "usage": _usage,
    "interrupt": lambda payload: f"interrupt {payload['id']} {json.dumps(payload['value'], ensure_ascii=False)}",
}
