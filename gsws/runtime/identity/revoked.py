"""
Who is no longer let in, whatever their credential says: ``authn.revoked``, a file of subjects and token ids.

The file is ``{subjects: [text, …], jti: [text, …]}``, followed as the file of API keys is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gsws.runtime.identity.checking import CheckThreads
from gsws.runtime.identity.grantfile import GrantFile, GrantFileError, parse_grants
from gsws.types import GSActor

__all__ = ["Revoked", "RevokedFile", "read_revoked"]

_MEMBERS: Final = ("subjects", "jti")

_LINGER: Final = 2.0
"""Seconds for which what was taken out of the file still counts: a file that is being written may be short of it."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What the file lists."""

    subjects: frozenset[str] = frozenset()
    jti: frozenset[str] = frozenset()

    def holds(self, actor: GSActor) -> bool:
        """Whether an actor is meant, by its subject or by its token's id."""
        return actor.subject in self.subjects or str(actor.claims.get("jti", "")) in self.jti


class RevokedFile:
    """The list as it is now; while it cannot be read, nobody new gets in."""

    def __init__(self, path: Path, threads: CheckThreads, logger: Any) -> None:
        self.file: GrantFile[Revoked] = GrantFile(
            path, read_revoked, threads, logger, what="the file of what is revoked"
        )
        self._version = 0
        self._changed = float("-inf")
        self._now = self._before = Revoked()

    async def check(self, actor: GSActor) -> bool:
        """
        Whether an actor is revoked.

        Raises:
            Unavailable: If the file cannot be used now.
        """
        await self.file.current()
        return self.holds(actor)

    def holds(self, actor: GSActor) -> bool:
        """Whether an actor is revoked by what was read last that could be used."""
        if self._version != self.file.version:
            self._version = self.file.version
            if self.file.value is not None:
                self._before, self._now = self._now, self.file.value
                self._changed = time.monotonic()
        if self._now.holds(actor):
            return True
        return self._before.holds(actor) and time.monotonic() < self._changed + _LINGER


def read_revoked(path: Path) -> Revoked:
    """
    Read the file.

    Raises:
        GrantFileError: If it cannot be read, or is not what it should be; an empty one is being written.
    """
    data = parse_grants(path).data
    if not isinstance(data, dict) or set(data) - set(_MEMBERS):
        raise GrantFileError(f"{path.name}: expected `subjects:` and `jti:` with lists, and nothing else")
    return Revoked(*(_texts(path.name, name, data.get(name)) for name in _MEMBERS))


def _texts(file: str, name: str, value: Any) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise GrantFileError(f"{file}: `{name}` must be a list of texts; put quotes around numbers")
    return frozenset(value)
