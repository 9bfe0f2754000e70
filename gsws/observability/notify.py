"""Tells systemd how the service is, as `sd_notify` does: one datagram a state, none where there is no systemd."""

from __future__ import annotations

import contextlib
import os
import socket

__all__ = ["notify"]


def notify(state: str) -> None:
    """
    Send a state such as ``READY=1`` or ``STOPPING=1`` to ``$NOTIFY_SOCKET``.

    Never fails: who supervises the service may have gone.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.settimeout(0.5)
        connection.sendto(state.encode(), address)
