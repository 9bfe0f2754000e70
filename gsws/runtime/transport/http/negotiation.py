"""
The opening handshake of RFC 6455 section 4.2, by the library: a request head in, the 101 response or a refusal out.

No sockets; paths, origins and limits are `connection`'s.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from websockets.datastructures import Headers as WebSocketHeaders
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from gsws.runtime.transport.interface import ListenOptions, RequestHead
from gsws.runtime.transport.websocket.framing import quiet

__all__ = ["BadHandshake", "Terms", "negotiate"]

_DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"memLevel": 5},
)
"""Without context takeover an idle connection holds no window (it was 38 KiB)."""

log = logging.getLogger("gsws.transport")


class BadHandshake(Exception):
    """
    A handshake that is refused.

    Attributes:
        status: HTTP status of the answer.
        detail: Text of the answer.
        headers: Further header fields of the answer.
    """

    def __init__(self, status: int, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What was agreed.

    Attributes:
        response: The 101 response.
        extensions: Extensions for the framing.
        offered: Subprotocols that the client offered.
        subprotocol: The one selected, or None.
    """

    response: bytes
    extensions: list[Extension]
    offered: tuple[str, ...]
    subprotocol: str | None


def negotiate(head: RequestHead, options: ListenOptions) -> Terms:
    """
    Accept a handshake.

    Raises:
        BadHandshake: If it is not one, or of another version.
    """
    versions = head.headers.get_all("Sec-WebSocket-Version")
    if versions and versions != ["13"]:
        raise BadHandshake(426, "only version 13 is spoken here\n", (("Sec-WebSocket-Version", "13"),))
    if head.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in head.headers:
        raise BadHandshake(400, "a handshake has no body\n")
    negotiation = _Negotiation(options.subprotocols, options.compression)
    fields = WebSocketHeaders()
    for name, value in head.fields:
        fields.set_insecure(name, value)
    version = f"HTTP/{head.version[0]}.{min(head.version[1], 1)}"
    response = negotiation.accept(Request(head.path, fields, head.method, version))
    if response.status_code != 101:
        if response.status_code == 500:
            log.error("a handshake could not be read", exc_info=negotiation.handshake_exc)
        kept = tuple(pair for pair in response.headers.raw_items() if pair[0] in ("Allow", "Upgrade"))
        raise BadHandshake(response.status_code, response.body.decode("utf-8", "replace"), kept)
    if options.server_name:
        response.headers["Server"] = options.server_name
    extensions = list(negotiation.extensions)
    return Terms(response.serialize(), extensions, negotiation.offered, negotiation.subprotocol)


class _Negotiation(ServerProtocol):
    """The library's opening handshake, which never fails for want of a common subprotocol (protocol P3.1)."""

    def __init__(self, subprotocols: tuple[str, ...], compression: bool) -> None:
        super().__init__(extensions=[_DEFLATE] if compression else None, logger=quiet)
        self._supported = subprotocols
        self.offered: tuple[str, ...] = ()

    def process_subprotocol(self, headers: WebSocketHeaders) -> Subprotocol | None:
        """Select the server's first among those offered, or none."""
        offered = ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(",")
        self.offered = tuple(name.strip() for name in offered if name.strip())
        return next((Subprotocol(name) for name in self._supported if name in self.offered), None)
