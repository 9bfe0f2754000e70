"""Close codes: RFC 6455 section 7.4.1 and the protocol's own (P7.4)."""

from __future__ import annotations

import enum

__all__ = ["CloseCode"]


class CloseCode(enum.IntEnum):
    """
    Why a connection was closed.

    4000 to 4499 tell the client to reconnect with back-off, 4500 to 4999 not to.
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_DATA = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011

    HEARTBEAT_MISSED = 4408
    REPLACED = 4409
    RATE_EXCEEDED = 4429
    SLOW_CONSUMER = 4430
    DRAINING = 4450

    UNAUTHORIZED = 4501
    FORBIDDEN = 4504
    PROTOCOL_MISUSE = 4509
