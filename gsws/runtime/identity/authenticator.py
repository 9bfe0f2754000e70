"""
The door of one source: a handshake goes in, an actor or a refusal comes out (protocol P4.2 and P4.3).

Here the methods of ``authn`` are put together; each of them lives in its own module.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gsws.errors import ServeError
from gsws.plugins.listening import AuthnConfig, ListenConfig
from gsws.runtime.counters import Summed
from gsws.runtime.identity.apikeys import KeyFile
from gsws.runtime.identity.checking import CheckThreads
from gsws.runtime.identity.credential import (
    MAX_CREDENTIAL,
    Credential,
    cookies_of,
    credential_of,
    without,
)
from gsws.runtime.identity.expiry import Expiries, Expiry, Holder
from gsws.runtime.identity.function import ask
from gsws.runtime.identity.grantfile import GrantFile, GrantFileError
from gsws.runtime.identity.jwt import TokenCheck, looks_like_token
from gsws.runtime.identity.revoked import RevokedFile
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified
from gsws.runtime.transport import Connection, Handshake, HTTPRefusal, ListenOptions
from gsws.runtime.transport.http.origins import authority_of, origin_allowed
from gsws.runtime.transport.interface import Headers
from gsws.runtime.wheel import Wheel
from gsws.text.urls import first_values
from gsws.types import AttributeDict, GSActor

__all__ = ["Authenticator"]

_STATE: Final = "identity"

_FUNCTIONS: Final = 8
"""Calls of a plain ``authn.fn`` that run at once."""

_WAITING: Final = 64
"""Checks that may wait for a thread."""


class Authenticator:
    """
    Checks credentials for one source that has ``authn``.

    Args:
        config: The source's config; its ``authn`` is not None.
        name: The source's name.
        root: The project's root, where paths begin.
        function: Gives the function of ``authn.fn`` as the current revision has it, or None.
        wheel: For deadlines of open connections.
        logger: The source's.

    Raises:
        ServeError: If a key cannot be used.
    """

    def __init__(
        self,
        config: ListenConfig,
        *,
        name: str,
        root: Path,
        function: Callable[[], Callable[[Any], Any] | None],
        wheel: Wheel,
        logger: Any,
    ) -> None:
        authn = config.authn
        assert authn is not None
        self.config: AuthnConfig = authn
        self.expiries = Expiries(self, wheel)
        self.logger = logger
        self._name = name
        self._origins = config.origins
        # What a function of the project does with its threads is no matter of the files'.
        self._threads = CheckThreads(_FUNCTIONS, _WAITING)
        files = CheckThreads(2, _WAITING)
        self._function = function
        self._refusals = Summed(logger, wheel)
        self._tokens: TokenCheck | None = None
        self.keys: KeyFile | None = None
        self.revoked: RevokedFile | None = None
        if authn.jwt is not None:
            self._tokens = TokenCheck(authn.jwt, source=name, root=root, threads=files, logger=logger)
        if authn.api_keys is not None:
            self.keys = KeyFile(root / authn.api_keys.file, files, logger)
        if authn.revoked is not None:
            self.revoked = RevokedFile(root / authn.revoked, files, logger)
        found = (self._tokens and self._tokens.file, self.keys and self.keys.file, self.revoked and self.revoked.file)
        self.files: tuple[GrantFile[Any], ...] = tuple(file for file in found if file)

    def begin(self) -> None:
        """Begin to fetch what is published elsewhere."""
        if self._tokens is not None:
            self._tokens.begin()

    async def start(self) -> None:
        """
        Read what is needed to check credentials.

        Raises:
            ServeError: If a file cannot be used.
        """
        self.begin()
        for file, what in (
            (self.keys and self.keys.file, "API keys"),
            (self.revoked and self.revoked.file, "file `authn.revoked`"),
            (self._tokens and self._tokens.file, "file `authn.jwt.public_key`"),
        ):
            if file:
                try:
                    await file.load()
                except (GrantFileError, Unavailable) as error:
                    raise ServeError(f"the {what} of the source `{self._name}` cannot be used: {error}") from None

    def close(self) -> None:
        """Stop what runs in the background."""
        self.expiries.close()
        self._refusals.close()
        for file in self.files:
            file.close()
        if self._tokens is not None:
            self._tokens.close()

    # Handshakes.

    async def authorize(self, handshake: Handshake) -> HTTPRefusal | None:
        """Let a handshake pass, its actor noted in its ``state``, or refuse it; details go to the log only."""
        try:
            handshake.state[_STATE] = await self._authenticate(handshake)
        except Refused as refusal:
            self._log(refusal, handshake.host)
            if refusal.is_forbidden:
                return HTTPRefusal(403, "forbidden\n")
            return HTTPRefusal(401, "unauthorized\n", {"WWW-Authenticate": "Bearer"})
        except Unavailable as error:
            self._refusals.tell("warning", "refused a handshake", error.reason, peer=handshake.host)
            return HTTPRefusal(503, "credentials cannot be checked now\n", {"Retry-After": "5"})
        return None

    def admit(self, connection: Connection, handshake: Handshake) -> GSActor | None:
        """Tell whose a new connection is, None if anonymous; its query no longer holds the credential."""
        if self.config.query is not None:
            connection.query = without(connection.query, self.config.query)
        return self.actor_of(handshake)

    def actor_of(self, handshake: Handshake) -> GSActor | None:
        """Tell whose a handshake is that was let pass, None if anonymous."""
        verified = handshake.state.get(_STATE)
        return verified.actor if isinstance(verified, Verified) else None

    def expiry_of(self, handshake: Handshake, holder: Holder) -> Expiry | None:
        """Watch the credential of a handshake that was let pass, so that the connection ends when it does (P7.4)."""
        verified = handshake.state.get(_STATE)
        return Expiry(holder, self.expiries, verified) if isinstance(verified, Verified) else None

    def is_as_before(self, verified: Verified, before: AuthnConfig | None) -> bool:
        """
        Whether what let a connection in by another config still is what it was.

        A key is looked up again, a token stays good where ``jwt`` has not changed, an answer of ``fn`` where that still
        is the function.
        """
        return before is not None and (
            (verified.method == "api_keys" and self.keys is not None)
            or (verified.method == "jwt" and before.jwt == self.config.jwt)
            or (verified.method == "fn" and before.fn == self.config.fn)
        )

    # What the files say of those who are in.

    def refuse_renewal(self, reason: str, error: BaseException | None, **facts: Any) -> None:
        """Say in the log why a credential was not renewed; the first times only."""
        more = {} if error is None else {"exc_info": error}
        self._refusals.tell("info", "refused a renewed credential", reason, **facts, **more)

    def is_watched(self, verified: Verified) -> bool:
        """Whether a file may end a connection with this credential."""
        return verified.key is not None or verified.signer is not None or self.revoked is not None

    def version(self) -> int:
        """Goes up whenever a file says something else than before, whoever read it."""
        return sum(file.version for file in self.files)

    def standing(self, verified: Verified) -> Verified | None:
        """
        What a credential is worth by what was read last of the files; None if it is good no more.

        Raises:
            Unavailable: If a file that it needs could not be used.
        """
        now: Verified | None = verified
        if verified.method == "api_keys" and self.keys is not None:
            now = self.keys.standing(verified.key)
            if now is not None and now.actor.subject != verified.actor.subject:
                return None
        elif verified.signer is not None and self._tokens is not None and self._tokens.signer() != verified.signer:
            return None
        if self.revoked is not None and self.revoked.holds(verified.actor):
            return None
        return now

    async def _authenticate(self, handshake: Handshake) -> Verified | None:
        credential = credential_of(handshake, cookie=self.config.cookie, query=self.config.query)
        if credential is not None and credential.by_cookie:
            self._check_page(handshake)
        verified = await self._checked(credential, lambda: _view(handshake, credential))
        if verified is not None:
            return verified
        if credential is not None:
            raise Refused("the credential is not known")
        if not self.config.anonymous:
            raise Refused("there is no credential")
        return None

    def _check_page(self, handshake: Handshake) -> None:
        """A cookie comes along whatever page opens the connection: the page must be ours, or on the list."""
        host, port = authority_of(handshake.headers.get("Host", ""))
        listed = None if self._origins is None else tuple(one for one in self._origins if one != "*")
        options = ListenOptions(origins=listed)
        if not origin_allowed(handshake.headers.get_all("Origin"), host, port, options):
            raise Refused("a cookie from a page of another origin; list it in `origins`", is_forbidden=True)

    # Credentials.

    async def renewed(self, token: str, connection: Connection) -> Verified:
        """
        Check a token that came in band.

        Raises:
            Refused: If it is not good.
            Unavailable: If it cannot be checked now.
        """
        if not 0 < len(token) <= MAX_CREDENTIAL or not token.isascii():
            raise Refused("the token is empty, too long or malformed")
        handshake = Handshake(
            connection.path, connection.query, Headers(()), connection.host, connection.port, connection.origin,
            False, (), connection.subprotocol,
        )  # fmt: skip
        credential = Credential(token)
        verified = await self._checked(credential, lambda: _view(handshake, credential))
        if verified is None:
            raise Refused("the credential is not known")
        return verified

    async def _checked(self, credential: Credential | None, view: Callable[[], AttributeDict]) -> Verified | None:
        verified = await self._check(credential, view)
        # A function of the project may not have looked.
        expires = None if verified is None else verified.expires
        if verified is not None and expires is not None and expires + verified.leeway <= time.time():
            raise Refused("the credential has expired")
        if verified is not None and self.revoked is not None and await self.revoked.check(verified.actor):
            raise Refused("the subject or the token is revoked")
        return verified

    async def _check(self, credential: Credential | None, view: Callable[[], AttributeDict]) -> Verified | None:
        """Ask one method after the other; what is plainly a token is decided by ``jwt`` alone."""
        text = credential.text if credential is not None else None
        if text is not None and credential is not None:
            if self._tokens is not None and not credential.is_key and looks_like_token(text):
                return await self._tokens.check(text)
            if self.keys is not None and (verified := await self.keys.check(text)) is not None:
                return verified
        if self.config.fn is None:
            return None
        function = self._function()
        if function is None:
            raise Refused("`authn.fn` is not there")
        return await ask(function, view(), self._threads)

    def _log(self, refusal: Refused, peer: str) -> None:
        cause = refusal.__cause__
        if cause is None:
            self._refusals.tell("info", "refused a handshake", refusal.reason, peer=peer)
        else:
            self._refusals.tell("error", "refused a handshake", refusal.reason, peer=peer, exc_info=cause)


def _view(handshake: Handshake, credential: Credential | None) -> AttributeDict:
    """What a function of the project sees of a handshake, by attribute and by key."""
    cookies: dict[str, str] = {}
    for name, value in cookies_of(handshake):
        cookies.setdefault(name, value)
    return AttributeDict(
        headers=handshake.headers,
        query=first_values(handshake.query),
        cookies=cookies,
        host=handshake.host,
        path=handshake.path,
        origin=handshake.origin,
        token=None if credential is None else credential.text,
    )
