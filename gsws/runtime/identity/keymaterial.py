"""
Keys that tokens are checked with, and which algorithms each may be used for.

The key's own kind says that, never a token: a public key is no HMAC secret. Cryptography is imported when a key is
made, because most projects have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["MIN_SECRET", "UnusableKey", "VerificationKey", "key_of_jwk", "key_of_pem", "key_of_secret"]

MIN_SECRET: Final[Mapping[str, int]] = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Bytes that a secret must have (RFC 7518 section 3.2)."""

_MIN_RSA_BITS: Final = 2048
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_PUBLIC: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}


class UnusableKey(ValueError):
    """A key that no token may be checked with; the message says why and shows nothing of it."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """
    One key.

    Attributes:
        material: The secret, or a public key of the library.
        algorithms: What it may be used for.
        id: ``kid``, or None.
    """

    material: Any = field(repr=False)
    algorithms: frozenset[str]
    id: str | None = None


def key_of_secret(secret: str, algorithms: tuple[str, ...]) -> VerificationKey:
    """
    Make a key from a shared secret.

    Raises:
        UnusableKey: If it is shorter than an algorithm needs, or an algorithm is not for secrets.
    """
    material = secret.encode()
    for name in algorithms:
        if name not in MIN_SECRET:
            raise UnusableKey(f"`{name}` does not go with a secret")
        if len(material) < MIN_SECRET[name]:
            raise UnusableKey(f"the secret has {len(material)} bytes; {name} needs at least {MIN_SECRET[name]}")
    return VerificationKey(material, frozenset(algorithms))


def key_of_pem(data: bytes) -> VerificationKey:
    """
    Make a key from the contents of a file with a public key in PEM.

    Raises:
        UnusableKey: If there is none.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in data:
        raise UnusableKey("the file has a private key; give the public one, and keep this where tokens are made")
    try:
        public = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableKey("the file is no public key in PEM (`-----BEGIN PUBLIC KEY-----`)") from None
    return VerificationKey(public, _algorithms_of(public))


def key_of_jwk(jwk: Any) -> VerificationKey:
    """
    Make a key from a JSON Web Key (RFC 7517); only its public members are looked at.

    Raises:
        UnusableKey: If it is no public key for signatures.
    """
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    if not isinstance(jwk, dict):
        raise UnusableKey("it is no object")
    kind = jwk.get("kty")
    makers = {"RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk}
    if not isinstance(kind, str) or kind not in makers:
        raise UnusableKey("it is no public key")
    operations = jwk.get("key_ops")
    if jwk.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        raise UnusableKey("it is not for signatures")
    try:
        public = makers[kind]({name: jwk[name] for name in _PUBLIC[kind]})
    except Exception:  # the library raises whatever its decoders do
        raise UnusableKey("it is malformed") from None
    algorithms = _algorithms_of(public)
    if "alg" in jwk:
        algorithms &= {str(jwk["alg"])}
        if not algorithms:
            raise UnusableKey("its `alg` is none for this kind of key")
    id = jwk.get("kid")
    return VerificationKey(public, algorithms, id if isinstance(id, str) else None)


def _algorithms_of(public: Any) -> frozenset[str]:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(public, RSAPublicKey):
        if public.key_size < _MIN_RSA_BITS:
            raise UnusableKey(f"an RSA key of {public.key_size} bits is too short; {_MIN_RSA_BITS} is the least")
        return _RSA
    if isinstance(public, EllipticCurvePublicKey) and public.curve.name in _CURVES:
        return frozenset({_CURVES[public.curve.name]})
    if isinstance(public, Ed25519PublicKey | Ed448PublicKey):
        return frozenset({"EdDSA"})
    raise UnusableKey("keys of this kind are not used for tokens")
