"""
The requests of one source at shutdown: they get their time, then they end (protocol P10.2).

Sockets are closed by the listener afterwards; only clients for which nothing runs any more go before: plain ones when
what they had sent was read, sessions at moments that are spread, so that not all come back at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gsws.runtime.sources.source import LiveSource

__all__ = ["end_requests", "finish_requests"]

_LOOK: Final = 0.02
"""Seconds between two looks at what still runs."""

_LEAST: Final = 1.0
_RETURNS: Final = 50
"""Sessions a second that are sent away: so many come back to another process, or to this one when it is up again."""


async def finish_requests(live: LiveSource, seconds: float, hurry: asyncio.Event) -> None:
    """
    Wait until nothing runs, also for clients that are away, and let those go for whom nothing runs.

    Args:
        live: A source that takes no new requests any more.
        seconds: How long that may take; sessions are spread over it as far as their number needs it.
        hurry: Ends the wait.
    """
    loop = live.loop
    began = loop.time()
    deadline = began + seconds
    spread = min(seconds, _LEAST + len(live.clients) / _RETURNS)
    leaves_at = {client: began + client.drain(spread) for client in tuple(live.clients)}
    while not hurry.is_set() and (now := loop.time()) < deadline:
        # What was aborted has its terminal frame; a handler that ignores that is not waited for.
        busy = {client for client in live.busy if client.is_owed()}
        idle = live.clients - live.busy
        for client in tuple(idle):
            if now >= leaves_at.get(client, now) and not (busy and client.lingers):
                client.shut()
                live.clients.discard(client)
                idle.discard(client)
        if not busy and not idle:
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
