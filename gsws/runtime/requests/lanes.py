"""
Streams and parallel requests of one connection: who runs, and who waits for what (protocol P9.1, P9.2).

Bookkeeping alone: starting and ending is `gsws.runtime.requests.scheduler`'s. Plain handlers that wait for one
another are not here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from gsws.routing.table import Route
from gsws.runtime.requests.request import Request

__all__ = ["Lanes"]


class Lanes:
    """
    One lane an event whose requests look at each other, and one line for all that wait for nothing but a place.

    Attributes:
        running: Requests that have a task.
        waiting: Requests that were taken in and have none yet, for whatever reason.
    """

    __slots__ = ("_lanes", "_ready", "running", "waiting")

    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0
        self._lanes: dict[str, deque[Request]] = {}
        self._ready: deque[Request] = deque()

    def __iter__(self) -> Iterator[Request]:
        for lane in self._lanes.values():
            yield from lane
        yield from self._ready

    def is_full(self, route: Route, places: int) -> bool:
        """Whether another request of this route would have to wait, and as many wait already as may run."""
        if self.waiting < places:
            return False
        return self.running >= places or (route.concurrency == "enqueue" and route.key in self._lanes)

    def beside(self, key: str) -> tuple[Request, ...]:
        """The requests in an event's lane, in their order; one that runs is first."""
        return tuple(self._lanes.get(key, ()))

    def enter(self, request: Request) -> None:
        """Take in a request that may start now, or when its lane lets it."""
        route = request.route
        if route.concurrency != "parallel":
            lane = self._lanes.setdefault(route.key, deque())
            lane.append(request)
            if route.concurrency == "enqueue" and len(lane) > 1:
                return
        self._ready.append(request)

    def wait_for_place(self, request: Request) -> None:
        """Take in a request that no other one of its event looks at."""
        self._ready.append(request)

    def next_ready(self) -> Request | None:
        """Take whoever has waited for a place for longest."""
        return self._ready.popleft() if self._ready else None

    def leave(self, request: Request) -> None:
        """Take a request out, wherever it is; who waited in its lane for just that waits for a place now."""
        if request in self._ready:
            self._ready.remove(request)
        lane = self._lanes.get(request.route.key)
        if lane is None or request not in lane:
            return
        was_first = lane[0] is request
        lane.remove(request)
        if not lane:
            del self._lanes[request.route.key]
        elif was_first and request.route.concurrency == "enqueue":
            self._ready.append(lane[0])
