"""The deployment page's site, run by a real nginx: TLS, files, origins, heartbeats, credentials, addresses."""

from __future__ import annotations

import base64
import datetime
import socket
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as plain

from gsws.testing import FaultProxy
from tests.deploy.nginx import documented, free_port, nginx, site
from tests.deploy.services import FILES, SOURCE, behind, numbers, receive, send
from tests.e2e.serving import serve, write_project

SECRET = "a secret of no less than thirty-two bytes"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for app.example.com, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("app.example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "app.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "app.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "app.pem", folder / "app.key"


def test_the_site_as_it_stands_with_tls(tmp_path: Path) -> None:
    """P3.1: plain clients over `wss`, the files, and the origins, with no change but port, upstream and certificate."""
    certified, key = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(certified))
    port = free_port()
    with serve(write_project(tmp_path / "app", FILES), "--env", "production") as served:
        text = site(
            documented("listen 443 ssl"),
            {
                "listen 443": f"listen 127.0.0.1:{port}",
                "127.0.0.1:8000": f"127.0.0.1:{served.port}",
                "/etc/ssl/app.pem": str(certified),
                "/etc/ssl/app.key": str(key),
            },
        )

        def opened(origin: str) -> ClientConnection:
            there = socket.create_connection(("127.0.0.1", port), timeout=10)
            return plain(
                "wss://app.example.com/?clientId=test-user", sock=there, ssl=trust, origin=origin, open_timeout=10
            )

        with nginx(tmp_path / "nginx", text, port, top=documented("worker_connections")):
            with opened("https://app.example.com") as connection:
                send(connection, "websocket.count", {"to": 3})
                frames = [receive(connection) for _ in range(5)]
            assert [frame["eventtype"] for frame in frames] == ["stream.start", *["stream.chunk"] * 3, "stream.end"]
            assert "".join(frame["payload"]["message"] for frame in frames[1:4]) == numbers(3)
            for origin in ("http://app.example.com", "https://evil.example"):
                with pytest.raises(InvalidStatus) as refused:
                    opened(origin)
                assert refused.value.response.status_code == 403


def test_files_and_health_pass_and_each_chunk_passes_when_it_is_sent(tmp_path: Path) -> None:
    """P6.1: the second half is made only after the client has said that the first one is there."""
    with behind(tmp_path) as (proxy, _):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for path, text in (("/", b"shop"), ("/readyz", b"ok"), ("/gsws.js", b"export async function connect")):
            with opener.open(f"http://127.0.0.1:{proxy.port}{path}", timeout=10) as answer:
                assert text in answer.read()
        with pytest.raises(urllib.error.HTTPError) as inside:
            opener.open(f"http://127.0.0.1:{proxy.port}/gsws/counters", timeout=10)
        assert inside.value.code == 404
        inside.value.close()
        with plain(f"ws://127.0.0.1:{proxy.port}/") as connection:
            send(connection, "websocket.held", {"gate": "a"}, id="a")
            before = [receive(connection)["payload"]["message"] for _ in range(51)]
            send(connection, "websocket.release", {"gate": "a"})
            after = [receive(connection)["payload"]["message"] for _ in range(51)]
        assert "".join([*before[1:], *after[:-1]]) == numbers(100)


def test_pages_of_the_same_origin_need_no_list(tmp_path: Path) -> None:
    """`Host $http_host` has the browser's name and port, so that the default of `origins` works behind nginx."""
    with behind(tmp_path, **{"eventsources/websocket.yaml": "type: websocket\nport: 8000\n"}) as (proxy, _):
        with plain(f"ws://localhost:{proxy.port}/", origin=f"http://localhost:{proxy.port}") as connection:
            send(connection, "websocket.who", {}, id="a")
            assert receive(connection)["eventtype"] == "reply"
        with pytest.raises(InvalidStatus):
            plain(f"ws://localhost:{proxy.port}/", origin="http://localhost:1")


def test_heartbeats_keep_an_idle_connection_open(tmp_path: Path) -> None:
    """P10.1: nginx cuts what is silent for `proxy_read_timeout`; pings are no silence."""
    text = documented("listen 443 ssl")
    assert "proxy_read_timeout 60s;" in text
    source = SOURCE + "heartbeat: {interval: %s, timeout: 20s}\n"
    for interval, is_open in (("500ms", True), ("0", False)):
        folder = tmp_path / interval
        with behind(folder, **{"eventsources/websocket.yaml": source % interval}) as (proxy, _):
            config = folder / "nginx" / "nginx.conf"
            config.write_text(config.read_text().replace("proxy_read_timeout 60s;", "proxy_read_timeout 3s;"))
            proxy.reload()
            with plain(f"ws://127.0.0.1:{proxy.port}/", ping_interval=None) as connection:
                if is_open:
                    with pytest.raises(TimeoutError):
                        connection.recv(timeout=4.5)
                    send(connection, "websocket.who", {}, id="a")
                    assert receive(connection)["eventtype"] == "reply"
                else:
                    with pytest.raises(ConnectionClosed):
                        connection.recv(timeout=10)


