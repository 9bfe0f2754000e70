"""
Run any compiled graph as a stream of protocol frames: ask, answer again, go on after a question to a person.

The entry points for handlers and what they may be given. One turn's life is `gsws.ai.turn.lifecycle`; reading what a
thread said is `gsws.ai.threads.transcript`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack, cast

import structlog
from langchain_core.messages import BaseMessage, HumanMessage, RemoveMessage
from langgraph.types import Command

from gsws.ai.threads.conversation import Caller, Conversation, conversation_of, subject_of
from gsws.ai.threads.history_repair import answers_for
from gsws.ai.turn.failures import TurnFailed
from gsws.ai.turn.lifecycle import Opening, Settings, turn
from gsws.protocol.answer import Frame
from gsws.types import GSStatus

if TYPE_CHECKING:
    from gsws.ai.budget import Budget

__all__ = ["Options", "resume", "retry", "run", "send"]


class Options(TypedDict, total=False):
    """
    What `run`, `retry` and `resume` may be told.

    Attributes:
        subject: Whose thread it is, instead of ``ctx.actor.key``.
        idle_timeout: Seconds that the graph may be silent (60); 0 for any time.
        total_timeout: Seconds that the turn may take (300); 0 for any time.
        budget: What the turn and its subject's day may use (no limit).
        tracing: Whether LangSmith's environment variables are heeded; otherwise nothing is traced.
        recursion_limit: Steps that the graph may take (25).
        messages_key: The state's key that holds messages (``messages``).
        nodes: Names of the nodes whose text is the answer; all but those that run tools if empty. What is said by a
            model tagged ``nostream`` never is.
        context: The graph's static context (`context_schema`).
        config: Further configuration of the graph; ``configurable.thread_id`` is set by the turn. A
            ``configurable.checkpoint_id`` that the thread does not have ends the turn with ``unknown_checkpoint``.
        queue: How many turns of one thread may wait for it (4).
        queue_timeout: Seconds that they wait before they are refused as ``busy`` (30).
    """

    subject: str | None
    idle_timeout: float
    total_timeout: float
    budget: Budget | None
    tracing: bool
    recursion_limit: int
    messages_key: str
    nodes: Collection[str]
    context: Any
    config: Mapping[str, Any] | None
    queue: int
    queue_timeout: float


_DEFAULTS: Final[Options] = {
    "subject": None,
    "idle_timeout": 60.0,
    "total_timeout": 300.0,
    "budget": None,
    "tracing": False,
    "recursion_limit": 25,
    "messages_key": "messages",
    "nodes": (),
    "context": None,
    "config": None,
    "queue": 4,
    "queue_timeout": 30.0,
}


def run(
    graph: Any,
    message: str | Sequence[BaseMessage] | Mapping[str, Any],
    *,
    ctx: Caller | None = None,
    thread: str | None = None,
    **options: Unpack[Options],
) -> AsyncIterator[Frame]:
    """
    Run one turn of a graph and answer with its frames.

    ``async for frame in run(graph, payload["message"], ctx=ctx): yield frame``. Cancelling the task that iterates,
    or closing the iterator, ends the graph and its request to the provider; what the client has seen of the answer
    by then stays in the thread.

    Args:
        graph: A compiled graph, with a checkpointer or without.
        message: The question; or messages; or the graph's whole input for a state of another shape.
        ctx: The handler's context: whose thread it is, and where to log.
        thread: The thread's name among those of its subject; ``default`` if None or empty.
        **options: See `Options`.

    Yields:
        The frames of docs/reference/agent-frames.md, the last one ``stream.end`` or ``stream.error``.
    """

    async def ask(conversation: Conversation) -> Any:
        key = conversation.key
        content = _input(conversation, message)
        if conversation.saver is not None and isinstance(content, dict) and isinstance(content.get(key), list):
            content[key] = [*answers_for(await conversation.messages()), *content[key]]
        return content

    return _turn(graph, ask, ctx, thread, options)


def retry(
    graph: Any, *, ctx: Caller | None = None, thread: str | None = None, **options: Unpack[Options]
) -> AsyncIterator[Frame]:
    """
    Answer the last question of a thread again, in place of the answer that it has, or because it has none.

    A thread that asked nothing yet, and a graph without a checkpointer, is answered with ``nothing_to_retry``.
    With a state whose reducer cannot take messages away, the question is asked once more instead.

    Args:
        graph: A compiled graph with a checkpointer.
        ctx: The handler's context.
        thread: The thread's name; ``default`` if None or empty.
        **options: See `Options`.
    """

    async def again(conversation: Conversation) -> Any:
        messages = await conversation.messages()
        asked = [at for at, message in enumerate(messages) if isinstance(message, HumanMessage)]
        if not asked:
            raise TurnFailed("nothing_to_retry")
        question, answer = messages[asked[-1]], messages[asked[-1] + 1 :]
        if conversation.can_remove():
            return {conversation.key: [question, *(RemoveMessage(item.id) for item in answer if item.id)]}
        return {conversation.key: [*answers_for(messages), HumanMessage(question.content)]}

    return _turn(graph, again, ctx, thread, options)


def resume(
    graph: Any,
    answers: Mapping[str, Any],
    *,
    ctx: Caller | None = None,
    thread: str | None = None,
    **options: Unpack[Options],
) -> AsyncIterator[Frame]:
    """
    Go on after an interrupt with a person's answers.

    Nothing runs, and the answer is ``unknown_interrupt``, unless each id is one that this subject's thread waits
    for; so an answer counts once.

    Args:
        graph: The graph that was interrupted, with its checkpointer.
        answers: ``{id of an interrupt frame: value}``; questions that are left out are asked again. Empty after a
            stop that asked nothing (`interrupt_before`, `interrupt_after`).
        ctx: The handler's context.
        thread: The thread's name; ``default`` if None or empty.
        **options: See `Options`.
    """

    async def go_on(conversation: Conversation) -> Any:
        waiting = {interrupt.id for interrupt in await conversation.interrupts()}
        if not waiting and not answers and await conversation.is_stopped():
            return None
        if not answers or not waiting.issuperset(answers):
            raise TurnFailed("unknown_interrupt")
        if await conversation.asks_in_one_task():
            await conversation.give_up()
            raise TurnFailed("shared_question")
        return Command(resume=dict(answers))

    return _turn(graph, go_on, ctx, thread, options)


async def send(ctx: Any, frames: AsyncIterator[Frame]) -> GSStatus:
    """
    Send the frames of a turn from a handler that is no generator, and tell how the turn ended.

    ``return await send(ctx, run(graph, payload["message"], ctx=ctx))``

    Args:
        ctx: The handler's context; its ``emit(eventtype, payload)`` is awaited for each frame.
        frames: What `run`, `retry` or `resume` returned.
    """
    status = GSStatus(True, 200, "Streaming completed")
    async with aclosing(cast("AsyncGenerator[Frame, None]", frames)) as turn:
        async for frame in turn:
            await ctx.emit(frame.eventtype, frame.payload)
            if frame.eventtype == "stream.error":
                status = GSStatus(False, frame.payload["code"], frame.payload["message"])
    return status


def _turn(
    graph: Any, opening: Opening, ctx: Caller | None, thread: str | None, options: Options
) -> AsyncIterator[Frame]:
    if unknown := options.keys() - _DEFAULTS.keys():
        raise TypeError(f"a turn takes no option `{min(unknown)}`; there are {', '.join(_DEFAULTS)}")
    chosen = cast("Options", {**_DEFAULTS, **options})
    subject, budget = chosen["subject"], chosen["budget"]
    conversation = conversation_of(
        graph,
        ctx,
        thread,
        subject=subject,
        messages_key=chosen["messages_key"],
        config=chosen["config"],
        recursion_limit=chosen["recursion_limit"],
    )
    settings = Settings(
        idle_timeout=chosen["idle_timeout"],
        total_timeout=chosen["total_timeout"],
        queue=chosen["queue"],
        queue_timeout=chosen["queue_timeout"],
        tracing=chosen["tracing"],
        nodes=frozenset(chosen["nodes"]),
        context=chosen["context"],
        budget=None if budget is None else budget.turn(subject_of(ctx, subject)),
        logger=ctx.logger if ctx is not None else structlog.get_logger("gsws.ai"),
    )
    return turn(conversation, opening, settings)


def _input(conversation: Conversation, message: str | Sequence[BaseMessage] | Mapping[str, Any]) -> Any:
    """The graph's input: messages where its state has them, anything else as it is."""
    if isinstance(message, Mapping):
        return dict(message)
    messages = [HumanMessage(message)] if isinstance(message, str) else list(message)
    if conversation.has_messages:
        return {conversation.key: messages}
    return messages if "__root__" in conversation.graph.channels else message
