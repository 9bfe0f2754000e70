"""
The tool calls of a turn as frames: each begins once and has one outcome, wherever it is run.

A tool that LangChain runs is told of by its callbacks; one that a node runs by itself only by the message that
answers the call. What tools found is kept until the text that uses it. Everything else is
`gsws.ai.turn.frame_translator`'. Every frame has a ``message``, if an empty one: clients in the field read just that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.types import Command

from gsws.ai.content import bounded, jsonable, text_of
from gsws.ai.retrieval.citations import numbered, passages
from gsws.protocol.answer import Frame

__all__ = ["ToolCalls"]

_FAILED: Final = "the tool failed"


class ToolCalls:
    """
    What was called and what came of it.

    Attributes:
        has_found: Whether passages wait to be shown.
        numbered: How many passages of this turn have numbers.
    """

    __slots__ = ("_asked", "_finished", "_found", "_running", "numbered")

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, Any]] = {}
        self._running: dict[str, tuple[str, float]] = {}
        self._finished: set[str] = set()
        self._found: dict[str, list[dict[str, Any]]] = {}
        self.numbered = 0

    @property
    def has_found(self) -> bool:
        return bool(self._found)

    def remember(self, message: AIMessage) -> None:
        """Know names and arguments as the model gave them."""
        for call in message.tool_calls:
            self._asked[str(call["id"])] = (call["name"], call["args"])

    def event(self, data: Mapping[str, Any]) -> list[Frame]:
        """Frames of one part of LangGraph's mode `tools`."""
        identifier = str(data["tool_call_id"])
        match data["event"]:
            case "tool-started":
                return self._call(identifier, data.get("tool_name") or "", data.get("input"))
            case "tool-finished":
                return self._outcome(identifier, _answer_in(data.get("output"), identifier))
            case "tool-error":
                return self._outcome(identifier, None, failed=True)
        return []

    def answer(self, message: ToolMessage) -> list[Frame]:
        """Frames of an answer that was put into the state; none if its call was told of by events."""
        identifier = message.tool_call_id
        if identifier in self._finished:
            return []
        name, _ = self._asked.get(identifier, (message.name or "", None))
        return [*self._call(identifier, name, None), *self._outcome(identifier, message)]

    def sources(self) -> list[Frame]:
        """What tools found since the last time, numbered in the order of their calls, as the model sees them."""
        if not self._found:
            return []
        order = {identifier: at for at, identifier in enumerate(self._asked)}
        sources: list[dict[str, Any]] = []
        for identifier in sorted(self._found, key=lambda one: order.get(one, len(order))):
            found = self._found[identifier]
            sources += numbered(found, self.numbered)
            self.numbered += len(found)
        self._found.clear()
        return [Frame("sources", {"message": "", "sources": sources})]

    def _call(self, identifier: str, name: str, arguments: Any) -> list[Frame]:
        if identifier in self._running:
            return []
        name, arguments = self._asked.get(identifier, (name, arguments))
        self._running[identifier] = (name, time.monotonic())
        self._finished.discard(identifier)
        shown = jsonable(arguments) if isinstance(arguments, Mapping) else {}
        return [Frame("tool.call", {"message": "", "id": identifier, "name": name, "args": shown})]

    def _outcome(self, identifier: str, output: Any, failed: bool = False) -> list[Frame]:
        name, began = self._running.pop(identifier, ("", time.monotonic()))
        self._finished.add(identifier)
        if failed or (isinstance(output, ToolMessage) and output.status == "error"):
            # The tool's own words are for the model and the log.
            return [Frame("tool.error", {"id": identifier, "name": name, "error": "tool_failed", "message": _FAILED})]
        if isinstance(output, ToolMessage):
            if found := passages(output.artifact):
                self._found[identifier] = found
            content = text_of(output.content)
        else:
            content = output if isinstance(output, str) else "" if output is None else str(jsonable(output))
        took = round((time.monotonic() - began) * 1000, 1)
        shown = {"message": "", "id": identifier, "name": name, "content": bounded(content), "ms": took}
        return [Frame("tool.result", shown)]


def _answer_in(output: Any, identifier: str) -> Any:
    """The answer to a call in what its tool returned: a message, a command with messages, or a value."""
    if not isinstance(output, Command):
        return output
    update = output.update
    messages = update.get("messages") if isinstance(update, Mapping) else None
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, BaseMessage) and getattr(message, "tool_call_id", None) == identifier:
            return message
    return None
