"""
The config of a ``type: websocket`` file, typed: durations in seconds, sizes in bytes.

Which keys there are and what they default to is said in `schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gsws.eventsources.websocket.schema import CONFIG_SCHEMA, DEFAULTS
from gsws.project.units import duration, size

__all__ = [
    "CONFIG_SCHEMA",
    "DEFAULTS",
    "ApiKeysConfig",
    "AuthnConfig",
    "HeartbeatConfig",
    "JWTConfig",
    "LimitsConfig",
    "RateLimit",
    "TLSConfig",
    "WebSocketConfig",
    "parse",
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

    message_bytes: int = 2**20
    json_depth: int = 64
    in_flight: int = 32
    queue: int = 1000
    queue_bytes: int = 2**20
    send_buffer: int = 2**20
    connections: int = 10000
    connections_per_ip: int = 0
    connections_per_subject: int = 1000
    rate: RateLimit = field(default_factory=RateLimit)
    connect_rate: RateLimit = field(default_factory=RateLimit)
    handshake_timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class HeartbeatConfig:
    """Seconds between pings (0: none) and seconds to wait for an answer."""

    interval: float = 20.0
    timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """Certificate chain and key in PEM, as written: relative to the project's root."""

    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class WebSocketConfig:
    """
    One WebSocket source, typed.

    Attributes:
        path: The only path that upgrades, or None for any.
        origins: Allowed origins (``*`` is any), or None for the same origin.
        hosts: Names that requests may be for (``*`` is any), or None for the default.
        csp: ``Content-Security-Policy`` of pages, empty for none, or None for the default.
        authz: Function name, scopes, or None; `SourceSpec.authz` has it resolved.
        hook: ``on_request_validation_error``.
        subprotocols: Subprotocols that the project offers itself, the preferred first.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    path: str | None = None
    origins: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    csp: str | None = None
    authn: AuthnConfig | None = None
    authz: str | tuple[str, ...] | None = None
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    heartbeat: HeartbeatConfig = field(default_factory=HeartbeatConfig)
    compression: bool = False
    tls: TLSConfig | None = None
    strict: bool = False
    hook: str | None = None
    subprotocols: tuple[str, ...] = ()


def parse(config: Mapping[str, Any]) -> WebSocketConfig:
    """
    Type a config that `CONFIG_SCHEMA` accepts; keys left out take their default.

    Raises:
        ValueError: If the config was not checked and is wrong; the message names the key.
    """
    try:
        return _parse(config)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a checked websocket config: {error}") from error


def _parse(config: Mapping[str, Any]) -> WebSocketConfig:
    origins, tls = config.get("origins"), config.get("tls")
    return WebSocketConfig(
        host=config.get("host", DEFAULTS["host"]),
        port=int(config.get("port", DEFAULTS["port"])),
        path=config.get("path"),
        origins=None if origins is None else tuple(origins),
        hosts=_hosts(config.get("hosts")),
        csp="" if config.get("csp") is False else config.get("csp"),
        authn=_authn(config.get("authn")),
        authz=_authz(config.get("authz")),
        limits=_limits(config.get("limits") or {}),
        heartbeat=_heartbeat(config.get("heartbeat") or {}),
        compression=config.get("compression", False),
        tls=None if tls is None else TLSConfig(tls["cert"], tls["key"]),
        strict=config.get("strict", False),
        hook=config.get("on_request_validation_error"),
        subprotocols=tuple(config.get("subprotocols") or ()),
    )


def _hosts(names: Any) -> tuple[str, ...] | None:
    return None if names is None else tuple(name.lower().rstrip(".") for name in names)


def _authn(authn: Mapping[str, Any] | None) -> AuthnConfig | None:
    if authn is None:
        return None
    jwt, api_keys = authn.get("jwt"), authn.get("api_keys")
    return AuthnConfig(
        jwt=None if jwt is None else _jwt(jwt),
        api_keys=None if api_keys is None else ApiKeysConfig(api_keys["file"]),
        fn=authn.get("fn"),
        anonymous=authn.get("anonymous", False),
        cookie=authn.get("cookie"),
        query=authn.get("query"),
        revoked=authn.get("revoked"),
    )


def _jwt(jwt: Mapping[str, Any]) -> JWTConfig:
    audience = jwt.get("audience", ())
    # Without `algorithms`, the key's kind decides; never what the token's own header asks for.
    algorithms = jwt.get("algorithms") or (["HS256"] if "secret" in jwt else ["RS256", "ES256", "EdDSA"])
    return JWTConfig(
        secret=jwt.get("secret"),
        jwks_url=jwt.get("jwks_url"),
        algorithms=tuple(algorithms),
        issuer=jwt.get("issuer"),
        audience=(audience,) if isinstance(audience, str) else tuple(audience),
        leeway=_seconds(jwt, "leeway", 10.0),
        public_key=jwt.get("public_key"),
    )


def _authz(authz: Any) -> str | tuple[str, ...] | None:
    if isinstance(authz, Mapping):
        return tuple(authz["scopes"]) if "scopes" in authz else str(authz["fn"])
    return authz if isinstance(authz, str) else None


def _limits(limits: Mapping[str, Any]) -> LimitsConfig:
    default = LimitsConfig()
    rate, connect = limits.get("rate") or {}, limits.get("connect_rate") or {}
    messages, connections = int(rate.get("messages", 0)), int(connect.get("connections", 0))
    return LimitsConfig(
        message_bytes=_bytes(limits, "message_bytes", default.message_bytes),
        json_depth=limits.get("json_depth", default.json_depth),
        in_flight=limits.get("in_flight", default.in_flight),
        queue=limits.get("queue", default.queue),
        queue_bytes=_bytes(limits, "queue_bytes", default.queue_bytes),
        send_buffer=_bytes(limits, "send_buffer", default.send_buffer),
        connections=limits.get("connections", default.connections),
        connections_per_ip=limits.get("connections_per_ip", default.connections_per_ip),
        connections_per_subject=limits.get("connections_per_subject", default.connections_per_subject),
        rate=RateLimit(
            messages, _seconds(rate, "per", 1.0), int(rate.get("burst") or messages), rate.get("by", "connection")
        ),
        connect_rate=RateLimit(connections, _seconds(connect, "per", 1.0), int(connect.get("burst") or connections)),
        handshake_timeout=_seconds(limits, "handshake_timeout", default.handshake_timeout),
    )


def _heartbeat(heartbeat: Mapping[str, Any]) -> HeartbeatConfig:
    return HeartbeatConfig(_seconds(heartbeat, "interval", 20.0), _seconds(heartbeat, "timeout", 20.0))


def _seconds(config: Mapping[str, Any], key: str, default: float) -> float:
    if key not in config:
        return default
    seconds = duration(config[key])
    if seconds is None:
        raise ValueError(f"`{key}` is no duration")
    return seconds


def _bytes(config: Mapping[str, Any], key: str, default: int) -> int:
    if key not in config:
        return default
    count = size(config[key])
    if count is None:
        raise ValueError(f"`{key}` is no size")
    return count
