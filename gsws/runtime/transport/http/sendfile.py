"""Sending a large static file: read in threads, in pieces, no faster than the client takes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gsws.runtime.transport.http.files import PublicFile
from gsws.runtime.transport.http.head import response

if TYPE_CHECKING:
    from gsws.runtime.transport.listener import Listener

__all__ = ["PIECE", "Answer", "send_file"]

PIECE = 65536
"""Bytes read at a time; smaller files are sent at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    How a file is answered with.

    Attributes:
        status: HTTP status.
        headers: Header fields.
        start: The first byte to send.
        length: How many.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    start: int
    length: int


log = logging.getLogger("gsws.transport")


async def send_file(
    file: PublicFile,
    transport: asyncio.Transport,
    listener: Listener,
    waiting: Callable[[], asyncio.Future[None] | None],
    answer: Answer,
) -> bool:
    """
    Send a response with a file or a part of it; the caller closes the file.

    Args:
        file: What to send.
        transport: Where to.
        answer: The response's status and fields, and which part of the file.
        listener: Its options and threads are used.
        waiting: Tells what to wait for when the client reads too slowly, or None.

    Returns:
        Whether all of it was written; if not, only a cut tells the client that it is not whole.
    """
    server = listener.options.server_name
    sent = 0
    start, size = answer.start, answer.length
    try:
        transport.write(
            response(
                answer.status,
                headers=answer.headers,
                server=server,
                length=size,
                content_type=file.content_type,
                head_only=True,
            )
        )
        while sent < size and not transport.is_closing():
            wanted = min(size - sent, PIECE)
            piece = await listener.loop.run_in_executor(listener.executor, file.read, wanted, start + sent)
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
    return sent == size
