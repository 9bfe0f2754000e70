"""
Answers from a script, in the manner of the API: what is asked is checked, turns are paced and go wrong as told.

Which turn it is, is `script`'s; what it says, is `chunks`'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from gsws.testing.gemini.checks import check_content, check_shape, check_turns
from gsws.testing.gemini.chunks import DIMENSIONS, Answer, count_tokens, embedding, prompt_tokens, text_of
from gsws.testing.gemini.errors import APIError, invalid, no_method, too_long
from gsws.testing.gemini.exchange import Exchange
from gsws.testing.gemini.models import INPUT_LIMIT, Models
from gsws.testing.gemini.script import Script
from gsws.testing.gemini.turn import Turn

__all__ = ["ScriptedResponder"]

_BATCH: Final = 100


class ScriptedResponder:
    """
    Answers as the API would.

    Args:
        script: What to say.
        models: Which models there are.
        delay: Seconds before each token, unless the turn says otherwise.
        strict: Whether the order of turns is checked.
    """

    def __init__(self, script: Script, models: Models, *, delay: float, strict: bool) -> None:
        self._script = script
        self._models = models
        self._delay = delay
        self._strict = strict
        self.problems: list[str] = []

    async def respond(self, exchange: Exchange) -> None:
        """Answer one request."""
        request = exchange.request
        if request.operation == "models":
            await self._describe(exchange)
            return
        refusal: APIError | None = no_method(request.method, request.path)
        if request.operation:
            refusal = self._models.refusal(request.model, request.operation)
        if refusal is not None:
            await exchange.refuse(refusal)
        elif request.operation in ("embedContent", "batchEmbedContents"):
            await self._embed(exchange)
        elif request.operation == "countTokens":
            await self._count(exchange)
        else:
            await self._generate(exchange)

    async def close(self) -> None:
        """Nothing is held."""

    async def _describe(self, exchange: Exchange) -> None:
        model = exchange.request.model
        if not model:
            await exchange.reply({"models": self._models.listed()})
            return
        operation = "embedContent" if "embedding" in model else "generateContent"
        refusal = self._models.refusal(model, operation)
        if refusal is not None:
            await exchange.refuse(refusal)
        else:
            await exchange.reply(self._models.described(model))

    async def _count(self, exchange: Exchange) -> None:
        body = exchange.request.body
        inner = body.get("generateContentRequest", body) if isinstance(body, dict) else body
        refusal = check_shape(inner)
        if refusal is not None:
            await exchange.refuse(refusal)
            return
        system = inner.get("systemInstruction")
        total = count_tokens(*text_of([*([system] if system else []), *inner["contents"]]))
        await exchange.reply({"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]})

    async def _embed(self, exchange: Exchange) -> None:
        body = exchange.request.body
        batch = exchange.request.operation == "batchEmbedContents"
        requests = body.get("requests") if batch and isinstance(body, dict) else [body]
        refusal = _embeddable(requests)
        if refusal is not None:
            await exchange.refuse(refusal)
            return
        vectors = []
        for one in requests or ():
            dimensions = one.get("outputDimensionality") or DIMENSIONS
            vectors.append({"values": embedding(" ".join(text_of([one["content"]])), dimensions)})
            await asyncio.sleep(0)
        await exchange.reply({"embeddings": vectors} if batch else {"embedding": vectors[0]})

    async def _generate(self, exchange: Exchange) -> None:
        request = exchange.request
        refusal = check_shape(request.body)
        if refusal is None and self._strict:
            refusal = check_turns(request.body, request.model)
        if refusal is None and (tokens := prompt_tokens(request)) > INPUT_LIMIT:
            refusal = too_long(tokens, INPUT_LIMIT)
        if refusal is not None:
            await exchange.refuse(refusal)
            return
        try:
            turn = await self._script.turn(request)
        except Exception as error:
            self.problems.append(f"the script failed on a request: {type(error).__name__}: {error}")
            await exchange.refuse(APIError(500, self.problems[-1]))
            return
        await _Performance(exchange, turn, self._models.version(request.model), self._delay).run()


class _Performance:
    """One turn on one exchange: token by token, with what goes wrong on the way."""

    def __init__(self, exchange: Exchange, turn: Turn, version: str, delay: float) -> None:
        self._exchange = exchange
        self._turn = turn
        self._answer = Answer(turn, exchange.request, version)
        self._delay = delay if turn.delay is None else turn.delay

    async def run(self) -> None:
        """Send it; a connection that is dropped ends it early."""
        turn, exchange = self._turn, self._exchange
        if turn.error is not None and turn.error_after == 0:
            await self._stalled(0)
            await exchange.refuse(turn.error)
            return
        streams = exchange.request.streams
        number = 0
        for number, chunk in enumerate(self._answer.parts() if streams else [{}]):
            if await self._interrupted(number):
                return
            # Also without a delay the loop must turn, or a client that left is not seen.
            await asyncio.sleep(self._delay)
            if chunk:
                await exchange.chunk(chunk, token=True)
            number += 1
        if await self._interrupted(number, last=True):
            return
        if streams:
            await exchange.chunk(self._answer.end())
            await exchange.finish()
        else:
            await exchange.reply(self._answer.whole())

    async def _interrupted(self, number: int, *, last: bool = False) -> bool:
        """Whether the turn ends here; a fault that is set beyond the last token strikes there."""
        turn = self._turn
        await self._stalled(number, last=last)
        if turn.drop_after is not None and (turn.drop_after == number or (last and turn.drop_after > number)):
            self._exchange.drop(reset=turn.drop == "reset")
            return True
        if turn.error is not None and (turn.error_after == number or (last and turn.error_after > number)):
            if self._exchange.request.streams:
                await self._exchange.fail(turn.error.body(self._exchange.request.model), event=turn.error_event)
            else:
                await self._exchange.refuse(turn.error)
            return True
        return False

    async def _stalled(self, number: int, *, last: bool = False) -> None:
        after = self._turn.stall_after
        if after is not None and (after == number or (last and after > number)):
            await asyncio.sleep(self._turn.stall)


def _embeddable(requests: Any) -> APIError | None:
    if not isinstance(requests, list) or not requests:
        return invalid("* BatchEmbedContentsRequest.requests: requests must not be empty\n")
    if len(requests) > _BATCH:
        return invalid(f"* BatchEmbedContentsRequest.requests: at most {_BATCH} requests can be in one batch\n")
    for one in requests:
        refusal = check_content(one.get("content") if isinstance(one, Mapping) else None, "content")
        if refusal is not None:
            return refusal
        dimensions = one.get("outputDimensionality")
        if dimensions is not None and not (type(dimensions) is int and 1 <= dimensions <= DIMENSIONS):
            return invalid(f"Invalid value at 'output_dimensionality': expected 1 to {DIMENSIONS}")
    return None
