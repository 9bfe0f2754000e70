"""
One live event source: its routes, clients, rooms and limits; and the port that the runtime opens for it.

`LiveSource` is what clients share. `LiveListener` is the contract's `ListenerHandle`: the transport's application.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog

from gsws.defaults import (
    HEARTBEAT,
    IN_FLIGHT,
    JSON_DEPTH,
    MESSAGE_BYTES,
    QUEUE,
    QUEUE_BYTES,
    RESUME_BYTES,
    RESUME_WINDOW,
    SEND_BUFFER,
)
from gsws.errors import ServeError
from gsws.plugins.contract import Health
from gsws.plugins.listening import ListenConfig, RateLimit
from gsws.protocol.answer import error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.routing.table import Hooks, Route
from gsws.runtime.counters import Counters, Reporter
from gsws.runtime.dispatch.arrival import Arrival
from gsws.runtime.dispatch.dispatcher import SessionReceiver
from gsws.runtime.identity import Authenticator
from gsws.runtime.identity.seats import Seats
from gsws.runtime.rate import Buckets
from gsws.runtime.requests.idempotency import Replies
from gsws.runtime.requests.observer import Observer
from gsws.runtime.requests.scheduler import Scheduler
from gsws.runtime.rooms.hub import Hub
from gsws.runtime.rooms.presence import Presence
from gsws.runtime.sessions.away import Away
from gsws.runtime.sessions.client import Client
from gsws.runtime.sessions.directory import Directory
from gsws.runtime.sessions.session import SUBPROTOCOL, SessionClient
from gsws.runtime.sessions.visits import Visits
from gsws.runtime.sources.drain import end_requests, finish_requests
from gsws.runtime.sources.options import listen_options
from gsws.runtime.sources.pages import status_page
from gsws.runtime.sources.push import Pushes, check_broadcast
from gsws.runtime.threads import ThreadPool
from gsws.runtime.transport import Connection, Handshake, HTTPRefusal, Listener, Page, Port, Receiver, RequestHead
from gsws.runtime.transport.certificate import Certificate
from gsws.runtime.transport.http.origins import authority_of, origin_allowed
from gsws.runtime.wheel import Wheel
from gsws.schema.compile import Validator

__all__ = ["LiveListener", "LiveSource"]

UNLIMITED: Final = 2**31 - 1
"""A number of requests that nobody reaches."""

_TICK: Final = 0.05
"""Seconds between two looks at the deadlines of running requests."""

_LAST_HOOKS: Final = 2.0
"""Seconds that `on_disconnect` has at shutdown if requests have used up the drain time."""

_LAST_WAIT: Final = 0.9
"""Seconds that cancelled tasks get to end at shutdown, and peers to answer the close of their connections."""


@dataclass(slots=True, eq=False)
class LiveSource:
    """
    What all clients of one event source share.

    Attributes:
        routes: Event key → route; replaced whole by a reload.
        sessions: Sessions by id, connected or not (protocol section 8).
        away: Those of them that wait for their clients, and the bound over all.
        busy: Clients with a queued or running request.
        pushes: What is pushed into this service from anywhere.
        visits: Who was let in, where the source has hooks.
        broadcasts: Checks of what is sent to rooms, by event type: the union over its events.
        identity: Who checks credentials; None without ``authn``, when a client is who it says.
        is_guarded: Whether a message must be looked at before its schema: with rates of events, while draining, and
            with ``authn`` once an anonymous client was let in.
        counters: What was refused, failed and closed.
        is_stopped: Whether no new work may start at all.
        development: Whether a caller is told what its handler raised (P7.1).
        observer: Who is told how requests end, or None.
        max_in_flight: Streams and parallel requests of one client that may run; as many more may wait.
        max_queued: Plain requests of one client that may wait before its connection is held back.
        max_queued_bytes: Bytes of their messages that may.
        context: What every handler finds in its context variables.
    """

    name: str
    loop: asyncio.AbstractEventLoop
    threads: ThreadPool
    wheel: Wheel
    routes: Mapping[str, Route]
    pushes: Pushes
    json_depth: int = JSON_DEPTH
    max_in_flight: int = IN_FLIGHT
    max_queued: int = QUEUE
    max_queued_bytes: int = QUEUE_BYTES
    send_buffer: int = SEND_BUFFER
    rate: RateLimit | None = None
    event_rates: Mapping[str, Any] = field(default_factory=dict)
    broadcasts: Mapping[str, Validator] = field(default_factory=dict)
    identity: Authenticator | None = None
    resume_window: float = RESUME_WINDOW
    resume_bytes: int = RESUME_BYTES
    heartbeat: float = HEARTBEAT
    message_bytes: int = MESSAGE_BYTES
    buckets: Buckets = field(default_factory=Buckets)
    replies: Replies = field(default_factory=Replies)
    sessions: dict[str, SessionClient] = field(default_factory=dict)
    away: Away = field(default_factory=Away)
    hub: Hub = field(default_factory=Hub)
    counters: Counters = field(default_factory=Counters)
    clients: set[Client] = field(default_factory=set)
    busy: set[Scheduler] = field(default_factory=set)
    is_draining: bool = False
    is_guarded: bool = False
    is_stopped: bool = False
    development: bool = False
    observer: Observer | None = None
    logger: Any = None
    thread: int = field(default_factory=threading.get_ident)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    _ticking: bool = False
    _has_anonymous: bool = False
    visits: Visits | None = None
    _directory: Directory | None = None
    presence: Presence = field(init=False)
    seats: Seats = field(init=False)

    def __post_init__(self) -> None:
        self.logger = structlog.get_logger("gsws").bind(source=self.name)
        self.presence = Presence(self.hub, self.wheel)
        self.seats = Seats(self.counters)

    def mark_busy(self, client: Scheduler) -> None:
        """A client has its first request in flight: watch its deadlines."""
        self.busy.add(client)
        if not self._ticking:
            self._ticking = True
            self.loop.call_later(_TICK, self._tick)

    def apply(self, routes: Mapping[str, Route], event_rates: Mapping[str, Any], hooks: Hooks | None = None) -> None:
        """Serve another revision; what runs goes on with the routes it began with."""
        self.event_rates = event_rates
        self.routes = routes
        if self.visits is not None:
            self.visits.hooks = hooks or Hooks()
        elif hooks is not None:
            self.visits = Visits(self, hooks)
        self.broadcasts = {name: validator for route in routes.values() for name, validator in route.broadcasts.items()}
        self._guard()

    def configure(self, config: ListenConfig) -> None:
        """Take the limits of a config; they count from the next message on."""
        limits = config.limits
        self.json_depth = limits.json_depth
        self.max_in_flight = limits.in_flight or UNLIMITED
        self.max_queued = limits.queue
        self.max_queued_bytes = limits.queue_bytes
        self.send_buffer = limits.send_buffer
        self.message_bytes = limits.message_bytes
        self.heartbeat = config.heartbeat.interval
        self.rate = limits.rate if limits.rate.messages else None
        self.seats.limit = limits.connections_per_subject
        self._guard()

    def identify(self, identity: Authenticator | None) -> None:
        """Check credentials with this from the next handshake on."""
        before, self.identity = self.identity, identity
        self._directory = None  # what a subject is may have changed
        if before is not None and before is not identity:
            before.close()
        # Whoever is in already may be from a time when nobody was asked for a credential.
        self._has_anonymous = bool(self.clients) or bool(self.sessions)
        self._guard()

    def admit_anonymous(self) -> None:
        """A client without a credential connects: from now on messages are asked whose they are."""
        self._has_anonymous = True
        self._guard()

    def drain(self) -> None:
        """Refuse new requests from now on; what clients that were held back have sent is read, and refused too."""
        self.is_draining = True
        self._guard()
        for client in tuple(self.clients):
            client.let_in()

    def directory(self) -> Directory:
        """Who is connected; kept from the first time on that somebody asks."""
        if self._directory is None:
            everybody = dict.fromkeys((*self.clients, *self.sessions.values()))
            self._directory = Directory(everybody, is_proven=self.identity is not None)
        return self._directory

    @property
    def keeps_sessions(self) -> bool:
        """Whether a session without anything to resume is kept: for what is pushed to it, or since it was let in."""
        return self._directory is not None or self.visits is not None

    def enlist(self, client: Client) -> None:
        """A client has come, or a session has another connection."""
        self.clients.add(client)
        if self._directory is not None:
            self._directory.add(client)

    def strike(self, client: Client, code: int, reason: str) -> None:
        """A client is gone for good."""
        if self._directory is not None:
            self._directory.discard(client)
        if self.visits is not None:
            self.visits.end(client, code, reason)

    def check_broadcast(self, eventtype: str, payload: Any) -> None:
        """Hold what is sent to a room against what the source's events declare; see `gsws.runtime.sources.push`."""
        check_broadcast(self.broadcasts, eventtype, payload)

    def _guard(self) -> None:
        is_asked = self.identity is not None and self._has_anonymous
        self.is_guarded = is_asked or self.is_draining or bool(self.event_rates)

    def _tick(self) -> None:
        now = self.loop.time()
        for client in tuple(self.busy):
            client.expire(now)
        if self.busy:
            self.loop.call_later(_TICK, self._tick)
        else:
            self._ticking = False


