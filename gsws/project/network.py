"""
Rules for sources that listen: what is open to the world, what two of them fight for, what their keys contradict.

They look at the keys ``host``, ``port``, ``origins``, ``authn``, ``tls`` of any source, whatever its plugin.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from gsws.diagnostics.finding import Finding, Label, error, warning
from gsws.project.files.lookups import Unresolved
from gsws.project.reporting.wording import quoted
from gsws.project.sources import CheckedFile
from gsws.text.span import Pointer, Span

__all__ = ["dialled", "is_loopback", "network_findings", "port_conflicts"]

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)

_HELP: Final[Mapping[Pointer, str]] = {
    ("authn", "api_keys", "file"): "`gsws keys add --subject NAME` makes it; paths begin at the project's root"
}

_SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}


def network_findings(source: CheckedFile, root: Path) -> list[Finding]:
    """What one source's keys say together."""
    authn = source.written.get("authn")
    findings = [*_exposure(source, isinstance(authn, dict) and bool(authn))]
    if isinstance(authn, dict):
        findings += _authn(source, authn)
    findings += _files(source, root)
    findings += _limits(source, isinstance(authn, dict) and bool(authn))
    return findings


def port_conflicts(sources: Iterable[CheckedFile]) -> Iterator[Finding]:
    """Two sources that would bind the same port (GS602)."""
    listening = [
        source
        for source in sources
        if isinstance(port := source.config.get("port"), int) and not isinstance(port, bool) and port > 0
    ]
    for first, second in combinations(listening, 2):
        port = first.config["port"]
        if port == second.config["port"] and _same_host(first.config.get("host"), second.config.get("host")):
            yield error(
                "GS602",
                f"the sources `{first.name}` and `{second.name}` both listen on port {port}",
                _span(second, "port"),
                f"port {port} here",
                "give one of them another port; 0 picks a free one",
                [Label(_span(first, "port"), "and here")],
            )


def _exposure(source: CheckedFile, guarded: bool) -> Iterator[Finding]:
    host, origins = source.config.get("host"), source.config.get("origins")
    if isinstance(host, str) and host and not isinstance(host, Unresolved) and not _is_host(host):
        found = "" if ("host",) in source.expanded.dynamic else f", found {quoted(host)}"
        yield error(
            "GS307",
            f"`host` must be an address or a host name{found}",
            _span(source, "host"),
            "no such address",
            "write `127.0.0.1` for this machine alone, `0.0.0.0` for all that can reach it",
        )
        return
    if isinstance(host, str) and not isinstance(host, Unresolved) and not is_loopback(host) and not guarded:
        yield warning(
            "GS603",
            f"`{source.name}` can be reached from other machines and has no `authn`",
            _span(source, "host"),
            "not loopback",
            "add `authn`, or listen on 127.0.0.1 behind a proxy that asks for a credential",
        )
    if isinstance(origins, list) and "*" in origins:
        place = ("origins", origins.index("*"))
        authn = source.written.get("authn")
        if isinstance(authn, dict) and "cookie" in authn:
            yield error(
                "GS607",
                "any page on the web could use the visitor's cookie: `origins: ['*']` together with `authn.cookie`",
                _span(source, *place),
                "any origin",
                "list the origins of your own pages",
                [Label(_span(source, "authn", "cookie"), "the cookie is a credential")],
            )
        else:
            yield warning(
                "GS603",
                f"any page on the web may connect to `{source.name}`",
                _span(source, *place),
                "any origin",
                "list the origins of your own pages",
            )


def _limits(source: CheckedFile, guarded: bool) -> Iterator[Finding]:
    limits = source.written.get("limits")
    rate = limits.get("rate") if isinstance(limits, dict) else None
    if isinstance(rate, dict) and rate.get("by") == "subject" and not guarded:
        yield warning(
            "GS309",
            "`by: subject` does nothing without `authn`: nobody has a subject that can be trusted",
            _span(source, "limits", "rate", "by"),
            "counted by connection",
            "add `authn`, or leave out `by`",
        )


def _authn(source: CheckedFile, authn: Mapping[str, Any]) -> Iterator[Finding]:
    document = source.expanded.document
    if not any(method in authn for method in ("jwt", "api_keys", "fn")):
        yield error(
            "GS304",
            "`authn` says no way to prove who a client is",
            document.key_span(("authn",)),
            "",
            "add `jwt`, `api_keys` or `fn`, or remove `authn`",
        )
    jwt = authn.get("jwt")
    if not isinstance(jwt, dict):
        return
    keys = [key for key in ("secret", "public_key", "jwks_url") if key in jwt]
    if not keys:
        yield error(
            "GS304",
            "`authn.jwt` lacks the key that tokens are checked with",
            document.key_span(("authn", "jwt")),
            "",
            "add `secret: ${JWT_SECRET}`, `public_key: FILE` or `jwks_url: https://…`",
        )
    elif len(keys) > 1:
        yield error(
            "GS310",
            f"`authn.jwt` has a `{keys[0]}` and a `{keys[1]}`",
            document.key_span(("authn", "jwt", keys[1])),
            f"`{keys[0]}` is there too",
            "keep one: a shared secret, a public key, or the issuer's published keys",
        )
    else:
        algorithms = jwt.get("algorithms")
        for index, name in enumerate(algorithms if isinstance(algorithms, list) else ()):
            # A public key taken for an HMAC secret is the oldest forgery of tokens there is.
            if isinstance(name, str) and name.startswith("HS") != (keys == ["secret"]) and len(name) == 5:
                yield error(
                    "GS310",
                    f"`{name}` does not go with `{keys[0]}`",
                    document.value_span(("authn", "jwt", "algorithms", index)),
                    "",
                    "HS… goes with `secret`; RS…, PS…, ES… and EdDSA with `public_key` or `jwks_url`",
                )
        if keys == ["secret"]:
            yield from _secret(source, jwt)


