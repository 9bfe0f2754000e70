"""
From the parts of LangGraph's stream to the frames of a turn.

Text as it comes, sources before the text that used them, usage after each model call; tools are
`gsws.ai.turn.toolcalls`'. What the terminal frame says is worked out here too; when a turn ends, and how it fails, is
`gsws.ai.turn.lifecycle`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langgraph.types import Interrupt

from gsws.ai.content import clean, jsonable, reasoning_of, text_of
from gsws.ai.models.finish import finish_of
from gsws.ai.retrieval.citations import count
from gsws.ai.turn.observer import CallEnd, Observer
from gsws.ai.turn.toolcalls import ToolCalls
from gsws.protocol.answer import Frame

__all__ = ["FrameTranslator", "Meter", "Said"]

_NOTHING: Final[tuple[Frame, ...]] = ()


class Meter(Protocol):
    """Counts what a turn uses; `gsws.ai.Budget` makes one that also refuses."""

    @property
    def total(self) -> Mapping[str, Any]: ...
    def text(self, delta: str) -> None: ...
    def usage(self, usage: Mapping[str, Any], model: str) -> None: ...


class Said:
    """
    One model call as it is heard.

    Attributes:
        id: The id of the message that it becomes.
        namespace: The task that it runs in, as LangGraph names it.
        texts: The deltas of its text.
        shown: Whether its text is part of the answer.
    """

    __slots__ = ("id", "namespace", "shown", "texts")

    def __init__(self, id: str | None, namespace: Any, shown: bool) -> None:
        self.id = id
        self.namespace = namespace
        self.shown = shown
        self.texts: list[str] = []


class FrameTranslator:
    """The translation of one turn; ``feed`` takes parts of ``astream(version="v2")`` in their order."""

    def __init__(self, observer: Observer, meter: Meter, tool_nodes: frozenset[str], nodes: frozenset[str]) -> None:
        """
        Args:
            observer: The turn's callbacks.
            meter: What counts its tokens; its refusals come out of ``feed``.
            tool_nodes: Names of nodes that run tools; what models say in them is no answer.
            nodes: Names of the nodes whose text is the answer; all others too if empty.
        """
        self._observer = observer
        self._meter = meter
        self._tool_nodes = tool_nodes
        self._nodes = nodes
        self._said: dict[str | None, Said] = {}
        self._now: Said | None = None
        self._tail = ""
        self._tools = ToolCalls()
        self._interrupts: dict[str, Interrupt] = {}
        self._stopped = False
        self._answered = False
        self._last: CallEnd | None = None

    @property
    def now(self) -> Said | None:
        """The model call that was heard last, if its text is part of the answer."""
        return self._now if self._now is not None and self._now.shown else None

    @property
    def heard(self) -> list[Said]:
        """The model calls of which the client has seen text, in the order in which they began to speak."""
        return [said for said in self._said.values() if said.shown and said.texts]

    @property
    def asks(self) -> bool:
        """Whether a person has been asked something."""
        return bool(self._interrupts)

    @property
    def usage(self) -> dict[str, Any]:
        """What the turn has used so far."""
        return dict(self._meter.total)

    def go_on(self, said: Sequence[BaseMessage]) -> None:
        """Know what the turn had said and found before it was interrupted."""
        for message in said:
            if isinstance(message, AIMessage):
                self._tools.remember(message)
        self._tools.numbered = count(said)

    def feed(self, part: Mapping[str, Any]) -> Sequence[Frame]:
        """
        Frames of one part; often one, often none.

        Raises:
            Exception: What the meter raises to end the turn.
        """
        kind = part["type"]
        if kind == "messages":
            message, metadata = part["data"]
            # What a graph streams most, first.
            if isinstance(message, AIMessageChunk):
                return self._delta(message, metadata)
            if isinstance(message, AIMessage):
                return self._whole(message, metadata)
            return self._answer(message) if isinstance(message, ToolMessage) else _NOTHING
        frames = list(self._ends())
        if kind == "tools":
            frames += self._told(self._tools.event(part["data"]))
        elif kind == "custom":
            frames.append(_custom(part["data"]))
        elif kind == "updates" and isinstance(part["data"], Mapping) and "__interrupt__" in part["data"]:
            self._stopped = True
            for interrupt in part["data"]["__interrupt__"] or ():
                self._interrupts[interrupt.id] = interrupt
        return frames

    def finish(self) -> list[Frame]:
        """Frames that are due once the graph has ended, before the terminal one."""
        frames = [*self._ends(), *self._tools.sources()]
        for interrupt in self._interrupts.values():
            frames.append(Frame("interrupt", {"message": "", "id": interrupt.id, "value": jsonable(interrupt.value)}))
        return frames

    def reason(self) -> str:
        """
        Why the turn ended: ``stop``, ``length``, ``interrupt`` or ``other``.

        If the model's last message is no answer: the name of the failure.
        """
        if self._stopped:
            return "interrupt"
        last = self._last
        if last is None:
            return "stop"
        message = last.message
        spoke = bool(text_of(message.content))
        reason = finish_of(message.response_metadata, spoke=spoke)
        is_empty = not spoke and not message.tool_calls and not self._answered
        return "empty_answer" if is_empty and reason in ("stop", "other") else reason

    def _delta(self, message: AIMessageChunk, metadata: Mapping[str, Any]) -> Sequence[Frame]:
        said = self._now
        frames: list[Frame] | None = None
        if said is None or message.id != said.id:
            frames = list(self._ends())
            said = self._switch(message.id, metadata)
        if not said.shown:
            return frames or _NOTHING
        content = message.content
        if type(content) is str:
            text = content
            reasoning = reasoning_of(message) if message.additional_kwargs else ""
        else:
            text, reasoning = text_of(content), reasoning_of(message)
        if not text and not reasoning:
            for call in message.tool_call_chunks:
                self._meter.text(call["args"] or "")
            return frames or _NOTHING
        if frames is None:
            frames = []
        if reasoning:
            self._meter.text(reasoning)
            frames.append(Frame("reasoning", {"message": clean(reasoning)}))
        if text:
            self._meter.text(text)
            self._speak(said, text, frames)
        return frames

    def _whole(self, message: AIMessage, metadata: Mapping[str, Any]) -> list[Frame]:
        """A message that was not streamed, or that a node made itself."""
        frames = list(self._ends())
        text = text_of(message.content)
        namespace = metadata.get("langgraph_checkpoint_ns")
        # A node that builds its own message out of what its model streamed does not say it again.
        if text and any(one.namespace == namespace and "".join(one.texts) == text for one in self._said.values()):
            return frames
        said = self._switch(message.id, metadata)
        if said.shown:
            if reasoning := reasoning_of(message):
                frames.append(Frame("reasoning", {"message": clean(reasoning)}))
            if text:
                self._speak(said, text, frames)
        self._tools.remember(message)
        return frames

    def _answer(self, message: ToolMessage) -> list[Frame]:
        return [*self._ends(), *self._told(self._tools.answer(message))]

    def _told(self, frames: list[Frame]) -> list[Frame]:
        """Once a tool is called, an answer is due that comes after it."""
        if any(frame.eventtype == "tool.call" for frame in frames):
            self._answered = False
        return frames

    def _speak(self, said: Said, text: str, frames: list[Frame]) -> None:
        if self._tools.has_found:
            frames += self._tools.sources()
        text = clean(text)
        if not said.texts and self._tail:
            # What two calls say is two paragraphs; only here do they meet.
            gap = "\n\n"[len(self._tail) - len(self._tail.rstrip("\n")) :]
            if gap:
                frames.append(Frame("stream.chunk", {"message": gap}))
        said.texts.append(text)
        self._tail = text[-2:]
        self._answered = True
        frames.append(Frame("stream.chunk", {"message": text}))

    def _switch(self, id: str | None, metadata: Mapping[str, Any]) -> Said:
        """Listen to another model call, or to one again of several at a time."""
        said = self._said.get(id)
        if said is None:
            said = Said(id, metadata.get("langgraph_checkpoint_ns"), self._is_shown(metadata))
            self._said[id] = said
        self._now = said
        return said

    def _is_shown(self, metadata: Mapping[str, Any]) -> bool:
        namespace = str(metadata.get("langgraph_checkpoint_ns") or "")
        path = [step.partition(":")[0] for step in namespace.split("|")]
        path.append(str(metadata.get("langgraph_node") or ""))
        if self._nodes and self._nodes.isdisjoint(path):
            return False
        return self._tool_nodes.isdisjoint(path)

    def _ends(self) -> Iterator[Frame]:
        """What is due for model calls that have ended."""
        ended = self._observer.ended
        while ended:
            call = ended.popleft()
            self._tools.remember(call.message)
            if call.streams and self._is_shown(call.metadata):
                self._last = call
            usage = call.message.usage_metadata
            if usage:
                self._meter.usage(usage, call.model)
                yield Frame("usage", {"message": "", **self.usage})


def _custom(data: Any) -> Frame:
    """What a node wrote; a `Frame` of a type of its own goes out as it is."""
    if isinstance(data, Frame) and not data.eventtype.startswith(("stream.", "gsws.")) and data.eventtype != "reply":
        return Frame(data.eventtype, jsonable(data.payload))
    return Frame("custom", {"message": "", "data": jsonable(data)})
