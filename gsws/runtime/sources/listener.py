"""The port of one event source: the transport's application, from a config to clients, reload and drain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gsws.errors import ServeError
from gsws.plugins.contract import Health
from gsws.plugins.listening import ListenConfig
from gsws.protocol.answer import error_payload, frame
from gsws.protocol.closecodes import CloseCode
from gsws.protocol.profiles import SUBPROTOCOL
from gsws.runtime.counters import Reporter
from gsws.runtime.dispatch.arrival import Arrival
from gsws.runtime.dispatch.dispatcher import Dispatcher
from gsws.runtime.dispatch.sessions import SessionDispatcher
from gsws.runtime.identity import Authenticator
from gsws.runtime.sessions.client import Client
from gsws.runtime.sessions.session import Session
from gsws.runtime.sources.drain import end_requests, finish_requests
from gsws.runtime.sources.options import listen_options
from gsws.runtime.sources.pages import status_page
from gsws.runtime.sources.source import Source
from gsws.runtime.transport import Connection, Handshake, HTTPRefusal, Listener, Page, Port, Receiver, RequestHead
from gsws.runtime.transport.certificate import Certificate
from gsws.runtime.transport.http.origins import authority_of, origin_allowed

__all__ = ["SourceListener"]

_LAST_HOOKS: Final = 2.0
"""Seconds that `on_disconnect` has at shutdown if requests have used up the drain time."""

_LAST_WAIT: Final = 0.9
"""Seconds that cancelled tasks get to end at shutdown, and peers to answer the close of their connections."""


class SourceListener:
    """
    A WebSocket and HTTP port of one source.

    Args:
        source: Whose port it is.
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
        source: Source,
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
        self.source = source
        self.config = config
        self.drain_timeout = drain_timeout
        self._hurry = hurry
        self._is_ready = is_ready
        self._listening = False
        self._base = base
        self._root = root
        self._authn = authn
        self._is_shut = False
        self._certificate = (
            None if config.tls is None else Certificate(config.tls, root, source.executor.wheel, source.logger)
        )
        options = listen_options(config, development=development, base=base, certificate=self._certificate)
        self._port = Port(self, options, source.counters)
        self._listener = Listener(self._port)
        self._reporter = Reporter(source.counters, source.executor.wheel, source.logger)
        source.configure(config)
        source.router.identify(self._identity(config))

    @property
    def address(self) -> tuple[str, int]:
        return self.config.host, self._port.number

    async def start(self) -> None:
        if self.source.router.authenticator is not None:
            await self.source.router.authenticator.start()
        await self._listener.start()
        self._listening = True
        if self._certificate is not None:
            self._certificate.watch()

    async def stop(self) -> None:
        """Drain as protocol P10.2 says, then close every connection with 1001."""
        source = self.source
        self._listening = False
        self._listener.stop_accepting()
        if self._certificate is not None:
            self._certificate.close()
        source.router.drain()
        executor, registry = source.executor, source.registry
        ends = executor.loop.time() + self.drain_timeout
        await finish_requests(source.router, self.drain_timeout, self._hurry)
        unfinished = end_requests(source.router)
        last_wait = 0.2 if self._hurry.is_set() else _LAST_WAIT
        closing = asyncio.ensure_future(
            self._listener.close(CloseCode.GOING_AWAY, "server shutdown", timeout=last_wait)
        )
        if unfinished:
            _, stuck = await asyncio.wait(unfinished, timeout=last_wait)
            if stuck:
                source.logger.warning("handlers ignore the shutdown; leaving without them", tasks=len(stuck))
        await closing
        source.router.connections.clear()
        for session in tuple(registry.sessions.values()):
            session.drop()
        if registry.visits is not None:
            left = max(ends - executor.loop.time(), _LAST_HOOKS)
            await registry.visits.finish(0.2 if self._hurry.is_set() else left)
        executor.busy.clear()
        self._reporter.close()
        if source.router.authenticator is not None:
            source.router.authenticator.close()

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
        self.source.configure(config)
        before = self._port.options
        options = listen_options(config, development=before.development, base=self._base)
        self._port.options = replace(options, host=before.host, port=before.port, ssl=before.ssl)
        if config.origins != before_origins:
            self._check_origins()

    def _identity(self, config: ListenConfig) -> Authenticator | None:
        if config.authn is None:
            return None
        source = self.source
        return Authenticator(
            config,
            name=source.name,
            root=self._root,
            function=self._authn,
            wheel=source.executor.wheel,
            logger=source.logger,
        )

    def _identify_anew(self, config: ListenConfig) -> None:
        """Check credentials by another config; with one that cannot be used, nobody new gets in."""
        source = self.source
        try:
            identity = self._identity(config)
        except ServeError as error:
            self._is_shut = True
            source.logger.error("no new connection is taken: credentials cannot be checked", error=error.message)
            return
        self._is_shut = False
        if identity is not None:
            identity.begin()
        before = self.config.authn
        source.router.identify(identity)
        for arrived in tuple(source.router.connections):
            # Nobody stays by what no longer counts.
            expiry = arrived.expiry
            if expiry is None:
                if identity is not None and not identity.config.anonymous:
                    arrived.close(CloseCode.UNAUTHORIZED, "a credential is needed now")
            elif identity is not None and identity.is_as_before(expiry.verified, before):
                expiry.rebase(identity.expiries)
            else:
                expiry.revoke("authn has changed")

    def _check_origins(self) -> None:
        """Close the connections of pages that would not be let in any more, with 4504."""
        for arrived in tuple(self.source.router.connections):
            connection = arrived.connection
            if connection.origin is not None and not origin_allowed(
                [connection.origin], *authority_of(connection.authority), self._port.options
            ):
                arrived.close(CloseCode.FORBIDDEN, "this origin may no longer connect")

    def health(self) -> Health:
        return Health(self._listening, facts={"connections": len(self.source.router.connections)})

    # The transport calls these.

    def authorize(self, handshake: Handshake) -> HTTPRefusal | Awaitable[HTTPRefusal | None] | None:
        if self.source.router.is_draining:
            return HTTPRefusal(503, "the server is shutting down", {"Retry-After": "1"})
        if self._is_shut:
            return HTTPRefusal(503, "credentials cannot be checked now\n", {"Retry-After": "5"})
        return (
            None
            if self.source.router.authenticator is None
            else self._let_in(self.source.router.authenticator, handshake)
        )

    async def _let_in(self, identity: Authenticator, handshake: Handshake) -> HTTPRefusal | None:
        """Ask who it is, and whether that one may have another connection."""
        return await identity.authorize(handshake) or self.source.router.seats.refusal(identity.actor_of(handshake))

    def connected(self, connection: Connection, handshake: Handshake) -> Receiver:
        router, registry, executor = self.source.router, self.source.registry, self.source.executor
        identity = router.authenticator
        actor = None if identity is None else identity.admit(connection, handshake)
        seat = router.seats.take(actor)
        dispatcher: Dispatcher
        if connection.subprotocol == SUBPROTOCOL:
            session = SessionDispatcher(router, Session(registry, executor, connection, actor), connection, seat)
            session.hello()
            dispatcher = session
        else:
            dispatcher = Dispatcher(router, Client(registry, executor, connection, actor), connection, seat)
        if identity is not None:
            dispatcher.expiry = identity.expiry_of(handshake, dispatcher)
            if actor is None:
                router.admit_anonymous()
        registry.enlist(dispatcher.client)
        return self._greeted(dispatcher)

    def _greeted(self, dispatcher: Dispatcher) -> Receiver:
        """Let the hooks of the source have their say first."""
        visits = self.source.registry.visits
        if visits is None or not visits.hooks.are_any:
            return dispatcher
        if visits.hooks.on_connect is None and not isinstance(dispatcher, SessionDispatcher):
            visits.begin(dispatcher.client)
            return dispatcher
        arrival = Arrival(visits, dispatcher, timeout=self.config.limits.handshake_timeout)
        arrival.begin()
        return arrival

    def ready(self) -> bool:
        return self._listening and not self.source.router.is_draining and self._is_ready()

    def page(self, head: RequestHead, peer: str) -> Page | None:
        facts = self._facts if self._port.options.development else None
        return status_page(head, peer, is_ready=self.ready, facts=facts)

    def _facts(self) -> Mapping[str, Any]:
        return {"connections": len(self._port.connections), "counters": self.source.counters.read()}

    def too_large(self, limit: int) -> bytes:
        self.source.counters.add("limits.message_bytes")
        self.source.counters.add("errors.too_large")
        return frame("stream.error", error_payload("too_large", f"the message is larger than {limit} bytes"))
