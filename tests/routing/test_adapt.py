"""Signatures: what a handler may take, and in which shortest way it is called."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import pytest

from gsws.project.python.parameters import INJECTABLE
from gsws.routing.adapt import GETTERS, SignatureError, bind, kind_of

INVOCATION = SimpleNamespace(
    payload={"a": 1},
    message={"eventtype": "e"},
    ws="ws",
    client_id="label",
    request_id="r1",
    actor="actor",
    session=None,
    logger="logger",
    shared=SimpleNamespace(config="config", mappings="mappings", datasources="datasources", functions="functions"),
    context=SimpleNamespace(inputs=SimpleNamespace(data="data")),
)
CTX = INVOCATION.context


def test_the_project_model_and_the_adapter_know_the_same_names():
    """What `validate` accepts, `serve` can call."""
    assert set(GETTERS) == set(INJECTABLE)


@pytest.mark.parametrize(
    ("function", "received"),
    [
        (lambda: (), ()),
        (lambda payload: (payload,), ({"a": 1},)),
        (lambda ctx: (ctx,), (CTX,)),
        (lambda context: (context,), (CTX,)),
        (lambda anything: (anything,), (CTX,)),
        (lambda ctx, payload: (ctx, payload), (CTX, {"a": 1})),
        (lambda payload, ws: (payload, ws), ({"a": 1}, "ws")),
        (lambda ctx, ws, config: (ctx, ws, config), (CTX, "ws", "config")),
        (lambda ctx, *, logger: (ctx, logger), (CTX, "logger")),
        (lambda *args: args, (CTX,)),
        (lambda ctx, *args, **kwargs: (ctx, args, kwargs), (CTX, (), {})),
        (lambda payload, limit=10: (payload, limit), ({"a": 1}, 10)),
        (lambda payload, limit=10, ws=None: (payload, limit, ws), ({"a": 1}, 10, "ws")),
        (lambda first=3: (first,), (3,)),
        (lambda clientId, request_id: (clientId, request_id), ("label", "r1")),
        (lambda inputs, data: (inputs, data), (CTX.inputs, "data")),
    ],
)
def test_parameters_are_given_by_name_and_the_context_first(function, received):
    assert bind(function)(INVOCATION) == received


@pytest.mark.parametrize(
    "function", [lambda payload, nobody: None, lambda ctx, *, nobody: None, lambda ctx, other: None]
)
def test_an_unknown_required_parameter_is_named(function):
    with pytest.raises(SignatureError, match=r"`(nobody|other)`"):
        bind(function)


async def coroutine(payload): ...
async def generator(payload):
    yield payload


def plain(payload): ...
def plain_generator(payload):
    yield payload


class Callable:
    async def __call__(self, payload): ...


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (coroutine, "async"),
        (generator, "stream"),
        (plain, "thread"),
        (plain_generator, "thread-stream"),
        (functools.partial(coroutine), "async"),
        (functools.partial(generator), "stream"),
        (Callable(), "async"),
        (len, "thread"),
    ],
)
def test_kinds(function, kind):
    assert kind_of(function) == kind
