"""
The requests of one source at shutdown: they get their time, then they end (protocol P10.2).

Sockets are closed by the listener afterwards; only clients for which nothing runs any more go before: plain ones when
what they had sent was read, sessions at moments that are spread, so that not all come back at once.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from gsws.runtime.dispatch.router import Router

__all__ = ["end_requests", "finish_requests"]

_LOOK: Final = 0.02
"""Seconds between two looks at what still runs."""

_LEAST: Final = 1.0
_RETURNS: Final = 50
"""Sessions a second that are sent away: so many come back to another process, or to this one when it is up again."""


async def finish_requests(router: Router, seconds: float, hurry: asyncio.Event) -> None:
    """
    Wait until nothing runs, also for clients that are away, and let those go for whom nothing runs.

    Args:
        router: Of a source that takes no new requests any more.
        seconds: How long that may take; sessions are spread over it as far as their number needs it.
        hurry: Ends the wait.
    """
    loop, connections = router.executor.loop, router.connections
    began = loop.time()
    deadline = began + seconds
    spread = min(seconds, _LEAST + len(connections) / _RETURNS)
    visits = router.registry.visits
    arriving = {} if visits is None else visits.arriving
    leaves_at = {arrived: began + arrived.drain(spread) for arrived in tuple(connections)}
    while not hurry.is_set() and (now := loop.time()) < deadline:
        # What was aborted has its terminal frame; a handler that ignores that is not waited for.
        busy = {requests for requests in router.executor.busy if requests.is_owed()}
        idle = {
            arrived
            for arrived in connections
            if arrived.client.scheduler not in router.executor.busy and arrived.client not in arriving
        }
        for arrived in tuple(idle):
            if now >= leaves_at.get(arrived, now) and not (busy and arrived.lingers):
                arrived.shut()
                connections.discard(arrived)
                idle.discard(arrived)
        if not (busy or idle or arriving):
            return
        await asyncio.sleep(_LOOK)


def end_requests(router: Router) -> list[asyncio.Task[Any]]:
    """
    End what still runs, as ``draining``, and close its connections.

    Returns:
        Tasks of handlers that were cancelled and have not ended yet.
    """
    executor = router.executor
    executor.is_stopped = True
    for requests in tuple(executor.busy):
        requests.abort_all("draining")
    for arrived in tuple(router.connections):
        arrived.shut()
    unfinished = [task for requests in executor.busy for task in requests.tasks()]
    for task in unfinished:
        task.cancel()
    return unfinished
