"""What a source is to the transport: its config as options, and what its port says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gsws.plugins.listening import ListenConfig
from gsws.protocol.profiles import SUBPROTOCOL
from gsws.runtime.transport import ListenOptions
from gsws.runtime.transport.certificate import Certificate
from gsws.runtime.transport.http.origins import is_local
from gsws.runtime.transport.interface import Page, RequestHead

__all__ = ["SHIPPED", "listen_options", "status_page"]

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


def status_page(
    head: RequestHead,
    peer: str,
    *,
    is_ready: Callable[[], bool],
    facts: Callable[[], Mapping[str, Any]] | None = None,
) -> Page | None:
    """
    Answer ``/healthz``, ``/readyz`` and ``/gsws/counters``, or None.

    The first two are for whoever watches the service, by whatever name they reach it.

    Args:
        head: The request.
        peer: Address of who asks.
        is_ready: Whether new work is welcome.
        facts: What ``/gsws/counters`` tells who sits at this machine; None for nothing.
    """
    match head.path:
        case "/healthz":
            return _status(200, "ok")
        case "/readyz":
            return _status(200, "ok") if is_ready() else _status(503, "unavailable")
        case "/gsws/counters" if facts is not None and is_local(peer, head.host, head.headers):
            return Page(200, json.dumps(facts(), indent=2).encode() + b"\n", "application/json")
    return None


def _status(status: int, word: str) -> Page:
    return Page(status, b'{"status":"%b"}' % word.encode(), "application/json", any_host=True)