def test_a_client_that_vanished_behind_nginx_is_found(tmp_path: Path) -> None:
    """P10.1: pings reach the client through nginx; when they are not answered, both connections are closed."""
    source = SOURCE + "heartbeat: {interval: 1s, timeout: 1s}\n"
    with behind(tmp_path, **{"eventsources/websocket.yaml": source}) as (proxy, _), FaultProxy(proxy.port) as way:
        with plain(f"ws://127.0.0.1:{way.address[1]}/", ping_interval=None, close_timeout=1) as connection:
            send(connection, "websocket.who", {}, id="a")
            assert receive(connection)["eventtype"] == "reply"
            assert " 101 " not in proxy.requests
            way.half_open()
            proxy.wait(lambda: " 101 " in proxy.requests, 30)


def test_credentials_pass_and_are_not_logged(tmp_path: Path) -> None:
    """P4.3, P3.2: header, subprotocol, cookie with its origin, and query, which the page's log format leaves out."""
    token = jwt.encode({"sub": "bo", "exp": time.time() + 600}, SECRET, "HS256")
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    authn = f"authn: {{jwt: {{secret: '{SECRET}'}}, cookie: session, query: token}}\n"
    log = site(documented("log_format"), {"/var/log/nginx/app.log": f"{tmp_path}/nginx/app.log"})
    app = "https://app.example.com"
    with behind(tmp_path, **{"eventsources/websocket.yaml": SOURCE + authn}) as (proxy, _):
        config = tmp_path / "nginx" / "nginx.conf"
        shared, own = log.splitlines()
        text = config.read_text()
        text = text.replace("map $http_upgrade", f"{shared}\nmap $http_upgrade").replace(
            "    server_name", f"    {own}\n    server_name"
        )
        config.write_text(text)
        proxy.reload()
        url = f"ws://127.0.0.1:{proxy.port}/"
        ways: list[tuple[str, dict[str, Any]]] = [
            (url, {"additional_headers": {"Authorization": f"Bearer {token}"}}),
            (url, {"subprotocols": ["gsws.v1", f"gsws.token.{encoded}"]}),
            (url, {"additional_headers": {"Cookie": f"session={token}"}, "origin": app}),
            (f"{url}?token={token}", {}),
        ]
        for where, options in ways:
            with plain(where, **options) as connection:
                if connection.subprotocol is not None:
                    assert receive(connection)["eventtype"] == "gsws.hello"
                send(connection, "websocket.who", {}, id="a")
                assert receive(connection)["payload"]["data"]["subject"] == "bo"
        with pytest.raises(InvalidStatus) as refused:
            plain(url)
        assert refused.value.response.status_code == 401
        with pytest.raises(InvalidStatus) as refused:
            plain(url, additional_headers={"Cookie": f"session={token}"}, origin="https://evil.example")
        assert refused.value.response.status_code == 403
        proxy.wait(lambda: (tmp_path / "nginx" / "app.log").read_text().count("\n") >= 6)
        logged = (tmp_path / "nginx" / "app.log").read_text()
        assert logged.count('"GET /" 101') == 4
        assert token not in logged
        assert encoded not in logged


def test_nginx_counts_addresses(tmp_path: Path) -> None:
    """One address has as many connections as `limit_conn` says, and a place is free again when one has closed."""
    zone, count, status = documented("limit_conn").splitlines()
    with behind(tmp_path) as (proxy, _):
        config = tmp_path / "nginx" / "nginx.conf"
        count = site(count, {" 20;": " 2;"})
        text = config.read_text().replace("map $http_upgrade", f"{zone}\nmap $http_upgrade")
        config.write_text(text.replace("    server_name", f"    {count} {status}\n    server_name"))
        proxy.reload()
        url = f"ws://127.0.0.1:{proxy.port}/"
        with plain(url), plain(url):
            with pytest.raises(InvalidStatus) as refused:
                plain(url)
            assert refused.value.response.status_code == 429
        proxy.wait(lambda: proxy.requests.count(" 101 ") == 2)
        with plain(url) as connection:
            send(connection, "websocket.who", {}, id="a")
            assert receive(connection)["eventtype"] == "reply"
