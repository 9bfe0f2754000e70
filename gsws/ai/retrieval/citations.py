"""
Numbers of passages: unique within a turn, the same for the model that cites and for the client that shows.

Each search numbers its passages from 1. Once a turn has searched twice, ``[1]`` would mean two things; so later
searches go on counting, in the order of the calls. Passages with numbers of their own scheme keep them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from gsws.ai.content import MAX_ITEMS, bounded, clean

__all__ = ["count", "number", "numbered", "passages"]

_MAX_EXCERPT: Final = 500


def passages(artifact: Any) -> list[dict[str, Any]]:
    """
    Read the passages that a tool returned as its artifact; empty if it is none of the known shapes.

    Known are a list of ``{"text": str, "source": str, …}``, an object with such a list as ``sources``, and
    LangChain's documents.

    Returns:
        ``[{"source": str, "text": str, "score"?, "title"?, "url"?, "id"?}]``
    """
    if isinstance(artifact, Mapping):
        artifact = artifact.get("sources")
    if not isinstance(artifact, Sequence) or isinstance(artifact, str | bytes):
        return []
    found = []
    for item in artifact[:MAX_ITEMS]:
        if isinstance(item, Mapping) and isinstance(item.get("source"), str):
            facts: Mapping[str, Any] = item
            text = item.get("text")
        elif hasattr(item, "page_content") and isinstance(getattr(item, "metadata", None), Mapping):
            facts = item.metadata
            text = item.page_content
        else:
            continue
        passage: dict[str, Any] = {
            "source": clean(str(facts.get("source") or "")),
            "text": bounded(str(text or ""), _MAX_EXCERPT),
        }
        for key in ("title", "url"):
            if isinstance(facts.get(key), str):
                passage[key] = bounded(facts[key], _MAX_EXCERPT)
        score = facts.get("score")
        if isinstance(score, int | float) and math.isfinite(score):
            passage["score"] = round(float(score), 4)
        if type(facts.get("id")) is int:
            passage["id"] = facts["id"]
        found.append(passage)
    return found


def count(messages: Sequence[BaseMessage]) -> int:
    """How many numbers the searches among these messages have taken."""
    return sum(len(passages(message.artifact)) for message in messages if isinstance(message, ToolMessage))


def numbered(found: Sequence[dict[str, Any]], before: int) -> list[dict[str, Any]]:
    """Give the passages of one search their numbers in the turn, of which so many are taken."""
    if _has_own(found):
        return [dict(passage) for passage in found]
    return [{**passage, "id": before + at} for at, passage in enumerate(found, 1)]


def number(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """
    Renumber what later searches of a turn found, as `gsws.ai.retrieval_tool` writes it for the model.

    Only marks that the tool itself wrote are touched: a passage's text cannot contain them.
    """
    result: list[BaseMessage] = []
    before = 0
    for message in messages:
        if isinstance(message, HumanMessage):
            before = 0
        found = passages(message.artifact) if isinstance(message, ToolMessage) else []
        if before and found and not _has_own(found) and isinstance(message.content, str):
            text = message.content
            for at in range(len(found), 0, -1):  # the highest first, so that no number is moved twice
                text = text.replace(f'[{at}]\n<passage id="{at}" ', f'[{before + at}]\n<passage id="{before + at}" ')
            message = message.model_copy(update={"content": text, "artifact": _moved(message, before)})
        before += len(found)
        result.append(message)
    return result


def _has_own(found: Sequence[dict[str, Any]]) -> bool:
    return [passage.get("id", at) for at, passage in enumerate(found, 1)] != list(range(1, len(found) + 1))


def _moved(message: BaseMessage, before: int) -> Any:
    """The artifact with the new numbers, if it is the tool's own list."""
    artifact = getattr(message, "artifact", None)
    if not isinstance(artifact, list) or not all(isinstance(item, dict) for item in artifact):
        return artifact
    return [{**item, "id": before + at} for at, item in enumerate(artifact, 1)]
