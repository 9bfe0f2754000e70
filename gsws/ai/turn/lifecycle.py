"""
One turn of a graph, from its first frame to its terminal one, and what must be tidied up however it ends.

The graph is iterated in the caller's own task: cancelling that task, or closing the generator, ends the graph and
with it the request to the provider. What the frames say is `gsws.ai.turn.frame_translator`'.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from gsws.ai.budget.count import Count
from gsws.ai.threads.conversation import Conversation, tool_nodes
from gsws.ai.threads.queue import TURNS, Busy, key_of
from gsws.ai.turn.deadlines import Deadlines
from gsws.ai.turn.failures import FAILURES, Failure, TurnFailed, failure_of
from gsws.ai.turn.frame_translator import FrameTranslator, Meter
from gsws.ai.turn.observer import Observer
from gsws.ai.turn.tracing import tracing_as
from gsws.protocol.answer import Frame

__all__ = ["Opening", "Settings", "turn"]

Opening = Callable[[Conversation], Awaitable[Any]]
"""Makes the graph's input from its thread; may raise `TurnFailed`."""

_SETTLE: Final = 1.5
"""Seconds for each thing that is left to do after a turn; the runtime gives a cancelled handler five."""

_MODES: Final = ["messages", "updates", "tools", "custom"]

_settling: Final[set[asyncio.Task[None]]] = set()
"""Turns that were cut off twice and still tidy up; each ends by its own deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    How one turn runs.

    Attributes:
        idle_timeout: Seconds that the graph may be silent; 0 for any time.
        total_timeout: Seconds that the turn may take; 0 for any time.
        queue: How many turns of the thread may wait for it.
        queue_timeout: Seconds that they wait.
        tracing: Whether LangSmith's environment variables are heeded.
        nodes: Nodes whose text is the answer; empty for all.
        context: The graph's static context.
        budget: Makes a meter for the turn, or None.
        logger: Takes what no client may see.
    """

    idle_timeout: float
    total_timeout: float
    queue: int
    queue_timeout: float
    tracing: bool
    nodes: frozenset[str]
    context: Any
    budget: AbstractAsyncContextManager[Meter] | None
    logger: Any


async def turn(conversation: Conversation, opening: Opening, settings: Settings) -> AsyncGenerator[Frame, None]:
    """
    Run one turn.

    Yields:
        ``stream.start`` once if the turn begins, the frames of the answer, and exactly one terminal frame.
    """
    runs_tools = tool_nodes(conversation.graph)
    thread = conversation.config["configurable"]["thread_id"]
    key = key_of(conversation.saver, thread) if conversation.saver is not None else None
    if key is not None:
        try:
            await TURNS.take(key, queue=settings.queue, wait=settings.queue_timeout)
        except Busy:
            yield FAILURES["busy"].frame(conversation.thread)
            return
    run = _Run(conversation, settings, key, runs_tools)
    terminal: Frame | None = None
    try:
        run.deadlines.waits()
        stream = await run.open(opening)
        run.deadlines.got()
        yield Frame("stream.start", {"message": "[STREAM_START]", "thread": conversation.thread})
        translator, deadlines, step = run.translator, run.deadlines, stream.__anext__
        while True:
            deadlines.waits()
            try:
                part = await step()
            except StopAsyncIteration:
                break
            deadlines.got()
            for frame in translator.feed(part):
                yield frame
        deadlines.ended()
        for frame in translator.finish():
            yield frame
        await run.check_questions()
        terminal = run.end()
    except asyncio.CancelledError as error:
        if not run.deadlines.caused():
            raise
        terminal = run.fail(error)
    except Exception as error:
        run.deadlines.caused()
        terminal = run.fail(error)
    finally:
        await run.close(complete=terminal is not None and terminal.eventtype == "stream.end")
    yield terminal


