"""Fixtures of the transport's tests: a listener on either event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gsws.runtime.transport import ListenOptions
from tests.runtime.transport.harness import LogProblems, Server


@pytest.fixture(params=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """Start listeners: ``serve(message_bytes=100)``. Nothing may be logged as an error meanwhile, nor any trace."""
    servers: list[Server] = []
    problems = LogProblems()
    expected: list[str] = []

    def start(*, errors: list[str] | None = None, **options: Any) -> Server:
        expected.extend(errors or [])
        server = Server(request.param, ListenOptions(**options))
        servers.append(server)
        return server

    loggers = [logging.getLogger(name) for name in ("gsws.transport", "asyncio")]
    for logger in loggers:
        logger.addHandler(problems)
    try:
        yield start
    finally:
        try:
            for server in servers:
                server.stop()
        finally:
            for logger in loggers:
                logger.removeHandler(problems)
    assert problems.lines == expected
