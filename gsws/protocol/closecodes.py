"""Close codes: RFC 6455 section 7.4.1 and the protocol's own (P7.4); and which of them are a goodbye (P6.7)."""

from __future__ import annotations

import enum

__all__ = ["CloseCode", "is_goodbye"]


class CloseCode(enum.IntEnum):
    """
    Why a connection was closed.

    4000 to 4499 tell the client to reconnect with back-off, 4500 to 4999 not to.
    """

    __repr__ = int.__repr__  # a number like any other for handlers and their logs

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_DATA = 1007
    NO_CODE = 1005
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011

    CUT = 4000

    HEARTBEAT_MISSED = 4408
    REPLACED = 4409
    RATE_EXCEEDED = 4429
    SLOW_CONSUMER = 4430
    DRAINING = 4450

    UNAUTHORIZED = 4501
    FORBIDDEN = 4504
    PROTOCOL_MISUSE = 4509


def is_goodbye(code: int, *, by_peer: bool) -> bool:
    """
    Tell whether nobody will come back after a connection was closed with a code (P6.7, P7.4).

    A client that wants to come back is cut, or closes with 1001, as a page does that is loaded anew, or with 4000.
    Whom the server closed comes back if the code tells it to; after 4501 that is who has a new credential.

    Args:
        code: The close code; 1005 for a close frame without one, 1006 without a close frame.
        by_peer: Whether the client closed, and not the server.
    """
    if code == CloseCode.NORMAL or 3000 <= code <= 3999:
        return True
    if by_peer:
        return code == CloseCode.NO_CODE or 4000 < code <= 4999
    return 4500 <= code <= 4999 and code != CloseCode.UNAUTHORIZED
