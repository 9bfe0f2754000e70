"""
Which web pages may open a WebSocket here (RFC 6455 section 10.2), and who is local: decisions on strings.

Only browsers send ``Origin``; a request without one comes from a program and is not refused for it.
"""

from __future__ import annotations

import ipaddress
import re

from gsws.runtime.transport.interface import Headers, ListenOptions

__all__ = ["authority_of", "host_allowed", "is_local", "origin_allowed"]

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)(?::(?P<port>\d{1,5}))?",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDED = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "X-Client-IP",
    "True-Client-IP", "CF-Connecting-IP", "Fly-Client-IP",
)  # fmt: skip
"""What proxies and tunnels say of whom they ask for."""


def origin_allowed(origins: list[str], host: str, port: int | None, options: ListenOptions) -> bool:
    """
    Tell whether a request may be upgraded.

    Args:
        origins: Values of the request's ``Origin`` headers; more than one is never allowed.
        host: Host that the request was sent to, without port.
        port: Its port, or None where the scheme's own was meant.
        options: ``origins`` and ``development`` of them decide.
    """
    if not origins:
        return True
    if len(origins) > 1:
        return False
    if options.origins is not None and "*" in options.origins:
        return True
    origin = _parse(origins[0])
    if origin is None:
        return False
    if options.origins is not None:
        return any(_parse(accepted) == origin for accepted in options.origins)
    scheme, name, number = origin
    if scheme not in _DEFAULT_PORTS:
        return False
    if name == host and number == (port or _DEFAULT_PORTS[scheme]):
        return True
    return options.development and name in _LOCAL


def host_allowed(host: str, options: ListenOptions) -> bool:
    """
    Tell whether a request may be for this name, so that no page makes a name of its own lead here (DNS rebinding).

    An address cannot be made to mean another machine, nor can ``localhost``. Without ``hosts`` names are checked in
    development only: elsewhere a proxy in front knows the names.

    Args:
        host: Host that the request was sent to, in lower case, without port; empty if an old client named none.
        options: ``hosts``, ``host`` and ``development`` of them decide.
    """
    if options.hosts is None and not options.development:
        return True
    name = host.rstrip(".")
    if not name or name == "localhost" or name.endswith(".localhost") or name == options.host.lower().rstrip("."):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return options.hosts is not None and ("*" in options.hosts or name in options.hosts)
    return True


def authority_of(host: str) -> tuple[str, int | None]:
    """Split a well-formed ``Host`` header into the name, in lower case, and the port, None where none is written."""
    name, _, port = host.lower().rpartition(":")
    return (name, int(port)) if name and port.isdigit() else (host.lower().rstrip(":"), None)


def is_local(peer: str, host: str, headers: Headers) -> bool:
    """
    Tell whether a request comes from this machine, and from nowhere else through it.

    A page of the internet whose name was made to point here still says its name; a proxy says for whom it asks.

    Args:
        peer: Address of the peer.
        host: Host that the request was sent to, without port.
        headers: Of the request.
    """
    forwarded = any(name in headers for name in _FORWARDED)
    return host in _LOCAL and not forwarded and (peer == "::1" or peer.startswith("127."))


def _parse(origin: str) -> tuple[str, str, int | None] | None:
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        return None
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS.get(scheme)
    return scheme, match["host"].lower(), port
