"""Ending our side of a TCP connection while the other side may still be sending."""

from __future__ import annotations

import asyncio

from gsws.runtime.transport.wheel import Wheel

__all__ = ["end_stream"]

RETRY = 0.05


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
