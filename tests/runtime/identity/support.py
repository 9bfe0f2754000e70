"""Tokens, keys and an issuer's server; how a refused handshake looks from outside."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from websockets.exceptions import InvalidStatus

from tests.runtime.support import Served

SECRET = "correct-horse-battery-staple-0123456789"

ECHO = {
    "events/who.yaml": """
        websocket.who: {fn: who, payload: {}}
        websocket.open: {fn: who, payload: {}, authn: false}
        websocket.write: {fn: who, payload: {}, authz: {scopes: ["chat:write"]}}
    """,
    "functions/who.py": """
        async def who(ctx):
            actor = ctx.actor
            return {
                "subject": actor.subject, "scopes": sorted(actor.scopes), "authenticated": actor.authenticated,
                "claims": dict(actor.claims), "query": ctx.inputs.metadata["query"],
            }
    """,
}


def source(authn: str, more: str = "") -> dict[str, str]:
    """Files of a project whose source has this ``authn`` (YAML in flow form)."""
    text = f"type: websocket\nport: 0\nauthn: {authn}\n{more}"
    return {**ECHO, ".env": f"JWT_SECRET={SECRET}\n", "eventsources/websocket.yaml": text}


def token(
    subject: Any = "ann", *, secret: Any = SECRET, algorithm: str = "HS256", header: Any = None, **claims: Any
) -> str:
    """Make a token; ``exp`` in seconds from now may be given as ``lasts``."""
    lasts = claims.pop("lasts", 60)
    if lasts is not None:
        claims.setdefault("exp", time.time() + lasts)
    if subject is not None:
        claims["sub"] = subject
    return jwt.encode(claims, secret, algorithm=algorithm, headers=header)


def forged(header: Any, payload: Any, signature: bytes = b"") -> str:
    """Put a token together by hand."""
    parts = [json.dumps(part).encode() if not isinstance(part, bytes) else part for part in (header, payload)]
    return ".".join(encoded(part) for part in (*parts, signature))


def encoded(data: bytes | str) -> str:
    """Base64url without padding."""
    raw = data if isinstance(data, bytes) else data.encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def refused(running: Served, **options: Any) -> int:
    """Connect, be refused before the upgrade, and tell the status; a 401 says no more than it must."""
    try:
        with running.client(**options):
            raise AssertionError("the handshake was not refused")
    except InvalidStatus as error:
        response = error.response
        if response.status_code == 401:
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert response.body == b"unauthorized\n"
        return response.status_code


def who(running: Served, event: str = "websocket.who", **options: Any) -> dict[str, Any]:
    """Connect and tell the data of the reply."""
    with running.client(**options) as client:
        return client.ask(event)["payload"]["data"]


class Issuer:
    """An HTTP server that publishes keys."""

    def __init__(self) -> None:
        self.document: Any = {"keys": []}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.asked: list[str] = []
        self.credentials: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                issuer.credentials += self.headers.get_all("Authorization") or []
                time.sleep(issuer.delay)
                document = issuer.document
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/keys"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def publish(self, **keys: Any) -> None:
        """Publish public keys by ``kid``."""
        self.document = {"keys": [public_jwk(key, kid=kid) for kid, key in keys.items()]}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@contextmanager
def issuer() -> Iterator[Issuer]:
    server = Issuer()
    try:
        yield server
    finally:
        server.stop()


def public_jwk(key: Any, **more: Any) -> dict[str, Any]:
    """The public half of a private key as a JSON Web Key."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    kind = (
        RSAAlgorithm
        if isinstance(key, rsa.RSAPrivateKey)
        else ECAlgorithm
        if isinstance(key, ec.EllipticCurvePrivateKey)
        else OKPAlgorithm
    )
    return {**kind.to_jwk(key.public_key(), as_dict=True), **more}
