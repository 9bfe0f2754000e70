"""How connections end: close codes, reasons, and our side of a TCP connection while the other may still send."""

from __future__ import annotations

import asyncio

from gsws.protocol.closecodes import CloseCode
from gsws.runtime.wheel import Wheel

__all__ = ["check_close_code", "close_name", "cut_reason", "end_stream"]

RETRY = 0.05

_CLOSE_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
_COUNTED = _CLOSE_CODES | {1005, 1006} | frozenset(CloseCode)


def check_close_code(code: int) -> None:
    """Raise ValueError for a code that may not stand in a close frame (RFC 6455 section 7.4)."""
    if code not in _CLOSE_CODES and not 3000 <= code < 5000:
        raise ValueError(f"close code {code} may not be sent: 1000-1003, 1007-1014 and 3000-4999 may")


def cut_reason(reason: str) -> str:
    """Shorten a close reason to the 123 bytes of UTF-8 that a control frame has room for."""
    return reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")


def close_name(code: int) -> str:
    """Name the counter of a close code; those that only a client can have chosen share one."""
    return f"closes.{code}" if code in _COUNTED else "closes.other"


def end_stream(transport: asyncio.Transport, wheel: Wheel) -> None:
    """
    Half-close the socket when everything is written; TLS, which knows no half-close, is closed.

    The caller has set a deadline after which the transport is aborted.
    """
    if transport.is_closing():
        return
    if not transport.can_write_eof():
        transport.close()
    elif transport.get_write_buffer_size():
        # asyncio would half-close by itself, but a peer that is gone by then makes it log a traceback.
        wheel.schedule(RETRY, lambda: end_stream(transport, wheel))
    else:
        try:
            transport.write_eof()
        except OSError:  # the peer is gone already
            transport.abort()
