"""
JSON Web Tokens (RFC 7519): is a token genuine, meant for us, in date, and whose is it.

The library decides about signatures and claims. Algorithms come from the config and the key, never from the token.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from gsws.errors import ServeError
from gsws.plugins.listening import JWTConfig
from gsws.runtime.identity.checking import CheckThreads
from gsws.runtime.identity.grantfile import GrantFile, GrantFileError, read_grants
from gsws.runtime.identity.jwks import KeySet
from gsws.runtime.identity.keymaterial import UnusableKey, VerificationKey, key_of_pem, key_of_secret
from gsws.runtime.identity.verdict import Refused, Unavailable, Verified, moment, scopes_of, subject_of
from gsws.types import GSActor

__all__ = ["TokenCheck", "looks_like_token"]

_Pem: TypeAlias = tuple[bytes, VerificationKey]

_REASONS: Final = {
    "ExpiredSignatureError": "the token has expired",
    "ImmatureSignatureError": "the token is not valid yet (`nbf` or `iat`)",
    "InvalidAudienceError": "the token is for another audience than `authn.jwt.audience`",
    "InvalidIssuerError": "the token is from another issuer than `authn.jwt.issuer`",
    "InvalidAlgorithmError": "the token's algorithm is not one of `authn.jwt.algorithms`",
    "InvalidSignatureError": "the token's signature is wrong",
    "InvalidSubjectError": "the token's `sub` is no text",
}


def looks_like_token(text: str) -> bool:
    """Whether a credential has the three parts of a signed token."""
    return text.count(".") == 2


class TokenCheck:
    """
    Checks tokens as one ``authn.jwt`` says.

    Raises:
        ServeError: If there is no key that fits the config.
    """

    def __init__(self, config: JWTConfig, *, source: str, root: Path, threads: CheckThreads, logger: Any) -> None:
        self._config = config
        self._logger = logger
        self._is_endless_told = False
        self._keys: tuple[VerificationKey, ...] = ()
        self._published: KeySet | None = None
        self.file: GrantFile[_Pem] | None = None
        try:
            if config.secret is not None:
                self._keys = (key_of_secret(config.secret, config.algorithms),)
            elif config.public_key is not None:
                self._keys = (_read_pem(root / config.public_key)[1],)
                self.file = GrantFile(
                    root / config.public_key, _read_pem, threads, logger, what="the file of `public_key`"
                )
        except (UnusableKey, GrantFileError) as error:
            what = "secret" if config.secret is not None else "public_key"
            raise ServeError(
                f"`authn.jwt.{what}` of the source `{source}` cannot be used: {error}",
                "`openssl rand -base64 48` makes a good secret" if what == "secret" else None,
            ) from None
        if config.jwks_url is not None and not self._keys:
            if any(name.startswith("HS") for name in config.algorithms):
                raise ServeError(f"`authn.jwt` of the source `{source}`: algorithms for secrets with public keys")
            self._published = KeySet(config.jwks_url, logger)
            if _is_exposed(config.jwks_url):
                logger.warning("`jwks_url` is plain HTTP: whoever is on the way can make tokens")
        elif not self._keys:
            raise ServeError(f"`authn.jwt` of the source `{source}` has no key to check tokens with")
        if self._keys and not self._keys[0].algorithms.intersection(config.algorithms):
            raise ServeError(f"`authn.jwt` of the source `{source}`: no algorithm of the config goes with the key")

    def begin(self) -> None:
        """Begin to fetch published keys."""
        if self._published is not None:
            self._published.begin()

    def close(self) -> None:
        """Stop fetching."""
        if self._published is not None:
            self._published.close()

    def signer(self) -> bytes | None:
        """
        What tells the public key in the file from another, as it was read last; None if keys come from elsewhere.

        Raises:
            Unavailable: If the file could not be used.
        """
        if self.file is None:
            return None
        if self.file.value is None:
            raise Unavailable("the file of `public_key` cannot be used")
        return self.file.value[0]

    async def check(self, token: str) -> Verified:
        """
        Check one token.

        Raises:
            Refused: If it is not good.
            Unavailable: If the keys have not been had yet, or not for too long.
        """
        kid, algorithm = _header(token)
        if algorithm not in self._config.algorithms:
            raise Refused(_REASONS["InvalidAlgorithmError"])
        keys = self._keys
        if self._published is not None:
            keys = await self._published.find(kid, algorithm)
        elif self.file is not None:
            keys = ((await self.file.current())[1],)
        refusal = Refused("there is no key for the token's `kid` and algorithm")
        for key in keys:
            try:
                return self._verified(_claims(token, key, self._config))
            except Refused as error:
                refusal = error
        raise refusal

    def _verified(self, claims: dict[str, Any]) -> Verified:
        actor = GSActor(
            subject_of(claims.get("sub")), scopes_of(claims.get("scope"), claims.get("scopes")), True, claims
        )
        if "exp" not in claims:
            if not self._is_endless_told:
                self._is_endless_told = True
                self._logger.warning("tokens without `exp` never expire; let the issuer set it")
            return Verified(actor, method="jwt", signer=self.signer())
        return Verified(actor, moment(int(claims["exp"])), self._config.leeway, method="jwt", signer=self.signer())


def _read_pem(path: Path) -> _Pem:
    try:
        data = read_grants(path)
        return hashlib.sha256(data).digest(), key_of_pem(data)
    except UnusableKey as error:
        raise GrantFileError(str(error)) from None


def _header(token: str) -> tuple[str | None, str]:
    """The ``kid`` and ``alg`` that a token names."""
    import jwt

    try:
        header = jwt.get_unverified_header(token)
        kid, algorithm = header.get("kid"), header.get("alg")
    except Exception:  # whatever a malformed token provokes
        raise Refused("the token is malformed") from None
    if not isinstance(algorithm, str) or not isinstance(kid, str | None):
        raise Refused("the token's header is malformed")
    return kid, algorithm


def _claims(token: str, key: VerificationKey, config: JWTConfig) -> dict[str, Any]:
    import jwt

    try:
        claims = jwt.decode(
            token,
            key.material,
            algorithms=[name for name in config.algorithms if name in key.algorithms],
            audience=config.audience or None,
            issuer=config.issuer,
            leeway=config.leeway,
            options={"require": ["sub"]},
        )
    except Exception as error:  # whatever a malformed token provokes
        raise Refused(_REASONS.get(type(error).__name__, "the token is malformed or lacks `sub`")) from None
    return claims


def _is_exposed(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme.lower() == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