def _secret(source: CheckedFile, jwt: Mapping[str, Any]) -> Iterator[Finding]:
    """A secret that can be guessed offline from one token (RFC 7518 section 3.2); it is not shown."""
    secret, algorithms = jwt["secret"], jwt.get("algorithms")
    if not isinstance(secret, str) or isinstance(secret, Unresolved):
        return
    names = algorithms if isinstance(algorithms, list) and algorithms else ["HS256"]
    least = max((_SECRET_BYTES.get(name, 0) for name in names if isinstance(name, str)), default=0)
    size = len(secret.encode("utf-8", "replace"))
    if size < least:
        yield error(
            "GS307",
            f"`authn.jwt.secret` has {size} bytes; its algorithm needs at least {least}",
            _span(source, "authn", "jwt", "secret"),
            "too short",
            "make one with `openssl rand -base64 48` and keep it in the environment",
        )


def _files(source: CheckedFile, root: Path) -> Iterator[Finding]:
    """Files that a source names: there, readable and, for TLS, a pair that is in date (GS604)."""
    right = {}
    for place in source.files:
        name = _value(source, place)
        if not isinstance(name, str) or isinstance(name, Unresolved):
            continue
        path = root / name
        code = "GS604" if place[0] == "tls" else "GS003"
        reason = _unreadable(path)
        if reason is not None:
            dotted = ".".join(map(str, place))
            shown = "the file" if place in source.expanded.dynamic else quoted(name)
            yield error(
                code,
                f"`{dotted}`: cannot read {shown}: {reason}",
                _span(source, *place),
                "this file",
                _HELP.get(place, "paths begin at the project's root"),
            )
        else:
            right[place] = path
    cert, key = right.get(("tls", "cert")), right.get(("tls", "key"))
    if cert is not None and key is not None:
        reason, which = _tls(cert, key)
        if reason is not None:
            yield error("GS604", reason, _span(source, "tls", which), "", "see `tls` in the reference of the files")


def _tls(cert: Path, key: Path) -> tuple[str | None, str]:
    """Why a certificate and a key cannot serve, and which of the two keys of ``tls`` tells it."""
    import ssl
    import time

    def no_password() -> str:
        # Else OpenSSL asks on the terminal, and a server without one hangs.
        raise ValueError("the key is encrypted")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password=no_password)
    except ValueError:
        return "the TLS key is encrypted; gsws asks for no password", "key"
    except ssl.SSLError as failure:
        if failure.reason == "KEY_VALUES_MISMATCH":  # OpenSSL's own name for it, X509_R_KEY_VALUES_MISMATCH
            return "the TLS certificate and the key do not belong together", "key"
        return "the TLS certificate or its key is no PEM that OpenSSL reads", "cert"
    except OSError as failure:
        return f"the TLS files cannot be read: {failure.strerror}", "cert"
    expires = _expires(cert)
    if expires is not None and expires < time.time():
        when = time.strftime("%Y-%m-%d", time.gmtime(expires))
        return f"the TLS certificate expired on {when}", "cert"
    return None, ""


def _expires(cert: Path) -> float | None:
    """When a certificate ends, in seconds since 1970; None if this Python cannot tell."""
    import ssl

    # The only decoder of certificates in the standard library; tests of CPython rely on it since 3.0.
    decode = getattr(getattr(ssl, "_ssl", None), "_test_decode_cert", None)
    if decode is None:
        return None
    try:
        return float(ssl.cert_time_to_seconds(decode(os.fspath(cert))["notAfter"]))
    except (ssl.SSLError, KeyError, ValueError, OSError):
        return None


def _unreadable(path: Path) -> str | None:
    try:
        if not path.exists():
            return "there is no such file"
        if not path.is_file():
            return "it is no regular file"
        with path.open("rb"):
            return None
    except (OSError, ValueError) as failure:
        return getattr(failure, "strerror", None) or "its name is not valid"


def _value(source: CheckedFile, place: Pointer) -> Any:
    value: Any = source.written
    for item in place:
        value = value[item]
    return value


def _span(source: CheckedFile, *place: str | int) -> Span:
    """A value of the file, or its ``type`` if the value is a default."""
    document = source.expanded.document
    return document.value_span(place) if document.has(place) else source.type_span


def is_loopback(host: str) -> bool:
    """Whether an address or a host name means this machine alone."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def dialled(host: str) -> str:
    """How this machine reaches what listens on a host, as a URL has it: no wildcard, an IPv6 address in brackets."""
    name = host.strip("[]")
    try:
        address = ipaddress.ip_address(name or "0.0.0.0")  # noqa: S104  # replaced, not bound
    except ValueError:
        return "127.0.0.1" if name == "*" else name
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"
    return str(address) if address.version == 4 else f"[{name.replace('%', '%25')}]"


def _is_host(host: str) -> bool:
    """Whether text can be an address: digits and dots alone must be a whole IPv4 address."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        labels = host.rstrip(".").split(".")
        return not labels[-1].isdigit() and all(_LABEL.fullmatch(label) for label in labels)
    return True


def _same_host(first: Any, second: Any) -> bool:
    def addresses(host: Any) -> set[str]:
        match host:
            case "localhost":
                return {"127.0.0.1", "::1"}
            case str():
                return {host.strip("[]")}
        return {"0.0.0.0"}  # noqa: S104  # compared, not bound

    one, other = addresses(first), addresses(second)
    everywhere = {"0.0.0.0", "::", "*"}  # noqa: S104  # compared, not bound
    return bool(one & other) or bool(one & everywhere) or bool(other & everywhere)
