"""
The model of a project without a key: it looks a question up and quotes what it found, with its sources.

A chat model like any other, so that the same graph runs with it: it calls the bound retrieval tool, then answers
from the tool's passages. No network, no key, nothing imported beyond langchain-core. It writes nothing of its
own: which sentences are quoted is `gsws.ai.models.quoting`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from gsws.ai.models.quoting import content_words, quote

__all__ = ["NOTICE", "OfflineModel"]

NOTICE = "No language model is configured; set GOOGLE_API_KEY for written answers. Quoted from the documents:"
"""First line of every answer that quotes."""

_NO_MODEL = "No language model is configured; set GOOGLE_API_KEY for written answers."
_GREETING = f"{_NO_MODEL}\n\nHello! Ask about the documents, and I quote what they say, with the source."
_THANKS = f"{_NO_MODEL}\n\nYou are welcome. Ask about the documents, and I quote what they say."
_NOTHING = f"{_NO_MODEL}\n\nThe documents say nothing about that."
_FAILED = f"{_NO_MODEL}\n\nThe documents could not be searched just now; ask again in a moment."
_NO_TOOL = f"{_NO_MODEL}\n\nThere are no documents to search either, so nothing can be answered."
_EMPTY = f"{_NO_MODEL}\n\nAsk a question about the documents."

_GREETINGS = re.compile(
    r"(hi|hey|hello|hallo|good (morning|day|afternoon|evening)|greetings)( (there|all|everyone))?", re.I
)
_THANKING = re.compile(
    r"(many |ok(ay)?,? )?(thanks|thank you|thx|cheers|bye|goodbye)( (a lot|very much|so much))?", re.I
)
# A question that leans on the one before it.
_FOLLOWING = re.compile(
    r"\s*((and|but|so|then|more|go on|continue|how so)\b|(what|how) about\b|(tell|show|give) me more\b|why\b\W*$)",
    re.I,
)
_POINTING = re.compile(r"\b(it|its|that|this|these|those|they|them|their|there)\b", re.I)
_PIECE = re.compile(r"\s*\S+|\s+")
_LONGEST_QUERY = 500


class OfflineModel(BaseChatModel):
    """
    Answers by quotation.

    A question calls the bound tool whose only argument is a string ``query`` (of several, one whose name speaks
    of documents or searching); the passages of its answer, ``ToolMessage.artifact`` as
    ``[{"text": str, "source": str, "title"?: str}]``, are quoted with ``[n]``, n being the passage's place from 1.

    ``usage_metadata`` is an estimate, one token for four bytes, so that budgets and usage frames can be tried
    without a key; it costs nothing. ``response_metadata`` is
    ``{"model_name": "offline", "model_provider": "gsws", "finish_reason": "STOP"}``.
    """

    @property
    def _llm_type(self) -> str:
        return "gsws-offline"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools; ``tool_choice`` other than ``none`` changes nothing."""
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Any:
        """
        Refuse: a quotation has no structure to give.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("the offline model gives no structured output; configure a language model")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages, kwargs):
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        # Quoting is work on up to a few thousand sentences: off the loop, unlike the pieces.
        for chunk in await asyncio.to_thread(lambda: list(self._chunks(messages, kwargs))):
            yield ChatGenerationChunk(message=chunk)
            await asyncio.sleep(0)  # others run, and a cancel arrives, between pieces

    def _chunks(self, messages: list[BaseMessage], arguments: Mapping[str, Any]) -> Iterator[AIMessageChunk]:
        """The answer in pieces of a word, the last of them with usage; or one piece with a tool call."""
        tool = None if arguments.get("tool_choice") == "none" else _retrieval_tool(arguments.get("tools") or ())
        said = _decide(messages, tool)
        last: dict[str, Any] = {
            "response_metadata": {"model_name": "offline", "model_provider": "gsws", "finish_reason": "STOP"},
            "usage_metadata": _usage(messages, said if isinstance(said, str) else said["args"]),
            "chunk_position": "last",
        }
        if not isinstance(said, str):
            yield AIMessageChunk(content="", tool_call_chunks=[said], **last)
            return
        for piece in _PIECE.findall(said):
            yield AIMessageChunk(content=piece)
        yield AIMessageChunk(content="", **last)


def _decide(messages: list[BaseMessage], tool: str | None) -> Any:
    """The text to say, or the tool call to make."""
    asked = next((at for at in range(len(messages) - 1, -1, -1) if isinstance(messages[at], HumanMessage)), None)
    if asked is None:
        return _EMPTY
    question = _text(messages[asked])
    answers = [message for message in messages[asked + 1 :] if isinstance(message, ToolMessage)]
    if answers:
        return _answer(_query(messages, asked), answers)
    bare = _bare(question)
    if not bare:
        return _EMPTY
    if _GREETINGS.fullmatch(bare):
        return _GREETING
    if _THANKING.fullmatch(bare):
        return _THANKS
    if tool is None:
        return _NO_TOOL
    arguments = json.dumps({"query": _query(messages, asked)}, ensure_ascii=False)
    return tool_call_chunk(name=tool, args=arguments, id=f"call_{uuid4().hex[:12]}", index=0)


def _answer(query: str, answers: list[ToolMessage]) -> str:
    """Quotations from the passages of the tools' answers."""
    passages = [passage for message in answers if message.status != "error" for passage in _passages(message)]
    quoted = quote(query, passages)
    if quoted:
        return f"{NOTICE}\n\n{quoted}"
    return _FAILED if all(message.status == "error" for message in answers) else _NOTHING


