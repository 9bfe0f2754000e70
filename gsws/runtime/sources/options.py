"""How a source's config becomes what the transport is told."""

from __future__ import annotations

from pathlib import Path

from gsws.plugins.listening import ListenConfig
from gsws.protocol.profiles import SUBPROTOCOL
from gsws.runtime.transport import ListenOptions
from gsws.runtime.transport.certificate import Certificate

__all__ = ["SHIPPED", "listen_options"]

_JAVASCRIPT = Path(__file__).parents[2] / "client" / "javascript"

SHIPPED = {f"/{name}": _JAVASCRIPT / name for name in ("gsws.js", "gsws.d.ts")}
"""The client for browsers, and its types."""


def listen_options(
    config: ListenConfig, *, development: bool, base: Path, certificate: Certificate | None = None
) -> ListenOptions:
    """Turn a source's config into the transport's options."""
    limits = config.limits
    return ListenOptions(
        host=config.host,
        port=config.port,
        path=config.path,
        origins=config.origins,
        development=development,
        hosts=config.hosts,
        csp=config.csp,
        public=base / "public",  # whether or not it is there yet
        shipped=SHIPPED,
        message_bytes=limits.message_bytes,
        send_buffer=limits.send_buffer,
        connections=limits.connections,
        connections_per_ip=limits.connections_per_ip,
        connect_rate=limits.connect_rate if limits.connect_rate.messages else None,
        handshake_timeout=limits.handshake_timeout,
        heartbeat_interval=config.heartbeat.interval,
        heartbeat_timeout=config.heartbeat.timeout,
        compression=config.compression,
        subprotocols=(SUBPROTOCOL, *config.subprotocols),
        ssl=None if certificate is None else certificate.context,
    )
