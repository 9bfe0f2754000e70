"""What a source's port says of itself: whether it lives, whether it wants work, and in development what it counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gsws.runtime.transport.http.origins import is_local
from gsws.runtime.transport.interface import Page, RequestHead

__all__ = ["status_page"]


def status_page(
    head: RequestHead,
    peer: str,
    *,
    is_ready: Callable[[], bool],
    facts: Callable[[], Mapping[str, Any]] | None = None,
) -> Page | None:
    """
    Answer ``/healthz``, ``/readyz`` and ``/gsws/counters``, or None.

    The first two are for whoever watches the service, by whatever name they reach it.

    Args:
        head: The request.
        peer: Address of who asks.
        is_ready: Whether new work is welcome.
        facts: What ``/gsws/counters`` tells who sits at this machine; None for nothing.
    """
    match head.path:
        case "/healthz":
            return _status(200, "ok")
        case "/readyz":
            return _status(200, "ok") if is_ready() else _status(503, "unavailable")
        case "/gsws/counters" if facts is not None and is_local(peer, head.host, head.headers):
            return Page(200, json.dumps(facts(), indent=2).encode() + b"\n", "application/json")
    return None


def _status(status: int, word: str) -> Page:
    return Page(status, b'{"status":"%b"}' % word.encode(), "application/json", any_host=True)
