"""
A turn of the model as data: what it says, what it calls, and how it goes wrong.

Turning one into chunks of the API is `chunks`; choosing one for a request is `script`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Final, Literal, get_args

from gsws.testing.gemini.errors import APIError

__all__ = ["Call", "Drop", "Turn", "TurnError", "turn_from"]

Drop = Literal["reset", "close"]
"""How a connection is dropped: with RST, or with FIN in the middle of the body."""

_LONGEST: Final = 600.0
"""Seconds; no turn keeps a connection longer at one place."""


class TurnError(ValueError):
    """A turn that makes no sense; the text says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Call:
    """
    A function that the model calls.

    Attributes:
        name: The function's name.
        args: Its arguments.
        id: The call's id; None for one of the stand-in's own.
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """
    One answer of the model: thoughts, then text, then function calls, each token and each call a chunk of its own.

    Tokens of thoughts, of text and calls are counted together by everything that happens *after* so many.

    Attributes:
        text: What it says, cut into words; a sequence of texts is sent just so.
        calls: Functions to call; several are called in parallel. The first one carries the thought signature.
        thoughts: Its reasoning. As with the real API it is counted, and sent only to who asks for it
            (``include_thoughts=True``).
        finish: The finish reason: ``STOP``, ``MAX_TOKENS``, ``SAFETY``, ``MALFORMED_FUNCTION_CALL``, ….
        blocked: Why the prompt is refused, such as ``PROHIBITED_CONTENT``; nothing else is sent then.
        error: The API's refusal, as the whole answer or, with `error_after`, in the middle of it.
        error_after: Tokens before the error object; 0 is an HTTP error.
        error_event: Send such an error as an event of the stream; else as bare JSON behind it. The API does both.
        drop_after: Tokens before the connection is dropped; 0 drops it without any answer.
        drop: How it is dropped.
        stall_after: Tokens before a silence; 0 is a silence before the first byte.
        stall: Seconds that the silence lasts; at most 600.
        delay: Seconds before each token; None for the server's.
        usage: Overrides numbers of ``usageMetadata``, such as ``{"promptTokenCount": 7}``.
        signatures: False leaves out the thought signatures, as models before Gemini 3 do.
        model_version: What the answer names as its model; empty for what the model's alias stands for.
    """

    text: str | Sequence[str] = ""
    _: KW_ONLY
    calls: Sequence[Call] = ()
    thoughts: str | Sequence[str] = ""
    finish: str = "STOP"
    blocked: str = ""
    error: APIError | None = None
    error_after: int = 0
    error_event: bool = False
    drop_after: int | None = None
    drop: Drop = "reset"
    stall_after: int | None = None
    stall: float = 60.0
    delay: float | None = None
    usage: Mapping[str, int] | None = None
    signatures: bool = True
    model_version: str = ""

    def __post_init__(self) -> None:
        for name in ("error_after", "drop_after", "stall_after"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise TurnError(f"`{name}` is a number of tokens, not {value}")
        for name in ("stall", "delay"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 <= seconds <= _LONGEST:
                raise TurnError(f"`{name}` is 0 to {_LONGEST:g} seconds, not {seconds}")
        if self.drop not in get_args(Drop):
            raise TurnError(f"`drop` is {' or '.join(get_args(Drop))}, not {self.drop!r}")

    @classmethod
    def call(cls, name: str, **args: Any) -> Turn:
        """A turn that calls one function."""
        return cls(calls=(Call(name, args),))

    @classmethod
    def failure(cls, code: int, message: str = "", *, retry_after: float | None = None) -> Turn:
        """A turn that is an HTTP error: 429 with ``retry_after`` seconds, 500, 503, …."""
        return cls(error=APIError(code, message, retry_after=retry_after))

    @classmethod
    def empty(cls) -> Turn:
        """A turn that ends well and says nothing, as the real API sometimes does."""
        return cls()


def turn_from(value: Any) -> Turn:
    """
    A turn from what a YAML file says: a text, or a mapping with the attributes of `Turn`.

    ``calls`` are ``{name, args?, id?}`` and ``error`` is ``{code, message?, status?, retry_after?}`` or the code alone.

    Raises:
        TurnError: For anything else; the text names the key.
    """
    if isinstance(value, str):
        return Turn(value)
    if isinstance(value, Mapping) and type(value.get("error")) is int:
        value = {**value, "error": {"code": value["error"]}}
    given = _checked(value, Turn, "a turn")
    if "calls" in given:
        given["calls"] = tuple(
            Call(one) if isinstance(one, str) else Call(**_checked(one, Call, "a call", needs="name"))
            for one in given["calls"]
        )
    try:
        if "error" in given:
            given["error"] = APIError(**_checked(given["error"], APIError, "an error", needs="code"))
        return Turn(**given)
    except TurnError:
        raise
    except (TypeError, ValueError) as error:
        raise TurnError(str(error)) from None


def _checked(value: Any, kind: type[Any], what: str, *, needs: str = "") -> dict[str, Any]:
    """The mapping ``value`` with keys of ``kind`` only, and each value of a type that fits."""
    if not isinstance(value, Mapping):
        raise TurnError(f"{what} is a mapping, not {value!r}")
    known = {one.name: str(one.type) for one in fields(kind) if one.name != "_"}
    for key, item in value.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            raise TurnError(
                f"{what} has no `{key}`; " + (f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}")
            )
        what_fits, fits = _KINDS[known[key]]
        if not fits(item):
            raise TurnError(f"`{key}` is {what_fits}, not {item!r}")
    if needs and needs not in value:
        raise TurnError(f"{what} needs a `{needs}`")
    return dict(value)


def _is_text(item: Any) -> bool:
    return isinstance(item, str)


def _is_list(item: Any) -> bool:
    return isinstance(item, list | tuple)


def _is_mapping(item: Any) -> bool:
    return isinstance(item, Mapping)


def _is_whole(item: Any) -> bool:
    return type(item) is int


def _is_number(item: Any) -> bool:
    return type(item) in (int, float)


_KINDS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "str": ("a text", _is_text),
    "str | None": ("a text", _is_text),
    "Drop": ("reset or close", lambda item: item in get_args(Drop)),
    "str | Sequence[str]": (
        "a text or a list of texts",
        lambda item: _is_text(item) or (_is_list(item) and all(_is_text(one) for one in item)),
    ),
    "int": ("a whole number", _is_whole),
    "int | None": ("a whole number", _is_whole),
    "float": ("a number", _is_number),
    "float | None": ("a number", _is_number),
    "bool": ("true or false", lambda item: isinstance(item, bool)),
    "Mapping[str, Any]": ("a mapping", _is_mapping),
    "Mapping[str, int] | None": (
        "a mapping of whole numbers",
        lambda item: _is_mapping(item) and all(_is_whole(one) for one in item.values()),
    ),
    "Sequence[Call]": ("a list", _is_list),
    "Sequence[Mapping[str, Any]]": ("a list", _is_list),
    "APIError | None": ("a mapping or a status code", _is_mapping),
}
"""What a value in a file must be, by the annotation of the attribute: in words, and as a test."""
