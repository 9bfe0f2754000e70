"""
What the keys of a ``type: websocket`` file say of its port, with types; see `gsws.plugins.listening`.

Which keys there are and what they default to is said in `schema`; what a port has nothing to do with (``authz``,
``strict``, hooks) is read by `gsws.project`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gsws.eventsources.websocket.schema import DEFAULTS
from gsws.plugins.listening import (
    ApiKeysConfig,
    AuthnConfig,
    HeartbeatConfig,
    JWTConfig,
    LimitsConfig,
    ListenConfig,
    RateLimit,
    TLSConfig,
)
from gsws.project.shapes.units import duration, size

__all__ = ["parse"]


def parse(config: Mapping[str, Any]) -> ListenConfig:
    """
    Type a config that `CONFIG_SCHEMA` accepts; keys left out take their default.

    Raises:
        ValueError: If the config was not checked and is wrong; the message names the key.
    """
    try:
        return _parse(config)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a checked websocket config: {error}") from error


def _parse(config: Mapping[str, Any]) -> ListenConfig:
    origins, tls = config.get("origins"), config.get("tls")
    return ListenConfig(
        host=config.get("host", DEFAULTS["host"]),
        port=int(config.get("port", DEFAULTS["port"])),
        path=config.get("path"),
        origins=None if origins is None else tuple(origins),
        hosts=_hosts(config.get("hosts")),
        csp="" if config.get("csp") is False else config.get("csp"),
        authn=_authn(config.get("authn")),
        limits=_limits(config.get("limits") or {}),
        heartbeat=_heartbeat(config.get("heartbeat") or {}),
        compression=config.get("compression", False),
        tls=None if tls is None else TLSConfig(tls["cert"], tls["key"]),
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
