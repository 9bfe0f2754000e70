"""What stands in for a connection has all that the runtime asks of one."""

from __future__ import annotations

import inspect

import pytest

from gsws.runtime.sources.detached import _Sink
from gsws.runtime.transport import Connection
from gsws.runtime.transport.websocket.connection import WebSocketConnection
from tests.runtime.virtual import FakeConnection, VirtualLoop


def stand_ins() -> list[object]:
    loop = VirtualLoop()
    connection = FakeConnection(loop)
    loop.close()
    return [connection, _Sink()]


@pytest.mark.parametrize("connection", stand_ins(), ids=lambda one: type(one).__name__)
def test_a_stand_in_implements_the_protocol(connection):
    for name in Connection.__annotations__:
        assert hasattr(connection, name)
    for name, method in inspect.getmembers(Connection, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(connection, name)) == inspect.signature(method.__get__(connection))


def test_a_socket_implements_the_protocol():
    members = {name for name in vars(Connection) if not name.startswith("_")} | set(Connection.__annotations__)

    assert [name for name in members if not hasattr(WebSocketConnection, name)] == []
