"""One live event source: what its requests, its clients and its connections share, put together and changed as one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog

from gsws.defaults import RESUME_BYTES, RESUME_WINDOW
from gsws.plugins.listening import ListenConfig
from gsws.routing.pushing import Pushes
from gsws.routing.table import Hooks, Route
from gsws.runtime.counters import Counters
from gsws.runtime.dispatch.router import Router
from gsws.runtime.identity.seats import Seats
from gsws.runtime.requests.executor import Executor
from gsws.runtime.requests.observer import Observer
from gsws.runtime.rooms.hub import Hub
from gsws.runtime.sessions.client import Client
from gsws.runtime.sessions.registry import SessionRegistry
from gsws.runtime.sessions.session import Session
from gsws.runtime.sessions.visits import Visits
from gsws.runtime.sessions.waiting import WaitingSessions
from gsws.runtime.threads import ThreadPool
from gsws.runtime.wheel import Wheel

__all__ = ["Source"]

UNLIMITED: Final = 2**31 - 1
"""A number of requests that nobody reaches."""


class Source:
    """
    One event source of a running service.

    Args:
        name: Its name.
        loop: Where all of it runs.
        threads: For handlers that are plain functions.
        wheel: For deadlines.
        pushes: What is pushed into the service from anywhere.
        waiting: The sessions of all sources that wait for their clients.
        window: Seconds for which a session waits.
        bytes: What one session may hold.
        development: Whether a caller is told what its handler raised (P7.1).
        observer: Who is told how requests end, or None.

    Attributes:
        executor: What its requests share.
        registry: What its clients share.
        router: What its connections share on the way in.
        subscribed: The events for which a source without a port has its handles.
    """

    def __init__(
        self,
        name: str,
        *,
        loop: asyncio.AbstractEventLoop,
        threads: ThreadPool,
        wheel: Wheel,
        pushes: Pushes,
        waiting: WaitingSessions | None = None,
        window: float = RESUME_WINDOW,
        bytes: int = RESUME_BYTES,
        development: bool = False,
        observer: Observer | None = None,
    ) -> None:
        self.name = name
        self.logger: Any = structlog.get_logger("gsws").bind(source=name)
        self.counters = Counters()
        hub = Hub()
        self.executor = Executor(
            name=name,
            loop=loop,
            threads=threads,
            wheel=wheel,
            rooms=hub,
            pushes=pushes,
            logger=self.logger,
            counters=self.counters,
            development=development,
            observer=observer,
        )
        self.registry: SessionRegistry[Session] = SessionRegistry(
            loop=loop,
            wheel=wheel,
            counters=self.counters,
            logger=self.logger,
            everybody=self.clients,
            waiting=WaitingSessions() if waiting is None else waiting,
            window=window,
            bytes=bytes,
            hub=hub,
        )
        self.router = Router(self.executor, self.registry, Seats(self.counters))
        self.subscribed: Mapping[str, Route] = {}

    def clients(self) -> list[Client]:
        """The clients that are connected, each once."""
        return [*dict.fromkeys(arrived.client for arrived in self.router.connections)]

    def apply(self, routes: Mapping[str, Route], event_rates: Mapping[str, Any], hooks: Hooks | None = None) -> None:
        """Serve another revision; what runs goes on with the routes it began with."""
        router, registry = self.router, self.registry
        router.event_rates = event_rates
        router.routes = routes
        if registry.visits is not None:
            registry.visits.hooks = hooks or Hooks()
        elif hooks is not None:
            registry.visits = Visits(self.executor, hooks)
        self.executor.broadcasts = {
            name: validator for route in routes.values() for name, validator in route.broadcasts.items()
        }
        router.guard()

    def configure(self, config: ListenConfig) -> None:
        """Take the limits of a config; they count from the next message on."""
        limits, executor, registry, router = config.limits, self.executor, self.registry, self.router
        executor.max_in_flight = limits.in_flight or UNLIMITED
        executor.max_queued = limits.queue
        executor.max_queued_bytes = limits.queue_bytes
        registry.heartbeat = config.heartbeat.interval
        router.json_depth = limits.json_depth
        router.message_bytes = limits.message_bytes
        router.rate = limits.rate if limits.rate.messages else None
        router.seats.limit = limits.connections_per_subject
        router.guard()
