"""
Messages as a provider accepts them: every tool call answered once, nothing that was blocked, no more than fits.

A cancelled turn, or a question for a person that nobody answered, leaves tool calls without an answer in the thread;
providers then refuse every later request of it. Healing happens when the model is called: what is stored stays as it
is. Which messages a thread has is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately

from gsws.ai.content import text_of
from gsws.ai.models.finish import finish_of
from gsws.ai.retrieval.citations import number

__all__ = ["answers_for", "heal", "prepare"]

_CANCELLED: Final = "This call was not answered: the turn was cancelled before it ended."

DEFAULT_TOKENS: Final = 100_000
"""How much of a thread a model is shown unless told otherwise; tokens, estimated."""


def prepare(
    messages: Sequence[BaseMessage], *, system: str | None = None, max_tokens: int | None = DEFAULT_TOKENS
) -> list[BaseMessage]:
    """
    Make the messages for a model call out of a thread's: healed, trimmed, the system prompt first.

    To be called in the node that calls the model: ``await model.ainvoke(prepare(state["messages"], system=PROMPT))``.
    The system prompt is not stored in the thread, so that a change of it holds for old threads too.

    Args:
        messages: The thread's messages; not changed.
        system: The system prompt. System messages of the thread follow it in the same message.
        max_tokens: How much to keep, estimated; the oldest turns go first, the last question never. None for all.

    Returns:
        At most one system message, and then only whole turns. Passages that later searches of a turn found are
        numbered on, so that a citation means one of them.
    """
    prompts = [system] if system else []
    prompts += [text_of(message.content) for message in messages if isinstance(message, SystemMessage)]
    talk = number(heal(message for message in messages if not isinstance(message, SystemMessage)))
    if max_tokens is not None:
        talk = _trim(talk, max_tokens)
    return [SystemMessage("\n\n".join(prompts)), *talk] if prompts else talk


def heal(messages: Iterable[BaseMessage]) -> list[BaseMessage]:
    """
    Put every tool call's answer right behind it, exactly one, and leave out what a provider refuses.

    Left out are answers to calls that are not there, calls that could not be read, empty answers, and questions that
    a provider blocked, together with what was answered to them.
    """
    original = list(messages)
    answers: dict[str, ToolMessage] = {}
    for message in original:
        if isinstance(message, ToolMessage):
            answers.setdefault(message.tool_call_id, message)
    healed: list[BaseMessage] = []
    for message in original:
        if isinstance(message, ToolMessage):
            continue
        if not isinstance(message, AIMessage):
            healed.append(message)
            continue
        if _was_blocked(message):
            if healed and isinstance(healed[-1], HumanMessage):
                healed.pop()
            continue
        readable = _readable(message)
        if readable is None:
            continue
        healed.append(readable)
        for call in readable.tool_calls:
            identifier = str(call["id"])
            healed.append(answers.get(identifier) or _cancelled(identifier, call["name"]))
    return healed


def answers_for(messages: Sequence[BaseMessage]) -> list[ToolMessage]:
    """Make the answers that the tool calls at the end of a thread lack, so that its next turn can begin."""
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            return [
                _cancelled(str(call["id"]), call["name"])
                for call in message.tool_calls
                if str(call["id"]) not in answered
            ]
        elif isinstance(message, HumanMessage):
            break
    return []


def _cancelled(identifier: str, name: str) -> ToolMessage:
    return ToolMessage(_CANCELLED, tool_call_id=identifier, name=name, status="error")


def _was_blocked(message: AIMessage) -> bool:
    """Whether it is the empty answer to a question that the provider did not let through."""
    is_empty = not message.tool_calls and not text_of(message.content)
    return is_empty and finish_of(message.response_metadata, spoke=True) == "blocked"


def _readable(message: AIMessage) -> AIMessage | None:
    """The message without calls that could not be read; None if nothing is left of it."""
    if not message.tool_calls and not message.content:
        return None
    if not message.tool_calls and not isinstance(message.content, str) and not text_of(message.content):
        # Nothing but blocks that are no text: reasoning, say, of an answer that never came.
        kinds = {block.get("type") for block in message.content if isinstance(block, dict)}
        if kinds <= {"thinking", "reasoning", "text"}:
            return None
    if not message.invalid_tool_calls:
        return message
    extra: dict[str, Any] = {
        key: value for key, value in message.additional_kwargs.items() if key not in ("tool_calls", "function_call")
    }
    return message.model_copy(update={"invalid_tool_calls": [], "additional_kwargs": extra})


def _trim(messages: list[BaseMessage], max_tokens: int) -> list[BaseMessage]:
    """Drop the oldest turns; the turn that is being answered stays whole, whatever it weighs."""
    count = count_tokens_approximately
    kept = trim_messages(messages, max_tokens=max_tokens, token_counter=count, strategy="last", start_on="human")
    last = next((at for at in range(len(messages) - 1, -1, -1) if isinstance(messages[at], HumanMessage)), 0)
    return kept if len(kept) >= len(messages) - last else messages[last:]