class LiveListener:
    """
    A WebSocket and HTTP port of one source.

    Args:
        live: What its clients share.
        config: The source's config, `port` and `host` overridden by the command line already.
        development: Widens the default of ``origins``.
        base: Where relative paths and ``public/`` are.
        drain_timeout: Seconds that running requests get in `stop`.
        hurry: Set when there is no time to drain.
        root: The project's root, where the paths of ``authn`` and ``tls`` begin.
        authn: Gives the function of ``authn.fn`` as the current revision has it.

    Raises:
        ServeError: If TLS files or keys cannot be used.
    """

    def __init__(
        self,
        live: LiveSource,
        config: ListenConfig,
        *,
        development: bool,
        base: Path,
        drain_timeout: float,
        hurry: asyncio.Event,
        is_ready: Callable[[], bool],
        root: Path,
        authn: Callable[[], Callable[[Any], Any] | None],
    ) -> None:
        self.live = live
        self.config = config
        self.drain_timeout = drain_timeout
        self._hurry = hurry
        self._is_ready = is_ready
        self._listening = False
        self._base = base
        self._root = root
        self._authn = authn
        self._is_shut = False
        self._certificate = None if config.tls is None else Certificate(config.tls, root, live.wheel, live.logger)
        options = listen_options(config, development=development, base=base, certificate=self._certificate)
        self._port = Port(self, options, live.counters)
        self._listener = Listener(self._port)
        self._reporter = Reporter(live.counters, live.wheel, live.logger)
        live.configure(config)
        live.identify(self._identity(config))

    @property
    def address(self) -> tuple[str, int]:
        return self.config.host, self._port.number

    async def start(self) -> None:
        if self.live.identity is not None:
            await self.live.identity.start()
        await self._listener.start()
        self._listening = True
        if self._certificate is not None:
            self._certificate.watch()

    async def stop(self) -> None:
        """Drain as protocol P10.2 says, then close every connection with 1001."""
        live = self.live
        self._listening = False
        self._listener.stop_accepting()
        if self._certificate is not None:
            self._certificate.close()
        live.drain()
        ends = live.loop.time() + self.drain_timeout
        await finish_requests(live, self.drain_timeout, self._hurry)
        unfinished = end_requests(live)
        last_wait = 0.2 if self._hurry.is_set() else _LAST_WAIT
        closing = asyncio.ensure_future(
            self._listener.close(CloseCode.GOING_AWAY, "server shutdown", timeout=last_wait)
        )
        if unfinished:
            _, stuck = await asyncio.wait(unfinished, timeout=last_wait)
            if stuck:
                live.logger.warning("handlers ignore the shutdown; leaving without them", tasks=len(stuck))
        await closing
        live.clients.clear()
        for session in tuple(live.sessions.values()):
            session.drop()
        if live.visits is not None:
            left = max(ends - live.loop.time(), _LAST_HOOKS)
            await live.visits.finish(0.2 if self._hurry.is_set() else left)
        live.busy.clear()
        self._reporter.close()
        if live.identity is not None:
            live.identity.close()

    def reconfigure(self, config: ListenConfig) -> None:
        """
        Take over another config: limits on requests count at once, all else for the connections that follow.

        Host, port and TLS stay what they are. Who is connected stays if what let it in is as it was, else it is closed:
        with 4501 for ``authn``, with 4504 for ``origins``.
        """
        before_origins = self.config.origins
        if config.authn != self.config.authn or config.origins != before_origins:
            self._identify_anew(config)
        self.config = replace(config, host=self.config.host, port=self.config.port, tls=self.config.tls)
        self.live.configure(config)
        before = self._port.options
        options = listen_options(config, development=before.development, base=self._base)
        self._port.options = replace(options, host=before.host, port=before.port, ssl=before.ssl)
        if config.origins != before_origins:
            self._check_origins()

    def _identity(self, config: ListenConfig) -> Authenticator | None:
        if config.authn is None:
            return None
        live = self.live
        return Authenticator(
            config,
            name=live.name,
            root=self._root,
            function=self._authn,
            wheel=live.wheel,
            logger=live.logger,
        )

    def _identify_anew(self, config: ListenConfig) -> None:
        """Check credentials by another config; with one that cannot be used, nobody new gets in."""
        live = self.live
        try:
            identity = self._identity(config)
        except ServeError as error:
            self._is_shut = True
            live.logger.error("no new connection is taken: credentials cannot be checked", error=error.message)
            return
        self._is_shut = False
        if identity is not None:
            identity.begin()
        before = self.config.authn
        live.identify(identity)
        for client in tuple(live.clients):
            # Nobody stays by what no longer counts.
            expiry = client.expiry
            if expiry is None:
                if identity is not None and not identity.config.anonymous:
                    client.close(CloseCode.UNAUTHORIZED, "a credential is needed now")
            elif identity is not None and identity.is_as_before(expiry.verified, before):
                expiry.rebase(identity.expiries)
            else:
                expiry.revoke("authn has changed")

    def _check_origins(self) -> None:
        """Close the connections of pages that would not be let in any more, with 4504."""
        for client in tuple(self.live.clients):
            connection = client.connection
            if connection.origin is not None and not origin_allowed(
                [connection.origin], *authority_of(connection.authority), self._port.options
            ):
                client.close(CloseCode.FORBIDDEN, "this origin may no longer connect")

    def health(self) -> Health:
        return Health(self._listening, facts={"connections": len(self.live.clients)})

    # The transport calls these.

    def authorize(self, handshake: Handshake) -> HTTPRefusal | Awaitable[HTTPRefusal | None] | None:
        if self.live.is_draining:
            return HTTPRefusal(503, "the server is shutting down", {"Retry-After": "1"})
        if self._is_shut:
            return HTTPRefusal(503, "credentials cannot be checked now\n", {"Retry-After": "5"})
        return None if self.live.identity is None else self._let_in(self.live.identity, handshake)

    async def _let_in(self, identity: Authenticator, handshake: Handshake) -> HTTPRefusal | None:
        """Ask who it is, and whether that one may have another connection."""
        return await identity.authorize(handshake) or self.live.seats.refusal(identity.actor_of(handshake))

    def connected(self, connection: Connection, handshake: Handshake) -> Receiver:
        identity = self.live.identity
        actor = None if identity is None else identity.admit(connection, handshake)
        is_session = connection.subprotocol == SUBPROTOCOL
        client = (SessionClient if is_session else Client)(self.live, connection, actor)
        if identity is not None:
            client.expiry = identity.expiry_of(handshake, client)
            if actor is None:
                self.live.admit_anonymous()
        self.live.enlist(client)
        if isinstance(client, SessionClient):
            client.hello()
            receiver: Client | SessionReceiver = SessionReceiver(client, connection, self.live.seats.take(actor))
        else:
            client.seat = self.live.seats.take(actor)
            receiver = client
        visits = self.live.visits
        if visits is None or not visits.hooks.are_any:
            return receiver
        return self._arriving(visits, client, connection, receiver)

    def _arriving(
        self, visits: Visits, client: Client, connection: Connection, receiver: Client | SessionReceiver
    ) -> Receiver:
        """Let the hooks of the source have their say first."""
        session = receiver if isinstance(receiver, SessionReceiver) else None
        if session is None and visits.hooks.on_connect is None:
            visits.begin(client)
            return receiver
        timeout = self.config.limits.handshake_timeout
        arrival = Arrival(visits, client, connection, receiver, session=session, timeout=timeout)
        arrival.begin()
        return arrival

    def ready(self) -> bool:
        return self._listening and not self.live.is_draining and self._is_ready()

    def page(self, head: RequestHead, peer: str) -> Page | None:
        return status_page(
            head, peer, is_ready=self.ready, facts=self._facts if self._port.options.development else None
        )

    def _facts(self) -> Mapping[str, Any]:
        return {"connections": len(self._port.connections), "counters": self.live.counters.read()}

    def too_large(self, limit: int) -> bytes:
        self.live.counters.add("limits.message_bytes")
        self.live.counters.add("errors.too_large")
        return frame("stream.error", error_payload("too_large", f"the message is larger than {limit} bytes"))
