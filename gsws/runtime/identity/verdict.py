"""
What the check of a credential comes to: an actor with an end, a refusal, or "not now".

Also the two readings that all checks share: what a subject may be, and how scopes are written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from gsws.types import GSActor

__all__ = ["END_OF_TIME", "Refused", "Unavailable", "Verified", "moment", "scopes_of", "subject_of"]

END_OF_TIME: Final = 253_402_300_799
"""31 December 9999 in Unix time; what expires later never does."""

_SUBJECT_LENGTH: Final = 512


class Refused(Exception):
    """
    A credential that is missing or bad.

    Attributes:
        reason: For the log, never for the client; without any part of the credential.
        is_forbidden: Whether the credential may not be used from this page (403), whoever it belongs to.
    """

    def __init__(self, reason: str, *, is_forbidden: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_forbidden = is_forbidden


class Unavailable(Exception):
    """
    A credential that cannot be checked now: what to check it with is not there, or there is no room to do it.

    Attributes:
        reason: For the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Verified:
    """
    A credential that was checked.

    Attributes:
        actor: Whose it is.
        expires: Unix time in seconds at which it expires, or None.
        leeway: Seconds that clocks may differ by: the connection ends at ``expires + leeway``.
        key: Id of the API key, or None.
        method: The key of ``authn`` that let it in.
        signer: What tells the public key in a file that signed it, or None.
    """

    actor: GSActor
    expires: float | None = None
    leeway: float = 0.0
    key: str | None = None
    method: Literal["jwt", "api_keys", "fn"] = "fn"
    signer: bytes | None = None


def subject_of(value: Any) -> str:
    """
    Check a subject.

    Raises:
        Refused: If it is no text of 1 to 512 characters, or has control characters.
    """
    if not isinstance(value, str) or not value:
        raise Refused("the credential has no subject")
    if len(value) > _SUBJECT_LENGTH or any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise Refused("the subject is too long or has control characters")
    return value


def scopes_of(*values: Any) -> frozenset[str]:
    """Read scopes written as a space-separated text or as a list of texts; anything else gives none."""
    scopes: set[str] = set()
    for value in values:
        if isinstance(value, str):
            scopes.update(value.split())
        elif isinstance(value, Iterable) and not isinstance(value, dict | bytes):
            scopes.update(item for item in value if isinstance(item, str) and item)
    return frozenset(scopes)


def moment(value: Any) -> float | None:
    """
    Read a Unix time; None if it is so late that it never comes.

    Raises:
        Refused: If it is no number.
    """
    # Only NaN differs from itself.
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise Refused("the time of expiry is no number")
    return None if value > END_OF_TIME else float(max(value, 0))
