"""
From a handshake to its one credential, wherever it travels (protocol P4.3).

Strings only: what a credential is worth is decided elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from gsws.runtime.identity.verdict import Refused
from gsws.runtime.transport import Handshake
from gsws.text.urls import query_of

__all__ = ["MAX_CREDENTIAL", "TOKEN_PROTOCOL", "Credential", "cookies_of", "credential_of", "without"]

MAX_CREDENTIAL: Final = 8192
"""Characters of the longest credential that is looked at."""

TOKEN_PROTOCOL: Final = "gsws.token."  # noqa: S105  # a prefix, no secret
"""Beginning of the subprotocol that carries a token (protocol P3.2)."""

_TEXT: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Credential:
    """
    What a client shows.

    Attributes:
        text: The token or key; None if only a function of the project can tell (an ``Authorization`` of another kind).
        is_key: It came as ``X-API-Key``, so it is no token.
        by_cookie: The browser sent it, maybe for a page that is not ours.
    """

    text: str | None
    is_key: bool = False
    by_cookie: bool = False

    def __repr__(self) -> str:
        return f"<Credential {'key' if self.is_key else 'token'}>"


def credential_of(handshake: Handshake, *, cookie: str | None, query: str | None) -> Credential | None:
    """
    Find the credential of a handshake; the same one in two places is one.

    Args:
        handshake: The request.
        cookie: Name of the cookie that may carry it, or None.
        query: Name of the query parameter that may carry it, or None.

    Raises:
        Refused: If there are two different ones, or one is malformed.
    """
    found = list(_found(handshake, cookie, query))
    if not found:
        return None
    if len({one.text for one in found}) > 1:
        raise Refused("two different credentials at once")
    # What the client chose to send is no work of a browser behind its back.
    return Credential(
        found[0].text,
        is_key=all(one.is_key for one in found),
        by_cookie=all(one.by_cookie for one in found),
    )


def cookies_of(handshake: Handshake) -> Iterator[tuple[str, str]]:
    """The cookies in the order sent; one name may come twice."""
    for line in handshake.headers.get_all("Cookie"):
        for part in line.split(";"):
            name, equals, value = part.strip().partition("=")
            if equals:
                value = value.strip()
                if len(value) > 1 and value[0] == value[-1] == '"':
                    value = value[1:-1]
                yield name.strip(), value


def without(query: str, name: str) -> str:
    """Take the fields called ``name`` out of a query, and leave the rest as it was sent."""
    return "&".join(part for part in query.split("&") if unquote_plus(part.partition("=")[0]) != name)


def _found(handshake: Handshake, cookie: str | None, query: str | None) -> Iterator[Credential]:
    headers = handshake.headers
    for name in ("Authorization", "X-API-Key"):
        if len(headers.get_all(name)) > 1:
            raise Refused(f"more than one {name} header")
    if "Authorization" in headers:
        scheme, _, text = headers["Authorization"].strip().partition(" ")
        yield Credential(_checked(text.strip(), "Authorization") if scheme.lower() == "bearer" else None)
    if "X-API-Key" in headers:
        yield Credential(_checked(headers["X-API-Key"].strip(), "X-API-Key"), is_key=True)
    for offered in handshake.subprotocols:
        if offered.startswith(TOKEN_PROTOCOL):
            yield Credential(_decoded(offered[len(TOKEN_PROTOCOL) :]))
    if query is not None:
        for name, text in query_of(handshake.query):
            if name == query:
                yield Credential(_checked(text, "query"))
    if cookie is not None:
        for name, text in cookies_of(handshake):
            if name == cookie:
                yield Credential(_checked(text, "cookie"), by_cookie=True)


def _checked(text: str, place: str) -> str:
    if len(text) > MAX_CREDENTIAL:
        raise Refused(f"the credential ({place}) is too long")
    if not _TEXT.fullmatch(text):
        raise Refused(f"the credential ({place}) is empty or malformed")
    return text


def _decoded(encoded: str) -> str:
    if len(encoded) > MAX_CREDENTIAL * 2:
        raise Refused("the credential (subprotocol) is too long")
    try:
        data = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (ValueError, binascii.Error):
        data = b""
    # The decoder skips what it does not know; only the one right spelling is a credential.
    if base64.urlsafe_b64encode(data).rstrip(b"=") != encoded.encode("utf-8", "replace"):
        raise Refused("the token subprotocol is no base64url without padding")
    return _checked(data.decode("latin-1"), "subprotocol")
