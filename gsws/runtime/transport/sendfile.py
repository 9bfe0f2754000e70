"""Sending a large static file: read in threads, in pieces, no faster than the client takes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gsws.runtime.transport.files import PublicFile
from gsws.runtime.transport.http import response

if TYPE_CHECKING:
    from gsws.runtime.transport.listener import Listener

__all__ = ["PIECE", "send_file"]

PIECE = 65536
"""Bytes read at a time; smaller files are sent at once."""

log = logging.getLogger("gsws.transport")


async def send_file(
    file: PublicFile,
    transport: asyncio.Transport,
    listener: Listener,
    waiting: Callable[[], asyncio.Future[None] | None],
) -> bool:
    """
    Send a 200 response with a file; the caller closes the file.

    Args:
        file: What to send.
        transport: Where to.
        listener: Its options and threads are used.
        waiting: Tells what to wait for when the client reads too slowly, or None.

    Returns:
        Whether all of it was written; if not, only a cut tells the client that it is not whole.
    """
    server = listener.options.server_name
    sent = 0
    try:
        transport.write(
            response(
                200,
                headers=file.headers,
                server=server,
                length=file.size,
                content_type=file.content_type,
                head_only=True,
            )
        )
        while sent < file.size and not transport.is_closing():
            size = min(file.size - sent, PIECE)
            piece = await listener.loop.run_in_executor(listener.executor, file.read, size, sent)
            if not piece:  # the file became shorter
                return False
            transport.write(piece)
            sent += len(piece)
            resumed = waiting()
            if resumed is not None:
                await asyncio.wait_for(asyncio.shield(resumed), listener.options.stall_timeout)
    except TimeoutError:
        return False
    except OSError as error:
        log.warning("a public file could not be read: %s", error)
        return False
    return sent == file.size
