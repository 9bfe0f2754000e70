"""
The server of the stand-in on an event loop: connections, their requests, and the end of both.

Runs in whatever loop it is started in; `fake` gives it a thread. What is answered is a responder's.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import h11
import orjson

from gsws.testing.gemini.errors import APIError, invalid
from gsws.testing.gemini.exchange import Exchange, Responder
from gsws.testing.gemini.http import BODY, Connection, Incoming, TooLarge
from gsws.testing.gemini.request import Request, key_refusal, request_from

__all__ = ["Server"]

_CONNECTIONS: Final = 2048
_DEADLINE: Final = 3.0


class Server:
    """
    Takes connections and has their requests answered.

    Args:
        responder: Who answers.
        key: The only key that is good; None takes every key.
        began: Called with each request before it is answered, on the loop.
        changed: Called whenever a record changes, on the loop.
        ended: Called with each request after its end, on the loop.

    Attributes:
        problems: Answers that failed for a reason of their own, one sentence each.
    """

    def __init__(
        self,
        responder: Responder,
        *,
        key: str | None,
        began: Callable[[Request], None],
        changed: Callable[[], None],
        ended: Callable[[Request], None],
    ) -> None:
        self._responder = responder
        self._key = key
        self._began = began
        self._changed = changed
        self._ended = ended
        self.problems: list[str] = []
        self._running: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; returns the address. Raises OSError if it cannot be had."""
        self._server = await asyncio.start_server(self._taken, host, port, backlog=1024)
        address = self._server.sockets[0].getsockname()
        return address[0], address[1]

    async def stop(self) -> None:
        """Close everything, within a deadline."""
        self._server.close()
        for task in tuple(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_DEADLINE)
        await self._responder.close()

    def cut(self) -> None:
        """Reset every connection."""
        for connection in tuple(self._connections):
            connection.drop(reset=True)

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        task = asyncio.current_task()
        assert task is not None
        if len(self._running) >= _CONNECTIONS:
            connection.drop(reset=True)
            return
        self._running.add(task)
        self._connections.add(connection)
        try:
            await self._converse(connection)
        except asyncio.CancelledError:
            connection.drop(reset=False)  # the server stops; its task ends here, and nobody waits for more
        finally:
            self._running.discard(task)
            self._connections.discard(connection)
            await connection.close()

    async def _converse(self, connection: Connection) -> None:
        """Answer the requests of one connection, one after another."""
        while True:
            try:
                incoming = await connection.receive()
            except TooLarge:
                await _complain(connection, invalid(f"Request payload size exceeds the limit: {BODY} bytes."))
                return
            except h11.RemoteProtocolError:
                await _complain(connection, invalid("This is no HTTP request."))
                return
            if incoming is None or not await self._answer(connection, incoming):
                return

    async def _answer(self, connection: Connection, incoming: Incoming) -> bool:
        """Answer one request while watching its client; tells whether another may follow."""
        request, refusal = request_from(incoming)
        if request.operation:
            refusal = key_refusal(incoming, self._key) or refusal
        exchange = Exchange(request, incoming, connection, self._changed)
        self._began(request)
        answering = asyncio.ensure_future(
            self._responder.respond(exchange) if refusal is None else exchange.refuse(refusal)
        )
        watching = asyncio.ensure_future(connection.gone())
        try:
            await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
            gone = watching.done() or (answering.done() and isinstance(answering.exception(), ConnectionError))
            if gone and request.outcome == "running":
                request.left, request.outcome = time.monotonic(), "left"
        finally:
            for task in (answering, watching):
                task.cancel()
            try:
                await asyncio.wait({answering, watching}, timeout=_DEADLINE)
            finally:  # also if the server stops right now
                if request.outcome == "running":
                    request.outcome = "stopped"
                if request.ended is None:
                    request.ended = time.monotonic()
                self._ended(request)
        error = None if answering.cancelled() else answering.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.problems.append(f"the stand-in failed: {type(error).__name__}: {error}")
            connection.drop(reset=True)
            return False
        return exchange.again and not gone


async def _complain(connection: Connection, error: APIError) -> None:
    """Refuse what could not be read; nothing more is read from this connection."""
    body = orjson.dumps(error.body())
    with contextlib.suppress(ConnectionError, h11.LocalProtocolError):
        await connection.begin(error.code, "application/json; charset=UTF-8", len(body))
        await connection.send(body)
        await connection.finish()
        await connection.discard()
