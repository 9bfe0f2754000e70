"""
What the real API refuses about a conversation: shapes always, the order of turns unless it is switched off.

The rules: calls and responses pair up, a call follows a user or a response, the last word is the user's or a
function's, function names are valid and there once, and with Gemini 3 and later the first call of each step of the
running turn has its thought signature (https://ai.google.dev/gemini-api/docs/thought-signatures).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gsws.testing.gemini.errors import APIError, invalid

__all__ = ["check_content", "check_shape", "check_turns", "needs_signatures", "parts_of", "signature"]

_ROLES: Final = ("user", "model", "function", None, "")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}\Z")
_OLD: Final = re.compile(r"gemini-(1|2)(\.|-|\Z)")
_SKIPS: Final = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Signatures that the API documents for calls that come from elsewhere; clients send them as text or as base64."""
_MARK: Final = b"gsws fake signature of "

_MEMBERS: Final = {"tools": list, "toolConfig": dict, "systemInstruction": dict, "generationConfig": dict}
_PART: Final = {"text": str, "functionCall": dict, "functionResponse": dict}

_CALL: Final = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
_RESPONSE: Final = "Please ensure that function response turn comes immediately after a function call turn."
_NUMBER: Final = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the "
    "function call turn."
)


def signature(name: str) -> str:
    """The thought signature of the stand-in for a call, or for what else is signed."""
    return base64.b64encode(_MARK + name.encode()).decode()


def needs_signatures(model: str) -> bool:
    """Whether a model gives and wants thought signatures: Gemini 3 and later, and the aliases of the current ones."""
    return model.startswith("gemini-") and _OLD.match(model) is None


def check_shape(body: Any) -> APIError | None:
    """Refuse what is no request to generate something: what every part of the stand-in relies on."""
    if not isinstance(body, dict):
        return invalid("Invalid JSON payload received. Expected an object.")
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        return invalid("* GenerateContentRequest.contents: contents is not specified\n")
    for at, content in enumerate(contents):
        refusal = check_content(content, f"contents[{at}]")
        if refusal is not None:
            return refusal
    for key, kind in _MEMBERS.items():
        if body.get(key) is not None and not isinstance(body[key], kind):
            return invalid(f"Invalid value at '{key}', expected {'a list' if kind is list else 'an object'}")
    system = body.get("systemInstruction")
    return (check_content(system, "system_instruction") if system else None) or _check_tools(body.get("tools") or [])


def check_content(content: Any, where: str) -> APIError | None:
    """Refuse what is no content: ``{"role"?: str, "parts": [{...}]}``."""
    if not isinstance(content, dict):
        return invalid(f"Invalid value at '{where}', expected an object")
    role = content.get("role")
    if not isinstance(role, str | None) or role not in _ROLES:
        return invalid("Please use a valid role: user, model.")
    parts = content.get("parts")
    if not isinstance(parts, list) or not parts:
        return invalid(f"* GenerateContentRequest.{where}.parts: contents.parts must not be empty.\n")
    for number, part in enumerate(parts):
        place = f"{where}.parts[{number}]"
        if not isinstance(part, dict) or not part:
            return invalid(
                f"* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field\n"
            )
        for key, kind in _PART.items():
            if part.get(key) is not None and not isinstance(part[key], kind):
                return invalid(
                    f"Invalid value at '{place}.{key}', expected {'a string' if kind is str else 'an object'}"
                )
    return None


def check_turns(body: Mapping[str, Any], model: str) -> APIError | None:
    """Refuse a conversation whose turns do not follow each other as the API demands."""
    contents: Sequence[Mapping[str, Any]] = body["contents"]
    open_calls = 0
    before = ""
    for at, content in enumerate(contents):
        calls = parts_of(content, "functionCall")
        responses = parts_of(content, "functionResponse")
        if open_calls and len(responses) != open_calls:
            return invalid(_NUMBER)
        if responses and not open_calls:
            return invalid(_RESPONSE)
        if calls and before not in ("user", "response"):
            return invalid(_CALL)
        for kind, named in (("function_call", calls), ("function_response", responses)):
            if any(not one.get("name") for one in named):
                return invalid(f"* GenerateContentRequest.contents[{at}].parts[0].{kind}.name: Name cannot be empty.\n")
        open_calls = len(calls)
        before = "response" if responses else "model" if content.get("role") == "model" else "user"
    if open_calls:
        return invalid(_NUMBER)
    if before == "model":
        return invalid(
            "Please ensure that single turn requests end with a user role or the role field is empty."
            if len(contents) == 1
            else "Please ensure that multiturn requests end with a user role or a function response."
        )
    return _check_signatures(contents) if needs_signatures(model) else None


def _check_tools(tools: Sequence[Any]) -> APIError | None:
    names: set[str] = set()
    for at, tool in enumerate(tools):
        declared = tool.get("functionDeclarations") if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or not isinstance(declared, list | None):
            return invalid(f"Invalid value at 'tools[{at}]', expected an object with a list of declarations")
        for number, function in enumerate(declared or ()):
            name = function.get("name") if isinstance(function, dict) else None
            if not isinstance(name, str) or not _NAME.match(name):
                return invalid(
                    f"* GenerateContentRequest.tools[{at}].function_declarations[{number}].name: Invalid function "
                    "name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), "
                    "underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128.\n"
                )
            if name in names:
                return invalid(f"Duplicate function declaration found: {name}")
            names.add(name)
    return None


def _check_signatures(contents: Sequence[Mapping[str, Any]]) -> APIError | None:
    """The running turn begins with the last content of the user that is no response; earlier ones are not looked at."""
    begins = max(
        (at for at, one in enumerate(contents) if one.get("role") != "model" and not parts_of(one, "functionResponse")),
        default=0,
    )
    for at, content in enumerate(contents):
        first = True
        for part in content["parts"]:
            given = part.get("thoughtSignature")
            if given and not _is_known(given):
                return invalid("Corrupted thought signature.")
            if part.get("functionCall") is None:
                continue
            if at > begins and first and not given:
                return invalid(
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools "
                    "to work correctly, and missing thought_signature may lead to degraded model performance. "
                    f"Additional data, function call `default_api:{part['functionCall'].get('name')}` , position "
                    f"{at + 1}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more "
                    "details."
                )
            first = False
    return None


def _is_known(given: Any) -> bool:
    if not isinstance(given, str):
        return False
    if given in _SKIPS:
        return True
    try:
        # Clients write base64 with either alphabet, and leave out the padding.
        raw = base64.b64decode(given.replace("-", "+").replace("_", "/") + "=" * (-len(given) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return raw.startswith(_MARK) or raw.decode(errors="replace") in _SKIPS


def parts_of(content: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The members of a content's parts with a name; null is as if it were absent."""
    return [part[key] for part in content.get("parts") or () if part.get(key) is not None]
