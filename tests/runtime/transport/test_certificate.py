"""TLS on the source's port, and a certificate that is renewed while connections are open."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from websockets.exceptions import InvalidMessage
from websockets.sync.client import connect

from tests.runtime.support import Client, served

FILES = {
    "eventsources/websocket.yaml": "type: websocket\nport: 0\ntls: {cert: tls/cert.pem, key: tls/key.pem}\n",
    "events/all.yaml": "websocket.echo: {fn: echo, payload: {}}\n",
    "functions/echo.py": "async def echo(payload): return payload\n",
}


def make_certificate(folder, name):
    """A self-signed certificate of a day."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(private)
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


def trusting():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate(port):
    with socket.create_connection(("127.0.0.1", port), 5) as plain, trusting().wrap_socket(plain) as secure:
        return secure.getpeercert(binary_form=True)


def test_messages_travel_encrypted_and_a_renewed_certificate_is_used(tmp_path):
    make_certificate(tmp_path / "tls", "one")
    with served(tmp_path, FILES) as running:
        port = running.ports["websocket"]
        listener = running.service._listeners["websocket"]
        with connect(f"wss://127.0.0.1:{port}/", ssl=trusting()) as opened:
            client = Client(opened)
            assert client.ask("websocket.echo", 1)["payload"]["data"] == 1
            before = certificate(port)
            assert not running.call(lambda: listener._certificate.renew())

            make_certificate(tmp_path / "tls", "two")
            assert running.call(lambda: listener._certificate.renew())
            assert certificate(port) != before
            assert client.ask("websocket.echo", 2)["payload"]["data"] == 2

            (tmp_path / "tls/cert.pem").write_text("nonsense")
            renewed = certificate(port)
            assert not running.call(lambda: listener._certificate.renew())
            assert certificate(port) == renewed
            assert running.log("cannot use the new TLS files; the old ones stay")


def test_plain_text_on_the_tls_port_is_no_connection(tmp_path):
    make_certificate(tmp_path / "tls", "one")
    with served(tmp_path, FILES) as running, pytest.raises((OSError, InvalidMessage)):
        connect(f"ws://127.0.0.1:{running.ports['websocket']}/", open_timeout=3)


def test_a_key_that_is_encrypted_asks_nobody_and_changes_nothing(tmp_path):
    """OpenSSL would ask on the terminal, and the service would hang; the files are looked at again later."""
    make_certificate(tmp_path / "tls", "one")
    with served(tmp_path, FILES) as running:
        before = certificate(running.ports["websocket"])
        key = ec.generate_private_key(ec.SECP256R1())
        locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
        make_certificate(tmp_path / "tls", "two")
        (tmp_path / "tls" / "key.pem").write_bytes(locked)
        held = running.service._listeners["websocket"]._certificate
        assert not running.call(held.renew)
        assert running.log("cannot use the new TLS files; the old ones stay")[0]["reason"] == "the key is encrypted"
        assert certificate(running.ports["websocket"]) == before
        make_certificate(tmp_path / "tls", "three")
        assert running.call(held.renew)
