"""Text and JSON of whatever messages, tools and nodes hold. What is shown of it, and when, is decided elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

__all__ = ["MAX_ITEMS", "bounded", "clean", "jsonable", "reasoning_of", "text_of"]

MAX_CONTENT: Final = 2000
"""Characters of a tool's result that are shown; the model has all of it."""

_MAX_DEPTH: Final = 12

MAX_ITEMS: Final = 500
"""Items of one collection that are looked at."""


def text_of(content: Any) -> str:
    """The text of a message's content, be it a text or a list of blocks."""
    if isinstance(content, str):
        return content
    parts = []
    for block in content or ():
        if isinstance(block, str):
            parts.append(block)
        elif isinstance(block, Mapping) and block.get("type") == "text":
            parts.append(str(block.get("text") or ""))
    return "".join(parts)


def reasoning_of(message: BaseMessage) -> str:
    """What a message tells of the model's reasoning; each provider has its own place for it."""
    parts = []
    if not isinstance(message.content, str):
        for block in message.content:
            if not isinstance(block, Mapping):
                continue
            if block.get("type") == "thinking":
                parts.append(str(block.get("thinking") or ""))
            elif block.get("type") == "reasoning":
                parts.append(str(block.get("reasoning") or ""))
                summary = block.get("summary")
                if isinstance(summary, list):
                    parts += [str(item.get("text") or "") for item in summary if isinstance(item, Mapping)]
    extra = message.additional_kwargs.get("reasoning_content") if message.additional_kwargs else None
    if isinstance(extra, str):
        parts.append(extra)
    return "".join(parts)


def clean(text: str) -> str:
    """Replace halves of characters, which have no JSON form; a provider's chunks may end in the middle of one."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def bounded(text: str, limit: int = MAX_CONTENT) -> str:
    """Cut a text that is too long to be shown."""
    text = clean(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def jsonable(value: Any, depth: int = 0) -> Any:
    """
    Make a value that has a JSON form: what has none becomes its nearest form, or the name of its type.

    Never raises, and never follows more than a dozen levels or 500 items of one collection.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, BaseMessage):
        return {"type": value.type, "content": clean(text_of(value.content))}
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): jsonable(value[key], depth + 1) for key in list(value)[:MAX_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item, depth + 1) for item in list(value)[:MAX_ITEMS]]
    if hasattr(value, "isoformat"):
        return str(value)
    return f"<{type(value).__name__}>"
