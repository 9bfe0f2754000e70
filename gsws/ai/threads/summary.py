"""What a list of threads shows of each: name, title and size, taken from a state that is being stored anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypedDict

from gsws.ai.threads.naming import names

__all__ = ["MAX_TITLE", "Row", "SubjectInfo", "ThreadInfo", "info", "summarise", "when"]

MAX_TITLE: Final = 120
"""Characters of a title; what is longer ends in an ellipsis."""


class ThreadInfo(TypedDict):
    """
    One thread in a list.

    ``thread`` is its name, or None if that was too long to be kept; ``title`` the first question, shortened, or ``""``;
    ``messages`` counts questions and answers; ``updated`` is RFC 3339 in UTC.
    """

    thread: str | None
    title: str
    messages: int
    updated: str


class SubjectInfo(TypedDict):
    """One subject in a list: its name (None if too long to be kept), its number of threads, its last turn's time."""

    subject: str | None
    threads: int
    updated: str


@dataclass(frozen=True, slots=True)
class Row:
    """One thread as a store keeps it; ``updated`` is Unix time."""

    key: str
    title: str
    messages: int
    updated: float


def info(row: Row) -> ThreadInfo:
    """A row as it is shown to its subject."""
    return {
        "thread": names(row.key)[1],
        "title": row.title,
        "messages": row.messages,
        "updated": when(row.updated),
    }


def summarise(values: Mapping[str, Any]) -> tuple[str, int]:
    """
    Title and number of messages of a state.

    Args:
        values: The channels of a checkpoint; messages are looked for in ``messages``.

    Returns:
        ``("", 0)`` if the graph keeps no list of messages there.
    """
    messages = values.get("messages")
    if not isinstance(messages, list):
        return "", 0
    said = [one for one in messages if getattr(one, "type", None) in ("human", "ai") and getattr(one, "content", None)]
    first = next((one for one in said if one.type == "human"), None)
    return (_title(first.content) if first is not None else ""), len(said)


def when(moment: float) -> str:
    """Unix time as RFC 3339 in UTC, in whole seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _title(content: Any) -> str:
    if isinstance(content, list):  # blocks, of which only texts make a title
        content = " ".join(
            block if isinstance(block, str) else str(block.get("text", "")) for block in content[:8] if block
        )
    text = " ".join(str(content)[: 8 * MAX_TITLE].replace("\0", " ").split())
    # A lone surrogate can neither be stored nor sent, and Postgres takes no NUL.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= MAX_TITLE else f"{text[: MAX_TITLE - 1].rstrip()}…"
