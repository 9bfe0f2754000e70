"""
Who `gsws call` says that it is: credentials and headers from its options, and a label that it keeps for a project.

The label is written to ``.gsws/client-id``, so that the second call goes on with the conversation of the first.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gsws.cli import output
from gsws.text.urls import query_of, without_secrets

__all__ = ["Caller", "Identity", "caller"]

_FILE: Final = ".gsws/client-id"
_LABEL: Final = re.compile(r"cli-[0-9a-f]{8}")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_BLANK: Final = " \t\r\n"
_CREDENTIALS: Final = frozenset({"authorization", "x-api-key", "cookie"})
_OURS: Final = frozenset({"connection", "upgrade", "host", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Caller:
    """What a connection of a command carries; nothing of it is ever printed."""

    client_id: str | None = None
    token: str | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def shows(self, url: str) -> bool:
        """Whether a connection to a URL carries a credential, as far as an option, a header or the URL tells."""
        named = any(name.lower() in _CREDENTIALS for name in self.headers)
        return self.token is not None or named or without_secrets(url) != url


@dataclass(frozen=True, slots=True)
class Identity:
    """
    What the options say about who calls.

    Attributes:
        client_id: The label, or None for the one that is kept for the project.
        token: A bearer token.
        api_key: Travels as ``X-API-Key``.
        headers: ``Name: value`` each.
    """

    client_id: str | None = None
    token: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    headers: Sequence[str] = field(default=(), repr=False)


def caller(identity: Identity, *, root: Path | None, url: str) -> Caller:
    """
    Read the options.

    Args:
        root: The project's root, where the label is kept; None without a project.
        url: Where the call goes; a label in its query wins over the kept one.

    Raises:
        Failure: Exit 2 for what cannot be a header or a label.
    """
    given: dict[str, str] = {}
    for header in identity.headers:
        name, colon, value = header.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not _NAME.fullmatch(name):
            raise output.misuse("`--header` takes `Name: value`", "for example -H 'X-Tenant: acme'")
        if name.lower() in _OURS or name.lower().startswith("sec-websocket-"):
            raise output.misuse(f"the header `{name}` belongs to the connection itself")
        given[name] = _sendable(value, f"the header `{name}`")
    client_id, token = identity.client_id, identity.token
    if identity.api_key is not None:
        given["X-API-Key"] = _sendable(identity.api_key.strip(_BLANK), "`--api-key`", is_needed=True)
    if token is not None:
        token = _sendable(token.strip(_BLANK).removeprefix("Bearer "), "`--token`", is_needed=True)
    if client_id is not None and not client_id:
        raise output.misuse("`--client-id` is empty", "leave it out for one of its own")
    if client_id is None and root is not None and "clientId" not in dict(query_of(urlsplit(url).query)):
        client_id = _kept(root)
    return Caller(client_id, token, given)


def _sendable(value: str, what: str, *, is_needed: bool = False) -> str:
    if (is_needed and not value) or not _VALUE.fullmatch(value):
        found = "is empty" if not value else "holds a character that a header cannot carry"
        raise output.misuse(f"{what} {found}")
    return value


def _kept(root: Path) -> str:
    """The label of earlier calls, or a new one; a folder that cannot be written costs the memory alone."""
    file = root / _FILE
    with contextlib.suppress(OSError, UnicodeDecodeError):
        label = file.read_text(encoding="utf-8").strip()
        if _LABEL.fullmatch(label):
            return label
    label = f"cli-{secrets.token_hex(4)}"
    with contextlib.suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        ignore = file.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        file.write_text(f"{label}\n", encoding="utf-8")
    return label