def _passages(message: ToolMessage) -> list[dict[str, str]]:
    """The passages of one tool's answer: its artifact, of gsws's or of LangChain's shape."""
    found = []
    for each in message.artifact if isinstance(message.artifact, Sequence | tuple) else ():
        if isinstance(each, Mapping):
            text, facts = each.get("text"), each
        else:  # langchain_core.documents.Document
            text, facts = getattr(each, "page_content", None), getattr(each, "metadata", None) or {}
        if isinstance(text, str):
            facts = {key: str(facts[key]) for key in ("source", "title", "url") if facts.get(key)}
            found.append({"text": text, "source": message.name or "documents", **facts})
    return found


def _query(messages: list[BaseMessage], asked: int) -> str:
    """The question; with the one before it when it leans on that (`and on Windows?`)."""
    question = " ".join(_text(messages[asked]).split())
    words = content_words(question)
    leaning = _FOLLOWING.match(question) or (_POINTING.search(question) and len(words) < 3) or not words
    if leaning:
        for message in reversed(messages[:asked]):
            earlier = " ".join(_text(message).split()) if isinstance(message, HumanMessage) else ""
            if content_words(earlier) and not _is_courtesy(earlier):
                question = f"{earlier} {question}"
                break
    return question[:_LONGEST_QUERY]


def _bare(question: str) -> str:
    """A question without what stands around its words."""
    return question.strip().strip("!.,?¡¿ ")


def _is_courtesy(question: str) -> bool:
    return bool(_GREETINGS.fullmatch(_bare(question)) or _THANKING.fullmatch(_bare(question)))


def _retrieval_tool(tools: Sequence[Any]) -> str | None:
    """Name of the tool to look things up with: its only argument is a string ``query``."""
    fitting = []
    for tool in tools:
        function = tool.get("function", {}) if isinstance(tool, Mapping) else {}
        properties = (function.get("parameters") or {}).get("properties") or {}
        if set(properties) == {"query"} and properties["query"].get("type") == "string":
            fitting.append(function["name"])
    telling = [name for name in fitting if re.search(r"doc|retriev|search|knowledge|passage", name, re.I)]
    return next(iter(telling or fitting), None)


def _usage(messages: list[BaseMessage], said: str) -> UsageMetadata:
    read = sum(len(_text(message).encode()) for message in messages)
    came, went = -(-read // 4), -(-len(said.encode()) // 4)
    return UsageMetadata(input_tokens=came, output_tokens=went, total_tokens=came + went)


def _text(message: BaseMessage) -> str:
    return str(message.text)
