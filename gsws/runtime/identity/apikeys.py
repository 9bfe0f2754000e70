"""
API keys: the file of their hashes, read again when it changes.

The file is ``keys: [{id, subject, hash: "sha256:<hex>", scopes: [...], expires?}]``. Keys are 32 random bytes, so a
plain hash is as good as a slow one. Adding and revoking is the command line's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gsws.diagnostics.suggest import nearest
from gsws.runtime.identity.checking import CheckThreads
from gsws.runtime.identity.grantfile import GrantFile, GrantFileError, parse_grants
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified, subject_of
from gsws.types import GSActor

__all__ = ["ApiKey", "KeyFile", "hash_of", "read_keys"]

_HASH: Final = re.compile(r"sha256:([0-9a-fA-F]{64})")
_MEMBERS: Final = ("id", "subject", "hash", "scopes", "expires", "created", "description")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One entry; ``expires`` is Unix time or None."""

    id: str
    subject: str
    digest: bytes
    scopes: tuple[str, ...] = ()
    expires: float | None = None


def hash_of(key: str) -> str:
    """What stands in the file for a key: ``sha256:<hex>``."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """
    Read a file of keys.

    Raises:
        GrantFileError: If it cannot be read, has no list, or an entry is wrong.
    """
    document = parse_grants(path)
    data = document.data
    if not isinstance(data, dict) or set(data) != {"keys"} or not isinstance(data["keys"], list):
        # An empty file may be what a full disk left of one with keys; nobody's key is revoked by that.
        empty = "; the list without keys is `keys: []`" if data is None or data in ({}, {"keys": None}) else ""
        raise GrantFileError(f"{path.name}: expected `keys:` with a list, and nothing else{empty}")
    found: list[ApiKey] = []
    for index, entry in enumerate(data["keys"]):
        try:
            key = _entry(entry)
        except ValueError as error:
            line = document.value_span(("keys", index)).line
            raise GrantFileError(f"{path.name}:{line}: this key is wrong: {error}") from None
        if any(other.id == key.id or other.digest == key.digest for other in found):
            line = document.value_span(("keys", index)).line
            raise GrantFileError(f"{path.name}:{line}: the `id` or `hash` of this key is there already")
        found.append(key)
    return tuple(found)


class KeyFile:
    """
    The keys of one file, as it is now.

    A file that is removed has no keys, and neither has one that says ``keys: []``. One that cannot be used, an empty
    one too, says nothing, and nobody is let in by a key meanwhile.
    """

    def __init__(self, path: Path, threads: CheckThreads, logger: Any) -> None:
        self.file: GrantFile[tuple[ApiKey, ...]] = GrantFile(
            path, read_keys, threads, logger, what="the file of API keys", absent=()
        )

    async def check(self, text: str) -> Verified | None:
        """
        Look a key up; None if there is no such key.

        Raises:
            Refused: If it has expired.
            Unavailable: If the file cannot be used now.
        """
        keys = await self.file.current()
        digest = hashlib.sha256(text.encode()).digest()
        found = None
        for key in keys:
            # Every key is compared, in constant time: how long this takes tells nothing.
            if hmac.compare_digest(key.digest, digest):
                found = key
        if found is None:
            return None
        if found.expires is not None and found.expires <= time.time():
            raise Refused(f"the API key `{found.id}` has expired")
        return _verified(found)

    def standing(self, id: str | None) -> Verified | None:
        """
        What the key with an id is worth by what was read last; None if it was revoked.

        Raises:
            Unavailable: If the file could not be used.
        """
        if self.file.value is None:
            raise Unavailable("the file of API keys cannot be used")
        return next((_verified(key) for key in self.file.value if key.id == id), None)


def _verified(key: ApiKey) -> Verified:
    return Verified(
        GSActor(key.subject, frozenset(key.scopes), True, {"key": key.id}), key.expires, 0.0, key.id, "api_keys"
    )


def _entry(entry: Any) -> ApiKey:
    if not isinstance(entry, dict):
        raise ValueError("expected a mapping with `id`, `subject` and `hash`")  # noqa: TRY004  # a user's mistake
    for name in entry:
        if name not in _MEMBERS:
            near = nearest(name, _MEMBERS)
            raise ValueError(f"unknown key `{name}`" + (f"; did you mean `{near[0]}`?" if near else ""))
    id, scopes = entry.get("id"), entry.get("scopes")
    if not isinstance(id, str) or not id:
        raise ValueError("`id` must be a text")
    try:
        subject = subject_of(entry.get("subject"))
    except Refused:
        raise ValueError("`subject` must be a text of 1 to 512 characters") from None
    match = _HASH.fullmatch(written) if isinstance(written := entry.get("hash"), str) else None
    if match is None:
        raise ValueError("`hash` must be `sha256:` and 64 hexadecimal digits; `gsws keys add` writes it")
    if scopes is not None and (not isinstance(scopes, list) or not all(isinstance(one, str) for one in scopes)):
        raise ValueError("`scopes` must be a list of texts")
    return ApiKey(id, subject, bytes.fromhex(match[1]), tuple(scopes or ()), _expires(entry.get("expires")))


def _expires(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        raise ValueError("`expires` must be a date like `2027-01-31`, or a time like `2027-01-31T12:00:00Z`") from None
