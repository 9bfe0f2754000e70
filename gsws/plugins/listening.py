"""
The port that a source asks for: the argument of `SourceContext.listen`, durations in seconds, sizes in bytes.

Values only. How a file's keys become these is the source's affair, what is done with them the runtime's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gsws.defaults import CONNECTIONS, HEARTBEAT, IN_FLIGHT, JSON_DEPTH, MESSAGE_BYTES, QUEUE, QUEUE_BYTES, SEND_BUFFER

__all__ = [
    "ApiKeysConfig",
    "AuthnConfig",
    "HeartbeatConfig",
    "JWTConfig",
    "LimitsConfig",
    "ListenConfig",
    "RateLimit",
    "TLSConfig",
]


@dataclass(frozen=True, slots=True)
class JWTConfig:
    """
    Bearer tokens: a shared ``secret``, a ``public_key`` or the keys at ``jwks_url``; ``leeway`` in seconds.

    ``public_key`` is a file in PEM, as written: relative to the project's root.
    """

    secret: str | None = field(default=None, repr=False)
    jwks_url: str | None = None
    algorithms: tuple[str, ...] = ()
    issuer: str | None = None
    audience: tuple[str, ...] = ()
    leeway: float = 10.0
    public_key: str | None = None


@dataclass(frozen=True, slots=True)
class ApiKeysConfig:
    """A file of hashed keys, as written: relative to the project's root."""

    file: str


@dataclass(frozen=True, slots=True)
class AuthnConfig:
    """
    How a client proves who it is.

    Attributes:
        fn: Name of a function ``(handshake) -> Actor | None``.
        anonymous: Whether a client without a credential may connect.
        cookie: Name of a cookie that may carry the credential, or None.
        query: Name of a query parameter that may carry it, or None.
        revoked: A file of subjects and token ids that are let in no more, relative to the project's root; or None.
    """

    jwt: JWTConfig | None = None
    api_keys: ApiKeysConfig | None = None
    fn: str | None = None
    anonymous: bool = False
    cookie: str | None = None
    query: str | None = None
    revoked: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """
    ``messages`` every ``per`` seconds, ``burst`` at once; ``messages`` 0 is no limit.

    Attributes:
        by: Whose messages are counted: one connection's, or all of one subject's; nobody's in `connect_rate`.
    """

    messages: int = 0
    per: float = 1.0
    burst: int = 0
    by: Literal["connection", "subject"] = "connection"


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """
    What one connection or one source may use; 0 is no limit, sizes in bytes, durations in seconds.

    Attributes:
        connect_rate: Handshakes of one address; its ``messages`` are ``connections`` in the file.
    """

    message_bytes: int = MESSAGE_BYTES
    json_depth: int = JSON_DEPTH
    in_flight: int = IN_FLIGHT
    queue: int = QUEUE
    queue_bytes: int = QUEUE_BYTES
    send_buffer: int = SEND_BUFFER
    connections: int = CONNECTIONS
    connections_per_ip: int = 0
    connections_per_subject: int = 1000
    rate: RateLimit = field(default_factory=RateLimit)
    connect_rate: RateLimit = field(default_factory=RateLimit)
    handshake_timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class HeartbeatConfig:
    """Seconds between pings (0: none) and seconds to wait for an answer."""

    interval: float = HEARTBEAT
    timeout: float = HEARTBEAT


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """Certificate chain and key in PEM, as written: relative to the project's root."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """
    A WebSocket and HTTP port, and what its clients may do.

    Attributes:
        path: The only path that upgrades, or None for any.
        origins: Allowed origins (``*`` is any), or None for the same origin.
        hosts: Names that requests may be for (``*`` is any), or None for the default.
        csp: ``Content-Security-Policy`` of pages, empty for none, or None for the default.
        subprotocols: Subprotocols that the project offers itself, the preferred first.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    path: str | None = None
    origins: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    csp: str | None = None
    authn: AuthnConfig | None = None
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    heartbeat: HeartbeatConfig = field(default_factory=HeartbeatConfig)
    compression: bool = False
    tls: TLSConfig | None = None
    subprotocols: tuple[str, ...] = ()