class _Run:
    """What one turn holds, and gives back."""

    def __init__(self, conversation: Conversation, settings: Settings, key: Any, runs_tools: frozenset[str]) -> None:
        self.conversation = conversation
        self.settings = settings
        self.key = key
        self.observer = Observer()
        self.deadlines = Deadlines(settings.idle_timeout, settings.total_timeout)
        self._runs_tools = runs_tools
        self.translator = self._translation(Count())
        self._stream: Any = None
        self._is_metered = False
        self._tracing = tracing_as(settings.tracing)
        self._tracing.__enter__()

    async def open(self, opening: Opening) -> Any:
        """Start the graph; nothing of it runs before its stream is iterated."""
        settings, conversation = self.settings, self.conversation
        if settings.budget is not None:
            meter = await settings.budget.__aenter__()
            self._is_metered = True
            self.translator = self._translation(meter)
        if not await conversation.exists():
            raise TurnFailed("unknown_checkpoint")
        content = await opening(conversation)
        if content is None or isinstance(content, Command):
            self.translator.go_on(await conversation.turn())
        config: RunnableConfig = dict(conversation.config)  # type: ignore[assignment]  # a copy has the same keys
        config["callbacks"] = [*_handlers(config.get("callbacks")), self.observer]
        # Without a checkpointer LangGraph warns of `durability`.
        kept = {"durability": "exit"} if conversation.saver is not None else {}
        # Its annotations do not know the mode `tools`.
        astream: Any = conversation.graph.astream
        self._stream = astream(
            content,
            config,
            context=settings.context,
            stream_mode=_MODES,
            subgraphs=True,
            version="v2",
            **kept,
        )
        return self._stream

    async def check_questions(self) -> None:
        """
        Refuse questions whose answers could reach a tool that did not ask; nothing waits for them any more.

        Raises:
            TurnFailed: ``shared_question``.
        """
        if not self.translator.asks:
            return
        # The state tells of calls, the observer of tools that a node runs by itself.
        if self.observer.has_shared_question(self._runs_tools) or await self.conversation.asks_in_one_task():
            await self.conversation.give_up()
            self.settings.logger.error(
                "several tools ran in one task of the graph and one asked a person: the answer could reach another; "
                'send each call to a task of its own: [Send("tools", [call]) for call in message.tool_calls]',
                thread=self.conversation.thread,
            )
            raise TurnFailed("shared_question")

    def end(self) -> Frame:
        """The terminal frame of a graph that ended by itself."""
        reason = self.translator.reason()
        if reason in FAILURES:
            return FAILURES[reason].frame(self.conversation.thread)
        payload = {
            "message": "[STREAM_END]",
            "finish_reason": reason,
            "usage": self.translator.usage,
            "thread": self.conversation.thread,
        }
        return Frame("stream.end", payload)

    def fail(self, error: BaseException) -> Frame:
        """The terminal frame of a turn that failed; what happened goes to the log."""
        failure = self._failure(error)
        log = self.settings.logger
        text = f"{type(error).__name__}: {error}"[:1000]
        if failure.name == "agent_error":
            log.error("the agent failed", thread=self.conversation.thread, error=text, exc_info=error)
        elif not isinstance(error, TurnFailed):
            log.warning("a turn failed", failure=failure.name, thread=self.conversation.thread, error=text)
        return failure.frame(self.conversation.thread)

    def _failure(self, error: BaseException) -> Failure:
        if self.deadlines.passed is not None:
            return FAILURES["model_timeout"]
        said = self.translator.now
        spoke = said is not None and bool(said.texts)
        return failure_of(error, spoke=spoke, in_tool=self.observer.is_of_tool(error))

    async def close(self, *, complete: bool) -> None:
        """Give back everything, in a task of its own if the turn was cut off: that may not be cut off again."""
        self.deadlines.stop()
        self._tracing.__exit__(None, None, None)
        if complete and not self._is_metered:
            self._release()
            return
        settling = asyncio.create_task(self._settle(complete))
        _settling.add(settling)
        settling.add_done_callback(_settling.discard)
        await asyncio.shield(settling)

    async def _settle(self, complete: bool) -> None:
        try:
            if not complete:
                await self._in_time(self._leave())
                await self._in_time(self._keep())
            await self._in_time(self._close_meter())
        finally:
            self._release()

    async def _in_time(self, work: Awaitable[None]) -> None:
        """Do one thing of those that are left to do, whatever becomes of the others."""
        try:
            async with asyncio.timeout(_SETTLE):
                await work
        except Exception as error:
            trace = None if isinstance(error, TimeoutError) else error
            log = self.settings.logger
            log.error(
                "a turn is not tidied up", thread=self.conversation.thread, error=repr(error)[:500], exc_info=trace
            )

    async def _leave(self) -> None:
        """End what still runs of the graph."""
        if self._stream is not None:
            await self._stream.aclose()
        await self.observer.end_nodes()

    async def _keep(self) -> None:
        """Keep what the client has seen of the answer, so that the next turn knows it too."""
        mark = {"finish_reason": "cancelled"}
        said = [AIMessage("".join(one.texts), id=one.id, response_metadata=dict(mark)) for one in self.translator.heard]
        await self.conversation.keep(said)

    async def _close_meter(self) -> None:
        if self._is_metered and self.settings.budget is not None:
            self._is_metered = False
            await self.settings.budget.__aexit__(None, None, None)

    def _release(self) -> None:
        if self.key is not None:
            TURNS.release(self.key)
            self.key = None

    def _translation(self, meter: Meter) -> FrameTranslator:
        return FrameTranslator(self.observer, meter, self._runs_tools, self.settings.nodes)


def _handlers(callbacks: Any) -> list[Any]:
    """The handlers of a user's own configuration, be it a list or a manager."""
    with suppress(AttributeError):
        return list(callbacks.handlers)
    return list(callbacks or ())
