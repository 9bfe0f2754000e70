"""Sending a large static file: read in threads, in pieces, no faster than the client takes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from gsws.runtime.transport.http.head import response
from gsws.runtime.transport.http.site import Found, Site

__all__ = ["PIECE", "send_file"]

PIECE = 65536
"""Bytes read at a time; smaller files are sent at once."""

log = logging.getLogger("gsws.transport")


async def send_file(
    found: Found, transport: asyncio.Transport, site: Site, waiting: Callable[[], asyncio.Future[None] | None]
) -> bool:
    """
    Send a response with a file or a part of it; the caller closes the file.

    Args:
        found: The response, and what of the file to send.
        transport: Where to.
        site: Its threads read the file.
        waiting: Tells what to wait for when the client reads too slowly, or None.

    Returns:
        Whether all of it was written; if not, only a cut tells the client that it is not whole.
    """
    port, file = site.port, found.file
    sent = 0
    start, size = found.start, found.length
    try:
        transport.write(
            response(
                found.status,
                headers=found.headers,
                server=port.options.server_name,
                length=size,
                content_type=file.content_type,
                head_only=True,
            )
        )
        while sent < size and not transport.is_closing():
            wanted = min(size - sent, PIECE)
            piece = await port.loop.run_in_executor(site.executor, file.read, wanted, start + sent)
            if not piece:  # the file became shorter
                return False
            transport.write(piece)
            sent += len(piece)
            resumed = waiting()
            if resumed is not None:
                await asyncio.wait_for(asyncio.shield(resumed), port.options.stall_timeout)
    except TimeoutError:
        return False
    except OSError as error:
        log.warning("a public file could not be read: %s", error)
        return False
    return sent == size
