"""
The door of one source: a handshake goes in, an actor or a refusal comes out (protocol P4.2 and P4.3).

Here the methods of ``authn`` are put together; each of them lives in its own module.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gsws.errors import ServeError
from gsws.eventsources.websocket.config import AuthnConfig, WebSocketConfig
from gsws.runtime.identity.credential import (
    MAX_CREDENTIAL,
    Credential,
    cookies_of,
    credential_of,
    query_of,
    without,
)
from gsws.runtime.identity.function import ask
from gsws.runtime.identity.keyfile import KeyFile, KeyFileError
from gsws.runtime.identity.lease import Lease, Leases
from gsws.runtime.identity.tokens import TokenCheck, looks_like_token
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified
from gsws.runtime.threads import ThreadPool
from gsws.runtime.transport import Connection, Handshake, HTTPRefusal, ListenOptions, Wheel
from gsws.runtime.transport.interface import Headers
from gsws.runtime.transport.origins import origin_allowed
from gsws.types import AttributeDict, GSActor

if TYPE_CHECKING:
    from gsws.runtime.client import Client

__all__ = ["Identity"]

_STATE: Final = "identity"


class Identity:
    """
    Checks credentials for one source that has ``authn``.

    Args:
        config: The source's config; its ``authn`` is not None.
        name: The source's name.
        root: The project's root, where paths begin.
        function: Gives the function of ``authn.fn`` as the current revision has it, or None.
        threads: Where files are read and plain functions run.
        wheel: For deadlines of open connections.
        logger: The source's.

    Raises:
        ServeError: If a key cannot be used.
    """

    def __init__(
        self,
        config: WebSocketConfig,
        *,
        name: str,
        root: Path,
        function: Callable[[], Callable[[Any], Any] | None],
        threads: ThreadPool,
        wheel: Wheel,
        logger: Any,
    ) -> None:
        authn = config.authn
        assert authn is not None
        self.config: AuthnConfig = authn
        self.leases = Leases(self, wheel)
        self.logger = logger
        self._name = name
        self._origins = config.origins
        self._threads = threads
        self._function = function
        self._tokens: TokenCheck | None = None
        self.keys: KeyFile | None = None
        if authn.jwt is not None:
            self._tokens = TokenCheck(authn.jwt, source=name, root=root, threads=threads, logger=logger)
        if authn.api_keys is not None:
            self.keys = KeyFile(root / authn.api_keys.file, threads, logger)

    async def start(self) -> None:
        """
        Read what is needed to check credentials.

        Raises:
            ServeError: If the file of API keys cannot be used.
        """
        if self._tokens is not None:
            self._tokens.begin()
        if self.keys is not None:
            try:
                await self.keys.load()
            except KeyFileError as error:
                raise ServeError(f"the API keys of the source `{self._name}` cannot be used: {error}") from None

    def close(self) -> None:
        """Stop what runs in the background."""
        self.leases.close()
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
        except Unavailable:
            self.logger.warning(
                "refused a handshake", reason="the keys of `jwks_url` are not there", peer=handshake.host
            )
            return HTTPRefusal(503, "credentials cannot be checked now\n", {"Retry-After": "5"})
        return None

    def admit(self, connection: Connection, handshake: Handshake) -> GSActor | None:
        """Tell whose a new connection is, None if anonymous; its query no longer holds the credential."""
        if self.config.query is not None:
            connection.query = without(connection.query, self.config.query)
        verified = handshake.state.get(_STATE)
        return verified.actor if isinstance(verified, Verified) else None

    def watch(self, client: Client, handshake: Handshake) -> None:
        """End the connection when its credential does (P7.4)."""
        verified = handshake.state.get(_STATE)
        if isinstance(verified, Verified):
            client.lease = Lease(client, self.leases, verified)

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
        name, _, port = handshake.headers.get("Host", "").lower().rpartition(":")
        if not port.isdigit():
            name, port = handshake.headers.get("Host", "").lower(), ""
        listed = None if self._origins is None else tuple(one for one in self._origins if one != "*")
        options = ListenOptions(origins=listed)
        if not origin_allowed(handshake.headers.get_all("Origin"), name, int(port) if port else None, options):
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
            self.logger.info("refused a handshake", reason=refusal.reason, peer=peer)
        else:
            self.logger.error("refused a handshake", reason=refusal.reason, peer=peer, exc_info=cause)


def _view(handshake: Handshake, credential: Credential | None) -> AttributeDict:
    """What a function of the project sees of a handshake, by attribute and by key."""
    query: dict[str, str] = {}
    for name, value in query_of(handshake.query):
        query.setdefault(name, value)
    cookies: dict[str, str] = {}
    for name, value in cookies_of(handshake):
        cookies.setdefault(name, value)
    return AttributeDict(
        headers=handshake.headers,
        query=query,
        cookies=cookies,
        host=handshake.host,
        path=handshake.path,
        origin=handshake.origin,
        token=None if credential is None else credential.text,
    )
