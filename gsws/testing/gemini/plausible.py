"""
What the stand-in says when nothing is scripted: it calls the first tool with the question, then quotes what came.

No model is asked; a person who tries a project against it sees every step of a turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gsws.testing.gemini.request import Request
from gsws.testing.gemini.turn import Call, Turn

__all__ = ["plausible_turn"]

_QUOTED: Final = 320
_PASSAGE: Final = re.compile(r"^\[(\d{1,3})\]", re.MULTILINE)
_TAG: Final = re.compile(r"^</?\w[^>]*>$", re.MULTILINE)
"""Lines that fence a passage off, as many prompts do."""

_DEFAULTS: Final[Mapping[str, Any]] = {"integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}


def plausible_turn(request: Request) -> Turn:
    """The turn for a request that no script answers."""
    question = request.question.strip()
    if request.responses:
        return Turn(
            f"Local stand-in of Gemini, no model was asked. {_quote(request.responses)}",
            thoughts="The tool has answered; quote it.",
        )
    tool = _tool(request)
    if tool is not None:
        return Turn(
            calls=(Call(str(tool.get("name")), _arguments(tool, question)),),
            thoughts=f"The function {tool.get('name')} may know this.",
        )
    if request.config("responseMimeType") == "application/json":
        schema = request.config("responseJsonSchema") or request.config("responseSchema")
        return Turn(json.dumps(_example(_mapping(schema), question), ensure_ascii=False))
    asked = f"You wrote: {_cut(question)}" if question else "You wrote nothing."
    return Turn(f"Local stand-in of Gemini, no model was asked. {asked}", thoughts="Answer with what was asked.")


def _tool(request: Request) -> Mapping[str, Any] | None:
    """The function to call: the first one, or the first that the request allows."""
    calling = _mapping(_mapping(_mapping(request.body).get("toolConfig")).get("functionCallingConfig"))
    if calling.get("mode") == "NONE":
        return None
    allowed = calling.get("allowedFunctionNames")
    names = allowed if isinstance(allowed, list) and allowed else [tool.get("name") for tool in request.tools]
    return next((tool for tool in request.tools if tool.get("name") in names), None)


def _arguments(tool: Mapping[str, Any], question: str) -> dict[str, Any]:
    schema = tool.get("parametersJsonSchema") or tool.get("parameters") or {}
    example = _example(_mapping(schema), question, required=True)
    return example if isinstance(example, dict) else {}


def _example(schema: Mapping[str, Any], question: str, *, required: bool = False, depth: int = 0) -> Any:
    """A value of a schema; texts are the question. Of an object the required members, or the first one if none is."""
    kinds = schema.get("type", "object" if "properties" in schema or depth == 0 else "string")
    kind = str(next((one for one in kinds if one != "null"), "") if isinstance(kinds, list) else kinds).lower()
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    if kind == "string":
        return question
    if kind == "object" and isinstance(schema.get("properties"), Mapping) and depth < 8:
        members = schema["properties"]
        required_names = schema.get("required")
        wanted = [name for name in members if isinstance(required_names, list) and name in required_names]
        if not wanted:
            wanted = list(members)[: 1 if required else None]
        return {name: _example(_mapping(members[name]), question, depth=depth + 1) for name in wanted}
    return _DEFAULTS.get(kind, question)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _quote(responses: Sequence[Mapping[str, Any]]) -> str:
    """What the functions gave; of numbered passages the first one, with its number."""
    quotes = []
    for response in responses:
        text = _said(response.get("response")).strip()
        numbered = _PASSAGE.search(text)
        if numbered:
            rest = text[numbered.end() :]
            following = _PASSAGE.search(rest)
            passage = rest[: following.start()] if following else rest
            quotes.append(f"{_cut(_TAG.sub('', passage))} [{numbered[1]}]")
        elif text:
            quotes.append(f"{response.get('name')} says: {_cut(text)}")
        else:
            quotes.append(f"{response.get('name')} found nothing.")
    return "\n\n".join(quotes)


def _said(response: Any) -> str:
    if isinstance(response, Mapping):
        values = [value for value in response.values() if value not in (None, "")]
        if len(values) == 1:
            return _said(values[0])
    return response if isinstance(response, str) else "" if not response else json.dumps(response, ensure_ascii=False)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else f"{line[: _QUOTED - 1]}…"
