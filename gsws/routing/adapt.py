"""
Signatures, adapted once when the table is built.

A handler takes the context first, or parameters by name, or both. The adapter picks the shortest way to call it, so
that a handler of ``payload`` alone never pays for a context.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from gsws.routing.context import Invocation

__all__ = ["GETTERS", "HandlerKind", "SignatureError", "bind", "kind_of"]

HandlerKind: TypeAlias = Literal["async", "stream", "thread", "thread-stream"]

GETTERS: Final[Mapping[str, Callable[[Invocation], Any]]] = {
    "ctx": lambda invocation: invocation.context,
    "context": lambda invocation: invocation.context,
    "payload": lambda invocation: invocation.payload,
    "body": lambda invocation: invocation.payload,
    "ws": lambda invocation: invocation.ws,
    "message": lambda invocation: invocation.message,
    "inputs": lambda invocation: invocation.context.inputs,
    "data": lambda invocation: invocation.context.inputs.data,
    "client_id": lambda invocation: invocation.client_id,
    "clientId": lambda invocation: invocation.client_id,
    "request_id": lambda invocation: invocation.request_id,
    "actor": lambda invocation: invocation.actor,
    "session": lambda invocation: invocation.session,
    "logger": lambda invocation: invocation.logger,
    "config": lambda invocation: invocation.shared.config,
    "mappings": lambda invocation: invocation.shared.mappings,
    "datasources": lambda invocation: invocation.shared.datasources,
    "functions": lambda invocation: invocation.shared.functions,
}
"""What a handler may take by name."""


class SignatureError(TypeError):
    """A handler asks for a parameter that nobody can give; the message names it."""


def kind_of(function: Callable[..., Any], *, written: HandlerKind | None = None) -> HandlerKind:
    """
    Tell how a handler runs: awaited, iterated, in a thread, or iterated in a thread.

    A plain function around an asynchronous generator can do nothing but hand it on, so it is called on the loop, where
    that generator belongs. What any other decorator makes of a generator is known when it was called.

    Args:
        function: As it is once it was imported.
        written: The kind of what its module writes by ``def``, under the decorators that may be invisible.
    """
    kind = _own_kind(function)
    if kind == "thread" and "stream" in (written, _wrapped_kind(function), _wrapped_kind(_target(function))):
        return "stream"
    return kind


def _wrapped_kind(function: Callable[..., Any]) -> HandlerKind:
    try:
        return _own_kind(inspect.unwrap(function))
    except ValueError:  # it wraps itself
        return "thread"


def _own_kind(function: Callable[..., Any]) -> HandlerKind:
    target = _target(function)
    if inspect.isasyncgenfunction(target):
        return "stream"
    if inspect.iscoroutinefunction(target):
        return "async"
    if inspect.isgeneratorfunction(target):
        return "thread-stream"
    return "thread"


def bind(function: Callable[..., Any]) -> Callable[[Invocation], Any]:
    """
    Make a function of one request from a handler.

    Raises:
        SignatureError: If a required parameter is unknown.
    """
    positional, keywords = _arguments(function)
    if not keywords:
        match positional:
            case ["payload"]:
                return lambda invocation: function(invocation.payload)
            case ["ctx"]:
                return lambda invocation: function(invocation.context)
            case ["ctx", "payload"]:
                return lambda invocation: function(invocation.context, invocation.payload)
            case ["payload", "ws"]:
                return lambda invocation: function(invocation.payload, invocation.ws)
    getters = tuple(GETTERS[name] for name in positional)
    named = tuple((parameter, GETTERS[name]) for parameter, name in keywords)

    def call(invocation: Invocation) -> Any:
        return function(
            *[getter(invocation) for getter in getters], **{name: getter(invocation) for name, getter in named}
        )

    return call


def _arguments(function: Callable[..., Any]) -> tuple[list[str], list[tuple[str, str]]]:
    """Choose what to pass: names of `GETTERS` by position, and pairs of keyword and name."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ["ctx"], []
    positional: list[str] = []
    keywords: list[tuple[str, str]] = []
    may_be_positional = True
    for index, parameter in enumerate(parameters):
        if parameter.kind is parameter.VAR_POSITIONAL:
            if index == 0:
                positional.append("ctx")
            may_be_positional = False
        elif parameter.kind is parameter.VAR_KEYWORD:
            continue
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.name in GETTERS:
                keywords.append((parameter.name, parameter.name))
            elif parameter.default is parameter.empty:
                raise SignatureError(f"parameter `{parameter.name}` is not something a handler receives")
        elif parameter.name in GETTERS:
            if may_be_positional:
                positional.append(parameter.name)
            else:
                keywords.append((parameter.name, parameter.name))
        elif index == 0 and parameter.default is parameter.empty:
            positional.append("ctx")
        elif parameter.default is not parameter.empty:
            may_be_positional = False
        else:
            raise SignatureError(f"parameter `{parameter.name}` is not something a handler receives")
    return ["ctx" if name == "context" else name for name in positional], keywords


def _target(function: Callable[..., Any]) -> Callable[..., Any]:
    """See through partials, bound methods and callable objects: what is called is what counts."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif not inspect.isroutine(function) and not inspect.isclass(function):
            call = getattr(type(function), "__call__", None)  # noqa: B004  # the method itself is wanted
            if not inspect.isfunction(call):
                return function
            function = call
        else:
            return function
