"""What the connections of one event source share on the way in: routes, rates, who checks credentials, who is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gsws.defaults import JSON_DEPTH, MESSAGE_BYTES
from gsws.plugins.listening import RateLimit
from gsws.routing.table import Route
from gsws.runtime.identity import Authenticator
from gsws.runtime.identity.expiry import Expiry
from gsws.runtime.identity.seats import Seats
from gsws.runtime.rate import Buckets
from gsws.runtime.requests.executor import Executor
from gsws.runtime.requests.observer import Caller
from gsws.runtime.sessions.client import Client
from gsws.runtime.sessions.registry import SessionRegistry
from gsws.runtime.sessions.session import Session
from gsws.runtime.transport import Connection

__all__ = ["Arrived", "Router"]


class Arrived(Protocol):
    """One connection with who is on it, as draining and a change of the configuration see it."""

    connection: Connection
    expiry: Expiry | None

    @property
    def client(self) -> Client: ...
    @property
    def lingers(self) -> bool:
        """Whether it waits for something while nothing of its own runs."""

    def drain(self, spread: float) -> float:
        """
        The service begins to drain: tell the client, if it is to be told.

        Args:
            spread: Seconds over which clients are to leave.

        Returns:
            Seconds until it may be closed if nothing runs for it.
        """

    def shut(self) -> None:
        """The service ends: close (P10.2)."""

    def close(self, code: int, reason: str) -> None: ...


@dataclass(slots=True, eq=False)
class Router:
    """
    What the connections of one source share on the way in.

    Attributes:
        routes: Event key → route; replaced whole by a reload.
        connections: Those that are open.
        authenticator: Who checks credentials; None without ``authn``, when a client is who it says.
        is_guarded: Whether a message must be looked at before its schema: with rates of events, while draining, and
            with ``authn`` once an anonymous client was let in.
    """

    executor: Executor
    registry: SessionRegistry[Session]
    seats: Seats
    routes: Mapping[str, Route] = field(default_factory=dict)
    event_rates: Mapping[str, Any] = field(default_factory=dict)
    rate: RateLimit | None = None
    json_depth: int = JSON_DEPTH
    message_bytes: int = MESSAGE_BYTES
    buckets: Buckets = field(default_factory=Buckets)
    connections: set[Arrived] = field(default_factory=set)
    authenticator: Authenticator | None = None
    is_draining: bool = False
    is_guarded: bool = False
    _has_anonymous: bool = False

    def identify(self, authenticator: Authenticator | None) -> None:
        """Check credentials with this from the next handshake on."""
        before, self.authenticator = self.authenticator, authenticator
        self.registry.prove(is_proven=authenticator is not None)
        if before is not None and before is not authenticator:
            before.close()
        # Whoever is in already may be from a time when nobody was asked for a credential.
        self._has_anonymous = bool(self.connections) or bool(self.registry.sessions)
        self.guard()

    def admit_anonymous(self) -> None:
        """A client without a credential connects: from now on messages are asked whose they are."""
        self._has_anonymous = True
        self.guard()

    def observe(self, caller: Caller, event: str | None, error: str) -> None:
        """Tell whoever observes requests of a message that became none."""
        executor = self.executor
        if executor.observer is not None:
            executor.observer.refused(caller, executor.name, self.routes, event, error)

    def refused(self, caller: Caller, event: str | None, error: str, limit: str | None) -> None:
        """Count a refusal, and the limit that it is for, and tell of it."""
        if limit is not None:
            self.executor.counters.add(f"limits.{limit}")
        self.executor.counters.add(f"errors.{error}")
        self.observe(caller, event, error)

    def drain(self) -> None:
        """Refuse new requests from now on; what clients that were held back have sent is read, and refused too."""
        self.is_draining = True
        self.guard()
        for arrived in tuple(self.connections):
            scheduler = arrived.client.scheduler
            if scheduler is not None:
                scheduler.let_in()

    def guard(self) -> None:
        """Tell anew whether messages must be looked at; to be called when what that depends on has changed."""
        is_asked = self.authenticator is not None and self._has_anonymous
        self.is_guarded = is_asked or self.is_draining or bool(self.event_rates)
