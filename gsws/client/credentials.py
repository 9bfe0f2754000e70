"""
The token of a client: asked for when needed, and again before it expires.

What a token is worth is the server's business; only its expiry is read here.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from gsws.client.frames import expiry_of

__all__ = ["Credentials", "TokenSource"]

TokenSource: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A token, or a function that gives a fresh one each time."""

_SHARE: Final = 0.8
"""Part of its lifetime after which a token is renewed."""

_SOONEST: Final = 1.0


class Credentials:
    """
    Where tokens come from.

    Args:
        source: A token, a function that gives one, or None.
    """

    __slots__ = ("_source", "current")

    def __init__(self, source: TokenSource | None) -> None:
        self._source = source
        self.current = source if isinstance(source, str) else None

    @property
    def can_renew(self) -> bool:
        """Whether asking again may give another token."""
        return callable(self._source)

    def replace(self, token: str) -> None:
        """Use this one from now on, where the source is no function."""
        self.current = token
        if not callable(self._source):
            self._source = token

    async def fresh(self) -> str | None:
        """Ask for a token."""
        if callable(self._source):
            answer = self._source()
            self.current = await answer if inspect.isawaitable(answer) else answer
        return self.current

    def renew_in(self) -> float | None:
        """Seconds until the current token should be renewed in band; None if never."""
        expires = None if self.current is None or not self.can_renew else expiry_of(self.current)
        return None if expires is None else max(_SOONEST, (expires - time.time()) * _SHARE)
