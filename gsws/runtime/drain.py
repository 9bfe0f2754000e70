"""
The requests of one source at shutdown: they get their time, then they end (protocol P10.2).

Sockets are closed by the listener afterwards; only clients for which nothing runs any more go before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gsws.runtime.source import LiveSource

__all__ = ["end_requests", "finish_requests"]

_LOOK: Final = 0.02
"""Seconds between two looks at what still runs."""


async def finish_requests(live: LiveSource, seconds: float, hurry: asyncio.Event) -> None:
    """Wait until nothing runs, also for clients that are away; until the time is up, or there is no time at all."""
    loop = live.loop
    deadline = loop.time() + seconds
    for client in tuple(live.clients):
        client.drain(seconds)
    while live.clients or live.busy:
        # What was aborted has its terminal frame; a handler that ignores that is not waited for.
        busy = {client for client in live.busy if client.is_owed()}
        for client in tuple(live.clients - live.busy):
            if not (busy and client.lingers):
                client.shut()
                live.clients.discard(client)
        if not busy or hurry.is_set() or loop.time() >= deadline:
            return
        await asyncio.sleep(_LOOK)


def end_requests(live: LiveSource) -> list[asyncio.Task[Any]]:
    """
    End what still runs, as ``draining``, and close its connections.

    Returns:
        Tasks of handlers that were cancelled and have not ended yet.
    """
    live.is_stopped = True
    for client in tuple(live.busy):
        client.abort_all("draining")
    for client in tuple(live.clients):
        client.shut()
    unfinished = [task for client in live.busy for task in client.tasks()]
    for task in unfinished:
        task.cancel()
    return unfinished
